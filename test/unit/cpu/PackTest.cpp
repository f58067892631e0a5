//===- PackTest.cpp - Packed variables and sums against plain loops -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace test;

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

/// Packs `values`, rows of `width` elements (0: rank 1) in sources of `rows`
/// rows, to a result of type `type` with `size` elements.
static Floats pack(const std::string &level, const Floats &values,
                   const std::vector<int64_t> &rows, int64_t width,
                   const std::string &type, size_t size, int64_t parts) {
  std::string arguments, names, types;
  std::vector<Guarded> buffers;
  auto from = values.begin();
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string name = "%s" + std::to_string(i);
    std::string source =
        width ? plainType({rows[i], width}) : plainType({rows[i]});
    std::string comma = i ? ", " : "";
    arguments += comma + name + ": " + source;
    names += comma + name;
    types += comma + source;
    int64_t count = rows[i] * std::max<int64_t>(width, 1);
    buffers.emplace_back(Floats(from, from + count));
    from += count;
  }
  Kernel kernel("func.func @f(" + arguments + ") -> " + type +
                    " {\n%y = kernel.pack " + names + " : (" + types + ") -> " +
                    type + "\nreturn %y : " + type + "\n}",
                level);
  buffers.emplace_back(size, NAN);
  std::vector<float *> pointers;
  for (Guarded &buffer : buffers)
    pointers.push_back(buffer.data());
  kernel.run(pointers, 3, parts);
  EXPECT_TRUE(buffers.back().isIntact());
  return buffers.back().values();
}

static Floats transpose(const Floats &values, int64_t rows, int64_t width) {
  Floats result(values.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c)
      result[c * rows + r] = values[r * width + c];
  return result;
}

TEST(Pack, PanelsAndTransposedPanels) {
  struct Shape {
    std::vector<int64_t> rows;
    int64_t in, cols, outGroup, inGroup;
  };
  for (const std::string &level : levels())
    for (const Shape &s : std::initializer_list<Shape>{
             {{192}, 64, 64, 0, 0},
             {{48}, 192, 64, 0, 0},
             {{10}, 49, 64, 0, 0},
             {{100}, 100, 48, 0, 0},
             {{32, 32, 32}, 48, 64, 0, 0},
             {{20, 20, 20}, 33, 64, 10, 0},
             {{7, 30, 1}, 20, 16, 0, 0}, // vectors from several sources
             {{18, 18, 18}, 25, 32, 9, 5},
             {{50}, 75, 64, 25, 25},
         }) {
      int64_t out = 0;
      for (int64_t rows : s.rows)
        out += rows;
      Floats w = randomFloats(out * s.in, 1);
      std::string name =
          level + " " + std::to_string(out) + "x" + std::to_string(s.in);
      for (bool isTransposed : {false, true}) {
        Floats expected =
            isTransposed ? panels(transpose(w, out, s.in), s.in, out, s.cols,
                                  s.inGroup, s.outGroup)
                         : panels(w, out, s.in, s.cols, s.outGroup, s.inGroup);
        std::string type =
            "tensor<" + std::to_string(out) + "x" + std::to_string(s.in) +
            "xf32, #kernel.panels<cols = " + std::to_string(s.cols) +
            ", out_group = " + std::to_string(s.outGroup) +
            ", in_group = " + std::to_string(s.inGroup) +
            ", transposed = " + (isTransposed ? "true" : "false") + ">>";
        for (int64_t parts : {1, 3})
          expectSameBits(
              pack(level, w, s.rows, s.in, type, expected.size(), parts),
              expected, name + (isTransposed ? " transposed" : ""));
      }
    }
}

TEST(Pack, Tables) {
  for (const std::string &level : levels())
    for (auto [rows, width, group] :
         {std::tuple<int64_t, int64_t, int64_t>{65, 192, 0},
          {1, 10, 0},
          {17, 49, 0},
          {5, 30, 10},
          {3, 48, 16}}) {
      Floats values = randomFloats(2 * rows * width, 1);
      Floats expected = channels(values, 2 * rows, width, group);
      std::string type = channelsType(2 * rows, width, group);
      for (std::vector<int64_t> sources :
           {std::vector<int64_t>{2 * rows}, {rows, rows}})
        expectSameBits(
            pack(level, values, sources, width, type, expected.size(), 2),
            expected, level + " " + type);
    }
}

TEST(Pack, Vectors) {
  struct Shape {
    std::vector<int64_t> sizes;
    int64_t group;
  };
  for (const std::string &level : levels())
    for (const Shape &s : std::initializer_list<Shape>{{{192}, 0},
                                                       {{10}, 0},
                                                       {{64, 64, 64}, 0},
                                                       {{20, 20, 20}, 10},
                                                       {{40, 40}, 20},
                                                       {{7, 9, 33}, 0}}) {
      int64_t width = 0;
      for (int64_t size : s.sizes)
        width += size;
      Floats values = randomFloats(width, 1);
      Floats expected = channels(values, 1, width, s.group);
      expectSameBits(pack(level, values, s.sizes, 0,
                          channelsType(0, width, s.group), expected.size(), 2),
                     expected, level + " " + std::to_string(width));
    }
}

