//===- internals_test.cpp - Parts of the runtime alone --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "derive.h"
#include "hash.h"
#include "initializer.h"
#include "text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using namespace vit::runtime;

namespace {

//===----------------------------------------------------------------------===//
// Hash
//===----------------------------------------------------------------------===//

TEST(Hash, GivesTheSpecificationsValues) {
  EXPECT_EQ(hash64(nullptr, 0), 0xEF46DB3751D8E999ull);
  EXPECT_EQ(hash64("a", 1), 0xD24EC4F1A98C6E5Bull);
  EXPECT_EQ(hash64("abc", 3), 0x44BC2CF5AD770999ull);
  EXPECT_EQ(hash64("Nobody inspects the spammish repetition", 39),
            0xFBCEA83C8A378BF1ull);
}

//===----------------------------------------------------------------------===//
// Random numbers
//===----------------------------------------------------------------------===//

TEST(Philox, GivesTheAuthorsValues) {
  // kat_vectors of Random123.
  struct {
    uint32_t counter[4], key[2], expected[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u},
       {~0u, ~0u},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto &c : cases) {
    uint32_t out[4];
    philox(c.key, c.counter, out);
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(out[i], c.expected[i]);
  }
}

std::vector<float> draw(Initializer distribution, double value, int64_t count,
                        uint64_t seed = 1, const char *name = "w") {
  std::vector<float> out(static_cast<size_t>(count));
  int64_t dims[] = {count};
  initialize(out.data(), 0, count, distribution, value, dims, 1, seed, name);
  return out;
}

struct Moments {
  explicit Moments(const std::vector<float> &values) {
    for (float x : values) {
      mean += double(x);
      square += double(x) * double(x);
      fourth += std::pow(double(x), 4);
      least = std::min(least, x);
      most = std::max(most, x);
    }
    mean /= double(values.size());
    square /= double(values.size());
    fourth /= double(values.size());
  }
  double mean = 0, square = 0, fourth = 0;
  float least = INFINITY, most = -INFINITY;
};

constexpr int64_t kMany = 200000;

TEST(Initializer, NormalHasItsMoments) {
  Moments m(draw(Initializer::Normal, 3, kMany));
  EXPECT_NEAR(m.mean, 0, 0.03);
  EXPECT_NEAR(m.square, 9, 0.15);
  EXPECT_NEAR(m.fourth / (m.square * m.square), 3, 0.1);
}

TEST(Initializer, TruncNormalIsCutAtTwo) {
  Moments narrow(draw(Initializer::TruncNormal, 0.02, kMany));
  EXPECT_NEAR(std::sqrt(narrow.square), 0.02, 0.0002);
  EXPECT_NEAR(narrow.fourth / (narrow.square * narrow.square), 3, 0.1);
  // Deviation 2: cut at one deviation, whose variance is
  // sigma^2 (1 - 2 phi(1) / (2 Phi(1) - 1)).
  Moments wide(draw(Initializer::TruncNormal, 2, kMany));
  EXPECT_GE(wide.least, -2);
  EXPECT_LE(wide.most, 2);
  EXPECT_LT(wide.least, -1.99);
  EXPECT_GT(wide.most, 1.99);
  EXPECT_NEAR(wide.mean, 0, 0.02);
  EXPECT_NEAR(wide.square, 4 * 0.2911, 0.02);
}

TEST(Initializer, UniformFillsItsRange) {
  Moments m(draw(Initializer::Uniform, 0.5, kMany));
  EXPECT_GE(m.least, -0.5f);
  EXPECT_LT(m.most, 0.5f);
  EXPECT_NEAR(m.mean, 0, 0.005);
  EXPECT_NEAR(m.square, 0.25 / 3, 0.001);
}

TEST(Initializer, XavierTakesItsBoundFromTheShape) {
  std::vector<float> out(96 * 54);
  int64_t dims[] = {96, 54};
  initialize(out.data(), 0, 96 * 54, Initializer::XavierUniform, 0, dims, 2, 5,
             "w");
  Moments m(out);
  EXPECT_LE(m.most, std::sqrt(6.0 / 150));
  EXPECT_GT(m.most, 0.99 * std::sqrt(6.0 / 150));
}

TEST(Initializer, ConstantIsConstant) {
  EXPECT_EQ(draw(Initializer::Constant, 1.5, 5), std::vector<float>(5, 1.5f));
}

TEST(Initializer, AnElementDependsOnItsIndexAlone) {
  for (Initializer d :
       {Initializer::Normal, Initializer::TruncNormal, Initializer::Uniform}) {
    std::vector<float> whole = draw(d, 1, 103);
    int64_t dims[] = {103};
    for (int64_t begin : {0, 1, 2, 3, 50, 97})
      for (int64_t count : {1, 2, 5, 6}) {
        std::vector<float> part(static_cast<size_t>(count));
        initialize(part.data(), begin, count, d, 1, dims, 1, 1, "w");
        for (int64_t i = 0; i < count; ++i)
          EXPECT_EQ(part[size_t(i)], whole[size_t(begin + i)]);
      }
  }
}

TEST(Initializer, SeedAndNameMatter) {
  std::set<std::vector<float>> all;
  for (uint64_t seed : {uint64_t(1), uint64_t(2), uint64_t(1) << 32 | 1})
    for (const char *name : {"w", "w.0", "w.1"})
      all.insert(draw(Initializer::Normal, 1, 8, seed, name));
  EXPECT_EQ(all.size(), 9u);
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

int64_t up16(int64_t n) { return (n + 15) / 16 * 16; }
int64_t pad(int64_t n, int64_t group) {
  return group == 0 ? up16(n) : n / group * up16(group);
}
int64_t at(int64_t i, int64_t group) {
  return group == 0 ? i : i / group * up16(group) + i % group;
}

/// Element by element what derive.h says of panels.
std::vector<float> panels(const Form &f, const std::vector<float> &source) {
  int64_t in = pad(f.width, f.inGroup), out = pad(f.rows, f.outGroup);
  std::vector<float> result(size_t(in * out), 0);
  for (int64_t r = 0; r < f.rows; ++r)
    for (int64_t k = 0; k < f.width; ++k) {
      int64_t q = at(r, f.outGroup), p = q / f.cols;
      int64_t width = std::min(f.cols, out - p * f.cols);
      result[size_t(p * f.cols * in + at(k, f.inGroup) * width + q % f.cols)] =
          source[size_t(r * f.width + k)];
    }
  return result;
}

std::vector<float> counting(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i + 1);
  return values;
}

/// Derives in pieces of every kind of size, reads back in other ones.
void expectForm(const Form &form, const std::vector<float> &expected) {
  ASSERT_EQ(checkForm(form), nullptr);
  ASSERT_EQ(formElements(form), int64_t(expected.size()));
  std::vector<float> source = counting(form.sourceElements());
  auto total = int64_t(source.size());
  for (int64_t piece : {total, int64_t(1), int64_t(7), form.width,
                        16 * form.width, 16 * form.width + 3}) {
    std::vector<float> derived(expected.size(), 0);
    for (int64_t begin = 0; begin < total; begin += piece)
      deriveElements(form, derived.data(), source.data() + begin,
                     StoredType::F32, begin, std::min(piece, total - begin));
    ASSERT_EQ(derived, expected) << "in pieces of " << piece;
    std::vector<float> restored(source.size(), -1);
    for (int64_t begin = 0; begin < total; begin += piece)
      restoreElements(form, derived.data(), restored.data() + begin, begin,
                      std::min(piece, total - begin));
    ASSERT_EQ(restored, source);
  }
}

TEST(Form, PanelsAreLaidOutAsDefined) {
  struct {
    int64_t rows, width, cols, outGroup, inGroup;
  } cases[] = {
      {64, 32, 64, 0, 0},  {96, 20, 64, 0, 0},   {10, 192, 64, 0, 0},
      {75, 25, 48, 25, 0}, {100, 75, 64, 0, 25}, {27, 27, 16, 9, 9},
      {1, 1, 16, 0, 0},    {200, 70, 48, 0, 0},  {128, 96, 32, 32, 32}};
  for (const auto &c : cases) {
    Form form;
    form.kind = FormKind::Panels;
    form.rows = c.rows;
    form.width = c.width;
    form.cols = c.cols;
    form.outGroup = c.outGroup;
    form.inGroup = c.inGroup;
    expectForm(form, panels(form, counting(c.rows * c.width)));
  }
}

TEST(Form, PanelsByHand) {
  // Two rows of three: [in][cols], zero beyond.
  Form form;
  form.kind = FormKind::Panels;
  form.rows = 2;
  form.width = 3;
  form.cols = 16;
  std::vector<float> expected(256, 0);
  expected[0] = 1, expected[16] = 2, expected[32] = 3;
  expected[1] = 4, expected[17] = 5, expected[33] = 6;
  expectForm(form, expected);
}

TEST(Form, ChannelsArePaddedGroupByGroup) {
  Form form;
  form.kind = FormKind::Channels;
  form.rows = 2;
  form.width = 18;
  form.inGroup = 9;
  std::vector<float> expected(64, 0);
  for (int r = 0; r < 2; ++r)
    for (int c = 0; c < 18; ++c)
      expected[size_t(r * 32 + c / 9 * 16 + c % 9)] = float(r * 18 + c + 1);
  expectForm(form, expected);
}

TEST(Form, SplatFillsTheVector) {
  Form form;
  form.kind = FormKind::Channels;
  form.rows = 1;
  form.width = 5;
  form.splat = true;
  std::vector<float> expected(16, 0);
  std::fill(expected.begin(), expected.begin() + 5, 1.0f);
  expectForm(form, expected);
}

TEST(Form, RowMajorIsACopy) {
  Form form;
  form.rows = 3;
  form.width = 7;
  expectForm(form, counting(21));
}

TEST(Form, NonsenseIsRefused) {
  Form good;
  good.kind = FormKind::Panels;
  good.rows = good.width = 32;
  good.cols = 16;
  EXPECT_EQ(checkForm(good), nullptr);
  auto refused = [&](auto change) {
    Form form = good;
    change(form);
    EXPECT_NE(checkForm(form), nullptr);
  };
  refused([](Form &f) { f.rows = 0; });
  refused([](Form &f) { f.width = -1; });
  refused([](Form &f) { f.rows = f.width = int64_t(1) << 31; });
  refused([](Form &f) { f.cols = 24; });
  refused([](Form &f) { f.cols = int64_t(1) << 62; });
  refused([](Form &f) { f.outGroup = 5; });
  refused([](Form &f) { f.inGroup = -16; });
  refused([](Form &f) { f.splat = true; });
  refused([](Form &f) { f.kind = FormKind::RowMajor, f.inGroup = 16; });
}

TEST(Widen, IsExact) {
  // Every half: compared with arithmetic on its fields.
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = uint16_t(bits);
    float value;
    widen(&value, &half, StoredType::F16, 1);
    int exponent = int(bits >> 10 & 31);
    double fraction = bits & 1023;
    double expected = exponent == 0
                          ? std::ldexp(fraction, -24)
                          : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31)
      expected = fraction != 0 ? NAN : INFINITY;
    if (bits & 0x8000)
      expected = -expected;
    if (std::isnan(expected))
      ASSERT_TRUE(std::isnan(value));
    else
      ASSERT_EQ(double(value), expected) << bits;
  }
  uint16_t brain = 0xc0a0;
  float value;
  widen(&value, &brain, StoredType::BF16, 1);
  EXPECT_EQ(value, -5.0f);
}

