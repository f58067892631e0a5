//===- Fuse.cpp - Fewer, larger kernels -----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::vit {
#define GEN_PASS_DEF_FUSE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct FusePass : vit::impl::FuseBase<FusePass> {
  using Base::Base;
  void runOnOperation() override;
};

/// A product that can become part of the fused product for query, key and
/// value.
struct Product {
  unsigned operand; ///< of the attention: 0 query, 1 key, 2 value
  GemmOp gemm;
  Value rowScales;    ///< of int8: an extra of one channel; null: none
  Attribute scale;    ///< of int8, where all rows have the same; null: none
  RowScalesOp scales; ///< of int8: of the weight; null: none
  Value bias;         ///< null: none

  /// Products can be fused if these are equal: the input, the code, whether
  /// operands are rounded to tf32, and what the weight is multiplied by.
  auto getKey() {
    return std::make_tuple(
        Value(gemm.getInput()), (bias ? 1u : 0u) | (gemm.getTf32() ? 2u : 0u),
        scale, scales ? Attribute(scales.getMigrationAttr()) : Attribute());
  }
};
} // namespace

//===----------------------------------------------------------------------===//
// Epilogues
//===----------------------------------------------------------------------===//

/// The kernel that `map` can be fused into: it computes an operand of `map`
/// that has the shape of the result and no other user. If there are several,
/// the last one in program order, since its operands must live until then
/// anyway. The operand is f32: another one has been rounded, which scalar code
/// does not do.
static EpilogueOpInterface findProducer(MapOp map) {
  EpilogueOpInterface found;
  for (Value operand : map->getOperands()) {
    auto producer = operand.getDefiningOp<EpilogueOpInterface>();
    // A kernel.prepend writes the type that it reads.
    bool fits = producer && tensorOf(operand).getElementType().isF32() &&
                tensorOf(operand).getShape() == map.getType().getShape() &&
                (operand.getType() == map.getType() ||
                 !isa<PrependOp>(producer.getOperation())) &&
                llvm::all_of(operand.getUsers(),
                             [&](Operation *user) { return user == map; });
    if (fits && (!found || found->isBeforeInBlock(producer)))
      found = producer;
  }
  return found;
}

/// Replaces `producer` and `map`, its only user, by one op at the position of
/// `map`.
static EpilogueOpInterface fuseInto(EpilogueOpInterface producer, MapOp map) {
  OpBuilder builder(map);
  Value intermediate = producer->getResult(0);

  SmallVector<Value> operands(producer->getOperands());
  size_t extrasBegin = operands.size() - producer.getExtras().size();
  auto findExtra = [&](Value value) -> unsigned {
    auto *found = llvm::find(llvm::drop_begin(operands, extrasBegin), value);
    return std::distance(operands.begin() + extrasBegin, found);
  };
  for (Value operand : map->getOperands())
    if (operand != intermediate &&
        findExtra(operand) == operands.size() - extrasBegin)
      operands.push_back(operand);

  OperationState state(builder.getFusedLoc({producer->getLoc(), map.getLoc()}),
                       producer->getName(), operands, map->getResultTypes());
  state.propertiesAttr = producer->getPropertiesAsAttribute();
  state.addRegion()->takeBody(producer.getEpilogue());
  auto fused = cast<EpilogueOpInterface>(builder.create(state));

  Block &code = getEpilogue(fused);
  while (code.getNumArguments() < 1 + operands.size() - extrasBegin)
    code.addArgument(builder.getF32Type(), map.getLoc());
  auto yield = cast<kernel::YieldOp>(code.getTerminator());
  IRMapping mapping;
  for (auto [operand, argument] :
       llvm::zip(map->getOperands(), getEpilogue(map).getArguments()))
    mapping.map(argument, operand == intermediate
                              ? Value(yield.getValue())
                              : code.getArgument(1 + findExtra(operand)));
  builder.setInsertionPoint(yield);
  for (Operation &op : getEpilogue(map).without_terminator())
    builder.clone(op, mapping);
  Value result =
      cast<kernel::YieldOp>(getEpilogue(map).getTerminator()).getValue();
  yield->setOperand(0, mapping.lookupOrDefault(result));

  map.replaceAllUsesWith(fused->getResult(0));
  map.erase();
  producer->erase();
  return fused;
}