TEST(Pack, OneElementFillsAVector) {
  for (const std::string &level : levels()) {
    Floats expected = channels(Floats(20, 1.5f), 1, 20, 10);
    expectSameBits(pack(level, {1.5f}, {1}, 0, channelsType(0, 20, 10),
                        expected.size(), 1),
                   expected, level);
  }
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

namespace {
struct SumShape {
  int64_t tokens, width, rows, group;
};
constexpr SumShape kSumShapes[] = {
    {65, 192, 5, 0}, {17, 49, 6, 0}, {5, 30, 4, 10}, {1, 10, 1, 0},
    {0, 48, 6, 0},   {0, 10, 5, 0},  {0, 60, 4, 20}};
} // namespace

static std::string sumText(const std::string &kind, const std::string &from,
                           const std::string &to, int64_t endsAt) {
  std::string text = "func.func @f(%x: " + from + ") -> " +
                     (endsAt ? plainType({endsAt}) : to) +
                     " {\n%y = kernel.sum " + kind +
                     " %x tile<rows = 1, cols = 16, chunk = 1> : (" + from +
                     ") -> " + to + "\n";
  if (!endsAt)
    return text + "return %y : " + to + "\n}";
  std::string type = plainType({endsAt});
  return text + "%c = kernel.concat %y : (" + to + ") -> " + type +
         "\nreturn %c : " + type + "\n}";
}

/// Runs a sum with a row-major result twice, once as a result of the entry and
/// once with padding to fill, and compares.
static void checkFlat(const std::string &level, const std::string &kind,
                      const std::string &from, const Floats &input,
                      const std::string &to,
                      const std::vector<double> &expected, int64_t batch) {
  std::string what =
      level + " " + kind + " " + from + " batch " + std::to_string(batch);
  size_t count = expected.size(), size = (count + 15) / 16 * 16;
  Guarded x(input), returned(count, NAN), y(size, NAN);
  Kernel(sumText(kind, from, to, 0), level)
      .run({x.data(), returned.data()}, batch, 3);
  Kernel(sumText(kind, from, to, size), level).run({x.data(), y.data()}, batch);
  expectClose(returned.values(), expected, 1e-5, what);
  Floats values = y.values();
  for (size_t i = count; i < size; ++i)
    EXPECT_EQ(values[i], 0) << what << ": behind the end";
  values.resize(count);
  expectSameBits(values, returned.values(), what);
}

TEST(Sum, Batch) {
  for (const std::string &level : levels())
    for (const SumShape &s : kSumShapes)
      for (int64_t batch : {1, 2, 5, 9}) {
        int64_t tokens = std::max<int64_t>(s.tokens, 1);
        Floats x = randomFloats(batch * tokens * s.width, 1);
        std::vector<double> expected(tokens * s.width, 0);
        for (size_t i = 0; i < x.size(); ++i)
          expected[i % expected.size()] += x[i];
        Layout layout{s.rows, s.group};
        checkFlat(level, "batch", blockedType(s.tokens, s.width, layout),
                  block(x, batch, s.tokens, s.width, layout),
                  s.tokens ? plainType({s.tokens, s.width})
                           : plainType({s.width}),
                  expected, batch);
      }
}

TEST(Sum, All) {
  for (const std::string &level : levels()) {
    for (const SumShape &s : kSumShapes)
      for (int64_t batch : {1, 5}) {
        int64_t tokens = std::max<int64_t>(s.tokens, 1);
        Floats x = randomFloats(batch * tokens * s.width, 1);
        double sum = 0;
        for (float value : x)
          sum += value;
        Layout layout{s.rows, s.group};
        for (const char *to : {"tensor<f32>", "tensor<1xf32>"})
          checkFlat(level, "all", blockedType(s.tokens, s.width, layout),
                    block(x, batch, s.tokens, s.width, layout), to, {sum},
                    batch);
      }
    for (int64_t size : {1, 16, 70, 193}) {
      Floats x = randomFloats(size, 1);
      double sum = 0;
      for (float value : x)
        sum += value;
      checkFlat(level, "all", plainType({size}), x, "tensor<f32>", {sum}, 1);
    }
  }
}

TEST(Sum, Groups) {
  for (const std::string &level : levels())
    for (auto [groups, width] :
         {std::pair<int64_t, int64_t>{3, 64}, {5, 10}, {1, 17}, {12, 33}}) {
      Floats x = randomFloats(groups * width, 1);
      std::vector<double> expected(width, 0);
      for (size_t i = 0; i < x.size(); ++i)
        expected[i % width] += x[i];
      checkFlat(level, "groups", plainType({groups * width}), x,
                plainType({width}), expected, 1);
    }
}

TEST(Sum, Tokens) {
  for (const std::string &level : levels())
    for (const SumShape &s : kSumShapes) {
      if (s.tokens == 0)
        continue;
      Layout layout{s.rows, s.group};
      Kernel kernel(sumText("tokens", blockedType(s.tokens, s.width, layout),
                            blockedType(0, s.width, layout), 0),
                    level);
      for (int64_t batch : {1, 2, 9}) {
        Floats x = randomFloats(batch * s.tokens * s.width, 1);
        std::vector<double> expected(batch * s.width, 0);
        for (size_t i = 0; i < x.size(); ++i)
          expected[i / (s.tokens * s.width) * s.width + i % s.width] += x[i];
        Guarded input(block(x, batch, s.tokens, s.width, layout));
        Floats first;
        for (int64_t parts : {1, 4}) {
          Guarded output(blockedSize(batch, 0, s.width, layout), NAN);
          kernel.run({input.data(), output.data()}, batch, parts);
          Floats y = unblock(output.values(), batch, 0, s.width, layout);
          if (parts == 1)
            first = y;
          expectClose(y, expected, 1e-5, level);
          expectSameBits(y, first, level);
        }
      }
    }
}
