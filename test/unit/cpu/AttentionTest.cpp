//===- AttentionTest.cpp - Attention against plain loops ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace test;

namespace {
struct Shape {
  int64_t tokens, heads, headDim, rows, chunk;
  bool fused; ///< q, k and v are one operand
  bool probabilities;
  double scale;
  Layout layout() const { return {rows, headDim % 16 == 0 ? 0 : headDim}; }
  int64_t width() const { return heads * headDim; }
};
struct Case {
  Shape shape;
  std::string level;
};

std::string attentionText(const Shape &s) {
  int64_t width = s.width(), inner = s.fused ? 3 * width : width;
  std::string in = blockedType(s.tokens, inner, s.layout());
  std::string out = blockedType(s.tokens, width, s.layout());
  std::string p = plainType({-1, s.heads, s.tokens, s.tokens});
  std::string offsets =
      s.fused ? "0, " + std::to_string(width) + ", " + std::to_string(2 * width)
              : "0, 0, 0";
  std::string results = s.probabilities ? "(" + out + ", " + p + ")" : out;
  char scale[64];
  snprintf(scale, sizeof scale, "%.17e", s.scale);
  return "func.func @f(%q: " + in + ", %k: " + in + ", %v: " + in + ") -> " +
         results + " {\n %y" + (s.probabilities ? ":2" : "") +
         " = kernel.attention %q, %k, %v heads " + std::to_string(s.heads) +
         " head_dim " + std::to_string(s.headDim) + " offsets [" + offsets +
         "] scale " + scale + " tile<rows = " + std::to_string(s.rows) +
         ", cols = 64, chunk = " + std::to_string(s.chunk) + "> slots [0" +
         (s.probabilities ? ", 1" : "") + "] : (" + in + ", " + in + ", " + in +
         ") -> " + results + "\n return " +
         (s.probabilities ? "%y#0, %y#1 : " + out + ", " + p : "%y : " + out) +
         "\n}\n";
}

/// q, k and v have shape [batch, tokens, width].
void attend(const Floats &q, const Floats &k, const Floats &v, const Shape &s,
            int64_t batch, std::vector<double> &result,
            std::vector<double> &probabilities) {
  int64_t T = s.tokens, W = s.width();
  result.assign(batch * T * W, 0);
  probabilities.clear();
  std::vector<double> row(T);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < T; ++i) {
        double largest = -INFINITY, sum = 0;
        for (int64_t j = 0; j < T; ++j) {
          double dot = 0;
          for (int64_t d = 0; d < s.headDim; ++d)
            dot += double(q[(b * T + i) * W + h * s.headDim + d]) *
                   k[(b * T + j) * W + h * s.headDim + d];
          row[j] = dot * s.scale;
          largest = std::max(largest, row[j]);
        }
        for (double &x : row)
          sum += x = std::exp(x - largest);
        for (int64_t j = 0; j < T; ++j) {
          probabilities.push_back(row[j] / sum);
          for (int64_t d = 0; d < s.headDim; ++d)
            result[(b * T + i) * W + h * s.headDim + d] +=
                row[j] / sum * v[(b * T + j) * W + h * s.headDim + d];
        }
      }
}

class AttentionTest : public testing::TestWithParam<Case> {};

TEST_P(AttentionTest, AgreesWithLoops) {
  const Shape &s = GetParam().shape;
  Kernel kernel(attentionText(s), GetParam().level);
  int64_t T = s.tokens, W = s.width();
  for (int64_t batch : {1, 3}) {
    size_t count = batch * T * W;
    Floats q = randomFloats(count, 1, 2), k = randomFloats(count, 2, 2),
           v = randomFloats(count, 3);
    std::vector<double> expected, expectedProbabilities;
    attend(q, k, v, s, batch, expected, expectedProbabilities);
    std::vector<Guarded> inputs;
    if (s.fused) {
      Floats all;
      for (int64_t row = 0; row < batch * T; ++row)
        for (const Floats *x : {&q, &k, &v})
          all.insert(all.end(), x->begin() + row * W,
                     x->begin() + (row + 1) * W);
      inputs.emplace_back(block(all, batch, T, 3 * W, s.layout()));
    } else {
      for (const Floats *x : {&q, &k, &v})
        inputs.emplace_back(block(*x, batch, T, W, s.layout()));
    }
    Floats first;
    for (int64_t parts : {1, 2, 5}) {
      Guarded output(blockedSize(batch, T, W, s.layout()), NAN);
      Guarded p(s.probabilities ? batch * s.heads * T * T : 0, NAN);
      std::vector<float *> arguments;
      for (int64_t i = 0; i < 3; ++i)
        arguments.push_back(inputs[s.fused ? 0 : i].data());
      arguments.push_back(output.data());
      if (s.probabilities)
        arguments.push_back(p.data());
      kernel.run(arguments, batch, parts);
      EXPECT_TRUE(output.isIntact());
      EXPECT_TRUE(p.isIntact());
      Floats y = unblock(output.values(), batch, T, W, s.layout());
      if (parts == 1) {
        first = y;
        expectClose(y, expected, 1e-5, "result");
      }
      expectSameBits(y, first, "split in " + std::to_string(parts));
      if (s.probabilities)
        expectClose(p.values(), expectedProbabilities, 2e-6, "probabilities");
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const std::string &level : levels())
    for (Shape s : std::initializer_list<Shape>{
             {197, 2, 64, 6, 17, true, false, 0.125},
             {65, 3, 64, 5, 13, true, true, 0.125},
             {17, 2, 25, 6, 2, true, true, 0.2},
             {5, 1, 9, 4, 1, false, true, 1. / 3},
             {17, 1, 100, 6, 3, false, false, 0.1},
             {16, 2, 32, 6, 8, true, true, -0.15},
             {50, 4, 12, 5, 4, true, false, 0.29},
             {33, 1, 192, 3, 5, true, false, 0.072},
             // So many keys that row blocks are grouped, by 4, 4 and 2.
             {350, 1, 192, 6, 10, true, true, 0.02},
         })
      result.push_back({s, level});
  return result;
}
INSTANTIATE_TEST_SUITE_P(Shapes, AttentionTest, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           const Shape &s = info.param.shape;
                           return info.param.level + "_" +
                                  std::to_string(s.tokens) + "_heads" +
                                  std::to_string(s.heads) + "x" +
                                  std::to_string(s.headDim) + "_rows" +
                                  std::to_string(s.rows);
                         });

