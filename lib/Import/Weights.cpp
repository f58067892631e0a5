//===- Weights.cpp - The values of a graph's parameters -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Import/Weights.h"
#include "vit/Import/ModelFolder.h"
#include "vit/Import/StoredNames.h"

#include "format/Initializer.h"
#include "format/WeightNames.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::vit;

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

bool Weights::existIn(StringRef folder) {
  return hasWeights(resolveModelFolder(folder.str()));
}

std::unique_ptr<Weights> Weights::open(StringRef path, uint64_t seed,
                                       std::string &error, vit_status *status) {
  std::unique_ptr<Weights> result(new Weights());
  result->seed = seed;
  if (path.empty())
    return result;
  std::string folder = resolveModelFolder(path.str());
  if (llvm::sys::fs::is_directory(folder) && !existIn(folder)) {
    error = explainMissingWeights(folder).text;
    if (status)
      *status = VIT_NOT_FOUND;
    return nullptr;
  }
  vit_error message = {};
  if (vit_status opened =
          vit_weights_open(folder.c_str(), &result->weights, &message)) {
    error = message.message;
    if (status)
      *status = opened;
    return nullptr;
  }
  for (int32_t i = 0; const char *note = vit_weights_note(result->weights, i);
       ++i)
    result->notes.push_back(note);
  std::vector<std::string> names;
  vit_weight_info info;
  for (int64_t i = 0; i < vit_weights_count(result->weights); ++i)
    if (vit_weights_info(result->weights, i, &info, nullptr) == VIT_OK)
      names.push_back(info.name);
  result->commonPrefix = findCommonPrefix(names);
  return result;
}

Weights::~Weights() { vit_weights_release(weights); }

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

int64_t Weights::find(StringRef name) const {
  for (const std::string &candidate : listStoredNames(name.str(), commonPrefix))
    if (int64_t index = vit_weights_find(weights, candidate.c_str());
        index >= 0)
      return index;
  return -1;
}

/// [1, 48] and [48] are the same elements.
static ArrayRef<int64_t> dropUnits(ArrayRef<int64_t> shape) {
  while (!shape.empty() && shape.front() == 1)
    shape = shape.drop_front();
  return shape;
}

static std::string print(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [i, size] : llvm::enumerate(shape))
    text += (i ? ", " : "") + std::to_string(size);
  return text + "]";
}

std::optional<SmallVector<int64_t>> Weights::getShape(StringRef name) const {
  vit_weight_info info;
  int64_t index = weights ? find(name) : -1;
  if (index < 0 || vit_weights_info(weights, index, &info, nullptr) != VIT_OK)
    return std::nullopt;
  return SmallVector<int64_t>(info.dims, info.dims + info.rank);
}

//===----------------------------------------------------------------------===//
// Checking
//===----------------------------------------------------------------------===//

static int64_t getLayerCount(ParameterOp parameter) {
  return parameter.getLayers().value_or(1);
}

/// The tensors that the module's `vit.unused` allows to be unused.
static bool isAllowedUnused(ModuleOp module, StringRef name) {
  auto patterns = module->getAttrOfType<ArrayAttr>("vit.unused");
  if (!patterns)
    return false;
  return llvm::any_of(patterns, [&](Attribute attribute) {
    auto text = dyn_cast<StringAttr>(attribute);
    if (!text)
      return false;
    llvm::Expected<llvm::GlobPattern> pattern =
        llvm::GlobPattern::create(text.getValue());
    if (!pattern) {
      llvm::consumeError(pattern.takeError());
      return false;
    }
    return pattern->match(name);
  });
}

/// The tensors that the file itself says are not used.
static llvm::StringSet<> listCarried(const vit_weights *weights) {
  llvm::StringSet<> names;
  const char *list =
      weights ? vit_weights_metadata(weights, ::vit::format::kCarriedKey)
              : nullptr;
  for (StringRef name : llvm::split(StringRef(list ? list : ""), '\n'))
    names.insert(name);
  return names;
}

