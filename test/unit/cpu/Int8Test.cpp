//===- Int8Test.cpp - Quantized rows and their products -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Products.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace test;

namespace {

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

struct Shape {
  int64_t tokens, in, out; ///< tokens = 0: rank 2
  int64_t rows, chunk;
  int64_t inGroup = 0, outGroup = 0;
  int64_t cols = 64;

  Layout input() const { return {rows, inGroup, Element::I8}; }
  Layout result() const { return {rows, outGroup}; }
  std::string name() const {
    return std::to_string(tokens) + "x" + std::to_string(in) + "x" +
           std::to_string(out) + "_rows" + std::to_string(rows) + "_groups" +
           std::to_string(inGroup) + "_" + std::to_string(outGroup);
  }
};

std::string productText(const Shape &s) {
  std::string x = blockedType(s.tokens, s.in, s.input());
  std::string y = blockedType(s.tokens, s.out, s.result());
  std::string w =
      "tensor<" + std::to_string(s.out) + "x" + std::to_string(s.in) +
      "xi8, #kernel.panels<cols = " + std::to_string(s.cols) +
      ", out_group = " + std::to_string(s.outGroup) +
      ", in_group = " + std::to_string(s.inGroup) + ", interleave = 4>>";
  return "func.func @f(%x: " + x + ", %w: " + w + ") -> " + y +
         " {\n %y = kernel.gemm %x, %w tile<rows = " + std::to_string(s.rows) +
         ", cols = 64, chunk = " + std::to_string(s.chunk) +
         "> slots [0] {\n^bb0(%a: f32):\nkernel.yield %a : f32 } : (" + x +
         ", " + w + ") -> " + y + "\n return %y : " + y + "\n}\n";
}

/// Panels of i8 as Form.h describes them: behind the depths of each panel, -128
/// times the sum of each column as a word.
Guarded packWeight(const Floats &weight, const Shape &s) {
  Floats values = panels(weight, s.out, s.in, s.cols, s.outGroup, s.inGroup, 4,
                         lineOf(Element::I8));
  int64_t depth = padded(s.in, s.inGroup, lineOf(Element::I8));
  int64_t columns = padded(s.out, s.outGroup);
  Bytes bytes;
  for (int64_t first = 0; first < columns; first += s.cols) {
    int64_t width = std::min(s.cols, columns - first);
    std::vector<int32_t> sums(width, 0);
    for (int64_t i = 0; i < width * depth; ++i) {
      float value = values[first * depth + i];
      sums[i / 4 % width] -= 128 * int32_t(value);
      bytes.push_back(int8_t(value));
    }
    for (int32_t sum : sums)
      for (int byte = 0; byte < 4; ++byte)
        bytes.push_back(int8_t(uint32_t(sum) >> 8 * byte));
  }
  return Guarded(bytes);
}

/// Integers from -127 to 127, and both of these.
Floats randomBytes(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> all(-127, 127);
  Floats values(count);
  for (float &value : values)
    value = float(all(generator));
  std::fill_n(values.begin(), std::min<size_t>(count, 40), 127.0f);
  std::fill_n(values.end() - std::min<size_t>(count, 40),
              std::min<size_t>(count, 40), -127.0f);
  return values;
}

class Int8Product : public testing::TestWithParam<Shape> {};

TEST_P(Int8Product, IsTheExactSum) {
  const Shape &s = GetParam();
  int64_t batch = 3, rows = batch * std::max<int64_t>(s.tokens, 1);
  Floats x = randomBytes(rows * s.in, 1), w = randomBytes(s.out * s.in, 2);
  std::vector<double> exact = product(x, w, rows, s.in, s.out);
  // The sum of integers becomes one f32.
  Floats expected(exact.begin(), exact.end());
  Guarded input =
      store(block(x, batch, s.tokens, s.in, s.input()), Element::I8);
  Guarded weight = packWeight(w, s);
  for (const std::string &level : levels(Element::I8)) {
    Kernel kernel(productText(s), level);
    for (int64_t parts : {1, 4}) {
      Guarded output(
          Floats(blockedSize(batch, s.tokens, s.out, s.result()), NAN));
      kernel.run({input.data(), weight.data(), output.data()}, batch, parts);
      EXPECT_TRUE(output.isIntact());
      expectSameBits(
          unblock(output.values(), batch, s.tokens, s.out, s.result()),
          expected, level + " in " + std::to_string(parts));
    }
  }
}

const Shape kShapes[] = {
    // Widths that are no multiples of a vector, small row blocks.
    {17, 100, 80, 6, 2},
    // Groups, and rank 2.
    {17, 96, 48, 16, 3, 48, 48},
    {0, 72, 10, 16, 1},
    {5, 36, 40, 4, 1, 12, 0, 32},
};
INSTANTIATE_TEST_SUITE_P(Shapes, Int8Product, testing::ValuesIn(kShapes),
                         [](const testing::TestParamInfo<Shape> &info) {
                           return std::to_string(info.index) + "_" +
                                  info.param.name();
                         });

//===----------------------------------------------------------------------===//
// Rows as multiples of their scales
//===----------------------------------------------------------------------===//

struct Quantized {
  Floats values, scales;
};

/// What kernel.quantize promises of each row.
Quantized quantize(const Floats &x, int64_t width) {
  Quantized result;
  for (size_t row = 0; row < x.size(); row += width) {
    float most = 0;
    for (int64_t c = 0; c < width; ++c)
      most = std::max(most, std::abs(x[row + c]));
    float scale = most / 127, factor = scale == 0 ? 0 : 1 / scale;
    for (int64_t c = 0; c < width; ++c)
      result.values.push_back(std::nearbyint(x[row + c] * factor) + 0.0f);
    result.scales.push_back(scale);
  }
  return result;
}

TEST(Int8Rows, AreMultiplesOfTheirScales) {
  struct Case {
    int64_t tokens, width;
    Layout layout;
  };
  for (Case s : std::initializer_list<Case>{
           {17, 75, {6, 25}}, {17, 96, {16, 48}}, {0, 100, {16}}}) {
    int64_t batch = 2, rows = batch * std::max<int64_t>(s.tokens, 1);
    Floats x = randomFloats(rows * s.width, 1, 3);
    std::fill_n(x.begin(), s.width, 0.0f); // A row without a scale.
    Quantized expected = quantize(x, s.width);
    Layout bytes = s.layout, scales{s.layout.rows};
    bytes.element = Element::I8;
    std::string from = blockedType(s.tokens, s.width, s.layout),
                to = blockedType(s.tokens, s.width, bytes),
                scale = blockedType(s.tokens, 1, scales);
    std::string text =
        "func.func @f(%x: " + from + ") -> (" + to + ", " + scale +
        ") {\n %y, %s = kernel.quantize %x tile<rows = " +
        std::to_string(s.layout.rows) +
        ", cols = 16, chunk = 1> slots [0, 1] : (" + from + ") -> (" + to +
        ", " + scale + ")\n return %y, %s : " + to + ", " + scale + "\n}\n";
    Guarded input(block(x, batch, s.tokens, s.width, s.layout));
    for (const std::string &level : levels(Element::I8)) {
      Kernel kernel(text, level);
      Guarded output = store(
          Floats(blockedSize(batch, s.tokens, s.width, bytes), 1), Element::I8);
      Guarded factors(Floats(blockedSize(batch, s.tokens, 1, scales), NAN));
      kernel.run({input.data(), output.data(), factors.data()}, batch, 3);
      EXPECT_TRUE(output.isIntact() && factors.isIntact());
      std::string what = level + " width " + std::to_string(s.width);
      expectSameBits(
          unblock(load(output, Element::I8), batch, s.tokens, s.width, bytes),
          expected.values, what);
      expectSameBits(unblock(factors.values(), batch, s.tokens, 1, scales),
                     expected.scales, what + ", scales");
    }
  }
}

} // namespace
