//===- RowsTest.cpp - Layer norm, softmax and scalar code -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace test;

namespace {
std::string rowsText(const std::string &kind, int64_t tokens, int64_t width,
                     Layout layout, int64_t groups, bool affine) {
  std::string x = blockedType(tokens, width, layout);
  std::string c = channelsType(0, width, layout.group);
  return "func.func @f(%x: " + x + ", %s: " + c + ", %b: " + c + ") -> " + x +
         " {\n %y = kernel.rows " + kind + " %x " +
         (affine ? "extras(%s, %b : " + c + ", " + c + ") " : "") +
         "epsilon 1.0e-6 groups " + std::to_string(groups) +
         " tile<rows = " + std::to_string(layout.rows) +
         ", cols = 16, chunk = 1> slots [0] {\n" +
         (affine ? "^bb0(%a: f32, %p: f32, %q: f32):\n"
                   "%0 = arith.mulf %a, %p : f32\n"
                   "%1 = arith.addf %0, %q : f32\nkernel.yield %1 : f32 }"
                 : "^bb0(%a: f32):\nkernel.yield %a : f32 }") +
         " : " + x + " -> " + x + "\n return %y : " + x + "\n}\n";
}

struct Shape {
  int64_t tokens, width;
  Layout layout;
  int64_t groups;
};

const Shape kShapes[] = {
    {197, 192, {6}, 1}, {65, 100, {5}, 1},    {17, 9, {6}, 1},
    {5, 48, {4}, 3},    {17, 75, {6, 25}, 3}, {17, 75, {6, 25}, 1},
    {0, 36, {6}, 1},    {0, 10, {2}, 1},
};

std::vector<double> groupwise(const Floats &x, int64_t width, int64_t groups,
                              bool softmax) {
  std::vector<double> y(x.size());
  int64_t n = width / groups;
  for (size_t at = 0; at < x.size(); at += n) {
    double mean = 0, variance = 0, largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      mean += x[at + i] / double(n);
      largest = std::max(largest, double(x[at + i]));
    }
    for (int64_t i = 0; i < n; ++i) {
      variance += (x[at + i] - mean) * (x[at + i] - mean) / n;
      sum += std::exp(x[at + i] - largest);
    }
    for (int64_t i = 0; i < n; ++i)
      y[at + i] = softmax ? std::exp(x[at + i] - largest) / sum
                          : (x[at + i] - mean) / std::sqrt(variance + 1e-6);
  }
  return y;
}

TEST(Rows, LayerNorm) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes) {
      Kernel kernel(
          rowsText("normalize", s.tokens, s.width, s.layout, s.groups, true),
          level);
      Floats scale = randomFloats(s.width, 1), bias = randomFloats(s.width, 2);
      Guarded p(channels(scale, 1, s.width, s.layout.group)),
          q(channels(bias, 1, s.width, s.layout.group));
      for (int64_t batch : {1, 3}) {
        size_t count = batch * std::max<int64_t>(s.tokens, 1) * s.width;
        Floats x = randomFloats(count, 3, 3);
        for (float &value : x)
          value += 10; // a large mean, which could cause cancellation
        std::vector<double> expected = groupwise(x, s.width, s.groups, false);
        for (size_t i = 0; i < count; ++i)
          expected[i] = expected[i] * scale[i % s.width] + bias[i % s.width];
        Guarded input(block(x, batch, s.tokens, s.width, s.layout));
        Guarded output(input.size(), NAN);
        kernel.run({input.data(), p.data(), q.data(), output.data()}, batch, 3);
        expectClose(
            unblock(output.values(), batch, s.tokens, s.width, s.layout),
            expected, 5e-6, level + " width " + std::to_string(s.width));
        // In place, as the memory plan may do.
        kernel.run({input.data(), p.data(), q.data(), input.data()}, batch);
        expectSameBits(input.values(), output.values(), "in place");
      }
    }
}

TEST(Rows, Softmax) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes) {
      Kernel kernel(
          rowsText("softmax", s.tokens, s.width, s.layout, s.groups, false),
          level);
      size_t count = 2 * std::max<int64_t>(s.tokens, 1) * s.width;
      Floats x = randomFloats(count, 3, 5);
      std::vector<double> expected = groupwise(x, s.width, s.groups, true);
      Guarded input(block(x, 2, s.tokens, s.width, s.layout));
      Guarded output(input.size(), NAN);
      kernel.run({input.data(), output.data()}, 2);
      expectClose(unblock(output.values(), 2, s.tokens, s.width, s.layout),
                  expected, 1e-6, level + " width " + std::to_string(s.width));
    }
}

TEST(Rows, NotANumberStaysInItsRow) {
  for (const std::string &level : levels())
    for (std::string kind : {"normalize", "softmax"}) {
      Kernel kernel(rowsText(kind, 17, 48, {6}, 1, false), level);
      Floats x = randomFloats(17 * 48, 1);
      x[3 * 48 + 47] = NAN;
      Guarded input(block(x, 1, 17, 48, {6}));
      Guarded output(input.size(), 0);
      kernel.run({input.data(), output.data()}, 1);
      Floats y = unblock(output.values(), 1, 17, 48, {6});
      for (int64_t t = 0; t < 17; ++t)
        for (int64_t c = 0; c < 48; ++c)
          EXPECT_EQ(std::isnan(y[t * 48 + c]), t == 3);
    }
}

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