//===----------------------------------------------------------------------===//
// Position tables
//===----------------------------------------------------------------------===//

std::vector<float> resample(const std::vector<float> &source, int64_t h,
                            int64_t w, int64_t toH, int64_t toW,
                            bool antialias) {
  std::vector<float> out(size_t(toH * toW));
  int64_t from[] = {h, w}, to[] = {toH, toW};
  resamplePositions(out.data(), source.data(), 1, 0, from, to, antialias);
  return out;
}

TEST(Resample, BicubicAsTorch) {
  // The example of torch.nn.Upsample(scale_factor=2, mode="bicubic").
  std::vector<float> out = resample({1, 2, 3, 4}, 2, 2, 4, 4, false);
  std::vector<float> expected = {
      0.6836f, 1.0156f, 1.5625f, 1.8945f, 1.3477f, 1.6797f, 2.2266f, 2.5586f,
      2.4414f, 2.7734f, 3.3203f, 3.6523f, 3.1055f, 3.4375f, 3.9844f, 4.3164f};
  for (size_t i = 0; i < 16; ++i)
    EXPECT_NEAR(out[i], expected[i], 5e-5);
}

TEST(Resample, SameGridIsTheSame) {
  std::vector<float> table = counting(12);
  EXPECT_EQ(resample(table, 3, 4, 3, 4, false), table);
  EXPECT_EQ(resample(table, 3, 4, 3, 4, true), table);
}

