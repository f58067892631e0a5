//===- Products.cpp - Products and attention against plain loops ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Products.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace test;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Guarded GemmShape::pack(const Floats &weight) const {
  return store(panels(weight, out, in, cols, outGroup, inGroup, interleave(),
                      input().line()),
               inElement);
}

std::string GemmShape::name() const {
  return std::to_string(tokens) + "x" + std::to_string(in) + "x" +
         std::to_string(out) + "_rows" + std::to_string(rows) + "_groups" +
         std::to_string(inGroup) + "_" + std::to_string(outGroup) +
         (transposed ? "_transposed" : "") +
         (inElement != outElement ? "_mixed" : "");
}

std::string test::gemmText(const GemmShape &s, const std::string &extras,
                           const std::string &region) {
  std::string x = blockedType(s.tokens, s.in, s.input());
  std::string y = blockedType(s.tokens, s.out, s.result());
  Layout extraLayout{s.rows, s.outGroup};
  // x W uses the panels of x W^T's weight, with the dimensions exchanged.
  std::string w =
      "tensor<" + std::to_string(s.transposed ? s.in : s.out) + "x" +
      std::to_string(s.transposed ? s.out : s.in) + "x" + nameOf(s.inElement) +
      ", #kernel.panels<cols = " + std::to_string(s.cols) +
      ", out_group = " + std::to_string(s.transposed ? s.inGroup : s.outGroup) +
      ", in_group = " + std::to_string(s.transposed ? s.outGroup : s.inGroup) +
      (s.transposed ? ", transposed = true" : "") +
      ", interleave = " + std::to_string(s.interleave()) + ">>";
  std::string bias = channelsType(0, s.out, s.outGroup);
  std::string table = channelsType(s.tokens, s.out, s.outGroup);
  std::string residual = blockedType(s.tokens, s.out, extraLayout);
  std::string arguments, types, uses;
  for (char extra : extras) {
    std::string name = std::string("%") + extra;
    std::string type = extra == 'b' ? bias : extra == 'p' ? table : residual;
    arguments += ", " + name + ": " + type;
    uses += (uses.empty() ? "" : ", ") + name;
    types += (types.empty() ? "" : ", ") + type;
  }
  std::string clause =
      extras.empty() ? "" : " extras(" + uses + " : " + types + ")";
  return "func.func @f(%x: " + x + ", %w: " + w + arguments + ") -> " + y +
         " {\n %y = kernel.gemm %x, %w" + (s.transposed ? " transposed" : "") +
         clause + " tile<rows = " + std::to_string(s.rows) +
         ", cols = " + std::to_string(s.tileCols) +
         ", chunk = " + std::to_string(s.chunk) + "> slots [0] " + region +
         " : (" + x + ", " + w + ") -> " + y + "\n return %y : " + y + "\n}\n";
}

std::vector<double> test::product(const Floats &x, const Floats &w,
                                  int64_t rows, int64_t in, int64_t out) {
  std::vector<double> y(rows * out);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      double sum = 0;
      for (int64_t i = 0; i < in; ++i)
        sum += double(x[r * in + i]) * w[o * in + i];
      y[r * out + o] = sum;
    }
  return y;
}

/// Adds as many of its arguments as there are, up to four.
static std::string sumRegion(size_t extras) {
  std::string arguments = "%a0: f32", sums, sum = "%a0";
  for (size_t i = 1; i <= extras; ++i) {
    std::string next = "%a" + std::to_string(i);
    std::string result = "%s" + std::to_string(i);
    arguments += ", " + next + ": f32";
    sums += result + " = arith.addf " + sum + ", " + next + " : f32\n";
    sum = result;
  }
  return "{\n^bb0(" + arguments + "):\n" + sums + "kernel.yield " + sum +
         " : f32 }";
}

/// Expects `values`, which were rounded to `element`.
static void expectResult(const Floats &values, Element element,
                         const std::vector<double> &expected, double tolerance,
                         const std::string &what) {
  if (isNarrowFloat(element))
    expectRounded(values, element, expected, tolerance, what);
  else
    expectClose(values, expected, tolerance, what);
}

/// Runs the kernel in several splits. Returns the result of one.
static Floats runGemm(const Kernel &kernel, const GemmShape &s, int64_t batch,
                      const std::vector<float *> &inputs) {
  Floats first;
  for (int64_t parts : {1, 2, 5, 13}) {
    Guarded output =
        store(Floats(blockedSize(batch, s.tokens, s.out, s.result()), NAN),
              s.outElement);
    std::vector<float *> arguments = inputs;
    arguments.push_back(output.data());
    kernel.run(arguments, batch, parts);
    EXPECT_TRUE(output.isIntact());
    Floats y =
        unblock(load(output, s.outElement), batch, s.tokens, s.out, s.result());
    if (parts == 1)
      first = y;
    expectSameBits(y, first, "split in " + std::to_string(parts));
  }
  return first;
}

