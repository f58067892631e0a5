//===- SetImageSize.cpp - Another size of pictures ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Changes the type of the picture and carries it from op to op: result types
// are inferred again, and what depends on the grid of patches is adapted.
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "format/PictureSizes.h"

#include "llvm/ADT/StringExtras.h"

namespace mlir::vit {
#define GEN_PASS_DEF_SETIMAGESIZE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using ::vit::format::PictureSizes;

namespace {

/// Far above any real picture, so that products of sizes do not overflow.
constexpr int64_t kMaxSize = 1 << 15, kMaxTokens = 1 << 20;

/// Rows and columns of pixels or patches.
struct Grid {
  int64_t rows = 0, columns = 0;

  int64_t count() const { return rows * columns; }
  /// Of the distances between patches: what tables of relative positions have.
  Grid distances() const { return {2 * rows - 1, 2 * columns - 1}; }
  std::string text() const {
    return std::to_string(rows) + " x " + std::to_string(columns);
  }
  DenseI64ArrayAttr attribute(MLIRContext *context) const {
    return DenseI64ArrayAttr::get(context, {rows, columns});
  }
  bool operator==(const Grid &other) const {
    return rows == other.rows && columns == other.columns;
  }
};

/// Reads "H" or "HxW".
std::optional<Grid> parseSize(StringRef text) {
  auto [rows, columns] = text.split('x');
  Grid size;
  if (rows.getAsInteger(10, size.rows) ||
      (text.contains('x') ? columns : rows).getAsInteger(10, size.columns))
    return std::nullopt;
  return size;
}

/// Changes one entry.
class EntryChange {
public:
  EntryChange(func::FuncOp entry, Grid size) : entry(entry), size(size) {}

  LogicalResult run();
  Grid getOldSize() const { return oldSize; }
  Grid getOldGrid() const { return from; }
  Grid getNewGrid() const { return to; }

private:
  LogicalResult findPatches();
  LogicalResult visit(Block &block);
  LogicalResult visit(Operation *op);
  LogicalResult visitLayers(LayersOp layers);
  LogicalResult adaptTake(TakeTokensOp take);
  LogicalResult adaptTable(OpOperand &table, Value tokens);
  LogicalResult adaptPositions(Operation *op);
  bool adaptResampling(ResamplePositionsOp resample);
  StringRef getResampling() const;
  InFlightDiagnostic rejectResampling(Operation *user) const;
  LogicalResult inferTypes(Operation *op);

  void setType(Value value, Type type) {
    oldTypes.try_emplace(value, tensorOf(value));
    value.setType(cast<RankedTensorType>(type));
  }
  void setDimension(Value value, unsigned index, int64_t dimension) {
    RankedTensorType type = tensorOf(value);
    SmallVector<int64_t> shape(type.getShape());
    shape[index] = dimension;
    setType(value, type.clone(shape));
  }
  bool holdsPatches(Value value) const;
  bool isCarried(Value value) const { return oldTypes.contains(value); }

