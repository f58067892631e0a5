//===- Ops.h - One plain function per op ------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shapes have been checked by the ops' verifiers and by the interpreter.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_REFERENCE_OPS_H
#define VIT_LIB_REFERENCE_OPS_H

#include "vit/Reference/Interpreter.h"

#include <optional>

namespace mlir::vit::reference {

//===----------------------------------------------------------------------===//
// Tokens.cpp: patches, tokens, positions
//===----------------------------------------------------------------------===//

/// [batch, c, h, w] to [batch, (h/ph)(w/pw), c*ph*pw], rounded down.
Tensor patchify(const Tensor &pictures, int64_t patchHeight, int64_t patchWidth,
                PixelOrder order);
/// [k, width] in front of each image of [batch, tokens, width].
Tensor prependTokens(const Tensor &input, const Tensor &tokens);
/// [count, width] to [batch, count, width].
Tensor repeatTokens(const Tensor &tokens, int64_t batch);
/// [..., w0], [..., w1], ... to [..., w0 + w1 + ...].
Tensor concatChannels(ArrayRef<const Tensor *> inputs);
/// [..., width] to [..., count].
Tensor takeChannels(const Tensor &input, int64_t start, int64_t count);
/// [batch, tokens, width] to [batch, count, width].
Tensor takeTokens(const Tensor &input, int64_t start, int64_t count);
/// [batch, tokens, width] to [batch, width].
Tensor meanTokens(const Tensor &input, int64_t start);
/// [rows * columns, width].
Tensor sincosPositions(int64_t rows, int64_t columns, int64_t width,
                       double temperature, bool exclusive);
/// The attributes of vit.resample_positions.
struct Resampling {
  ArrayRef<int64_t> from, to;
  int64_t prefix, suffix;
  bool antialias;
  ResamplingFilter filter;