Floats test::checkGemm(const GemmShape &s, const std::string &level,
                       const std::vector<int64_t> &batches) {
  bool table = s.tokens != 0;
  std::string extras = table ? "bpr" : "br";
  Kernel kernel(gemmText(s, extras, sumRegion(extras.size())), level);
  Layout extraLayout{s.rows, s.outGroup};
  int64_t perImage = std::max<int64_t>(s.tokens, 1);

  Floats w = roundFor(randomFloats(s.out * s.in, 1, 1 / std::sqrt(float(s.in))),
                      s.inElement);
  Floats bias = randomFloats(s.out, 2);
  Floats position = randomFloats(perImage * s.out, 3);
  Guarded packed = s.pack(w);
  Guarded biasBuffer(channels(bias, 1, s.out, s.outGroup));
  Guarded tableBuffer(channels(position, perImage, s.out, s.outGroup));
  Floats firstImage, last;
  for (int64_t batch : batches) {
    int64_t rows = batch * perImage;
    // Image 0 is the same in every batch.
    Floats x = roundFor(randomFloats(rows * s.in, 4), s.inElement);
    Floats r = randomFloats(rows * s.out, 5);
    std::vector<double> expected = product(x, w, rows, s.in, s.out);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t o = 0; o < s.out; ++o)
        expected[i * s.out + o] +=
            double(bias[o]) + r[i * s.out + o] +
            (table ? position[i % s.tokens * s.out + o] : 0);
    Guarded input =
        store(block(x, batch, s.tokens, s.in, s.input()), s.inElement);
    Guarded residual(block(r, batch, s.tokens, s.out, extraLayout));
    std::vector<float *> arguments{input.data(), packed.data(),
                                   biasBuffer.data()};
    if (table)
      arguments.push_back(tableBuffer.data());
    arguments.push_back(residual.data());
    std::string what = level + ", batch " + std::to_string(batch);
    last = runGemm(kernel, s, batch, arguments);
    expectResult(last, s.outElement, expected, 1e-5, what);
    // randomFloats is sequential, so the first image has the same values.
    Floats image(last.begin(), last.begin() + perImage * s.out);
    if (firstImage.empty())
      firstImage = image;
    expectSameBits(image, firstImage, what + ", image 0");
  }
  return last;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

std::string AttentionShape::name() const {
  return std::to_string(tokens) + (keys ? "to" + std::to_string(keys) : "") +
         "_heads" + std::to_string(heads) + "x" + std::to_string(headDim) +
         "_rows" + std::to_string(rows) + (bias ? "_bias" : "");
}

std::string test::attentionText(const AttentionShape &s) {
  int64_t width = s.width(), inner = s.fused ? 3 * width : width;
  std::string q = blockedType(s.tokens, inner, s.layout());
  std::string k = blockedType(s.keyTokens(), inner, s.layout());
  std::string b = plainType({s.heads, s.tokens, s.keyTokens()});
  std::string out = blockedType(s.tokens, width, s.result());
  std::string p = plainType({-1, s.heads, s.tokens, s.keyTokens()});
  std::string offsets =
      s.fused ? "0, " + std::to_string(width) + ", " + std::to_string(2 * width)
              : "0, 0, 0";
  std::string results = s.probabilities ? "(" + out + ", " + p + ")" : out;
  char scale[64];
  snprintf(scale, sizeof scale, "%.17e", s.scale);
  return "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + k +
         (s.bias ? ", %b: " + b : "") + ") -> " + results + " {\n %y" +
         (s.probabilities ? ":2" : "") + " = kernel.attention %q, %k, %v " +
         (s.bias ? "bias %b " : "") + "heads " + std::to_string(s.heads) +
         " head_dim " + std::to_string(s.headDim) + " offsets [" + offsets +
         "] scale " + scale + " tile<rows = " + std::to_string(s.rows) +
         ", cols = 64, chunk = " + std::to_string(s.chunk) + "> slots [0" +
         (s.probabilities ? ", 1" : "") + "] : (" + q + ", " + k + ", " + k +
         (s.bias ? ", " + b : "") + ") -> " + results + "\n return " +
         (s.probabilities ? "%y#0, %y#1 : " + out + ", " + p : "%y : " + out) +
         "\n}\n";
}

