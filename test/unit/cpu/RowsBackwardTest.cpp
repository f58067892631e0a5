//===- RowsBackwardTest.cpp - Adjoints of layer norm and softmax ----------===//
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
  int64_t tokens, width;
  Layout layout;
  int64_t groups;
};

const Shape kShapes[] = {
    {197, 192, {6}, 1},   {65, 100, {5}, 1}, {17, 9, {6}, 1},
    {12, 768, {6}, 1},    {5, 48, {4}, 3},   {17, 75, {6, 25}, 3},
    {17, 75, {6, 25}, 1}, {0, 36, {6}, 1},   {0, 10, {2}, 1},
    {0, 60, {5, 20}, 3},
};

std::string normalizeText(const Shape &s, bool hasScale, bool hasSums,
                          bool hasResidual = false) {
  std::string x = blockedType(s.tokens, s.width, s.layout);
  std::string w = blockedType(0, s.width, s.layout);
  std::string c = channelsType(0, s.width, s.layout.group);
  std::string results = x + (hasSums ? ", " + w + ", " + w : "");
  return "func.func @f(%dy: " + x + ", %x: " + x +
         (hasScale ? ", %s: " + c : "") + (hasResidual ? ", %p: " + x : "") +
         ") -> (" + results + ") {\n %r" + (hasSums ? ":3" : "") +
         " = kernel.normalize_backward %dy, %x " +
         (hasScale ? "scale(%s : " + c + ") " : "") +
         (hasResidual ? "plus(%p : " + x + ") " : "") +
         "epsilon 1.0e-6 groups " + std::to_string(s.groups) + " slots [" +
         (hasSums ? "0, 1, 2" : "0") + "] : (" + x + ", " + x + ") -> (" +
         results + ")\n return " + (hasSums ? "%r#0, %r#1, %r#2" : "%r") +
         " : " + results + "\n}\n";
}

TEST(RowsBackward, LayerNorm) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes)
      for (bool hasScale : {true, false}) {
        std::string what = level + " " + std::to_string(s.tokens) + "x" +
                           std::to_string(s.width) + (hasScale ? " scale" : "");
        Kernel kernel(normalizeText(s, hasScale, true), level);
        Kernel alone(normalizeText(s, hasScale, false), level);
        Floats scale = randomFloats(s.width, 1);
        Guarded p(channels(scale, 1, s.width, s.layout.group));
        for (int64_t batch : {1, 2, 7}) {
          int64_t tokens = std::max<int64_t>(s.tokens, 1);
          size_t count = batch * tokens * s.width;
          Floats dy = randomFloats(count, 2), x = randomFloats(count, 3, 3);
          for (float &value : x)
            value += 10; // a large mean, which could cause cancellation
          Guarded gradient(block(dy, batch, s.tokens, s.width, s.layout));
          Guarded input(block(x, batch, s.tokens, s.width, s.layout));
          Guarded result(input.size(), NAN);
          size_t sums = blockedSize(batch, 0, s.width, s.layout);
          Guarded ds(sums, NAN), db(sums, NAN);
          std::vector<float *> arguments{gradient.data(), input.data()};
          if (hasScale)
            arguments.push_back(p.data());
          arguments.push_back(result.data());
          std::vector<float *> all = arguments;
          all.insert(all.end(), {ds.data(), db.data()});
          kernel.run(all, batch, 3);

          // A scale per row element: those of all groups in order.
          Floats rowScales;
          for (int64_t i = 0; i < s.width; ++i)
            rowScales.push_back(hasScale ? scale[i] : 1);
          std::vector<double> dx, dsExpected(batch * s.width),
              dbExpected(batch * s.width);
          int64_t n = s.width / s.groups;
          for (int64_t row = 0; row < batch * tokens; ++row)
            for (int64_t g = 0; g < s.groups; ++g) {
              auto slice = [&](const Floats &of, int64_t from) {
                return tensor(Floats(of.begin() + from, of.begin() + from + n),
                              {1, n});
              };
              int64_t at = row * s.width + g * n;
              reference::Tensor part = slice(rowScales, g * n);
              part.shape = {n};
              auto expected = reference::normBackward(
                  slice(dy, at), slice(x, at), mlir::vit::NormKind::layer,
                  &part, 1e-6, 1);
              dx.insert(dx.end(), expected.input.data.begin(),
                        expected.input.data.end());
              for (int64_t i = 0; i < n; ++i) {
                int64_t to = row / tokens * s.width + g * n + i;
                dsExpected[to] += expected.scale.data[i];
                dbExpected[to] += expected.bias.data[i];
              }
            }
          expectClose(
              unblock(result.values(), batch, s.tokens, s.width, s.layout), dx,
              2e-6, what);
          expectClose(unblock(ds.values(), batch, 0, s.width, s.layout),
                      dsExpected, 5e-6, what + " scale's");
          expectClose(unblock(db.values(), batch, 0, s.width, s.layout),
                      dbExpected, 5e-6, what + " bias's");
          Floats bits = result.values(), scaleBits = ds.values();
          kernel.run(all, batch, 1);
          expectSameBits(result.values(), bits, what + " in one part");
          expectSameBits(ds.values(), scaleBits, what + " in one part");
          alone.run(arguments, batch, 2);
          expectSameBits(result.values(), bits, what + " without sums");
        }
      }
}