//===----------------------------------------------------------------------===//
// Residual gradients
//===----------------------------------------------------------------------===//

/// Returns whether `map` adds one extra to its input.
static bool isSum(MapOp map) {
  Block &code = getEpilogue(map);
  auto sum = cast<kernel::YieldOp>(code.getTerminator())
                 .getValue()
                 .getDefiningOp<arith::AddFOp>();
  return sum && map.getExtras().size() == 1 &&
         map.getExtras().front().getType() == map.getType() &&
         llvm::equal(sum->getOperands(), code.getArguments());
}

/// Fuses `map` into the backward kernel of a norm if it adds the gradient of
/// the residual connection around the norm.
static bool fuseResidual(MapOp map) {
  if (!isSum(map))
    return false;
  for (unsigned index : {1, 0}) {
    Value gradient = map->getOperand(index), other = map->getOperand(1 - index);
    auto norm = gradient.getDefiningOp<NormalizeBackwardOp>();
    if (!norm || norm.getResidual() || gradient != norm.getResult() ||
        !gradient.hasOneUse())
      continue;
    // The norm's backward kernel cannot move down to the sum, since its other
    // results may be used before the sum. So the other summand must be computed
    // before it.
    Operation *maker = other.getDefiningOp();
    if (maker && !maker->isBeforeInBlock(norm))
      continue;
    OpBuilder builder(norm);
    norm->setLoc(builder.getFusedLoc({norm.getLoc(), map.getLoc()}));
    norm.getResidualMutable().assign(other);
    map.replaceAllUsesWith(gradient);
    map.erase();
    return true;
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Rounded results
//===----------------------------------------------------------------------===//

/// Lets an attention op, or with `roundBackward` its backward op, of which only
/// `map` reads a result, to round it, write the rounded result itself.
/// Attention of f32 has no code for this.
static bool fuseRounding(MapOp map, bool roundBackward) {
  Value value = map.getInput(), probabilities, query;
  if (auto attention = value.getDefiningOp<kernel::AttentionOp>()) {
    probabilities = attention.getProbabilities();
    query = attention.getQuery();
  } else if (auto backward = value.getDefiningOp<kernel::AttentionBackwardOp>();
             backward && roundBackward) {
    query = backward.getQuery();
  }
  Type rounded = map.getType().getElementType();
  if (!query || tensorOf(query).getElementType() != rounded)
    return false;
  Value element =
      cast<kernel::YieldOp>(getEpilogue(map).getTerminator()).getValue();
  if (value == probabilities || !value.hasOneUse() ||
      element != getEpilogue(map).getArgument(0))
    return false;
  value.setType(map.getType());
  map.replaceAllUsesWith(value);
  map.erase();
  return true;
}

//===----------------------------------------------------------------------===//
// Query, key and value
//===----------------------------------------------------------------------===//

namespace {
/// An attention op and, in a training step, its backward op, which reads the
/// same query, key and value.
struct AttentionUses {
  SmallVector<Operation *> ops;

  explicit AttentionUses(kernel::AttentionOp attention) : ops{attention} {
    for (Operation *user : attention.getQuery().getUsers())
      if (auto backward = dyn_cast<kernel::AttentionBackwardOp>(user);
          backward &&
          backward->getOperands().drop_front() == attention->getOperands() &&
          backward.getOffsets() == attention.getOffsets())
        ops.push_back(backward);
  }
  /// Returns the operand number of the query.
  static unsigned getFirst(Operation *op) {
    return isa<kernel::AttentionBackwardOp>(op) ? 1 : 0;
  }
  /// Returns whether `value` is only used as operand `index` of these ops (0
  /// query, 1 key, 2 value).
  bool own(Value value, unsigned index) const {
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      return llvm::is_contained(ops, use.getOwner()) &&
             use.getOperandNumber() == getFirst(use.getOwner()) + index;
    });
  }
  void set(unsigned index, Value value) {
    for (Operation *op : ops)
      op->setOperand(getFirst(op) + index, value);
  }
  void setOffsets(ArrayRef<int64_t> offsets) {
    for (Operation *op : ops)
      op->setAttr("offsets", DenseI64ArrayAttr::get(op->getContext(), offsets));
  }
};
} // namespace