void test::attend(const Floats &q, const Floats &k, const Floats &v,
                  const Floats &bias, const AttentionShape &s, int64_t batch,
                  std::vector<double> &result,
                  std::vector<double> &probabilities) {
  int64_t T = s.tokens, K = s.keyTokens(), W = s.width();
  result.assign(batch * T * W, 0);
  probabilities.clear();
  std::vector<double> row(K);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < T; ++i) {
        double largest = -INFINITY, sum = 0;
        for (int64_t j = 0; j < K; ++j) {
          double dot = 0;
          for (int64_t d = 0; d < s.headDim; ++d)
            dot += double(q[(b * T + i) * W + h * s.headDim + d]) *
                   k[(b * K + j) * W + h * s.headDim + d];
          row[j] = dot * s.scale + (s.bias ? bias[(h * T + i) * K + j] : 0);
          largest = std::max(largest, row[j]);
        }
        for (double &x : row) {
          x = std::exp(x - largest);
          x = s.element == Element::F32 ? x
                                        : roundFor({float(x)}, s.element)[0];
          sum += x;
        }
        for (int64_t j = 0; j < K; ++j) {
          probabilities.push_back(row[j] / sum);
          for (int64_t d = 0; d < s.headDim; ++d)
            result[(b * T + i) * W + h * s.headDim + d] +=
                row[j] / sum * v[(b * K + j) * W + h * s.headDim + d];
        }
      }
}

/// The operands of attention in blocked form, one if they are fused.
static std::vector<Guarded> storeOperands(const Floats &q, const Floats &k,
                                          const Floats &v,
                                          const AttentionShape &s,
                                          int64_t batch) {
  int64_t W = s.width();
  std::vector<Guarded> inputs;
  auto add = [&](const Floats &values, int64_t tokens, int64_t width) {
    inputs.push_back(
        store(block(values, batch, tokens, width, s.layout()), s.element));
  };
  if (!s.fused) {
    add(q, s.tokens, W);
    add(k, s.keyTokens(), W);
    add(v, s.keyTokens(), W);
    return inputs;
  }
  Floats all;
  for (int64_t row = 0; row < batch * s.tokens; ++row)
    for (const Floats *x : {&q, &k, &v})
      all.insert(all.end(), x->begin() + row * W, x->begin() + (row + 1) * W);
  add(all, s.tokens, 3 * W);
  return inputs;
}

/// Runs the kernel in several splits. Returns the result of one, then its
/// probabilities.
static std::pair<Floats, Floats>
runAttention(const Kernel &kernel, const AttentionShape &s, int64_t batch,
             const std::vector<float *> &inputs) {
  std::pair<Floats, Floats> first;
  for (int64_t parts : {1, 2, 5}) {
    Guarded output =
        store(Floats(blockedSize(batch, s.tokens, s.width(), s.result()), NAN),
              s.result().element);
    Guarded p(s.probabilities ? batch * s.heads * s.tokens * s.keyTokens() : 0,
              NAN);
    std::vector<float *> arguments = inputs;
    arguments.push_back(output.data());
    if (s.probabilities)
      arguments.push_back(p.data());
    kernel.run(arguments, batch, parts);
    EXPECT_TRUE(output.isIntact());
    EXPECT_TRUE(p.isIntact());
    Floats y = unblock(load(output, s.result().element), batch, s.tokens,
                       s.width(), s.result());
    if (parts == 1)
      first = {y, p.values()};
    expectSameBits(y, first.first, "split in " + std::to_string(parts));
    expectSameBits(p.values(), first.second, "probabilities of a split");
  }
  return first;
}

Floats test::checkAttention(const AttentionShape &s, const std::string &level,
                            Tolerance tolerance) {
  Kernel kernel(attentionText(s), level);
  Floats last;
  for (int64_t batch : {1, 3}) {
    size_t queries = batch * s.tokens * s.width(),
           keys = batch * s.keyTokens() * s.width();
    Floats q = roundFor(randomFloats(queries, 1, 2), s.element),
           k = roundFor(randomFloats(keys, 2, 2), s.element),
           v = roundFor(randomFloats(keys, 3), s.element),
           bias = randomFloats(s.bias ? s.heads * s.tokens * s.keyTokens() : 0,
                               4, 2);
    std::vector<double> expected, probabilities;
    attend(q, k, v, bias, s, batch, expected, probabilities);
    std::vector<Guarded> inputs = storeOperands(q, k, v, s, batch);
    Guarded biasBuffer(bias);
    std::vector<float *> arguments;
    for (int64_t i = 0; i < 3; ++i)
      arguments.push_back(inputs[s.fused ? 0 : i].data());
    if (s.bias)
      arguments.push_back(biasBuffer.data());
    auto [y, p] = runAttention(kernel, s, batch, arguments);
    expectResult(y, s.result().element, expected, tolerance.result,
                 level + " result");
    if (s.probabilities)
      expectClose(p, probabilities, tolerance.probabilities,
                  level + " probabilities");
    last = y;
    last.insert(last.end(), p.begin(), p.end());
  }
  return last;
}

void test::expectSameAsExpanded(const std::map<std::string, Floats> &results) {
  for (const auto &[level, result] : results)
    if (auto expanded = results.find(level + "_expanded");
        expanded != results.end())
      expectSameBits(result, expanded->second, level + " and expanded");
}