  func::FuncOp entry;
  Grid size, oldSize; ///< Of the picture.
  Grid from, to;      ///< Of patches.
  PatchifyOp patchify;
  DenseMap<Value, RankedTensorType> oldTypes; ///< Of what is computed
                                              ///< from the picture, and of
                                              ///< positions.
};

struct SetImageSizePass : mlir::vit::impl::SetImageSizeBase<SetImageSizePass> {
  using Base::Base;
  void runOnOperation() override;
};

} // namespace

/// Finds the picture, an argument that is split into patches.
LogicalResult EntryChange::findPatches() {
  entry.walk([&](PatchifyOp op) {
    if (!patchify && isa<BlockArgument>(op.getInput()))
      patchify = op;
  });
  if (!patchify)
    return entry.emitError("no argument is a picture that is split into "
                           "patches, so its size cannot be changed");
  ArrayRef<int64_t> image = tensorOf(patchify.getInput()).getShape();
  ArrayRef<int64_t> patch = patchify.getPatch();
  oldSize = {image[2], image[3]};
  from = {image[2] / patch[0], image[3] / patch[1]};
  to = {size.rows / patch[0], size.columns / patch[1]};
  bool isWhole = size.rows % patch[0] == 0 && size.columns % patch[1] == 0;
  // A convolution drops a remainder; the rearrangement of vit-pytorch, whose
  // order this is, has none.
  if (to.count() == 0 || (!isWhole && patchify.getOrder() == PixelOrder::hwc))
    return patchify.emitError()
           << "the image size " << size.text() << " (height x width) is "
           << (to.count() ? "not a whole number of patches"
                          : "less than a patch")
           << " of " << patch[0] << " x " << patch[1] << "; use "
           << std::max<int64_t>(1, to.rows) * patch[0] << "x"
           << std::max<int64_t>(1, to.columns) * patch[1];
  if (to.count() > kMaxTokens)
    return patchify.emitError()
           << "the image size " << size.text() << " makes " << to.count()
           << " patches; at most " << kMaxTokens << " are supported";
  return success();
}

/// Whether the second dimension from the end counts patches, whose grid
/// changes. An equal number of patches may be another grid.
bool EntryChange::holdsPatches(Value value) const {
  auto old = oldTypes.find(value);
  if (old == oldTypes.end() || old->second.getRank() < 2 || from == to)
    return false;
  unsigned index = old->second.getRank() - 2;
  int64_t count = old->second.getDimSize(index);
  return count >= from.count() && (count != tensorOf(value).getDimSize(index) ||
                                   from.count() == to.count());
}

/// A take of all tokens from some token on also takes them from the new grid.
LogicalResult EntryChange::adaptTake(TakeTokensOp take) {
  if (!holdsPatches(take.getInput()))
    return success();
  int64_t tokens = oldTypes.lookup(take.getInput()).getDimSize(1);
  int64_t prefix = tokens - from.count();
  int64_t count = take.getCount().value_or(1), end = take.getStart() + count;
  if (end <= prefix)
    return success();
  if (end != tokens || take.getStart() > prefix || !take.getCount())
    return take.emitError("takes some of the patches of ")
           << from.text() << ", which other image sizes do not have";
  take.setCount(count + to.count() - from.count());
  return success();
}

/// How the library of the model resamples its tables.
StringRef EntryChange::getResampling() const {
  auto how = entry->getParentOfType<ModuleOp>()->getAttrOfType<StringAttr>(
      "vit.resampling");
  return how ? how.getValue() : "";
}

InFlightDiagnostic EntryChange::rejectResampling(Operation *user) const {
  return user->emitError("the library of this model does not resample its "
                         "position table, which is for pictures of ")
         << oldSize.text() << ", to " << size.text();
}

/// Resamples a table with one row per token, added to `tokens`.
LogicalResult EntryChange::adaptTable(OpOperand &table, Value tokens) {
  RankedTensorType type = tensorOf(table.get());
  if (!holdsPatches(tokens) || isCarried(table.get()) || type.getRank() < 2)
    return success();
  auto rowsOf = [](RankedTensorType type) {
    return type.getDimSize(type.getRank() - 2);
  };
  int64_t rows = rowsOf(type);
  if (rows != rowsOf(oldTypes.lookup(tokens)))
    return success();
  Operation *user = table.getOwner();
  if (getResampling() == "none")
    return rejectResampling(user);
  if (type.getRank() != 2)
    return user->emitError()
           << type << " is no table of positions [tokens, width], which could "
           << "be resampled from " << from.text() << " patches to "
           << to.text();
  OpBuilder builder(user);
  table.set(ResamplePositionsOp::create(
      builder, user->getLoc(), table.get(), {from.rows, from.columns},
      {to.rows, to.columns}, rows - from.count(),
      getResampling() == "antialias"));
  return success();
}

/// Positions that are computed follow the grid; tables of relative positions,
/// which are learned, are resampled as transformers' BeitRelativePositionBias
/// or timm's resize_rel_pos_bias_table do.
LogicalResult EntryChange::adaptPositions(Operation *op) {
  op->setAttr("grid", to.attribute(op->getContext()));
  auto relative = dyn_cast<RelativePositionsOp>(op);
  if (!relative)
    return success();
  if (getResampling() == "none")
    return rejectResampling(op);
  ResamplingFilter filter = getResampling() == "antialias"
                                ? ResamplingFilter::geometric
                                : ResamplingFilter::linear;
  Grid old = from.distances(), now = to.distances();
  OpBuilder builder(op);
  for (OpOperand &table : relative.getTablesMutable())
    if (!isCarried(table.get()))
      table.set(ResamplePositionsOp::create(
          builder, op->getLoc(), table.get(), {old.rows, old.columns},
          {now.rows, now.columns}, /*prefix=*/0, /*antialias=*/false,
          /*suffix=*/3 * relative.getPrefix(), filter));
  return success();
}

/// Makes a resampling to the old grid one to the new grid. Returns whether it
/// was one.
bool EntryChange::adaptResampling(ResamplePositionsOp resample) {
  // Only tables of relative positions have another filter.
  bool isRelative = resample.getFilter() != ResamplingFilter::cubic;
  MLIRContext *context = resample.getContext();
  if (from == to ||
      resample.getToAttr() !=
          (isRelative ? from.distances() : from).attribute(context))
    return false;
  resample.setToAttr((isRelative ? to.distances() : to).attribute(context));
  return true;
}

LogicalResult EntryChange::visitLayers(LayersOp layers) {
  Block &body = layers.getBody().front();
  for (auto [argument, initial] :
       llvm::zip(body.getArguments().drop_front(), layers.getInits()))
    setType(argument, initial.getType());
  if (failed(visit(body)))
    return failure();
  for (auto [result, initial] :
       llvm::zip(layers.getResults(), layers.getInits()))
    setType(result, initial.getType());
  return success();
}

LogicalResult EntryChange::inferTypes(Operation *op) {
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    int64_t queries = tensorOf(attention.getQuery()).getDimSize(1);
    setDimension(attention.getResult(), 1, queries);
    if (Value probabilities = attention.getProbabilities()) {
      setDimension(probabilities, 2, queries);
      setDimension(probabilities, 3,
                   tensorOf(attention.getKey()).getDimSize(1));
    }
    return success();
  }
  auto inferring = dyn_cast<InferTypeOpInterface>(op);
  if (!inferring)
    return op->emitError("is not known for other image sizes");
  SmallVector<Type> types;
  if (failed(inferring.inferReturnTypes(
          op->getContext(), op->getLoc(), op->getOperands(),
          op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
          op->getRegions(), types)))
    return failure();
  for (auto [result, type] : llvm::zip(op->getResults(), types))
    setType(result, type);
  return success();
}

