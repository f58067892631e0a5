//===- LayoutTest.cpp - Patches, tokens and layouts against plain loops ---===//
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
std::string wrap(const std::string &arguments, const std::string &op,
                 const std::string &types, const std::string &result) {
  return "func.func @f(" + arguments + ") -> " + result + " {\n%y = " + op +
         " : " + types + " -> " + result + "\nreturn %y : " + result + "\n}";
}

TEST(Patchify, BothOrdersAnyPatch) {
  struct Shape {
    int64_t channels, height, width, patchHeight, patchWidth, rows;
  };
  for (const std::string &level : levels())
    for (bool channelsFirst : {true, false})
      for (Shape s :
           {Shape{3, 64, 48, 16, 16, 6}, Shape{3, 32, 32, 4, 4, 5},
            Shape{1, 28, 28, 7, 7, 4}, Shape{2, 12, 30, 3, 5, 6},
            Shape{3, 28, 28, 14, 14, 3}, Shape{1, 32, 64, 8, 32, 2}}) {
        int64_t across = s.width / s.patchWidth;
        int64_t tokens = s.height / s.patchHeight * across;
        int64_t width = s.channels * s.patchHeight * s.patchWidth;
        std::string in = plainType({-1, s.channels, s.height, s.width});
        std::string out = blockedType(tokens, width, {s.rows});
        Kernel kernel(wrap("%x: " + in,
                           "kernel.patchify %x patch [" +
                               std::to_string(s.patchHeight) + ", " +
                               std::to_string(s.patchWidth) + "] order " +
                               (channelsFirst ? "chw" : "hwc") + " slots [0]",
                           "(" + in + ")", out),
                      level);
        int64_t batch = 3;
        Floats x = randomFloats(batch * s.channels * s.height * s.width, 1);
        Floats expected;
        for (int64_t b = 0; b < batch; ++b)
          for (int64_t t = 0; t < tokens; ++t)
            for (int64_t e = 0; e < width; ++e) {
              int64_t c, i, j;
              if (channelsFirst) {
                j = e % s.patchWidth;
                i = e / s.patchWidth % s.patchHeight;
                c = e / s.patchWidth / s.patchHeight;
              } else {
                c = e % s.channels;
                j = e / s.channels % s.patchWidth;
                i = e / s.channels / s.patchWidth;
              }
              int64_t row = t / across * s.patchHeight + i;
              int64_t column = t % across * s.patchWidth + j;
              expected.push_back(
                  x[((b * s.channels + c) * s.height + row) * s.width +
                    column]);
            }
        Guarded picture(x);
        for (int64_t parts : {1, 4}) {
          Guarded output(blockedSize(batch, tokens, width, {s.rows}), NAN);
          kernel.run({picture.data(), output.data()}, batch, parts);
          EXPECT_TRUE(output.isIntact());
          expectSameBits(
              unblock(output.values(), batch, tokens, width, {s.rows}),
              expected, level + " patch " + std::to_string(s.patchWidth));
        }
      }
}

TEST(Relayout, ThereAndBackTouchesNothingElse) {
  struct Shape {
    int64_t tokens, width;
    Layout layout;
  };
  for (const std::string &level : levels())
    for (Shape s :
         {Shape{17, 48, {6}}, Shape{65, 100, {5}}, Shape{5, 9, {4}},
          Shape{17, 75, {6, 25}}, Shape{0, 10, {6}}, Shape{0, 192, {2}}}) {
      std::vector<int64_t> shape{-1};
      if (s.tokens)
        shape.push_back(s.tokens);
      shape.push_back(s.width);
      std::string plain = plainType(shape);
      std::string blocked = blockedType(s.tokens, s.width, s.layout);
      Kernel there(wrap("%x: " + plain, "kernel.relayout %x slots [0]",
                        "(" + plain + ")", blocked),
                   level);
      Kernel back(wrap("%x: " + blocked, "kernel.relayout %x slots [0]",
                       "(" + blocked + ")", plain),
                  level);
      for (int64_t batch : {1, 2, 7}) {
        Floats x =
            randomFloats(batch * std::max<int64_t>(s.tokens, 1) * s.width, 1);
        Guarded input(x), output(x.size(), NAN);
        Guarded middle(blockedSize(batch, s.tokens, s.width, s.layout), NAN);
        there.run({input.data(), middle.data()}, batch, 3);
        expectSameBits(middle.values(),
                       block(x, batch, s.tokens, s.width, s.layout), "there");
        back.run({middle.data(), output.data()}, batch, 3);
        EXPECT_TRUE(output.isIntact());
        expectSameBits(output.values(), x, "back");
      }
    }
}

TEST(Relayout, OtherGroups) {
  for (const std::string &level : levels()) {
    Layout from{6}, to{6, 25};
    std::string a = blockedType(17, 75, from), c = blockedType(17, 75, to);
    Kernel kernel(
        wrap("%x: " + a, "kernel.relayout %x slots [0]", "(" + a + ")", c),
        level);
    Floats x = randomFloats(2 * 17 * 75, 1);
    Guarded input(block(x, 2, 17, 75, from));
    Guarded output(blockedSize(2, 17, 75, to), NAN);
    kernel.run({input.data(), output.data()}, 2, 2);
    expectSameBits(output.values(), block(x, 2, 17, 75, to), level);
  }
}

