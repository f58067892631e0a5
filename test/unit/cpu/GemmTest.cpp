//===- GemmTest.cpp - Products against plain loops ------------------------===//
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
  int64_t rows, cols, tileCols, chunk;
  int64_t inGroup = 0, outGroup = 0;
  bool transposed = false; ///< the weight has shape [in, out]
};

struct Case {
  Shape shape;
  std::string level;
};

std::string gemmText(const Shape &s, const std::string &extras,
                     const std::string &region) {
  Layout in{s.rows, s.inGroup}, out{s.rows, s.outGroup};
  std::string x = blockedType(s.tokens, s.in, in);
  std::string y = blockedType(s.tokens, s.out, out);
  // x W uses the panels of x W^T's weight, with the dimensions exchanged.
  std::string w =
      "tensor<" + std::to_string(s.transposed ? s.in : s.out) + "x" +
      std::to_string(s.transposed ? s.out : s.in) +
      "xf32, #kernel.panels<cols = " + std::to_string(s.cols) +
      ", out_group = " + std::to_string(s.transposed ? s.inGroup : s.outGroup) +
      ", in_group = " + std::to_string(s.transposed ? s.outGroup : s.inGroup) +
      (s.transposed ? ", transposed = true>>" : ">>");
  std::string bias = channelsType(0, s.out, s.outGroup);
  std::string table = channelsType(s.tokens, s.out, s.outGroup);
  std::string arguments, types, uses;
  for (char extra : extras) {
    std::string name = std::string("%") + extra;
    std::string type = extra == 'b' ? bias : extra == 'p' ? table : y;
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

std::vector<double> product(const Floats &x, const Floats &w, int64_t rows,
                            int64_t in, int64_t out) {
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

class GemmTest : public testing::TestWithParam<Case> {};

TEST_P(GemmTest, BiasTableAndResidual) {
  const Shape &s = GetParam().shape;
  bool table = s.tokens != 0;
  std::string extras = table ? "bpr" : "br";
  std::string region =
      table ? "{\n^bb0(%a: f32, %c: f32, %t: f32, %e: f32):\n"
              "%0 = arith.addf %a, %c : f32\n%1 = arith.addf %0, %t : f32\n"
              "%2 = arith.addf %1, %e : f32\nkernel.yield %2 : f32 }"
            : "{\n^bb0(%a: f32, %c: f32, %e: f32):\n"
              "%0 = arith.addf %a, %c : f32\n%1 = arith.addf %0, %e : f32\n"
              "kernel.yield %1 : f32 }";
  Kernel kernel(gemmText(s, extras, region), GetParam().level);
  Layout inLayout{s.rows, s.inGroup}, outLayout{s.rows, s.outGroup};
  int64_t perImage = std::max<int64_t>(s.tokens, 1);

  Floats w = randomFloats(s.out * s.in, 1, 1 / std::sqrt(float(s.in)));
  Floats bias = randomFloats(s.out, 2);
  Floats position = randomFloats(perImage * s.out, 3);
  Guarded packed(panels(w, s.out, s.in, s.cols, s.outGroup, s.inGroup));
  Guarded biasBuffer(channels(bias, 1, s.out, s.outGroup));
  Guarded tableBuffer(channels(position, perImage, s.out, s.outGroup));
  Floats firstImage;
  for (int64_t batch : {1, 2, 3, 7}) {
    int64_t rows = batch * perImage;
    // Image 0 is the same in every batch.
    Floats x = randomFloats(rows * s.in, 4), r = randomFloats(rows * s.out, 5);
    std::vector<double> expected = product(x, w, rows, s.in, s.out);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t o = 0; o < s.out; ++o)
        expected[i * s.out + o] +=
            double(bias[o]) + r[i * s.out + o] +
            (table ? position[i % s.tokens * s.out + o] : 0);
    Guarded input(block(x, batch, s.tokens, s.in, inLayout));
    Guarded residual(block(r, batch, s.tokens, s.out, outLayout));
    Floats first;
    for (int64_t parts : {1, 2, 5, 13}) {
      Guarded output(blockedSize(batch, s.tokens, s.out, outLayout), NAN);
      std::vector<float *> arguments{input.data(), packed.data(),
                                     biasBuffer.data()};
      if (table)
        arguments.push_back(tableBuffer.data());
      arguments.push_back(residual.data());
      arguments.push_back(output.data());
      kernel.run(arguments, batch, parts);
      ASSERT_TRUE(output.isIntact());
      Floats y = unblock(output.values(), batch, s.tokens, s.out, outLayout);
      if (parts == 1) {
        first = y;
        expectClose(y, expected, 1e-5, "batch " + std::to_string(batch));
      }
      expectSameBits(y, first, "split in " + std::to_string(parts));
    }
    Floats image(first.begin(), first.begin() + perImage * s.out);
    if (firstImage.empty())
      firstImage = image;
    // randomFloats is sequential, so the first image has the same values.
    expectSameBits(image, firstImage, "image 0 of " + std::to_string(batch));
  }
}

std::vector<Case> gemmCases() {
  std::vector<Case> cases;
  for (const std::string &level : levels()) {
    bool wide = level == "avx512";
    int64_t cols = wide ? 64 : 16;
    for (Shape s : std::initializer_list<Shape>{
             {197, 64, 192, 6, 64, cols, 33},
             {65, 192, 192, 5, 64, cols, 4},
             {17, 100, 100, 6, 64, cols, 2},
             {5, 36, 25, 4, 64, cols, 1},
             {17, 9, 48, 6, 48, wide ? 48 : 16, 3},
             {0, 48, 10, 6, 64, cols, 1},
             {0, 192, 200, 2, 32, wide ? 32 : 16, 2},
             {17, 50, 75, 6, 64, cols, 3, 25, 25},
             {17, 48, 96, 8, 32, wide ? 32 : 16, 3, 0, 8},
             {5, 16, 16, 1, 16, 16, 1},
             {65, 96, 192, 5, 64, cols, 4, 0, 0, true},
             {17, 50, 75, 6, 64, cols, 3, 25, 25, true},
             {5, 36, 40, 4, 64, cols, 1, 12, 0, true},
             {0, 10, 49, 6, 64, cols, 1, 0, 0, true},
             // Panels that are processed in two and three pieces.
             {17, 1100, 80, 6, 64, cols, 2},
             {0, 2100, 64, 6, 64, cols, 2, 0, 0, true},
         })
      cases.push_back({s, level});
  }
  return cases;
}
std::string caseName(const testing::TestParamInfo<Case> &info) {
  const Shape &s = info.param.shape;
  return info.param.level + "_" + std::to_string(s.tokens) + "x" +
         std::to_string(s.in) + "x" + std::to_string(s.out) + "_rows" +
         std::to_string(s.rows) + "_groups" + std::to_string(s.inGroup) + "_" +
         std::to_string(s.outGroup) + (s.transposed ? "_transposed" : "");
}
INSTANTIATE_TEST_SUITE_P(Shapes, GemmTest, testing::ValuesIn(gemmCases()),
                         caseName);

TEST(GemmEpilogue, RegionThatMakesSomethingOfZeroLeavesPaddingZero) {
  for (const std::string &level : levels()) {
    Shape s{17, 20, 36, 6, 64, level == "avx512" ? 64 : 16, 3};
    Kernel kernel(gemmText(s, "",
                           "{\n^bb0(%a: f32):\n%0 = math.exp %a : f32\n"
                           "kernel.yield %0 : f32 }"),
                  level);
    Floats x = randomFloats(2 * 17 * 20, 1), w = randomFloats(36 * 20, 2, 0.2f);
    std::vector<double> expected = product(x, w, 2 * 17, 20, 36);
    for (double &v : expected)
      v = std::exp(v);
    Guarded input(block(x, 2, 17, 20, {6})), weight(panels(w, 36, 20, 64));
    Guarded output(blockedSize(2, 17, 36, {6}), NAN);
    kernel.run({input.data(), weight.data(), output.data()}, 2);
    // `unblock` checks the padding.
    expectClose(unblock(output.values(), 2, 17, 36, {6}), expected, 1e-5,
                level);
  }
}

TEST(GemmEpilogue, NotANumberStaysInItsRow) {
  for (const std::string &level : levels()) {
    Shape s{17, 48, 48, 6, 64, level == "avx512" ? 64 : 16, 3};
    Kernel kernel(gemmText(s, "b",
                           "{\n^bb0(%a: f32, %c: f32):\n"
                           "%0 = arith.addf %a, %c : f32\n"
                           "kernel.yield %0 : f32 }"),
                  level);
    Floats x = randomFloats(17 * 48, 1), w = randomFloats(48 * 48, 2);
    x[7 * 48 + 5] = NAN;
    Guarded input(block(x, 1, 17, 48, {6})), weight(panels(w, 48, 48, 64));
    Guarded bias(channels(Floats(48, 1), 1, 48));
    Guarded output(blockedSize(1, 17, 48, {6}), 0);
    kernel.run({input.data(), weight.data(), bias.data(), output.data()}, 1);
    Floats y = unblock(output.values(), 1, 17, 48, {6});
    for (int64_t t = 0; t < 17; ++t)
      for (int64_t c = 0; c < 48; ++c)
        EXPECT_EQ(std::isnan(y[t * 48 + c]), t == 7) << t << " " << c;
  }
}

} // namespace