/// Matches the code of a product of int8, which begins with acc * the scale of
/// the rows (an extra of one channel or a constant) * the scales of the weight.
/// Sets these fields of `product` and returns the value after it, or null if
/// the code begins in another way. `used` is how many extras it reads.
static Value matchScales(Product &product, Block &code, size_t &used) {
  ValueRange extras = product.gemm.getExtras();
  Value value = code.getArgument(0);
  auto next = [&]() -> arith::MulFOp {
    if (!value.hasOneUse())
      return {};
    auto times = dyn_cast<arith::MulFOp>(*value.user_begin());
    return times && times.getLhs() == value ? times : arith::MulFOp();
  };
  used = 0;
  arith::MulFOp byRows = next();
  if (!byRows)
    return {};
  if (matchPattern(byRows.getRhs(), m_Constant(&product.scale)))
    product.rowScales = {};
  else if (byRows.getRhs() == code.getArgument(1))
    product.rowScales = extras[used++];
  else
    return {};
  value = byRows.getResult();
  arith::MulFOp byColumns = next();
  if (!byColumns || byColumns.getRhs() != code.getArgument(1 + used))
    return {};
  product.scales = extras[used++].getDefiningOp<RowScalesOp>();
  // What a derive to i8 divides by; see stack.
  auto weight = product.gemm.getWeight().getDefiningOp<DeriveOp>();
  if (!weight || weight.getSources() != product.scales.getSources() ||
      weight.getMigrationAttr() != product.scales.getMigrationAttr())
    return {};
  return byColumns.getResult();
}

/// Returns the product that computes operand `index` if only these ops use it
/// and nothing but a bias is fused into it.
static std::optional<Product> getProduct(kernel::AttentionOp attention,
                                         const AttentionUses &uses,
                                         unsigned index) {
  Value operand = attention->getOperand(index);
  auto gemm = operand.getDefiningOp<GemmOp>();
  if (!gemm || gemm.getTransposed() || !uses.own(operand, index) ||
      attention.getOffsets()[index] != 0)
    return std::nullopt;
  Product product = {index, gemm, Value(), {}, {}, Value()};
  Block &code = getEpilogue(gemm);
  Value result = cast<kernel::YieldOp>(code.getTerminator()).getValue();
  SmallVector<Value> extras(gemm.getExtras());
  // acc, or acc times the scales of int8; then perhaps + bias.
  size_t used = 0;
  Value expected = code.getArgument(0);
  if (llvm::any_of(extras, [](Value extra) {
        return isa_and_nonnull<RowScalesOp>(extra.getDefiningOp());
      })) {
    expected = matchScales(product, code, used);
    if (!expected)
      return std::nullopt;
  }
  if (extras.size() == used && result == expected)
    return product;
  auto sum = result.getDefiningOp<arith::AddFOp>();
  bool isBias = sum && extras.size() == used + 1 && sum.getLhs() == expected &&
                sum.getRhs() == code.getArgument(1 + used) &&
                tensorOf(extras.back()).getRank() == 1;
  if (!isBias)
    return std::nullopt;
  product.bias = extras.back();
  return product;
}

