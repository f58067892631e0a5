//===- AttentionBackwardTest.cpp - Attention gradients --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace test;
namespace reference = mlir::vit::reference;

namespace {
struct Shape {
  int64_t tokens, heads, headDim, rows;
  bool fused; ///< q, k and v are one operand
  double scale;
  int64_t keys = 0; ///< tokens of key and value, if different
  Layout layout() const { return {rows, headDim % 16 == 0 ? 0 : headDim}; }
  int64_t width() const { return heads * headDim; }
  int64_t keyTokens() const { return keys ? keys : tokens; }
};
struct Case {
  Shape shape;
  std::string level;
};

std::string text(const Shape &s) {
  int64_t width = s.width(), inner = s.fused ? 3 * width : width;
  std::string q = blockedType(s.tokens, inner, s.layout());
  std::string k = blockedType(s.keyTokens(), inner, s.layout());
  std::string dy = blockedType(s.tokens, width, s.layout());
  std::string dk = blockedType(s.keyTokens(), width, s.layout());
  std::string offsets =
      s.fused ? "0, " + std::to_string(width) + ", " + std::to_string(2 * width)
              : "0, 0, 0";
  std::string results = "(" + dy + ", " + dk + ", " + dk + ")";
  char scale[64];
  snprintf(scale, sizeof scale, "%.17e", s.scale);
  return "func.func @f(%dy: " + dy + ", %q: " + q + ", %k: " + k +
         ", %v: " + k + ") -> " + results +
         " {\n %r:3 = kernel.attention_backward %dy, %q, %k, %v heads " +
         std::to_string(s.heads) + " head_dim " + std::to_string(s.headDim) +
         " offsets [" + offsets + "] scale " + scale + " slots [0, 1, 2] : (" +
         dy + ", " + q + ", " + k + ", " + k + ") -> " + results +
         "\n return %r#0, %r#1, %r#2 : " + dy + ", " + dk + ", " + dk + "\n}\n";
}

class AttentionBackwardTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionBackwardTest, AgreesWithTheReference) {
  const Shape &s = GetParam().shape;
  Kernel kernel(text(s), GetParam().level);
  int64_t T = s.tokens, K = s.keyTokens(), W = s.width();
  for (int64_t batch : {1, 3}) {
    Floats q = randomFloats(batch * T * W, 1),
           k = randomFloats(batch * K * W, 2),
           v = randomFloats(batch * K * W, 3),
           dy = randomFloats(batch * T * W, 4);
    auto expected = reference::attentionBackward(
        tensor(dy, {batch, T, W}), tensor(q, {batch, T, W}),
        tensor(k, {batch, K, W}), tensor(v, {batch, K, W}), /*bias=*/nullptr,
        s.heads, s.scale);
    std::vector<Guarded> inputs;
    if (s.fused) {
      Floats all;
      for (int64_t row = 0; row < batch * T; ++row)
        for (const Floats *x : {&q, &k, &v})
          all.insert(all.end(), x->begin() + row * W,
                     x->begin() + (row + 1) * W);
      inputs.emplace_back(block(all, batch, T, 3 * W, s.layout()));
    } else {
      inputs.emplace_back(block(q, batch, T, W, s.layout()));
      inputs.emplace_back(block(k, batch, K, W, s.layout()));
      inputs.emplace_back(block(v, batch, K, W, s.layout()));
    }
    auto input = [&](size_t i) { return inputs[s.fused ? 0 : i].data(); };
    Guarded gradient(block(dy, batch, T, W, s.layout()));
    std::vector<Floats> first;
    for (int64_t parts : {1, 2, 5}) {
      Guarded dq(blockedSize(batch, T, W, s.layout()), NAN);
      Guarded dk(blockedSize(batch, K, W, s.layout()), NAN);
      Guarded dv(blockedSize(batch, K, W, s.layout()), NAN);
      kernel.run({gradient.data(), input(0), input(1), input(2), dq.data(),
                  dk.data(), dv.data()},
                 batch, parts);
      if (parts == 1) {
        first = {dq.values(), dk.values(), dv.values()};
        expectClose(unblock(first[0], batch, T, W, s.layout()),
                    expected.query.data, 3e-6, "query");
        expectClose(unblock(first[1], batch, K, W, s.layout()),
                    expected.key.data, 3e-6, "key");
        expectClose(unblock(first[2], batch, K, W, s.layout()),
                    expected.value.data, 3e-6, "value");
      }
      expectSameBits(dq.values(), first[0], "query, split");
      expectSameBits(dk.values(), first[1], "key, split");
      expectSameBits(dv.values(), first[2], "value, split");
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const std::string &level : levels())
    for (Shape s : std::initializer_list<Shape>{
             {65, 3, 64, 5, true, 0.125},
             {65, 3, 64, 6, true, 0.125},
             {197, 2, 64, 6, true, 0.125},
             {50, 4, 32, 6, false, 0.17677669529663687},
             {17, 3, 25, 6, true, 0.2},
             {17, 2, 10, 4, false, -0.3},
             {5, 1, 80, 4, true, 0.111803398874989},
             {1, 2, 16, 6, true, 0.25},
             {16, 2, 48, 8, false, 0.144},
             {300, 1, 32, 6, true, 0.17},
             {600, 1, 16, 5, false, 0.25},
             {6, 2, 16, 3, false, 0.25, 33},
             {33, 2, 20, 5, false, 0.25, 6},
         })
      cases.push_back({s, level});
  return cases;
}
std::string caseName(const testing::TestParamInfo<Case> &info) {
  const Shape &s = info.param.shape;
  return info.param.level + "_" + std::to_string(s.tokens) + "by" +
         std::to_string(s.keyTokens()) + "x" + std::to_string(s.heads) + "x" +
         std::to_string(s.headDim) + "_rows" + std::to_string(s.rows);
}
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionBackwardTest,
                         testing::ValuesIn(cases()), caseName);

} // namespace
