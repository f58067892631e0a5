//===- WeightGradientTest.cpp - dY^T X against plain loops ----------------===//
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
  int64_t tokens, in, out; ///< tokens = 0: rank 2
  int64_t rows, chunk;
  int64_t inGroup = 0, outGroup = 0;
};

struct Case {
  Shape shape;
  std::string level;
};

/// If `isReturned`, the kernel writes results of the entry; otherwise it also
/// fills the padding after the last element.
std::string gradientText(const Shape &s, bool hasBias, bool isReturned) {
  std::string dy = blockedType(s.tokens, s.out, {s.rows, s.outGroup});
  std::string x = blockedType(s.tokens, s.in, {s.rows, s.inGroup});
  std::string results = plainType({s.out, s.in}), names = "%dw";
  int64_t size = (s.out * s.in + 15) / 16 * 16;
  if (hasBias) {
    results += ", " + plainType({s.out});
    names += ", %db";
    size += (s.out + 15) / 16 * 16;
  }
  std::string text = "func.func @f(%dy: " + dy + ", %x: " + x + ") -> (" +
                     (isReturned ? results : plainType({size})) + ") {\n" +
                     names + " = kernel.weight_gradient %dy, %x tile<rows = " +
                     std::to_string(s.rows) +
                     ", cols = 48, chunk = " + std::to_string(s.chunk) +
                     "> : (" + dy + ", " + x + ") -> (" + results + ")\n";
  if (isReturned)
    return text + "return " + names + " : " + results + "\n}";
  return text + "%c = kernel.concat " + names + " : (" + results + ") -> " +
         plainType({size}) + "\nreturn %c : " + plainType({size}) + "\n}";
}

/// dW, followed by db.
std::vector<double> gradients(const Floats &dy, const Floats &x, int64_t rows,
                              int64_t in, int64_t out) {
  std::vector<double> sums(out * in + out, 0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t i = 0; i < in; ++i)
        sums[o * in + i] += double(dy[r * out + o]) * x[r * in + i];
      sums[out * in + o] += dy[r * out + o];
    }
  return sums;
}

class WeightGradientTest : public testing::TestWithParam<Case> {};

TEST_P(WeightGradientTest, WeightAndBias) {
  const Shape &s = GetParam().shape;
  Kernel kernel(gradientText(s, true, false), GetParam().level);
  Kernel alone(gradientText(s, false, false), GetParam().level);
  size_t count = s.out * s.in, size = (count + 15) / 16 * 16;
  size_t biasSize = (s.out + 15) / 16 * 16;
  for (int64_t batch = 1; batch <= 9; ++batch) {
    int64_t rows = batch * std::max<int64_t>(s.tokens, 1);
    Floats dy = randomFloats(rows * s.out, 1), x = randomFloats(rows * s.in, 2);
    std::vector<double> expected = gradients(dy, x, rows, s.in, s.out);
    Guarded gradient(block(dy, batch, s.tokens, s.out, {s.rows, s.outGroup}));
    Guarded input(block(x, batch, s.tokens, s.in, {s.rows, s.inGroup}));
    Floats first;
    for (int64_t parts : {1, 2, 5, 13}) {
      Guarded weight(size, NAN), bias(biasSize, NAN);
      kernel.run({gradient.data(), input.data(), weight.data(), bias.data()},
                 batch, parts);
      ASSERT_TRUE(weight.isIntact() && bias.isIntact());
      Floats w = weight.values(), b = bias.values();
      for (size_t i = count; i < size; ++i)
        EXPECT_EQ(w[i], 0) << "behind the weight's end";
      for (size_t i = s.out; i < biasSize; ++i)
        EXPECT_EQ(b[i], 0) << "behind the bias's end";
      w.resize(count);
      w.insert(w.end(), b.begin(), b.begin() + s.out);
      if (parts == 1) {
        first = w;
        expectClose(w, expected, 1e-5, "batch " + std::to_string(batch));
      }
      expectSameBits(w, first, "split in " + std::to_string(parts));
    }
    Guarded weight(size, NAN);
    alone.run({gradient.data(), input.data(), weight.data()}, batch, 3);
    Floats w = weight.values();
    w.resize(count);
    first.resize(count);
    expectSameBits(w, first, "without the bias");
  }
}

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const std::string &level : levels())
    for (Shape s : std::initializer_list<Shape>{
             {65, 192, 64, 5, 32},
             {197, 48, 96, 6, 16},
             {17, 100, 10, 6, 2},
             {5, 49, 36, 4, 1},
             {17, 9, 48, 6, 3},
             {17, 33, 7, 7, 4},
             {0, 48, 10, 6, 1},
             {0, 192, 200, 2, 2},
             {0, 10, 3, 5, 8},
             {17, 50, 75, 6, 3, 25, 25},
             {17, 48, 90, 8, 3, 0, 10},
             {5, 40, 16, 1, 2, 10, 0},
             {5, 64, 80, 4, 1},
         })
      cases.push_back({s, level});
  return cases;
}
std::string caseName(const testing::TestParamInfo<Case> &info) {
  const Shape &s = info.param.shape;
  return info.param.level + "_" + std::to_string(s.tokens) + "x" +
         std::to_string(s.in) + "x" + std::to_string(s.out) + "_rows" +
         std::to_string(s.rows) + "_groups" + std::to_string(s.inGroup) + "_" +
         std::to_string(s.outGroup);
}
INSTANTIATE_TEST_SUITE_P(Shapes, WeightGradientTest, testing::ValuesIn(cases()),
                         caseName);

TEST(WeightGradient, AnEntrysResultsEndWithTheirLastElement) {
  for (const std::string &level : levels()) {
    Shape s{5, 10, 7, 5, 2};
    Kernel kernel(gradientText(s, true, true), level);
    Floats dy = randomFloats(2 * 5 * 7, 1), x = randomFloats(2 * 5 * 10, 2);
    Guarded gradient(block(dy, 2, 5, 7, {5})), input(block(x, 2, 5, 10, {5}));
    // The page after each buffer cannot be written.
    Guarded weight(70, NAN), bias(7, NAN);
    kernel.run({gradient.data(), input.data(), weight.data(), bias.data()}, 2);
    Floats w = weight.values(), b = bias.values();
    w.insert(w.end(), b.begin(), b.end());
    expectClose(w, gradients(dy, x, 10, 10, 7), 1e-5, level);
  }
}

// Rows are added in chunks, so a long sum stays near its exact value.
TEST(WeightGradient, ManyRowsStayExact) {
  for (const std::string &level : levels()) {
    Shape s{65, 16, 16, 5, 26};
    Kernel kernel(gradientText(s, true, true), level);
    constexpr int64_t batch = 64;
    Floats dy(batch * 65 * 16), x(batch * 65 * 16);
    Floats noise = randomFloats(dy.size() * 2, 3, 0.25f);
    for (size_t i = 0; i < dy.size(); ++i) {
      dy[i] = 1 + noise[2 * i];
      x[i] = 1 + noise[2 * i + 1];
    }
    Guarded gradient(block(dy, batch, 65, 16, {5}));
    Guarded input(block(x, batch, 65, 16, {5}));
    Guarded weight(256, NAN), bias(16, NAN);
    kernel.run({gradient.data(), input.data(), weight.data(), bias.data()},
               batch);
    std::vector<double> expected = gradients(dy, x, batch * 65, 16, 16);
    Floats w = weight.values();
    for (size_t i = 0; i < w.size(); ++i)
      EXPECT_NEAR(w[i] / expected[i], 1, 1e-6) << level << " " << i;
  }
}

} // namespace