TEST(RowsBackward, LayerNormPlusAResidual) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes)
      for (bool hasScale : {true, false}) {
        Kernel plain(normalizeText(s, hasScale, false), level);
        Kernel kernel(normalizeText(s, hasScale, false, true), level);
        size_t size = blockedSize(3, s.tokens, s.width, s.layout);
        size_t count = 3 * std::max<int64_t>(s.tokens, 1) * s.width;
        auto blocked = [&](unsigned seed) {
          return block(randomFloats(count, seed), 3, s.tokens, s.width,
                       s.layout);
        };
        Guarded dy(blocked(1)), x(blocked(2)), residual(blocked(3));
        Guarded scale(
            channels(randomFloats(s.width, 4), 1, s.width, s.layout.group));
        Guarded without(size, NAN), with(size, NAN);
        std::vector<float *> arguments{dy.data(), x.data()};
        if (hasScale)
          arguments.push_back(scale.data());
        std::vector<float *> more = arguments;
        arguments.push_back(without.data());
        more.insert(more.end(), {residual.data(), with.data()});
        plain.run(arguments, 3);
        kernel.run(more, 3, 2);
        Floats expected = without.values(), added = residual.values();
        for (size_t i = 0; i < size; ++i)
          expected[i] += added[i];
        expectSameBits(with.values(), expected, level);
      }
}

TEST(RowsBackward, Softmax) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes) {
      std::string x = blockedType(s.tokens, s.width, s.layout);
      if (s.layout.group)
        continue;
      Kernel kernel(
          "func.func @f(%dy: " + x + ", %y: " + x + ") -> " + x +
              " {\n%r = kernel.softmax_backward %dy, %y slots [0] : (" + x +
              ", " + x + ") -> " + x + "\nreturn %r : " + x + "\n}",
          level);
      int64_t batch = 3;
      std::vector<int64_t> shape = shapeOf(batch, s.tokens, s.width);
      size_t count = batch * std::max<int64_t>(s.tokens, 1) * s.width;
      Floats dy = randomFloats(count, 1), logits = randomFloats(count, 2, 2);
      reference::Tensor soft = reference::softmax(tensor(logits, shape), 1);
      Floats y(soft.data.begin(), soft.data.end());
      Guarded gradient(block(dy, batch, s.tokens, s.width, s.layout));
      Guarded output(block(y, batch, s.tokens, s.width, s.layout));
      Guarded result(output.size(), NAN);
      kernel.run({gradient.data(), output.data(), result.data()}, batch, 2);
      expectClose(
          unblock(result.values(), batch, s.tokens, s.width, s.layout),
          reference::softmaxBackward(tensor(dy, shape), tensor(y, shape)).data,
          1e-6, level + " width " + std::to_string(s.width));
    }
}

TEST(TokensBackward, PlaceAndSpread) {
  struct Case {
    int64_t tokens, width, start, count; // count = 0: one token, of rank 2
    Layout layout;
  };
  for (const std::string &level : levels())
    for (Case c : std::initializer_list<Case>{{17, 27, 0, 0, {6}},
                                              {17, 48, 3, 5, {6}},
                                              {5, 50, 1, 4, {4, 25}},
                                              {65, 16, 64, 0, {5}},
                                              {8, 16, 0, 8, {4}}}) {
      int64_t batch = 3;
      std::string in = blockedType(c.count, c.width, c.layout);
      std::string out = blockedType(c.tokens, c.width, c.layout);
      Kernel place("func.func @f(%x: " + in + ") -> " + out +
                       " {\n%r = kernel.place %x at " +
                       std::to_string(c.start) + " slots [0] : (" + in +
                       ") -> " + out + "\nreturn %r : " + out + "\n}",
                   level);
      size_t count = batch * std::max<int64_t>(c.count, 1) * c.width;
      Floats x = randomFloats(count, 1);
      Guarded input(block(x, batch, c.count, c.width, c.layout));
      Guarded result(blockedSize(batch, c.tokens, c.width, c.layout), NAN);
      place.run({input.data(), result.data()}, batch, 3);
      expectClose(
          unblock(result.values(), batch, c.tokens, c.width, c.layout),
          reference::placeTokens(tensor(x, shapeOf(batch, c.count, c.width)),
                                 c.start, c.tokens)
              .data,
          0, level + " place");
      if (c.count)
        continue;
      Kernel spread("func.func @f(%x: " + in + ") -> " + out +
                        " {\n%r = kernel.spread %x from " +
                        std::to_string(c.start) + " slots [0] : (" + in +
                        ") -> " + out + "\nreturn %r : " + out + "\n}",
                    level);
      Guarded shares(result.size(), NAN);
      spread.run({input.data(), shares.data()}, batch, 2);
      expectClose(unblock(shares.values(), batch, c.tokens, c.width, c.layout),
                  reference::spreadTokens(tensor(x, {batch, c.width}), c.start,
                                          c.tokens)
                      .data,
                  1e-7, level + " spread");
    }
}

} // namespace