  template <typename Op> static Resampling of(Op op) {
    return {op.getFrom(),
            op.getTo(),
            static_cast<int64_t>(op.getPrefix()),
            static_cast<int64_t>(op.getSuffix()),
            op.getAntialias(),
            op.getFilter()};
  }
};
/// [prefix + from + suffix, width] to [prefix + to + suffix, width].
Tensor resamplePositions(const Tensor &table, const Resampling &resampling);

/// Adjoint of patchify; `pictures` is the result's shape.
Tensor unpatchify(const Tensor &patches, std::vector<int64_t> pictures,
                  int64_t patchHeight, int64_t patchWidth, PixelOrder order);
/// [prefix + to + suffix, width] to [prefix + from + suffix, width].
Tensor resamplePositionsBackward(const Tensor &gradient,
                                 const Resampling &resampling);
/// kernel.grid_product.
Tensor gridProduct(const Tensor &source, const Tensor &rows,
                   const Tensor &columns, int64_t prefix);

//===----------------------------------------------------------------------===//
// Positions.cpp: relative and rotary positions
//===----------------------------------------------------------------------===//

/// The sum of tables [(2h-1)(2w-1) + 3 prefix, heads], of which one tensor may
/// hold several one above the other, as [heads, tokens, tokens].
Tensor relativePositions(ArrayRef<const Tensor *> tables,
                         ArrayRef<int64_t> grid, int64_t prefix);
/// The gradient of one table.
Tensor relativePositionsBackward(const Tensor &gradient, ArrayRef<int64_t> grid,
                                 int64_t prefix);
/// The attributes of vit.rotary_positions.
struct RotaryGrid {
  int64_t rows, columns, width;
  double temperature, origin;
  std::optional<double> extent;
  bool isCentered, isColumnFirst;
};
/// [rows * columns, width].
Tensor rotaryPositions(const RotaryGrid &grid);
Tensor rotate(const Tensor &input, const Tensor &angles, int64_t heads,
              int64_t prefix, PairKind kind, bool isInverse);
/// kernel.rotate.
Tensor rotateByTables(const Tensor &input, int64_t offset, const Tensor &cosine,
                      const Tensor &sine, int64_t heads, int64_t headDim,
                      PairKind kind);

//===----------------------------------------------------------------------===//
// Layers.cpp: products and rows
//===----------------------------------------------------------------------===//

/// The precision of an op; without one, f32.
inline Precision precisionOf(PrecisionAttr attribute) {
  return attribute ? attribute.getValue() : Precision::f32;
}
/// The precision that the element type of `value`, not an integer, has.
inline Precision precisionOf(Value value) {
  Type element = tensorOf(value).getElementType();
  return element.isBF16()  ? Precision::bf16
         : element.isF16() ? Precision::f16
                           : Precision::f32;
}
/// That of a kernel on operands like `operand`, which it rounds if `isTf32`.
inline Precision precisionOf(bool isTf32, Value operand) {
  return isTf32 ? Precision::tf32 : precisionOf(operand);
}
/// Rounds to `precision`, to nearest, as Precision says; f32: not at all.
double roundTo(double x, Precision precision);
/// Rounds each element.
Tensor roundTo(Tensor tensor, Precision precision);
/// The element of i8 for `x`: to nearest even, -127 to 127; -127 for a NaN.
double toInt8(double x);
/// Multiplies the columns of `weight` by the factors of `migration`, which may
/// be null, and rounds to f32.
Tensor migrateWeight(Tensor weight, DenseElementsAttr migration);
/// Each row divided by its scale, its largest magnitude / 127 rounded to f32,
/// and rounded to nearest even. `scales`: [..., 1].
Tensor quantizeRows(const Tensor &tensor, Tensor &scales);
/// The scales alone.
Tensor rowScales(const Tensor &tensor);
/// x W^T + b; `bias` may be null.
Tensor linear(const Tensor &input, const Tensor &weight, const Tensor *bias);
/// Over each of `groups` equal parts: (x - mean) / sqrt(variance + epsilon),
/// x / sqrt(mean of squares + epsilon), or x / max(Euclidean norm, epsilon).
Tensor normalize(const Tensor &input, NormKind kind, double epsilon,
                 int64_t groups);
/// The same, multiplied by `scale` and with `bias` added; each may be null.
Tensor norm(const Tensor &input, NormKind kind, const Tensor *scale,
            const Tensor *bias, double epsilon, int64_t groups);
/// exp(x - max) / sum over each of `groups` equal parts.
Tensor softmax(const Tensor &input, int64_t groups);

/// Part of a tensor's channels: heads side by side.
struct Heads {
  const Tensor *tensor; ///< [batch, tokens, width]
  int64_t offset;       ///< the first head's first channel
  int64_t size;         ///< channels of one head
};
/// softmax(scale q k^T + bias) v per head, [batch, tokens, heads * value size].
/// `bias` is [heads, q's, k's tokens] or null. `probabilities`, where not null,
/// becomes [batch, heads, q's, k's tokens]. The exponentials of the scores,
/// relative to the largest of their row, are rounded to `precision` before they
/// are summed; q, k and v are used as they are.
Tensor attention(Heads query, Heads key, Heads value, const Tensor *bias,
                 int64_t heads, double scale, Tensor *probabilities,
                 Precision precision = Precision::f32);

//===----------------------------------------------------------------------===//
// Elementwise.cpp
//===----------------------------------------------------------------------===//

double gelu(double x, GeluKind kind);
double silu(double x);
/// Applies `function` to each element.
Tensor map(const Tensor &input, llvm::function_ref<double(double)> function);
/// Applies `function` to each pair, with numpy's broadcasting.
Tensor broadcast(const Tensor &lhs, const Tensor &rhs,
                 llvm::function_ref<double(double, double)> function);

//===----------------------------------------------------------------------===//
// Backward.cpp: `gradient` is that of the result
//===----------------------------------------------------------------------===//

/// gradient W.
Tensor linearInputGradient(const Tensor &gradient, const Tensor &weight);
/// gradient^T x, [out, in].
Tensor linearWeightGradient(const Tensor &gradient, const Tensor &input);
/// The sum over dimensions that `shape` lacks or in which it has size 1.
Tensor sumTo(const Tensor &input, std::vector<int64_t> shape);
struct NormGradients {
  Tensor input, scale, bias;
};
/// `scale` may be null.
NormGradients normBackward(const Tensor &gradient, const Tensor &input,
                           NormKind kind, const Tensor *scale, double epsilon,
                           int64_t groups);
/// `output` is the softmax.
Tensor softmaxBackward(const Tensor &gradient, const Tensor &output);
struct AttentionGradients {
  Tensor query, key, value, bias;
};
/// `bias` may be null; its gradient, summed over the images, is computed all
/// the same. p and scale ds are rounded to `precision` before they are
/// multiplied; the operands are used as they are.
AttentionGradients attentionBackward(const Tensor &gradient,
                                     const Tensor &query, const Tensor &key,
                                     const Tensor &value, const Tensor *bias,
                                     int64_t heads, double scale,
                                     Precision precision = Precision::f32);
/// The derivative of an activation at x.
double derivative(double x, ActivationKind activation);
/// [batch, count, width] or [batch, width] to [batch, tokens, width].
Tensor placeTokens(const Tensor &input, int64_t start, int64_t tokens);
/// [batch, width] to [batch, tokens, width].
Tensor spreadTokens(const Tensor &input, int64_t start, int64_t tokens);

//===----------------------------------------------------------------------===//
// Training.cpp: losses, random masks, updates
//===----------------------------------------------------------------------===//

/// The first image whose label is not in [0, classes).
std::optional<int64_t> findBadLabel(const Tensor &targets, int64_t classes);
/// `targets`: labels [batch] in [0, classes), or [batch, classes].
Tensor crossEntropy(const Tensor &logits, const Tensor &targets,
                    double smoothing);
Tensor crossEntropyBackward(double gradient, const Tensor &logits,
                            const Tensor &targets, double smoothing);
Tensor mse(const Tensor &input, const Tensor &targets);
Tensor mseBackward(double gradient, const Tensor &input, const Tensor &targets);
/// The number of images that are classified correctly.
Tensor accuracy(const Tensor &logits, const Tensor &targets);
/// Dropout or drop path (`wholeImages`); see VitOps.td for the random numbers.
Tensor drop(const Tensor &input, double probability, StringRef name,
            const Tensor &seed, double step, bool wholeImages);
/// The same with XXH64(name).
Tensor drop(const Tensor &input, double probability, uint64_t stream,
            const Tensor &seed, double step, bool wholeImages);
/// min(1, maxNorm / (norm + 1e-6)).
double clipFactor(ArrayRef<const Tensor *> gradients, double maxNorm);
/// torch.optim.SGD in place; `buffer` is null where there is no momentum.
void sgd(Tensor &parameter, const Tensor &gradient, Tensor *buffer, double rate,
         double momentum, bool nesterov, double decay);
struct AdamOptions {
  bool decoupled; ///< AdamW
  double rate, beta1, beta2, epsilon, decay;
  int64_t update; ///< 1 for the first
};
/// torch.optim.Adam and AdamW in place.
void adam(Tensor &parameter, const Tensor &gradient, Tensor &first,
          Tensor &second, const AdamOptions &options);

} // namespace mlir::vit::reference

#endif // VIT_LIB_REFERENCE_OPS_H
