//===- Loader.cpp - Batches, read ahead of their use ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A ring of slots. The n-th batch of this loader goes into slot n modulo their
// count; each worker takes the next one that is not yet taken and whose slot is
// free. The caller gets the batches in order, and each batch depends on its
// number over all epochs alone.
//
//===----------------------------------------------------------------------===//

#include "Augment.h"
#include "Dataset.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

using namespace vit::data;

namespace {

/// Memory for one batch, and its state.
struct Slot {
  Buffer<float> images;
  std::vector<int32_t> labels;
  std::vector<std::string> skipped;
  int64_t count = 0;
  std::optional<Failure> failure;
  bool isReady = false;
};

/// Whether `failure` of reading a picture is caused by the picture itself.
bool isUnreadable(const Failure &failure) {
  return failure.status == VIT_NOT_FOUND || failure.status == VIT_IO_ERROR ||
         failure.status == VIT_CORRUPT || failure.status == VIT_UNSUPPORTED;
}

} // namespace

struct vit_loader {
  vit_loader(const vit_dataset *dataset, const vit_loader_options &options);
  ~vit_loader();

  int64_t batchesPerEpoch() const { return (perEpoch + batch - 1) / batch; }
  /// Returns the next batch; the previous one may be overwritten.
  void next(vit_batch &out);

  std::vector<std::string> skipped; ///< of the last returned batch

private:
  void work();
  /// The number over all epochs of the n-th batch of this loader.
  int64_t numberOf(int64_t n) const { return first + n * stride; }
  /// The pictures of an epoch in order.
  std::shared_ptr<const std::vector<int64_t>> orderOf(int64_t epoch);
  void fill(Slot &slot, int64_t number);
  void stop();

  const vit_dataset *dataset;
  vit_preprocessing preprocessing;
  vit_augmentation augmentation = {};
  bool augments, skipsUnreadable;
  int64_t batch, perEpoch, elements, first, stride;
  uint64_t seed;
  std::vector<int32_t> givenOrder;
  int64_t givenEpochs;

  std::mutex mutex;
  std::condition_variable slotFreed, slotReady;
  // Under the mutex:
  std::vector<Slot> slots;
  int64_t taken = 0;     ///< what the next free worker takes
  int64_t delivered = 0; ///< all below it are finished
  bool stopping = false;
  std::shared_ptr<const std::vector<int64_t>> order; ///< of epoch orderEpoch
  int64_t orderEpoch = -1;

  bool holdsSlot = false; ///< The caller reads slot `delivered`.
  std::vector<std::thread> threads;
};

vit_loader::vit_loader(const vit_dataset *dataset,
                       const vit_loader_options &options)
    : dataset(dataset), preprocessing(*options.preprocessing),
      augments(options.augmentation != nullptr),
      skipsUnreadable(options.skip_unreadable != 0), batch(options.batch),
      perEpoch(options.order   ? options.order_count
               : options.limit ? std::min(options.limit, dataset->count)
                               : dataset->count),
      first(options.first_batch),
      stride(std::max<int64_t>(1, options.batch_stride)), seed(options.seed),
      givenEpochs(options.order ? options.order_epochs : 0) {
  if (augments)
    augmentation = *options.augmentation;
  batch = std::min(batch, perEpoch);
  if (options.order)
    givenOrder.assign(options.order, options.order + givenEpochs * perEpoch);
  elements = int64_t(preprocessing.channels) * preprocessing.height *
             preprocessing.width;
  int32_t workers = std::max(1, options.threads);
  slots.resize(size_t(workers) + 2);
  size_t bytes =
      multiply(size_t(elements) * sizeof(float), size_t(batch), "the batch");
  for (Slot &slot : slots) {
    slot.images.reset(reinterpret_cast<float *>(allocate(bytes).release()));
    slot.labels.resize(size_t(batch));
  }
  try {
    for (int32_t i = 0; i < workers; ++i)
      threads.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw;
  }
}

vit_loader::~vit_loader() { stop(); }

void vit_loader::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  slotFreed.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

std::shared_ptr<const std::vector<int64_t>> vit_loader::orderOf(int64_t epoch) {
  std::lock_guard<std::mutex> lock(mutex);
  if (orderEpoch == epoch)
    return order;
  auto made = std::make_shared<std::vector<int64_t>>(size_t(perEpoch));
  if (!givenOrder.empty())
    for (int64_t i = 0; i < perEpoch; ++i)
      (*made)[size_t(i)] = givenOrder[size_t(epoch * perEpoch + i)];
  else
    shuffle(seed, epoch, perEpoch, made->data());
  if (givenOrder.empty() && perEpoch < dataset->count)
    for (int64_t &index : *made)
      index = index * dataset->count / perEpoch;
  order = made;
  orderEpoch = epoch;
  return order;
}