LogicalResult EntryChange::visit(Operation *op) {
  if (auto layers = dyn_cast<LayersOp>(op))
    return visitLayers(layers);
  bool isNew = llvm::any_of(op->getOperands(),
                            [&](Value value) { return isCarried(value); });
  MLIRContext *context = op->getContext();
  if (op->getAttr("grid") == from.attribute(context) && !(from == to)) {
    if (failed(adaptPositions(op)))
      return failure();
    isNew = true;
  }
  if (auto resample = dyn_cast<ResamplePositionsOp>(op))
    isNew |= adaptResampling(resample);
  if (!isNew || op->getNumResults() == 0)
    return success();
  if (auto take = dyn_cast<TakeTokensOp>(op); take && failed(adaptTake(take)))
    return failure();
  if (isa<AddOp, MulOp>(op))
    for (unsigned i : {0, 1})
      if (failed(adaptTable(op->getOpOperand(i), op->getOperand(1 - i))))
        return failure();
  return inferTypes(op);
}

LogicalResult EntryChange::visit(Block &block) {
  for (Operation &op : block)
    if (failed(visit(&op)))
      return failure();
  return success();
}

LogicalResult EntryChange::run() {
  if (failed(findPatches()))
    return failure();
  setDimension(patchify.getInput(), 2, size.rows);
  setDimension(patchify.getInput(), 3, size.columns);
  Block &block = entry.getBody().front();
  if (failed(visit(block)))
    return failure();
  entry.setFunctionType(
      FunctionType::get(entry.getContext(), block.getArgumentTypes(),
                        block.getTerminator()->getOperandTypes()));
  return success();
}

