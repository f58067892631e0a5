//===- Products.h - Products and attention against plain loops --*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_CPU_PRODUCTS_H
#define VIT_TEST_CPU_PRODUCTS_H

#include "Harness.h"

#include <map>

namespace test {

struct GemmShape {
  int64_t tokens, in, out; ///< tokens = 0: rank 2
  int64_t rows, cols, tileCols, chunk;
  int64_t inGroup = 0, outGroup = 0;
  bool transposed = false; ///< the weight has shape [in, out]
  Element inElement = Element::F32, outElement = Element::F32;

  Layout input() const { return {rows, inGroup, inElement}; }
  Layout result() const { return {rows, outGroup, outElement}; }
  int64_t interleave() const {
    return inElement == Element::F16 ? 1 : input().line() / 16;
  }
  /// The weight [out, in] as the kernel reads it.
  Guarded pack(const Floats &weight) const;
  std::string name() const;
};

/// A module with one product. `extras` has a letter for each extra: b for a
/// bias, p for a table with a row per token, r for a residual.
std::string gemmText(const GemmShape &shape, const std::string &extras,
                     const std::string &region);
/// x W^T, in double.
std::vector<double> product(const Floats &x, const Floats &w, int64_t rows,
                            int64_t in, int64_t out);
/// Adds all three extras (of rank 2: bias and residual), for several batches
/// and splits. Returns the result of the last batch.
Floats checkGemm(const GemmShape &shape, const std::string &level,
                 const std::vector<int64_t> &batches);

struct AttentionShape {
  int64_t tokens, heads, headDim, rows, chunk;
  bool fused; ///< q, k and v are one operand
  bool probabilities;
  double scale;
  int64_t keys = 0; ///< tokens of k and v; 0: as many as of q
  bool bias = false;
  bool wideResult = false; ///< of f32, whatever the operands are
  Element element = Element::F32;

  Layout layout() const { return layoutOf(element); }
  Layout result() const {
    return layoutOf(wideResult ? Element::F32 : element);
  }
  int64_t width() const { return heads * headDim; }
  int64_t keyTokens() const { return keys ? keys : tokens; }
  std::string name() const;

private:
  Layout layoutOf(Element type) const {
    return {rows, headDim % lineOf(element) == 0 ? 0 : headDim, type};
  }
};

std::string attentionText(const AttentionShape &shape);
/// Softmax(scale q k^T + bias) v in double; q, k and v have shape [batch,
/// tokens, width]. Exponentials are rounded as the operands are.
void attend(const Floats &q, const Floats &k, const Floats &v,
            const Floats &bias, const AttentionShape &shape, int64_t batch,
            std::vector<double> &result, std::vector<double> &probabilities);

struct Tolerance {
  double result, probabilities;
};
/// Checks several batches and splits. Returns the result of the last batch,
/// then its probabilities.
Floats checkAttention(const AttentionShape &shape, const std::string &level,
                      Tolerance tolerance);

/// Expects the same bits of levels with tiles as of those with plain code in
/// their place, where `results`, by level, has both.
void expectSameAsExpanded(const std::map<std::string, Floats> &results);

} // namespace test

#endif // VIT_TEST_CPU_PRODUCTS_H
