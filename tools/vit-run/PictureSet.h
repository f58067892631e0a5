//===- PictureSet.h - Pictures of a data set for a model --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What eval, compare and vit-compile --data share: a data set is opened, its
// pictures are prepared as a model wants them and pass in batches, once or
// several times. The outputs of a model for a batch come from Runner.h:
//
//   Model model(options, {VIT_COMPILER_PRODUCT_PREFIX "*"});
//   PictureSet pictures(model, {"data", "", ""}, /*limit=*/300, "observing");
//   std::unique_ptr<Runner> runner = Runner::create(model);
//   Progress progress(pictures.count());
//   pictures.forEach(pictures.batchFor(model), progress,
//                    [&](const Tensor &input, const int32_t *labels) {
//                      for (Tensor &result : runner->run(input, {"*"}))
//                        ...
//                    });
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_PICTURESET_H
#define VIT_TOOLS_PICTURESET_H

#include "Classes.h"
#include "Model.h"
#include "Options.h"
#include "Progress.h"
#include "Support.h"

#include <functional>
#include <set>

namespace vit::tools {

class PictureSet {
public:
  /// Opens the data, prepared as `model` says, and prints what it is ("`verb`
  /// 12 pictures of 3 classes in DIR"; nothing if it is empty). `limit`: so
  /// many pictures, evenly spread over the data; 0: all. Throws if the data is
  /// missing, has less pictures, or does not fit the input of the model.
  PictureSet(Model &model, const DataOptions &options, int64_t limit,
             const std::string &verb);

  const vit_dataset *dataset() const { return data.get(); }
  /// The pictures of a pass, those that cannot be read among them.
  int64_t count() const { return pictures; }

  /// From here on labels are the classes of `model`. Throws if the data does
  /// not have them: see matchData.
  ClassMatch matchClasses(Model &model, bool byPosition,
                          const std::string &remedy);

  /// As many pictures as have at most 64 MiB of outputs of `model`, 32 at most.
  int64_t batchFor(Model &model) const;

  /// The numbers in the data of the pictures with which `visit` is being
  /// called, in a pass over all of them.
  const std::vector<int64_t> &numbers() const { return current; }

  /// [batch, channels, height, width] in f32, and the class of each picture.
  using Visitor =
      std::function<void(const Tensor &pictures, const int32_t *labels)>;
  /// Calls `visit` with all pictures in order, or with `sample` of the data,
  /// evenly spread, at most `batch` at a time. Advances `progress` and finishes
  /// it. A picture that cannot be read is left out: the first pass that finds
  /// it reports it on standard error, as `severity`. Returns their number.
  /// Throws if there are no others.
  int64_t forEach(int64_t batch, Progress &progress, const Visitor &visit,
                  int64_t sample = 0, const char *severity = "warning");

private:
  void findNumbers(int64_t first, int64_t count, int64_t skipped);

  DatasetHandle data;
  vit_preprocessing preprocessing = {};
  std::vector<int32_t> classes; ///< Of the model; empty: those of the data.
  std::vector<int64_t> current;
  int64_t limit, pictures = 0;
  std::set<std::string> reported;
};

} // namespace vit::tools

#endif // VIT_TOOLS_PICTURESET_H
