//===- FormTest.cpp - Forms of parameters ---------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

using namespace vit::format;

namespace {

int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
int64_t pad(int64_t n, int64_t group, int64_t to = 16) {
  return group == 0 ? up(n, to) : n / group * up(group, to);
}
int64_t at(int64_t i, int64_t group, int64_t to = 16) {
  return group == 0 ? i : i / group * up(group, to) + i % group;
}

/// The panels of Form.h, computed element by element.
std::vector<float> panels(const Form &f, const std::vector<float> &source) {
  int64_t v = f.interleave;
  int64_t line = f.cols == 1 ? 16 : f.type == ElementType::F32 ? 16 : 32;
  int64_t in = pad(f.width, f.inGroup, line), out = pad(f.rows, f.outGroup);
  std::vector<float> result(size_t(in * out), 0);
  for (int64_t r = 0; r < f.rows; ++r)
    for (int64_t k = 0; k < f.width; ++k) {
      int64_t q = at(r, f.outGroup), p = q / f.cols;
      int64_t width = std::min(f.cols, out - p * f.cols);
      int64_t c = at(k, f.inGroup, line);
      result[size_t(p * f.cols * in + (c / v * width + q % f.cols) * v +
                    c % v)] = source[size_t(r * f.width + k)];
    }
  return result;
}

std::vector<float> counting(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i + 1);
  return values;
}