TEST(Prepend, TokensThenScalarCode) {
  struct Shape {
    int64_t count, tokens, width;
    Layout layout;
  };
  for (const std::string &level : levels())
    for (Shape s : {Shape{1, 16, 48, {6}}, Shape{5, 64, 100, {5}},
                    Shape{2, 9, 50, {4, 25}}}) {
      int64_t all = s.count + s.tokens;
      std::string in = blockedType(s.tokens, s.width, s.layout);
      std::string out = blockedType(all, s.width, s.layout);
      std::string first = channelsType(s.count, s.width, s.layout.group);
      std::string table = channelsType(all, s.width, s.layout.group);
      Kernel kernel("func.func @f(%x: " + in + ", %t: " + first +
                        ", %p: " + table + ") -> " + out +
                        " {\n%y = kernel.prepend %x, %t extras(%p : " + table +
                        ") slots [0] {\n^bb0(%a: f32, %b: f32):\n"
                        "%0 = arith.addf %a, %b : f32\n"
                        "kernel.yield %0 : f32 } : (" +
                        in + ", " + first + ") -> " + out +
                        "\nreturn %y : " + out + "\n}",
                    level);
      for (int64_t batch : {1, 3}) {
        Floats x = randomFloats(batch * s.tokens * s.width, 1),
               t = randomFloats(s.count * s.width, 2),
               p = randomFloats(all * s.width, 3), expected;
        for (int64_t b = 0; b < batch; ++b)
          for (int64_t i = 0; i < all * s.width; ++i)
            expected.push_back(
                p[i] +
                (i < s.count * s.width
                     ? t[i]
                     : x[b * s.tokens * s.width + i - s.count * s.width]));
        Guarded input(block(x, batch, s.tokens, s.width, s.layout)),
            tokens(channels(t, s.count, s.width, s.layout.group)),
            positions(channels(p, all, s.width, s.layout.group));
        Guarded output(blockedSize(batch, all, s.width, s.layout), NAN);
        kernel.run(
            {input.data(), tokens.data(), positions.data(), output.data()},
            batch, 2);
        expectSameBits(unblock(output.values(), batch, all, s.width, s.layout),
                       expected, level);
      }
    }
}

TEST(Take, OneTokenAndSeveral) {
  for (const std::string &level : levels())
    for (int64_t count : {0, 1, 5}) // 0: rank 2
      for (int64_t start : {0, 3, 12}) {
        int64_t width = 36;
        std::string in = blockedType(17, width, {6});
        std::string out = blockedType(count, width, {6});
        Kernel kernel(
            wrap("%x: " + in,
                 "kernel.take %x from " + std::to_string(start) + " slots [0]",
                 "(" + in + ")", out),
            level);
        int64_t batch = 7;
        Floats x = randomFloats(batch * 17 * width, 1), expected;
        for (int64_t b = 0; b < batch; ++b)
          for (int64_t i = 0; i < std::max<int64_t>(count, 1) * width; ++i)
            expected.push_back(x[(b * 17 + start) * width + i]);
        Guarded input(block(x, batch, 17, width, {6}));
        Guarded output(blockedSize(batch, count, width, {6}), NAN);
        kernel.run({input.data(), output.data()}, batch, 2);
        expectSameBits(unblock(output.values(), batch, count, width, {6}),
                       expected, level);
      }
}

TEST(Mean, OfTokensFromAStart) {
  for (const std::string &level : levels())
    for (int64_t start : {0, 1, 8}) {
      int64_t width = 100, tokens = 197;
      std::string in = blockedType(tokens, width, {6});
      std::string out = blockedType(0, width, {6});
      Kernel kernel(
          wrap("%x: " + in,
               "kernel.mean %x from " + std::to_string(start) + " slots [0]",
               "(" + in + ")", out),
          level);
      int64_t batch = 7;
      Floats x = randomFloats(batch * tokens * width, 1);
      if (start > 0)
        x[0] = NAN; // a token outside of the mean
      std::vector<double> expected(batch * width, 0);
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t t = start; t < tokens; ++t)
          for (int64_t c = 0; c < width; ++c)
            expected[b * width + c] +=
                x[(b * tokens + t) * width + c] / double(tokens - start);
      Guarded input(block(x, batch, tokens, width, {6}));
      Floats first;
      for (int64_t parts : {1, 3}) {
        Guarded output(blockedSize(batch, 0, width, {6}), NAN);
        kernel.run({input.data(), output.data()}, batch, parts);
        Floats y = unblock(output.values(), batch, 0, width, {6});
        expectClose(y, expected, 1e-6, level);
        if (first.empty())
          first = y;
        expectSameBits(y, first, "split");
      }
    }
}

} // namespace