TEST(Resample, KeepsPrefixAndWidth) {
  // Two prefix rows, grid 1 x 2 to 1 x 1, width 2: antialiased, the two cells
  // weigh the same.
  std::vector<float> table = {1, 2, 3, 4, 10, 20, 30, 40};
  std::vector<float> out(6);
  int64_t from[] = {1, 2}, to[] = {1, 1};
  resamplePositions(out.data(), table.data(), 2, 2, from, to, true);
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 4, 20, 30}));
}

TEST(Resample, LinesStayLines) {
  // With a = -0.5 what is linear is reproduced, away from the border.
  std::vector<float> line = counting(40);
  std::vector<float> out = resample(line, 1, 40, 1, 20, true);
  for (size_t i = 4; i < 16; ++i)
    EXPECT_NEAR(out[i], 2 * double(i) + 1.5, 1e-5);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

TEST(Text, EscapesAndCounts) {
  auto write = [](Text &json) {
    json.beginObject(nullptr);
    json.field("a\"b\\", "x\ty");
    json.beginArray("n");
    json.item(int64_t(-5));
    json.item(0.1);
    json.item(true);
    json.beginObject(nullptr);
    json.endObject();
    json.endArray();
    json.endObject();
  };
  Text counted;
  write(counted);
  std::vector<char> memory(counted.size() + 1);
  Text json(memory.data(), memory.size());
  write(json);
  EXPECT_STREQ(memory.data(), R"({"a\"b\\":"x\u0009y","n":[-5,0.1,true,{}]})");
}

} // namespace