void vit_loader::fill(Slot &slot, int64_t number) {
  int64_t epoch = number / batchesPerEpoch();
  int64_t begin = number % batchesPerEpoch() * batch;
  int64_t end = std::min(begin + batch, perEpoch);
  if (givenEpochs > 0 && epoch >= givenEpochs)
    fail(VIT_NOT_FOUND, "the order has " + std::to_string(givenEpochs) +
                            " epochs, and they are over");
  std::shared_ptr<const std::vector<int64_t>> order = orderOf(epoch);
  slot.count = 0;
  slot.skipped.clear();
  for (int64_t i = begin; i < end; ++i) {
    int64_t index = (*order)[size_t(i)];
    Picture picture;
    try {
      picture = dataset->load(index, preprocessing.apply_exif_orientation != 0);
    } catch (const Failure &failure) {
      if (!skipsUnreadable || !isUnreadable(failure))
        throw;
      slot.skipped.push_back(failure.message);
      continue;
    }
    dataset->finish(picture, index, preprocessing,
                    augments ? &augmentation : nullptr, epoch,
                    slot.images.get() + slot.count * elements);
    slot.labels[size_t(slot.count++)] =
        dataset->data->label(dataset->at(index));
  }
}

void vit_loader::work() {
  std::unique_lock<std::mutex> lock(mutex);
  while (true) {
    slotFreed.wait(lock, [this] {
      return stopping || taken < delivered + int64_t(slots.size());
    });
    if (stopping)
      return;
    int64_t index = taken++;
    Slot &slot = slots[size_t(index) % slots.size()];
    lock.unlock();
    std::optional<Failure> failure;
    try {
      fill(slot, numberOf(index));
    } catch (const Failure &caught) {
      failure = caught;
    } catch (const std::bad_alloc &) {
      failure = Failure(VIT_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &caught) {
      failure = Failure(VIT_INTERNAL, caught.what());
    }
    lock.lock();
    slot.failure = std::move(failure);
    slot.isReady = true;
    slotReady.notify_all();
  }
}

void vit_loader::next(vit_batch &out) {
  std::unique_lock<std::mutex> lock(mutex);
  if (holdsSlot) {
    slots[size_t(delivered) % slots.size()].isReady = false;
    ++delivered;
    holdsSlot = false;
    slotFreed.notify_all();
  }
  Slot &slot = slots[size_t(delivered) % slots.size()];
  slotReady.wait(lock, [&slot] { return slot.isReady; });
  // The slot is kept: after a failure every later call fails, too.
  if (slot.failure)
    throw Failure(*slot.failure);
  holdsSlot = true;
  skipped = slot.skipped;
  const vit_preprocessing &p = preprocessing;
  out = {};
  out.images = {nullptr,
                slot.images.get(),
                size_t(slot.count * elements) * sizeof(float),
                VIT_F32,
                4,
                {slot.count, p.channels, p.height, p.width}};
  out.labels = {nullptr, slot.labels.data(), size_t(slot.count) * 4, VIT_I32,
                1,       {slot.count}};
  out.epoch = numberOf(delivered) / batchesPerEpoch();
  out.index = numberOf(delivered) % batchesPerEpoch();
  out.skipped = int64_t(skipped.size());
}

//===----------------------------------------------------------------------===//
// C API
//===----------------------------------------------------------------------===//

static void checkOptions(const vit_dataset &dataset,
                         const vit_loader_options &options) {
  if (options.struct_size < sizeof(vit_loader_options))
    invalid("set struct_size to sizeof(vit_loader_options)");
  checkPreprocessing(options.preprocessing);
  checkAugmentation(options.augmentation);
  if (options.batch < 1 || options.batch > INT32_MAX)
    invalid("a batch of " + std::to_string(options.batch) +
            " pictures is not possible");
  if (options.first_batch < 0 || options.limit < 0 || options.batch_stride < 0)
    invalid("first_batch, batch_stride and limit must not be negative");
  if (options.threads < 0 || options.threads > 1024)
    invalid("a loader has 1 to 1024 threads");
  if (dataset.count < 1 || dataset.count > INT32_MAX)
    invalid("the data set has " + std::to_string(dataset.count) + " pictures");
  if (!options.order)
    return;
  if (options.order_epochs < 1 || options.order_count < 1 ||
      options.order_count > INT64_MAX / options.order_epochs)
    invalid("the order must have one row of pictures or more");
  for (int64_t i = 0; i < options.order_epochs * options.order_count; ++i)
    if (options.order[i] < 0 || options.order[i] >= dataset.count)
      invalid("the order asks for picture " + std::to_string(options.order[i]) +
              "; there are " + std::to_string(dataset.count));
}

extern "C" vit_status vit_loader_create(const vit_dataset *dataset,
                                        const vit_loader_options *options,
                                        vit_loader **out_loader,
                                        vit_error *error) {
  return guarded(error, [&] {
    if (!dataset || !options || !out_loader)
      invalid("vit_loader_create needs a data set, options and somewhere to "
              "put the loader");
    checkOptions(*dataset, *options);
    *out_loader = new vit_loader(dataset, *options);
  });
}

extern "C" void vit_loader_release(vit_loader *loader) { delete loader; }

extern "C" int64_t vit_loader_batches_per_epoch(const vit_loader *loader) {
  return loader ? loader->batchesPerEpoch() : 0;
}

extern "C" vit_status vit_loader_next(vit_loader *loader, vit_batch *out_batch,
                                      vit_error *error) {
  return guarded(error, [&] {
    if (!loader || !out_batch)
      invalid("vit_loader_next needs a loader and somewhere to put the batch");
    loader->next(*out_batch);
  });
}

extern "C" const char *vit_loader_skipped(const vit_loader *loader, int64_t i) {
  return loader && i >= 0 && i < int64_t(loader->skipped.size())
             ? loader->skipped[size_t(i)].c_str()
             : nullptr;
}