/// Concatenates the sources along the first dimension, as elements of type
/// `element`.
static Value stack(OpBuilder &builder, Location location,
                   ArrayRef<Value> sources, Type element,
                   DenseElementsAttr migration = {}) {
  SmallVector<int64_t> shape(tensorOf(sources.front()).getShape());
  shape[0] = 0;
  for (Value source : sources)
    shape[0] += tensorOf(source).getDimSize(0);
  return DeriveOp::create(builder, location,
                          RankedTensorType::get(shape, element), sources,
                          migration);
}

/// Replaces `products`, which have the same input and either all a bias or
/// none, by one product.
static void fuseProducts(kernel::AttentionOp attention, AttentionUses &uses,
                         ArrayRef<Product> products) {
  SmallVector<Value> weights, biases;
  SmallVector<Location> locations;
  SmallVector<int64_t> offsets(attention.getOffsets());
  int64_t width = 0;
  GemmOp last = products.front().gemm;
  for (const Product &product : products) {
    GemmOp gemm = product.gemm;
    if (product.scales)
      llvm::append_range(weights, RowScalesOp(product.scales).getSources());
    else
      weights.push_back(gemm.getWeight());
    if (product.bias)
      biases.push_back(product.bias);
    locations.push_back(gemm.getLoc());
    offsets[product.operand] = width;
    width += gemm.getWeight().getType().getDimSize(0);
    if (last->isBeforeInBlock(gemm))
      last = gemm;
  }

  OpBuilder builder(last);
  Location location = builder.getFusedLoc(locations);
  Product first = products.front();
  DenseElementsAttr migration;
  SmallVector<Value> extras;
  if (first.rowScales)
    extras.push_back(first.rowScales);
  if (first.scales) {
    migration = first.scales.getMigrationAttr();
    extras.push_back(RowScalesOp::create(
        builder, location, RankedTensorType::get({width}, builder.getF32Type()),
        weights, migration));
  }
  if (!biases.empty())
    extras.push_back(stack(builder, location, biases,
                           tensorOf(biases.front()).getElementType()));
  auto type = last.getResult().getType();
  auto fusedType = RankedTensorType::get(
      {type.getDimSize(0), type.getDimSize(1), width}, type.getElementType());
  auto fused = GemmOp::create(
      builder, location, fusedType, last.getInput(),
      stack(builder, location, weights,
            last.getWeight().getType().getElementType(), migration),
      extras, /*transposed=*/false, first.gemm.getTf32());
  // All products have the same scalar code.
  fused.getEpilogue().takeBody(last.getEpilogue());
  for (const Product &product : products) {
    uses.set(product.operand, fused.getResult());
    product.gemm->erase();
  }
  uses.setOffsets(offsets);
}

static bool fuseAttention(kernel::AttentionOp attention) {
  llvm::MapVector<decltype(std::declval<Product>().getKey()),
                  SmallVector<Product>>
      groups;
  AttentionUses uses(attention);
  for (unsigned index = 0; index < 3; ++index)
    if (std::optional<Product> product = getProduct(attention, uses, index))
      groups[product->getKey()].push_back(*product);
  bool changed = false;
  for (auto &[key, products] : groups) {
    if (products.size() < 2)
      continue;
    fuseProducts(attention, uses, products);
    changed = true;
  }
  return changed;
}

void FusePass::runOnOperation() {
  if (getOperation().isExternal())
    return;
  Block &block = getOperation().getBody().front();
  if (epilogues)
    for (Operation &op : llvm::make_early_inc_range(block))
      // The fused op can be a map that can itself be fused into another
      // producer.
      for (auto map = dyn_cast<MapOp>(op); map;) {
        if (fuseResidual(map) || fuseRounding(map, roundBackward)) {
          ++epiloguesFused;
          break;
        }
        EpilogueOpInterface producer = findProducer(map);
        if (!producer)
          break;
        map = dyn_cast<MapOp>(fuseInto(producer, map).getOperation());
        ++epiloguesFused;
      }
  if (qkv)
    for (auto attention :
         llvm::make_early_inc_range(block.getOps<kernel::AttentionOp>()))
      if (fuseAttention(attention))
        ++attentionsFused;
}
