//===- Init.cpp - Initialises training from a checkpoint ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Init.h"

#include "StoredTensors.h"
#include "vit/Import/StoredNames.h"

#include "format/Form.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

namespace vit::tools {

namespace {

using format::Resampling;

/// The source of one tensor of the model.
struct Source {
  int64_t index = -1; ///< In the checkpoint; -1: use the initialiser.
  std::string name;   ///< There, also where it is not used; or empty.
  bool isResampled = false;
  Resampling resampling = {};
};

/// The part of a name after the last dot, without ".weight" or ".bias".
std::string lastComponent(std::string name) {
  for (const char *end : {".weight", ".bias"}) {
    size_t at = name.rfind(end);
    if (at != std::string::npos && at + std::string(end).size() == name.size())
      name.resize(at);
  }
  size_t dot = name.rfind('.');
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

/// Whether `tensor` belongs to the head, judging by its name in its library or
/// in the model.
bool isHead(const CheckpointTensor &tensor) {
  static const std::set<std::string> names = {
      "head",       "head_dist",      "distillation_head",
      "classifier", "cls_classifier", "distillation_classifier",
      "mlp_head",   "linear_head"};
  return names.count(lastComponent(tensor.name)) ||
         (tensor.parts.size() == 1 &&
          names.count(lastComponent(tensor.parts.front().parameter)));
}

/// Whether transformers, too, initialises `tensor` where the checkpoint is of a
/// class without it: the norm of BEiT's mean of the patch tokens.
bool mayBeMissing(const CheckpointTensor &tensor) {
  return isHead(tensor) ||
         tensor.name.find("pooler.layernorm.") != std::string::npos;
}

bool isPositions(const CheckpointTensor &tensor) {
  static const std::set<std::string> names = {
      "pos_embed", "pos_embedding", "position_embeddings", "positions"};
  return tensor.parts.size() == 1 && tensor.parts.front().dims.size() == 2 &&
         (names.count(lastComponent(tensor.name)) ||
          names.count(lastComponent(tensor.parts.front().parameter)));
}

/// A table of relative positions of BEiT.
bool isRelativePositions(const CheckpointTensor &tensor) {
  return tensor.parts.size() == 1 && tensor.parts.front().dims.size() == 2 &&
         lastComponent(tensor.name) == "relative_position_bias_table";
}

int64_t squareRoot(int64_t value) {
  int64_t root = value < 1 ? 0 : std::llround(std::sqrt(double(value)));
  return root * root == value ? root : 0;
}

/// Copies the values of one checkpoint.
class Initialiser {
public:
  Initialiser(Model &model, const std::string &path, bool newHead)
      : model(model), path(path), newHead(newHead),
        tensors(storedTensors(model.module())), file(openWeights(path)) {
    std::vector<std::string> names;
    vit_weight_info info = {};
    for (int64_t i = 0; i < vit_weights_count(file.get()); ++i)
      if (vit_weights_info(file.get(), i, &info, nullptr) == VIT_OK)
        names.push_back(info.name);
    commonPrefix = mlir::vit::findCommonPrefix(names);
  }

  void run() {
    for (const CheckpointTensor &tensor : tensors)
      sources.push_back(findSource(tensor));
    if (!misfits.empty() || !missing.empty())
      failMisfit();
    for (size_t i = 0; i < tensors.size(); ++i)
      if (sources[i].index >= 0)
        take(tensors[i], sources[i]);
    findUnused();
    report();
  }

  CarriedTensors takeCarried() {
    CarriedTensors carried(std::move(file));
    for (auto &[index, name] : carriedTensors)
      carried.add(index, std::move(name));
    return carried;
  }

private:
  Source findSource(const CheckpointTensor &tensor);
  bool findGrids(const CheckpointTensor &tensor,
                 const std::vector<int64_t> &there, Resampling &resampling);
  bool findDistances(const CheckpointTensor &tensor,
                     const std::vector<int64_t> &there, Resampling &resampling);
  std::array<int64_t, 2> findModelGrid();
  [[noreturn]] void failMisfit();
  void take(const CheckpointTensor &tensor, const Source &source);
  std::vector<std::string> unusedNames() const;
  std::string renamed(const std::string &name) const;
  void findUnused();
  void report();

  Model &model;
  std::string path;
  bool newHead;
  std::vector<CheckpointTensor> tensors;
  WeightsHandle file;
  std::vector<Source> sources;
  std::set<int64_t> looked; ///< Tensors of the checkpoint that are used.
  std::string commonPrefix; ///< Of the names of all stored tensors.
  std::vector<std::string> missing, misfits, kept, resampled, unused;
  std::vector<std::pair<int64_t, std::string>> carriedTensors;
};

Source Initialiser::findSource(const CheckpointTensor &tensor) {
  Source source;
  for (const std::string &name :
       mlir::vit::listStoredNames(tensor.name, commonPrefix))
    if (source.index < 0)
      source.index = vit_weights_find(file.get(), name.c_str());
  std::string here = tensor.name + " " + storedShapeText(tensor.shape);
  if (source.index < 0) {
    if (mayBeMissing(tensor))
      kept.push_back(here + ", which is not there");
    else
      missing.push_back(tensor.name);
    return source;
  }
  vit_error error;
  vit_weight_info info = {};
  check(vit_weights_info(file.get(), source.index, &info, &error), error);
  source.name = info.name;
  std::vector<int64_t> there(info.dims, info.dims + info.rank);
  if (info.dtype != VIT_F32 && info.dtype != VIT_F16 &&
      info.dtype != VIT_BF16 && info.dtype != VIT_F64) {
    misfits.push_back(tensor.name + " is of type " + info.dtype_name);
    return source;
  }
  if (newHead && isHead(tensor) && sameStoredShape(there, tensor.shape)) {
    kept.push_back(here + ", which is for other classes there");
    looked.insert(source.index);
    source.index = -1;
    return source;
  }
  if (sameStoredShape(there, tensor.shape))
    return source;
  std::vector<int64_t> rowsThere = there, rowsHere = tensor.shape;
  if (!rowsThere.empty())
    rowsThere.front() = rowsHere.front();
  if (isHead(tensor) && rowsThere == rowsHere) {
    kept.push_back(here + ", which is " + storedShapeText(there) + " there");
    looked.insert(source.index);
    source.index = -1;
  } else if ((isPositions(tensor) &&
              findGrids(tensor, there, source.resampling)) ||
             (isRelativePositions(tensor) &&
              findDistances(tensor, there, source.resampling))) {
    source.isResampled = true;
    const Resampling &r = source.resampling;
    resampled.push_back(
        tensor.name + " from " + std::to_string(r.from[0]) + " x " +
        std::to_string(r.from[1]) + " to " + std::to_string(r.to[0]) + " x " +
        std::to_string(r.to[1]) + (r.suffix ? " distances" : " patches"));
  } else {
    misfits.push_back(tensor.name + " is " + storedShapeText(there) +
                      " there and " + storedShapeText(tensor.shape) + " here");
  }
  return source;
}

/// The grid of patches of the model, from its input and its patch embedding, if
/// this is stored as a convolution; else zeros.
std::array<int64_t, 2> Initialiser::findModelGrid() {
  vit_binding_info image = model.inputInfo();
  for (const CheckpointTensor &patch : tensors)
    if (patch.shape.size() == 4 && image.rank == 4 &&
        patch.shape[1] == image.dims[1])
      return {image.dims[2] / patch.shape[2], image.dims[3] / patch.shape[3]};
  return {0, 0};
}

/// The same for a table of relative positions, of a square grid in the
/// checkpoint.
bool Initialiser::findDistances(const CheckpointTensor &tensor,
                                const std::vector<int64_t> &there,
                                Resampling &resampling) {
  constexpr int64_t kClassRows = 3;
  const StoredPart &table = tensor.parts.front();
  auto [rows, columns] = findModelGrid();
  int64_t side = there.size() == 2 ? squareRoot(there[0] - kClassRows) : 0;
  resampling.from[0] = resampling.from[1] = side;
  resampling.to[0] = 2 * rows - 1;
  resampling.to[1] = 2 * columns - 1;
  resampling.suffix = kClassRows;
  bool isTransformers =
      tensor.name.find("relative_position_bias.") != std::string::npos;
  resampling.filter =
      isTransformers ? format::Filter::Linear : format::Filter::Geometric;
  return rows > 0 && columns > 0 && side % 2 == 1 &&
         there[1] == table.dims[1] &&
         table.dims[0] == resampling.to[0] * resampling.to[1] + kClassRows;
}

/// The grid of the model is assumed to be square, like that of the checkpoint,
/// if its patch embedding does not tell.
bool Initialiser::findGrids(const CheckpointTensor &tensor,
                            const std::vector<int64_t> &there,
                            Resampling &resampling) {
  const StoredPart &table = tensor.parts.front();
  if (there.size() < 2 || there.back() != table.dims[1])
    return false;
  int64_t rowsHere = table.dims[0], rowsThere = there[there.size() - 2];
  for (size_t i = 0; i + 2 < there.size(); ++i)
    if (there[i] != 1)
      return false;
  // timm's and open_clip's names.
  std::string name = lastComponent(tensor.name);
  resampling.antialias = name == "pos_embed" || name == "positional_embedding";
  auto [height, width] = findModelGrid();
  int64_t rest = rowsHere - height * width;
  if (height > 0 && width > 0 && rest >= 0) {
    int64_t side = squareRoot(rowsThere - rest);
    resampling.prefix = rest;
    resampling.from[0] = resampling.from[1] = side;
    resampling.to[0] = height;
    resampling.to[1] = width;
    return side > 0;
  }
  for (int64_t prefix = 0; prefix < rowsHere && prefix < rowsThere; ++prefix) {
    int64_t to = squareRoot(rowsHere - prefix),
            from = squareRoot(rowsThere - prefix);
    if (to < 1 || from < 1)
      continue;
    resampling.prefix = prefix;
    resampling.from[0] = resampling.from[1] = from;
    resampling.to[0] = resampling.to[1] = to;
    return true;
  }
  return false;
}

void Initialiser::take(const CheckpointTensor &tensor, const Source &source) {
  std::vector<int64_t> shape = shapeIn(file.get(), source.index);
  int64_t count = product(shape);
  std::vector<float> values(count);
  vit_error error;
  check(vit_weights_read_f32(file.get(), source.index, 0, count, values.data(),
                             &error),
        error);
  if (source.isResampled) {
    std::vector<float> table(tensor.elements());
    format::Form form;
    form.kind = format::FormKind::Resample;
    form.width = shape.back();
    form.resampling = source.resampling;
    format::resample(form, table.data(), values.data());
    values = std::move(table);
  }
  writeStored(tensor, values.data(), model.parameters());
}

std::vector<std::string> Initialiser::unusedNames() const {
  std::vector<std::string> unused;
  for (int64_t i = 0; i < vit_weights_count(file.get()); ++i) {
    vit_weight_info info = {};
    if (!looked.count(i) &&
        vit_weights_info(file.get(), i, &info, nullptr) == VIT_OK &&
        info.size > 0)
      unused.push_back(info.name);
  }
  return unused;
}

void Initialiser::failMisfit() {
  for (const Source &source : sources)
    looked.insert(source.index);
  std::vector<std::string> parts;
  std::string common = mlir::vit::explainMissing(missing, unusedNames());
  if (!common.empty())
    parts.push_back(common);
  if (!missing.empty())
    parts.push_back(std::to_string(missing.size()) +
                    " tensors are missing: " + mlir::vit::listNames(missing));
  if (!misfits.empty())
    parts.push_back(mlir::vit::listNames(misfits));
  throw Error(path + " does not fit the model: " + join(parts, "; "));
}

/// What two names have in common at their end, from the beginning of a part on.
static size_t commonEnd(const std::string &a, const std::string &b) {
  size_t length = 0, whole = 0;
  while (length < std::min(a.size(), b.size()) &&
         a[a.size() - 1 - length] == b[b.size() - 1 - length]) {
    ++length;
    auto isWhole = [&](const std::string &name) {
      return length == name.size() || name[name.size() - 1 - length] == '.';
    };
    if (isWhole(a) && isWhole(b))
      whole = length;
  }
  return whole;
}

/// What the model's checkpoint calls the tensor `name` of the source: the
/// prefix is exchanged as that of the used tensor with the most similar name.
std::string Initialiser::renamed(const std::string &name) const {
  std::string result = name;
  size_t longest = 0;
  bool found = false;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string &there = sources[i].name, &here = tensors[i].name;
    size_t end = commonEnd(there, here), before = there.size() - end;
    if (!end || name.compare(0, before, there, 0, before) != 0)
      continue;
    size_t similar =
        std::mismatch(name.begin(), name.end(), there.begin(), there.end())
            .first -
        name.begin();
    if (found && similar <= longest)
      continue;
    found = true;
    longest = similar;
    result = here.substr(0, here.size() - end) + name.substr(before);
  }
  return result;
}

/// Divides the tensors that no parameter has into those that are carried and
/// those that are left behind.
void Initialiser::findUnused() {
  for (const Source &source : sources)
    looked.insert(source.index);
  ClassTensors ofClass = findClassTensors(path, model.getOptions().model);
  std::set<std::string> taken;
  for (const CheckpointTensor &tensor : tensors)
    taken.insert(tensor.name);
  vit_weight_info info = {};
  for (int64_t i = 0; i < vit_weights_count(file.get()); ++i) {
    if (looked.count(i) ||
        vit_weights_info(file.get(), i, &info, nullptr) != VIT_OK)
      continue;
    std::string name = renamed(info.name);
    if (info.dtype >= 0 && ofClass.contain(name) && taken.insert(name).second)
      carriedTensors.emplace_back(i, name);
    else if (info.size > 0)
      unused.push_back(info.name);
  }
  // As loadCheckpoint orders them, so that a resumed run writes the same file.
  std::sort(carriedTensors.begin(), carriedTensors.end(),
            [](const auto &a, const auto &b) { return a.second < b.second; });
}

void Initialiser::report() {
  size_t taken =
      std::count_if(sources.begin(), sources.end(),
                    [](const Source &source) { return source.index >= 0; });
  std::fprintf(stderr, "from %s: %zu of the model's %zu tensors\n",
               path.c_str(), taken, sources.size());
  auto say = [](const char *what, const std::vector<std::string> &names) {
    if (!names.empty())
      std::fprintf(stderr, "  %s: %s\n", what, listText(names).c_str());
  };
  say("resampled", resampled);
  say("left at their initialisers", kept);
  std::vector<std::string> carried; // Empty ones need no mention.
  for (const auto &[index, name] : carriedTensors)
    if (product(shapeIn(file.get(), index)) > 0)
      carried.push_back(name);
  say("not used, but copied to the checkpoints", carried);
  say("there, but not used", unused);
}

} // namespace

CarriedTensors initialise(Model &model, const std::string &checkpoint,
                          bool newHead) {
  Initialiser initialiser(model, checkpoint, newHead);
  initialiser.run();
  return initialiser.takeCarried();
}

} // namespace vit::tools