TEST(Attention, NotANumberReachesTheTokensThatSeeIt) {
  for (const std::string &level : levels()) {
    Shape s{17, 2, 16, 6, 3, false, false, 0.25};
    Kernel kernel(attentionText(s), level);
    size_t count = 17 * 32;
    Floats q = randomFloats(count, 1), k = randomFloats(count, 2),
           v = randomFloats(count, 3);
    q[4 * 32 + 20] = NAN; // query 4, head 1
    Guarded a(block(q, 1, 17, 32, s.layout())),
        b(block(k, 1, 17, 32, s.layout())), c(block(v, 1, 17, 32, s.layout()));
    Guarded output(count / 17 * 18, 0);
    kernel.run({a.data(), b.data(), c.data(), output.data()}, 1);
    Floats y = unblock(output.values(), 1, 17, 32, s.layout());
    for (int64_t t = 0; t < 17; ++t)
      for (int64_t d = 0; d < 32; ++d)
        EXPECT_EQ(std::isnan(y[t * 32 + d]), t == 4 && d >= 16);
    k[9 * 32] = NAN; // key 9 of head 0 affects every query of the head
    Guarded keys(block(k, 1, 17, 32, s.layout()));
    kernel.run({a.data(), keys.data(), c.data(), output.data()}, 1);
    y = unblock(output.values(), 1, 17, 32, s.layout());
    for (int64_t t = 0; t < 17; ++t)
      EXPECT_TRUE(std::isnan(y[t * 32]));
  }
}

TEST(Attention, FewerQueriesThanKeys) {
  // One query, as when only the class token is needed.
  for (const std::string &level : levels()) {
    Layout layout{6};
    std::string q = blockedType(1, 32, layout), k = blockedType(17, 32, layout);
    Kernel kernel(
        "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + k + ") -> " + q +
            " {\n%y = kernel.attention %q, %k, %v heads 2 head_dim 16 "
            "offsets [0, 0, 0] scale 0.25 slots [0] : (" +
            q + ", " + k + ", " + k + ") -> " + q + "\nreturn %y : " + q +
            "\n}",
        level);
    for (int64_t batch : {1, 3}) {
      Shape s{17, 2, 16, 6, 1, false, false, 0.25};
      Floats all = randomFloats(batch * 17 * 32, 1),
             keys = randomFloats(batch * 17 * 32, 2),
             values = randomFloats(batch * 17 * 32, 3), queries;
      std::vector<double> full, probabilities, expected;
      attend(all, keys, values, s, batch, full, probabilities);
      for (int64_t b = 0; b < batch; ++b) {
        auto at = b * 17 * 32;
        queries.insert(queries.end(), all.begin() + at, all.begin() + at + 32);
        expected.insert(expected.end(), full.begin() + at,
                        full.begin() + at + 32);
      }
      Guarded x(block(queries, batch, 1, 32, layout)),
          y(block(keys, batch, 17, 32, layout)),
          z(block(values, batch, 17, 32, layout));
      Guarded output(blockedSize(batch, 1, 32, layout), NAN);
      kernel.run({x.data(), y.data(), z.data(), output.data()}, batch, 2);
      expectClose(unblock(output.values(), batch, 1, 32, layout), expected,
                  1e-6, level);
    }
  }
}

TEST(Attention, LargeScoresNeitherOverflowNorVanish) {
  for (const std::string &level : levels()) {
    Shape s{17, 1, 16, 6, 3, false, true, 1};
    Kernel kernel(attentionText(s), level);
    Floats q = randomFloats(17 * 16, 1, 30), k = randomFloats(17 * 16, 2, 30),
           v = randomFloats(17 * 16, 3);
    std::vector<double> expected, probabilities;
    attend(q, k, v, s, 1, expected, probabilities);
    Guarded a(block(q, 1, 17, 16, s.layout())),
        b(block(k, 1, 17, 16, s.layout())), c(block(v, 1, 17, 16, s.layout()));
    Guarded output(18 * 16, 0), p(17 * 17, 0);
    kernel.run({a.data(), b.data(), c.data(), output.data(), p.data()}, 1);
    // Scores are in the thousands, so their rounding error dominates.
    expectClose(p.values(), probabilities, 2e-3, level);
  }
}

} // namespace