std::string Weights::describePrefix(ModuleOp module) const {
  for (ParameterOp parameter : module.getOps<ParameterOp>()) {
    std::string name = parameter.getStoredName(0);
    int64_t index = weights && !commonPrefix.empty() ? find(name) : -1;
    vit_weight_info info;
    if (index < 0 || vit_weights_info(weights, index, &info, nullptr) != VIT_OK)
      continue;
    StringRef stored = info.name;
    for (const std::string &plain : listStoredNames(name))
      if (stored == plain)
        return "";
    for (const std::string &plain : listStoredNames(name))
      if (stored.consume_back(plain))
        return (Twine("all names in ") + llvm::sys::path::filename(info.file) +
                " begin with \"" + stored +
                "\", as a wrapper of the model leaves it; they are read "
                "without it")
            .str();
  }
  return "";
}

LogicalResult Weights::check(ModuleOp module, bool allowUnused,
                             std::string &error) const {
  SmallVector<std::string> missing, misshapen, untyped, unused;
  std::string file;
  llvm::BitVector used(weights ? vit_weights_count(weights) : 0);
  for (ParameterOp parameter : module.getOps<ParameterOp>()) {
    if (!weights) {
      if (!parameter.getInit())
        missing.push_back(parameter.getSymName().str());
      continue;
    }
    for (int64_t layer = 0; layer < getLayerCount(parameter); ++layer) {
      std::string name = parameter.getStoredName(layer);
      int64_t index = find(name);
      vit_weight_info info;
      if (index < 0 ||
          vit_weights_info(weights, index, &info, nullptr) != VIT_OK) {
        missing.push_back(name);
        continue;
      }
      used.set(index);
      ArrayRef<int64_t> shape(info.dims, info.rank);
      if (dropUnits(shape) != dropUnits(parameter.getStoredShape()))
        misshapen.push_back(info.name + (" is " + print(shape)) +
                            " and should be " +
                            print(parameter.getStoredShape()));
      else if (info.dtype != VIT_F32 && info.dtype != VIT_F16 &&
               info.dtype != VIT_BF16 && info.dtype != VIT_F64)
        untyped.push_back(info.name + (std::string(" is ") + info.dtype_name));
    }
  }
  llvm::StringSet<> carried = listCarried(weights);
  for (unsigned i = 0; i < used.size(); ++i) {
    vit_weight_info info;
    if (vit_weights_info(weights, i, &info, nullptr) != VIT_OK)
      continue;
    if (file.empty())
      file = info.file;
    if (!used[i] && !allowUnused && info.size && !carried.contains(info.name) &&
        !isAllowedUnused(module, info.name))
      unused.push_back(info.name);
  }

  // q, k and v are three parameters of one tensor: name it once.
  std::string text;
  auto add = [&](StringRef what, SmallVectorImpl<std::string> &names,
                 StringRef hint = "") {
    std::vector<std::string> once;
    llvm::StringSet<> seen;
    for (const std::string &name : names)
      if (seen.insert(name).second)
        once.push_back(name);
    names.assign(once.begin(), once.end());
    if (!once.empty())
      text +=
          (text.empty() ? "" : "; ") + what.str() +
          (once.size() > kMostNames ? " (" + std::to_string(once.size()) + "): "
                                    : ": ") +
          listNames(once) + hint.str();
  };
  if (!weights) {
    add("parameters with neither a checkpoint nor an initialiser", missing,
        "; give --weights FILE or add init<...>");
  } else {
    add("missing tensors", missing);
    add("tensors of another shape", misshapen);
    add("tensors of an unsupported type (f32, f16, bf16 and f64 are "
        "supported)",
        untyped);
    add("tensors that nothing uses", unused, " (--allow-unused ignores them)");
  }
  if (text.empty())
    return success();
  std::string common = explainMissing({missing.begin(), missing.end()},
                                      {unused.begin(), unused.end()});
  if (!common.empty())
    text = common + "; " + text;
  error = file.empty() ? text : file + ": " + text;
  return failure();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

std::optional<StoredRange> Weights::locate(ParameterOp parameter,
                                           int64_t layer) const {
  vit_weight_info info;
  int64_t index = weights ? find(parameter.getStoredName(layer)) : -1;
  if (index < 0 || vit_weights_info(weights, index, &info, nullptr) != VIT_OK)
    return std::nullopt;
  ArrayRef<int64_t> shape = parameter.getStoredShape();
  uint64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  if (info.dtype < 0 ||
      dropUnits(ArrayRef<int64_t>(info.dims, info.rank)) != dropUnits(shape))
    return std::nullopt;
  // C3 of vit.parameter: the rows lie within the shape.
  uint64_t rowSize = uint64_t(parameter.getStoredRowSize()) * info.size /
                     std::max<uint64_t>(1, elements);
  uint64_t begin = parameter.getStoredBegin() * rowSize;
  StoredRange range;
  range.file = info.file;
  range.tensor = info.name;
  range.dtype = static_cast<vit_dtype>(info.dtype);
  range.offset = info.file_offset + begin;
  range.size =
      (parameter.getStoredEnd() - parameter.getStoredBegin()) * rowSize;
  range.data = static_cast<const char *>(info.data) + begin;
  return range;
}

/// Draws the initial values of `parameter`: in float, whatever T is, so that
/// the interpreter sees the same values as the runtime.
template <typename T>
static LogicalResult draw(ParameterOp parameter, int64_t layer, uint64_t seed,
                          MutableArrayRef<T> out, std::string &error) {
  std::string name = parameter.getSymName().str();
  std::optional<InitAttr> init = parameter.getInit();
  if (!init) {
    error = name + ": neither a checkpoint nor an initialiser";
    return failure();
  }
  if (parameter.getLayers())
    name += "." + std::to_string(layer);
  ArrayRef<int64_t> shape = parameter.getTensorType().getShape();
  std::vector<float> values(out.size());
  ::vit::format::initialize(
      values.data(), 0, values.size(),
      static_cast<::vit::format::Initializer>(init->getDistribution()),
      init->getValue().convertToDouble(), shape.data(), shape.size(), seed,
      name.c_str());
  llvm::copy(values, out.begin());
  return success();
}

static vit_status convert(const StoredRange &range, int64_t count, float *out,
                          vit_error *error) {
  return vit_data_to_f32(range.dtype, range.data, count, out, error);
}
static vit_status convert(const StoredRange &range, int64_t count, double *out,
                          vit_error *error) {
  return vit_data_to_f64(range.dtype, range.data, count, out, error);
}

template <typename T>
LogicalResult Weights::readAs(ParameterOp parameter, int64_t layer,
                              MutableArrayRef<T> out,
                              std::string &error) const {
  assert(int64_t(out.size()) == parameter.getTensorType().getNumElements());
  if (!weights)
    return draw(parameter, layer, seed, out, error);
  std::optional<StoredRange> range = locate(parameter, layer);
  if (!range) {
    error = parameter.getStoredName(layer) +
            ": missing, or of another shape or type";
    return failure();
  }
  vit_error message = {};
  if (convert(*range, out.size(), out.data(), &message) != VIT_OK) {
    error = parameter.getStoredName(layer) + ": " + message.message;
    return failure();
  }
  return requireWhole(error);
}

LogicalResult Weights::requireWhole(std::string &error) const {
  vit_error message = {};
  if (!weights || vit_weights_check_files(weights, &message) == VIT_OK)
    return success();
  error = message.message;
  return failure();
}

LogicalResult Weights::read(ParameterOp parameter, int64_t layer,
                            MutableArrayRef<float> out,
                            std::string &error) const {
  return readAs(parameter, layer, out, error);
}
LogicalResult Weights::read(ParameterOp parameter, int64_t layer,
                            MutableArrayRef<double> out,
                            std::string &error) const {
  return readAs(parameter, layer, out, error);
}