/// Evaluates one op of the math dialect for all values of `x`.
Floats evaluate(const std::string &op, const Floats &x,
                const std::string &level) {
  std::string type = blockedType(0, 16, {1});
  Kernel kernel(
      "func.func @f(%x: " + type + ") -> " + type +
          " {\n%y = kernel.map %x slots [0] {\n^bb0(%a: f32):\n%0 = " + op +
          " %a : f32\nkernel.yield %0 : f32 } : " + type + " -> " + type +
          "\nreturn %y : " + type + "\n}",
      level);
  Guarded input(x), output(x.size());
  kernel.run({input.data(), output.data()}, x.size() / 16);
  return output.values();
}

struct Function {
  const char *op;
  double (*reference)(double);
  double low, high;
  double absolute, relative; ///< an error within either bound is accepted
};

TEST(Math, ErrorsAreSmallOverTheWholeRange) {
  const Function functions[] = {
      {"math.exp", [](double x) { return std::exp(x); }, -120, 100, 1e-44,
       1.5e-7},
      {"math.exp2", [](double x) { return std::exp2(x); }, -160, 135, 1e-44,
       1.5e-7},
      {"math.erf", [](double x) { return std::erf(x); }, -6, 6, 2e-7, 0},
      {"math.tanh", [](double x) { return std::tanh(x); }, -12, 12, 3e-7, 0},
      {"kernel.gelu_slope",
       [](double x) {
         return 0.5 * (1 + std::erf(x * std::sqrt(0.5))) +
                x * std::exp(-0.5 * x * x) * 0.39894228040143268;
       },
       -9, 9, 3e-7, 0},
      {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1e-3, 100, 0,
       2e-7},
  };
  for (const std::string &level : levels())
    for (const Function &f : functions) {
      Floats x(1 << 18);
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = f.low + (f.high - f.low) * i / (x.size() - 1);
      Floats y = evaluate(f.op, x, level);
      int wrong = 0;
      for (size_t i = 0; i < x.size() && wrong < 3; ++i) {
        double expected = f.reference(x[i]);
        if (expected > std::numeric_limits<float>::max())
          expected = INFINITY;
        double error = std::abs(y[i] - expected);
        bool right = y[i] == expected || error <= f.absolute ||
                     error <= f.relative * std::abs(expected);
        EXPECT_TRUE(right) << f.op << "(" << x[i] << ") = " << y[i] << ", not "
                           << expected;
        wrong += !right;
      }
    }
}

TEST(Math, LimitsAndNotANumber) {
  for (const std::string &level : levels()) {
    Floats x(16, 0);
    x[0] = INFINITY;
    x[1] = -INFINITY;
    x[2] = NAN;
    x[3] = -NAN;
    uint32_t payload = 0x7f800123; // signalling, with low bits set
    memcpy(&x[4], &payload, 4);
    Floats e = evaluate("math.exp", x, level);
    EXPECT_EQ(e[0], INFINITY);
    EXPECT_EQ(e[1], 0);
    EXPECT_EQ(e[5], 1);
    for (std::string op : {"math.exp", "math.exp2", "math.erf", "math.tanh",
                           "kernel.gelu_slope"}) {
      Floats y = evaluate(op, x, level);
      for (int i : {2, 3, 4})
        EXPECT_TRUE(std::isnan(y[i])) << op << " " << i << " " << y[i];
      EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[1])) << op;
    }
    Floats t = evaluate("math.tanh", x, level);
    EXPECT_NEAR(t[0], 1, 3e-7);
    EXPECT_NEAR(t[1], -1, 3e-7);
  }
}

TEST(Map, WideAndNarrowBroadcasts) {
  for (const std::string &level : levels()) {
    Layout layout{6, 25};
    std::string x = blockedType(17, 75, layout);
    std::string c = channelsType(0, 75, 25), p = channelsType(17, 75, 25);
    Kernel kernel(
        "func.func @f(%x: " + x + ", %c: " + c + ", %p: " + p + ", %e: " + x +
            ") -> " + x + " {\n%y = kernel.map %x extras(%c, %p, %e : " + c +
            ", " + p + ", " + x +
            ") slots [0] {\n^bb0(%a: f32, %b: f32, %d: f32, %g: f32):\n"
            "%0 = arith.mulf %a, %b : f32\n"
            "%1 = arith.addf %0, %d : f32\n"
            "%2 = arith.subf %1, %g : f32\n"
            "kernel.yield %2 : f32 } : " +
            x + " -> " + x + "\nreturn %y : " + x + "\n}",
        level);
    Floats a = randomFloats(3 * 17 * 75, 1), s = randomFloats(75, 2),
           t = randomFloats(17 * 75, 3), e = randomFloats(3 * 17 * 75, 4);
    std::vector<double> expected(a.size());
    for (size_t i = 0; i < a.size(); ++i)
      expected[i] = double(a[i]) * s[i % 75] + t[i % (17 * 75)] - e[i];
    Guarded input(block(a, 3, 17, 75, layout)), scale(channels(s, 1, 75, 25)),
        table(channels(t, 17, 75, 25)), element(block(e, 3, 17, 75, layout)),
        output(input.size(), NAN);
    kernel.run({input.data(), scale.data(), table.data(), element.data(),
                output.data()},
               3, 2);
    expectClose(unblock(output.values(), 3, 17, 75, layout), expected, 1e-6,
                level);
  }
}

} // namespace
