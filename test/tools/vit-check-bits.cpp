//===- vit-check-bits.cpp - Checks that outputs are reproducible ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// vit-check-bits MODULE X.npy DEVICE RUNS [OUT]
//
// Derives eight pictures from the first one in X.npy and runs each alone; then,
// in the same session, makes RUNS calls with these pictures in batches of
// various sizes and orders. Each output of a picture must have the bits of the
// run alone. Writes those of the first picture to OUT, to be compared between
// processes.
//
//===----------------------------------------------------------------------===//

#include "vit/vit-data.h"
#include "vit/vit.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t kPictures = 8;

void check(vit_status status, const vit_error &error) {
  if (status == VIT_OK)
    return;
  std::fprintf(stderr, "error: %s\n", error.message);
  std::exit(1);
}

using Floats = std::vector<float>;

/// A session and the data of its calls.
class Model {
public:
  Model(const char *path, const char *device) {
    vit_error error;
    check(vit_module_load(path, nullptr, &module, &error), error);
    vit_session_options options = {};
    options.struct_size = sizeof(options);
    options.device = device;
    check(vit_session_create(module, &options, &session, &error), error);
    vit_entry_info entry = {};
    check(vit_module_entry(module, 0, &entry, &error), error);
    check(vit_module_input(module, nullptr, 0, &input, &error), error);
    outputs.resize(entry.output_count);
    for (int32_t i = 0; i < entry.output_count; ++i)
      check(vit_module_output(module, nullptr, i, &outputs[i], &error), error);
  }
  ~Model() {
    vit_session_release(session);
    vit_module_release(module);
  }

  size_t inputElements() const { return perImage(input); }

  /// The outputs of all pictures, concatenated.
  std::vector<Floats> run(const std::vector<const Floats *> &pictures) {
    int64_t batch = static_cast<int64_t>(pictures.size());
    Floats data;
    for (const Floats *picture : pictures)
      data.insert(data.end(), picture->begin(), picture->end());
    vit_tensor in = tensor(input, data, batch);
    std::vector<Floats> results(outputs.size());
    std::vector<vit_tensor> views;
    for (size_t i = 0; i < outputs.size(); ++i) {
      results[i].resize(perImage(outputs[i]) * pictures.size());
      views.push_back(tensor(outputs[i], results[i], batch));
    }
    vit_error error;
    check(vit_session_run(session, nullptr, &in, 1, views.data(),
                          static_cast<int32_t>(views.size()), &error),
          error);
    std::vector<Floats> byPicture(pictures.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      size_t count = perImage(outputs[i]);
      for (size_t p = 0; p < pictures.size(); ++p)
        byPicture[p].insert(byPicture[p].end(), results[i].begin() + p * count,
                            results[i].begin() + (p + 1) * count);
    }
    return byPicture;
  }

private:
  static size_t perImage(const vit_binding_info &info) {
    size_t count = 1;
    for (int32_t d = 1; d < info.rank; ++d)
      count *= static_cast<size_t>(info.dims[d]);
    return count;
  }

  static vit_tensor tensor(const vit_binding_info &info, Floats &data,
                           int64_t batch) {
    vit_tensor view = {};
    view.name = info.name;
    view.data = data.data();
    view.size = data.size() * sizeof(float);
    view.dtype = VIT_F32;
    view.rank = info.rank;
    std::memcpy(view.dims, info.dims, sizeof(view.dims));
    view.dims[0] = batch;
    return view;
  }

  vit_module *module = nullptr;
  vit_session *session = nullptr;
  vit_binding_info input = {};
  std::vector<vit_binding_info> outputs;
};

bool sameBits(const Floats &a, const Floats &b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 5) {
    std::fprintf(stderr,
                 "usage: vit-check-bits MODULE X.npy DEVICE RUNS [OUT]\n");
    return 1;
  }
  Model model(argv[1], argv[3]);
  vit_error error;
  vit_tensor array = {};
  check(vit_npy_read(argv[2], &array, &error), error);
  Floats first(model.inputElements());
  if (array.size < first.size() * sizeof(float) || array.dtype != VIT_F32) {
    std::fprintf(stderr, "error: %s holds no picture in f32\n", argv[2]);
    return 1;
  }
  std::memcpy(first.data(), array.data, first.size() * sizeof(float));
  vit_tensor_release(&array);

  std::vector<Floats> pictures(kPictures, first), alone;
  for (size_t p = 1; p < kPictures; ++p)
    for (float &value : pictures[p])
      value = value * (0.5f + 0.25f * p) - 0.125f * p;
  for (const Floats &picture : pictures)
    alone.push_back(model.run({&picture}).front());
  if (sameBits(alone[0], alone[1])) {
    std::fprintf(stderr, "error: two pictures have the same outputs\n");
    return 1;
  }

  std::mt19937 engine(1);
  const size_t sizes[] = {1, 3, 2, 8, 1, 5, 17};
  long runs = std::strtol(argv[4], nullptr, 10);
  for (long run = 0; run < runs; ++run) {
    size_t batch = sizes[static_cast<size_t>(run) % std::size(sizes)];
    std::vector<size_t> chosen(batch);
    std::vector<const Floats *> inputs;
    for (size_t &picture : chosen) {
      picture = engine() % kPictures;
      inputs.push_back(&pictures[picture]);
    }
    std::vector<Floats> results = model.run(inputs);
    for (size_t i = 0; i < batch; ++i)
      if (!sameBits(results[i], alone[chosen[i]])) {
        std::fprintf(stderr,
                     "error: run %ld: picture %zu has other bits at place %zu "
                     "of a batch of %zu than alone\n",
                     run, chosen[i], i, batch);
        return 1;
      }
  }
  if (argc > 5) {
    std::FILE *file = std::fopen(argv[5], "wb");
    if (!file ||
        std::fwrite(alone[0].data(), sizeof(float), alone[0].size(), file) !=
            alone[0].size() ||
        std::fclose(file) != 0) {
      std::fprintf(stderr, "error: cannot write %s\n", argv[5]);
      return 1;
    }
  }
  std::printf("same bits in %ld runs\n", runs);
  return 0;
}
