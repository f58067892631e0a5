//===- Checks.h - What verifiers share --------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_DIALECT_CHECKS_H
#define VIT_LIB_DIALECT_CHECKS_H

#include "vit/Dialect/Kernel.h"
#include "vit/Dialect/Vit.h"

namespace mlir::vit {

/// Returns whether two sizes can be equal; a dynamic size can be equal to any.
inline bool agree(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

/// Returns whether `grid` is two positive numbers whose product does not
/// overflow.
inline bool isGrid(ArrayRef<int64_t> grid) {
  constexpr int64_t limit = 1 << 20;
  return grid.size() == 2 && grid[0] > 0 && grid[1] > 0 && grid[0] <= limit &&
         grid[1] <= limit;
}

/// Returns the rows of a table of relative positions on `grid`, which isGrid,
/// with `prefix` (0 or 1) class tokens.
inline int64_t getRelativeRows(ArrayRef<int64_t> grid, int64_t prefix) {
  return (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3 * prefix;
}

/// Reports that an op called `op` has operands or attributes without a result
/// type.
template <typename... Args>
LogicalResult reject(std::optional<Location> where, StringRef op,
                     Args &&...message) {
  return emitOptionalError(where, "'", op, "' op ",
                           std::forward<Args>(message)...);
}

/// C2 and C3 of resample_positions and its adjoint.
template <typename Adaptor>
LogicalResult checkResampling(std::optional<Location> where, StringRef op,
                              Adaptor adaptor) {
  ArrayRef<int64_t> from = adaptor.getFrom(), to = adaptor.getTo();
  auto isRows = [](int64_t count) { return count >= 0 && count <= 1 << 20; };
  if (!isGrid(from) || !isGrid(to))
    return reject(
        where, op,
        "C2: both grids must be two positive numbers, [rows, columns]");
  for (int64_t count :
       {int64_t(adaptor.getPrefix()), int64_t(adaptor.getSuffix())})
    if (!isRows(count))
      return reject(where, op, "C2: the prefix or suffix ", count,
                    " must be a number of rows, 0 or more");
  if (adaptor.getAntialias() && adaptor.getFilter() != ResamplingFilter::cubic)
    return reject(where, op, "C3: only the filter cubic has antialiasing");
  if (adaptor.getFilter() == ResamplingFilter::geometric &&
      (from[0] % 2 == 0 || from[1] % 2 == 0 || to[0] % 2 == 0 ||
       to[1] % 2 == 0))
    return reject(where, op,
                  "C3: the filter geometric needs grids of odd sizes, which "
                  "have a middle row and column");
  return success();
}

/// "1 + 14*14"
inline std::string describeTableRows(int64_t prefix, ArrayRef<int64_t> grid,
                                     int64_t suffix) {
  std::string text = std::to_string(prefix) + " + " + std::to_string(grid[0]) +
                     "*" + std::to_string(grid[1]);
  return suffix ? text + " + " + std::to_string(suffix) : text;
}

/// Checks that the operands of the op are consistent and that its result has
/// the inferred type.
template <typename Op> LogicalResult verifyInferred(Op op) {
  SmallVector<Type, 1> inferred;
  if (failed(Op::inferReturnTypes(op.getContext(), op.getLoc(),
                                  typename Op::Adaptor(op), inferred)))
    return failure();
  if (op.getResult().getType() == inferred.front())
    return success();
  return op.emitOpError("the result must be ")
         << inferred.front() << ", not " << op.getResult().getType();
}

/// Returns the product of positive sizes, or nullopt if one is not positive or
/// the product is larger than any memory.
std::optional<int64_t> countElements(ArrayRef<int64_t> shape);

/// Checks that `symbol` is a vit.parameter or vit.state of type `type` that
/// `user` may use with a layer (`layer` if it is known). `Only` restricts the
/// kind of op. The constraints in messages are numbered as in vit.read and the
/// updates: C1, C2.
enum class Only { Nothing, Parameter, State };
LogicalResult verifyNamedTensor(Operation *user, SymbolTableCollection &symbols,
                                FlatSymbolRefAttr symbol, Type type,
                                bool indexed, std::optional<int64_t> layer,
                                Only only = Only::Nothing);

/// Checks that each of `migration`, the factors for `width` input channels of a
/// product, is `format::isScale`. Errors mention the constraints `value` and
/// `count`.
LogicalResult verifyMigration(Operation *op, DenseElementsAttr migration,
                              int64_t width, StringRef value, StringRef count);

/// C1 of vit.all_reduce and kernel.all_reduce.
template <typename Op> LogicalResult verifyAllReduce(Op op) {
  if (op.getGradients().empty())
    return op.emitOpError("C1: there must be at least one gradient");
  for (auto [gradient, sum, result] :
       llvm::zip(op.getGradients(), op.getSums(), op.getResults())) {
    RankedTensorType type = tensorOf(gradient);
    if (sum.getType() != type || result.getType() != type ||
        !type.hasStaticShape() || !type.getElementType().isF32() ||
        type.getEncoding())
      return op.emitOpError("C1: gradient, sum and result must have one type "
                            "of f32 and of static size, not ")
             << type << ", " << sum.getType() << " and " << result.getType();
  }
  return success();
}

/// C4 to C6 of vit.linear.
LogicalResult verifyScales(LinearOp op);

namespace kernel {

/// C1 of attention and its adjoint: heads * headDim channels of query, key and
/// value [batch, tokens, channels] from their offsets on.
LogicalResult verifyAttentionOperands(Operation *op, int64_t heads,
                                      int64_t headDim,
                                      ArrayRef<int64_t> offsets, Value query,
                                      Value key, Value value);

/// That an op of tf32 (`isTf32`) has operands of f32, as `operand` is one.
LogicalResult verifyTf32(Operation *op, bool isTf32, RankedTensorType operand,
                         StringRef constraint);

/// C1 of relative positions: `table` is one or more tables for `grid`, `bias`
/// what they expand to.
LogicalResult verifyRelativePositions(Operation *op, RankedTensorType table,
                                      RankedTensorType bias,
                                      ArrayRef<int64_t> grid, int64_t prefix);

/// C1 of kernel.resample and kernel.grid_product: tables of two grids.
LogicalResult verifyGridTables(Operation *op, RankedTensorType source,
                               RankedTensorType result, ArrayRef<int64_t> from,
                               ArrayRef<int64_t> to, int64_t prefix,
                               int64_t suffix);

/// Checks that the ops of a region are scalar code that ends in kernel.yield.
/// Errors mention `constraint`.
LogicalResult verifyScalarCode(Operation *op, Region &region,
                               StringRef constraint);

/// C1 of kernel.derive and kernel.pack: one source with the element count of
/// the result or with one element, or several sources that are concatenated.
LogicalResult verifySources(Operation *op, ValueRange sources,
                            RankedTensorType result);

} // namespace kernel
} // namespace mlir::vit

#endif // VIT_LIB_DIALECT_CHECKS_H