/// Derives in pieces of several sizes, and reads back in others.
void expectForm(const Form &form, const std::vector<float> &expected) {
  ASSERT_EQ(checkForm(form), nullptr);
  ASSERT_EQ(formElements(form), int64_t(expected.size()));
  std::vector<float> source = counting(form.sourceElements());
  auto total = int64_t(source.size());
  for (int64_t piece : {total, int64_t(1), int64_t(7), form.width,
                        16 * form.width, 16 * form.width + 3}) {
    std::vector<float> derived(expected.size(), 0);
    for (int64_t begin = 0; begin < total; begin += piece)
      derive(form, derived.data(), source.data() + begin, ElementType::F32,
             begin, std::min(piece, total - begin));
    ASSERT_EQ(derived, expected) << "in pieces of " << piece;
    std::vector<float> restored(source.size(), -1);
    for (int64_t begin = 0; begin < total; begin += piece)
      restore(form, derived.data(), restored.data() + begin, begin,
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
  // Two rows of three: [in][cols], padded with zeros.
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
  refused([](Form &f) { f.interleave = 0; });
  refused([](Form &f) { f.interleave = 3; });
  refused([](Form &f) { f.interleave = 8; });
  refused([](Form &f) { f.kind = FormKind::Channels, f.interleave = 2; });
  refused([](Form &f) { f.type = ElementType::I32; });
  refused([](Form &f) { f.type = ElementType(200); });
  refused([](Form &f) { f.splat = true; });
  refused([](Form &f) { f.kind = FormKind::RowMajor, f.inGroup = 16; });
}

/// Small whole numbers, which are exact in all types.
std::vector<float> smallNumbers(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i % 200) - 100;
  return values;
}

/// Derives from f32, and from the type of the form itself, and reads back.
void expectNarrowPanels(const Form &form) {
  ASSERT_EQ(checkForm(form), nullptr);
  std::vector<float> source = smallNumbers(form.rows * form.width);
  std::vector<float> expected = panels(form, source);
  auto total = int64_t(source.size());
  std::vector<unsigned char> narrowed(source.size() * sizeOf(form.type));
  narrow(narrowed.data(), source.data(), form.type, total);
  for (ElementType from : {ElementType::F32, form.type})
    for (int64_t piece : {total, int64_t(700), 16 * form.width}) {
      const auto *data = from == ElementType::F32
                             ? reinterpret_cast<unsigned char *>(source.data())
                             : narrowed.data();
      std::vector<unsigned char> derived(size_t(formBytes(form)), 0);
      ASSERT_EQ(derived.size(), expected.size() * sizeOf(form.type));
      for (int64_t begin = 0; begin < total; begin += piece)
        derive(form, derived.data(), data + size_t(begin) * sizeOf(from), from,
               begin, std::min(piece, total - begin));
      std::vector<float> widened(expected.size());
      widen(widened.data(), derived.data(), form.type,
            int64_t(expected.size()));
      ASSERT_EQ(widened, expected) << "in pieces of " << piece;
      std::vector<float> restored(source.size());
      restore(form, derived.data(), restored.data(), 0, total);
      ASSERT_EQ(restored, source);
    }
}

TEST(Form, NarrowPanelsInterleaveDepths) {
  // Widths that are odd, without groups, and longer than a piece of the
  // transposition.
  struct {
    int64_t width, inGroup;
  } widths[] = {{27, 9}, {27, 0}, {300, 150}, {263, 0}};
  for (ElementType type :
       {ElementType::F32, ElementType::BF16, ElementType::F16})
    for (int64_t interleave : {1, 2, 4})
      for (auto [outGroup, cols] :
           {std::pair(0, 48), {25, 48}, {0, 1}, {25, 1}})
        for (auto [width, inGroup] : widths) {
          Form form;
          form.kind = FormKind::Panels;
          form.type = type;
          form.rows = 75;
          form.width = width;
          form.inGroup = inGroup;
          form.cols = cols; // 1: row-major
          form.interleave = interleave;
          form.outGroup = outGroup;
          expectNarrowPanels(form);
        }
}

TEST(Form, DepthsOfAGroupFillLinesOf64Bytes) {
  Form form;
  form.kind = FormKind::Panels;
  form.type = ElementType::BF16;
  form.rows = 16;
  form.width = 36;
  form.cols = 16;
  form.interleave = 2;
  EXPECT_EQ(formBytes(form), 16u * 64 * 2); // 36 depths are two vectors of 32
  form.inGroup = 18;
  EXPECT_EQ(formBytes(form), 16u * 64 * 2);
  form.inGroup = 12;
  EXPECT_EQ(formBytes(form), 16u * 96 * 2);
  form.interleave = 1; // as f16 on CPUs
  EXPECT_EQ(formBytes(form), 16u * 96 * 2);
  form.cols = 1; // rows, as on GPUs
  EXPECT_EQ(formBytes(form), 16u * 48 * 2);
}

// What a checkpoint holds in bf16 is copied, NaNs with their bits.
TEST(Form, OfTheSameTypeIsACopy) {
  Form form;
  form.type = ElementType::BF16;
  form.rows = 1;
  form.width = 3;
  std::vector<uint16_t> source = {0x7f81, 0x3f80, 0xff80}, derived(3);
  derive(form, derived.data(), source.data(), ElementType::BF16, 0, 3);
  EXPECT_EQ(derived, source);
}

/// 16 rows by 70 inputs, in two groups: panels of i8 and the scales.
TEST(Form, PanelsOfI8AreMultiplesOfTheScaleOfTheirRow) {
  Form form;
  form.kind = FormKind::Panels;
  form.type = ElementType::I8;
  form.rows = 16;
  form.width = 70;
  form.inGroup = 35;
  form.cols = 16;
  form.interleave = 4;
  ASSERT_EQ(checkForm(form), nullptr);
  constexpr int64_t depth = 2 * 64, word = 4;
  ASSERT_EQ(formBytes(form), uint64_t(16 * (depth + word)));
  std::vector<float> source(size_t(form.rows * form.width));
  for (size_t i = 0; i < source.size(); ++i)
    source[i] = float(int(i * 7919 % 255) - 127) * float(i / 70);
  source[70] = NAN; // row 1 has no scale
  Form scaleForm;
  scaleForm.kind = FormKind::RowScales;
  scaleForm.rows = 1;
  scaleForm.width = 16;
  scaleForm.depth = 70;
  ASSERT_EQ(checkForm(scaleForm), nullptr);
  EXPECT_EQ(scaleForm.sourceElements(), 16 * 70);
  std::vector<float> scales(16);
  std::vector<int8_t> panels(formBytes(form), 0);
  // In two ranges of whole rows, the last one first.
  for (int64_t begin : {8 * 70, 0}) {
    derive(form, panels.data(), source.data() + begin, ElementType::F32, begin,
           8 * 70);
    derive(scaleForm, scales.data(), source.data() + begin, ElementType::F32,
           begin, 8 * 70);
  }
  EXPECT_EQ(scales[0], 0); // all elements are 0
  EXPECT_TRUE(std::isnan(scales[1]));
  for (int64_t row = 0; row < 16; ++row) {
    float largest = 0;
    for (int64_t k = 0; k < 70; ++k)
      largest = std::max(largest, std::fabs(source[size_t(row * 70 + k)]));
    if (row > 1)
      EXPECT_EQ(scales[size_t(row)], largest / 127) << row;
    int32_t sum = 0, correction;
    for (int64_t k = 0; k < 70; ++k) {
      int64_t d = k / 35 * 64 + k % 35;
      int8_t q = panels[size_t((d / 4 * 16 + row) * 4 + d % 4)];
      sum += q;
      if (row > 1)
        EXPECT_NEAR(q, source[size_t(row * 70 + k)] / scales[size_t(row)], 0.5)
            << row << ' ' << k;
      else
        EXPECT_EQ(q, 0);
    }
    std::memcpy(&correction, &panels[size_t((depth / 4 * 16 + row) * 4)], 4);
    EXPECT_EQ(correction, -128 * sum) << row;
  }
  EXPECT_TRUE(holdsValues(form));
  EXPECT_FALSE(isLossless(form));
  EXPECT_FALSE(holdsValues(scaleForm));
  form.interleave = 2;
  EXPECT_NE(checkForm(form), nullptr);
  scaleForm.depth = 0;
  EXPECT_NE(checkForm(scaleForm), nullptr);
}

/// Rows for GPUs: the same multiples, each row on its own, without sums.
TEST(Form, RowsOfI8AreThoseOfPanels) {
  Form panels, rows;
  for (Form *form : {&panels, &rows}) {
    form->kind = FormKind::Panels;
    form->type = ElementType::I8;
    form->rows = 20;
    form->width = 70;
    form->inGroup = 35;
    form->outGroup = 10;
  }
  panels.cols = 16;
  panels.interleave = 4;
  rows.cols = 1;
  ASSERT_EQ(checkForm(rows), nullptr);
  constexpr int64_t depth = 2 * 48;
  ASSERT_EQ(formBytes(rows), uint64_t(2 * 16 * depth));
  std::vector<float> source(size_t(rows.rows * rows.width));
  for (size_t i = 0; i < source.size(); ++i)
    source[i] = float(int(i * 7919 % 255) - 127) * float(1 + i / 70);
  std::vector<int8_t> expected(formBytes(panels), 0), found(formBytes(rows), 0);
  derive(panels, expected.data(), source.data(), ElementType::F32, 0,
         int64_t(source.size()));
  for (int64_t begin : {8 * 70, 0})
    derive(rows, found.data(), source.data() + begin, ElementType::F32, begin,
           begin == 0 ? 8 * 70 : 12 * 70);
  for (int64_t row = 0; row < rows.rows; ++row)
    for (int64_t k = 0; k < rows.width; ++k) {
      int64_t r = row / 10 * 16 + row % 10, panel = r / 16;
      int64_t d = k / 35 * 64 + k % 35;
      EXPECT_EQ(found[size_t(r * depth + k / 35 * 48 + k % 35)],
                expected[size_t(panel * 16 * (2 * 64 + 4) +
                                (d / 4 * 16 + r % 16) * 4 + d % 4)])
          << row << ' ' << k;
    }
  // What follows the channels of a group is zero.
  EXPECT_EQ(found[35], 0);
  EXPECT_EQ(found[depth - 1], 0);
  rows.cols = 16;
  EXPECT_NE(checkForm(rows), nullptr);
}

/// The same as of rows that are multiplied before.
TEST(Form, PanelsOfI8AreMigrated) {
  Form form;
  form.kind = FormKind::Panels;
  form.type = ElementType::I8;
  form.rows = 3;
  form.width = 1500; // more than is widened at a time
  form.cols = 16;
  form.interleave = 4;
  Form scaleForm;
  scaleForm.kind = FormKind::RowScales;
  scaleForm.rows = 1;
  scaleForm.width = form.rows;
  scaleForm.depth = form.width;
  auto count = size_t(form.rows * form.width);
  std::vector<float> factors(size_t(form.width)), source(count), product(count);
  for (size_t k = 0; k < factors.size(); ++k)
    factors[k] = float(1 + k % 7) / 3;
  for (size_t i = 0; i < count; ++i) {
    source[i] = float(int(i * 7919 % 255) - 127);
    product[i] = source[i] * factors[i % factors.size()];
  }
  std::vector<int8_t> panels(formBytes(form)), expected(panels.size());
  std::vector<float> scales(3), expectedScales(3);
  for (bool migrated : {false, true}) {
    form.migration = scaleForm.migration = migrated ? factors.data() : nullptr;
    const float *values = (migrated ? source : product).data();
    derive(form, migrated ? panels.data() : expected.data(), values,
           ElementType::F32, 0, int64_t(count));
    derive(scaleForm, migrated ? scales.data() : expectedScales.data(), values,
           ElementType::F32, 0, int64_t(count));
  }
  EXPECT_EQ(panels, expected);
  EXPECT_EQ(scales, expectedScales);
}

TEST(Form, OnlyFloatFormsOfAllElementsAreLossless) {
  Form form;
  form.rows = form.width = 4;
  EXPECT_TRUE(isLossless(form));
  form.type = ElementType::BF16;
  EXPECT_FALSE(isLossless(form));
  form.type = ElementType::F32;
  form.kind = FormKind::Resample;
  EXPECT_FALSE(isLossless(form));
}

//===----------------------------------------------------------------------===//
// Position tables
//===----------------------------------------------------------------------===//

Form resampled(int64_t width, const Resampling &resampling) {
  Form form;
  form.kind = FormKind::Resample;
  form.rows = resampling.prefix + resampling.to[0] * resampling.to[1] +
              resampling.suffix;
  form.width = width;
  form.resampling = resampling;
  EXPECT_EQ(checkForm(form), nullptr);
  return form;
}

std::vector<float> resample(const std::vector<float> &source, int64_t h,
                            int64_t w, int64_t toH, int64_t toW,
                            bool antialias) {
  std::vector<float> out(size_t(toH * toW));
  vit::format::resample(resampled(1, {0, {h, w}, {toH, toW}, antialias}),
                        out.data(), source.data());
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
  // Two prefix rows, grid 1 x 2 to 1 x 1, width 2: with antialiasing, both
  // cells have the same weight.
  std::vector<float> table = {1, 2, 3, 4, 10, 20, 30, 40};
  std::vector<float> out(6);
  Form form = resampled(2, {2, {1, 2}, {1, 1}, true});
  EXPECT_EQ(form.sourceElements(), 8);
  vit::format::resample(form, out.data(), table.data());
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 4, 20, 30}));
  // The same in bf16, which represents these numbers exactly.
  form.type = ElementType::BF16;
  std::vector<uint16_t> narrowed(6);
  vit::format::resample(form, narrowed.data(), table.data());
  widen(out.data(), narrowed.data(), ElementType::BF16, 6);
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 4, 20, 30}));
  form.resampling.to[0] = 2;
  EXPECT_STREQ(checkForm(form), "resamples a table of another size");
}

