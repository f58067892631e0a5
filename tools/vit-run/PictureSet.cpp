//===- PictureSet.cpp - Pictures of a data set for a model ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PictureSet.h"

#include "Data.h"
#include "Evaluation.h"
#include "TrainingData.h"

#include <algorithm>
#include <cstdio>

namespace vit::tools {

PictureSet::PictureSet(Model &model, const DataOptions &options, int64_t limit,
                       const std::string &verb)
    : limit(limit) {
  auto open = [&](bool orient) {
    return openData(
        {options.data, options.split, options.range, "--range", orient});
  };
  // Before the model is compiled: a wrong path is found at once.
  data = open(/*orient=*/false);
  pictures = vit_dataset_count(data.get());
  if (limit > pictures)
    throw Error("--images " + std::to_string(limit) + ": there are " +
                std::to_string(pictures) + " pictures");
  pictures = limit > 0 ? limit : pictures;
  preprocessing = model.preprocessing(/*always=*/!verb.empty());
  if (preprocessing.apply_exif_orientation)
    data = open(/*orient=*/true);
  vit_binding_info input = model.inputInfo();
  if (input.rank != 4 || input.dims[1] != preprocessing.channels)
    throw Error("the data does not fit the model: pictures are prepared with " +
                std::to_string(preprocessing.channels) +
                " channels, and its input is " + shapeText(dimsOf(input)));
  if (verb.empty())
    return;
  std::set<std::string> printed;
  printData(verb, data.get(), printed);
  warnOfResizing(data.get(), preprocessing);
}

ClassMatch PictureSet::matchClasses(Model &model, bool byPosition,
                                    const std::string &remedy) {
  ClassMatch match = matchData(model, data.get(), byPosition, remedy);
  classes = match.indices;
  return match;
}

int64_t PictureSet::batchFor(Model &model) const {
  constexpr int64_t kMostBytes = 64 << 20, kMostPictures = 32;
  int64_t bytes = 1;
  for (const vit_binding_info &info : model.outputInfos()) {
    std::vector<int64_t> dims = dimsOf(info);
    if (!dims.empty())
      dims.front() = 1;
    bytes += product(dims) * static_cast<int64_t>(sizeof(float));
  }
  return std::clamp<int64_t>(kMostBytes / bytes, 1, kMostPictures);
}

/// The `count` pictures from number `first` on but those that cannot be read,
/// of which there are `skipped`.
void PictureSet::findNumbers(int64_t first, int64_t count, int64_t skipped) {
  current.clear();
  for (int64_t number = first; number < first + count; ++number) {
    vit_image image = {};
    bool isRead = skipped == 0 || vit_dataset_get(data.get(), number, &image,
                                                  nullptr, nullptr) == VIT_OK;
    vit_image_release(&image);
    if (isRead)
      current.push_back(number);
  }
}

int64_t PictureSet::forEach(int64_t batch, Progress &progress,
                            const Visitor &visit, int64_t sample,
                            const char *severity) {
  bool isSample = sample > 0 && sample < pictures;
  int64_t total = isSample ? sample : pictures, unreadable = 0;
  Batches batches = batchesInOrder(data.get(), preprocessing, batch,
                                   /*skipUnreadable=*/true, classes,
                                   isSample ? sample : limit);
  for (int64_t done = 0; done < total;) {
    const vit_batch &next = batches.next();
    for (const std::string &message : batches.skipped())
      if (reported.insert(message).second)
        std::fprintf(stderr, "%s: %s\n", severity, message.c_str());
    unreadable += next.skipped;
    if (!isSample && limit == 0)
      findNumbers(done, next.images.dims[0] + next.skipped, next.skipped);
    done += next.images.dims[0] + next.skipped;
    if (next.images.dims[0] > 0)
      visit(Tensor::copy(next.images),
            static_cast<const int32_t *>(next.labels.data));
    progress.update(done);
  }
  progress.finish();
  if (unreadable == total)
    throw Error("none of the pictures can be read");
  return unreadable;
}

} // namespace vit::tools