/// `given`, a `vit.preprocessing`, with its sizes scaled in proportion.
static DictionaryAttr scalePreprocessing(DictionaryAttr given, Grid size) {
  Builder b(given.getContext());
  NamedAttrList fields(given);
  auto read = [&](StringRef name) {
    auto value = dyn_cast_or_null<IntegerAttr>(fields.get(name));
    return value ? value.getInt() : 0;
  };
  auto share = dyn_cast_or_null<FloatAttr>(fields.get("crop_pct"));
  PictureSizes sizes = {read("height"), read("width"), read("resize_height"),
                        read("resize_width"),
                        share ? share.getValueAsDouble() : 0};
  sizes = scalePictureSizes(sizes, size.rows, size.columns);
  for (auto [name, value] :
       {std::pair("height", sizes.height), std::pair("width", sizes.width),
        std::pair("resize_height", sizes.resizeHeight),
        std::pair("resize_width", sizes.resizeWidth)})
    fields.set(name, b.getI64IntegerAttr(value));
  return fields.getDictionary(b.getContext());
}

/// Reads the pass's option. Reports what is wrong at `module`.
static FailureOr<SmallVector<Grid>> parseSizes(ModuleOp module,
                                               ArrayRef<std::string> texts) {
  SmallVector<Grid> sizes;
  for (StringRef text : texts) {
    std::optional<Grid> size = parseSize(text);
    if (!size)
      return module.emitError("the image size '")
             << text << "' is not of the form H or HxW (height and width in "
             << "pixels), such as 384 or 518x336";
    if (std::min(size->rows, size->columns) < 1 ||
        std::max(size->rows, size->columns) > kMaxSize)
      return module.emitError("the image size '")
             << text << "' is not from 1 to " << kMaxSize << " pixels";
    if (llvm::is_contained(sizes, *size))
      return module.emitError("the image size ")
             << size->text() << " is given twice";
    sizes.push_back(*size);
  }
  return sizes;
}

namespace {
/// What the module says about its pictures, which is about the first size.
/// Entries for further sizes have attributes of the same names.
class Descriptions {
public:
  explicit Descriptions(ModuleOp module)
      : preprocessing(
            module->getAttrOfType<DictionaryAttr>(kPreprocessingAttr)),
        grid(module->getAttr(kPatchGridAttr)) {}

  /// Describes the changed entry at `where`: the module or the entry.
  void set(Operation *where, const EntryChange &change, Grid size) const {
    MLIRContext *context = where->getContext();
    if (preprocessing)
      where->setAttr(kPreprocessingAttr,
                     scalePreprocessing(preprocessing, size));
    if (grid && grid == change.getOldGrid().attribute(context))
      where->setAttr(kPatchGridAttr, change.getNewGrid().attribute(context));
  }

private:
  static constexpr StringLiteral kPreprocessingAttr = "vit.preprocessing",
                                 kPatchGridAttr = "vit.patch_grid";
  DictionaryAttr preprocessing;
  Attribute grid;
};
} // namespace

void SetImageSizePass::runOnOperation() {
  ModuleOp module = getOperation();
  Descriptions descriptions(module);
  FailureOr<SmallVector<Grid>> parsed = parseSizes(module, this->sizes);
  if (failed(parsed))
    return signalPassFailure();
  SmallVector<func::FuncOp> entries;
  for (auto entry : module.getOps<func::FuncOp>())
    if (!entry.isExternal())
      entries.push_back(entry);
  for (func::FuncOp entry : entries) {
    // The first size keeps the entry's name; copies are made before it changes.
    SmallVector<std::pair<func::FuncOp, Grid>> changed;
    for (auto [index, size] : llvm::enumerate(*parsed)) {
      func::FuncOp copy = entry;
      if (index > 0) {
        copy = entry.clone();
        copy.setName((entry.getName() + "_" + Twine(size.rows) + "x" +
                      Twine(size.columns))
                         .str());
        module.push_back(copy);
      }
      changed.push_back({copy, size});
    }
    for (auto [index, pair] : llvm::enumerate(changed)) {
      EntryChange change(pair.first, pair.second);
      if (failed(change.run()))
        return signalPassFailure();
      Operation *where =
          index == 0 ? module.getOperation() : pair.first.getOperation();
      descriptions.set(where, change, pair.second);
    }
  }
}