/// A column of five rows and one that is copied.
std::vector<float> resampleColumn(int64_t to, Filter filter) {
  Resampling resampling = {0, {5, 1}, {to, 1}, false, /*suffix=*/1, filter};
  std::vector<float> table = {1, 2, 4, -8, 3, 10}, out(size_t(to) + 1);
  vit::format::resample(resampled(1, resampling), out.data(), table.data());
  return out;
}

TEST(Resample, LinearAsTorch) {
  // torch.nn.functional.interpolate(mode="bilinear")
  std::vector<float> expected = {1.125f, 2.75f, -3.5f, 1.625f, 10};
  std::vector<float> out = resampleColumn(4, Filter::Linear);
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(out[i], expected[i], 1e-6);
}

TEST(Resample, GeometricAsTimm) {
  // timm.layers.pos_embed_rel.resize_rel_pos_bias_table
  std::vector<float> expected = {1, 1, 4 / 3.0f, 2, 4, -8, -2 / 3.0f, 3, 3, 10};
  std::vector<float> out = resampleColumn(9, Filter::Geometric);
  ASSERT_EQ(out.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(out[i], expected[i], 1e-5);
  EXPECT_EQ(resampleColumn(3, Filter::Geometric),
            (std::vector<float>{2, 4, -8, 10}));
  Form form = resampled(1, {0, {5, 1}, {9, 1}, false, 1, Filter::Geometric});
  form.resampling.to[0] = form.rows = 4;
  form.rows += 1;
  EXPECT_STREQ(checkForm(form), "resamples a grid without a middle");
  form.resampling.filter = Filter(3);
  EXPECT_STREQ(checkForm(form), "resamples with an unknown filter");
}

TEST(Resample, MatrixIsWhatResampleMultipliesBy) {
  for (bool antialias : {false, true}) {
    Resampling r = {0, {5, 4}, {3, 6}, antialias, 0, Filter::Cubic};
    std::vector<float> table = counting(20), out(18), rows(15), columns(24);
    vit::format::resample(resampled(1, r), out.data(), table.data());
    vit::format::resamplingMatrix(r, 0, rows.data());
    vit::format::resamplingMatrix(r, 1, columns.data());
    for (size_t y = 0; y < 3; ++y)
      for (size_t x = 0; x < 6; ++x) {
        double sum = 0;
        for (size_t v = 0; v < 5; ++v)
          for (size_t u = 0; u < 4; ++u)
            sum += double(rows[y * 5 + v]) * double(columns[x * 4 + u]) *
                   double(table[v * 4 + u]);
        EXPECT_NEAR(out[y * 6 + x], sum, 1e-5);
      }
  }
}

TEST(Resample, LinesStayLines) {
  // With a = -0.5, linear functions are reproduced except at the border.
  std::vector<float> line = counting(40);
  std::vector<float> out = resample(line, 1, 40, 1, 20, true);
  for (size_t i = 4; i < 16; ++i)
    EXPECT_NEAR(out[i], 2 * double(i) + 1.5, 1e-5);
}

} // namespace
