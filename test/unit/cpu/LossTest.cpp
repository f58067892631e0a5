//===- LossTest.cpp - Losses, their gradients, correct answers ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace test;
namespace reference = mlir::vit::reference;

namespace {
struct Shape {
  int64_t classes, rows;
};
const Shape kShapes[] = {{10, 6}, {16, 5}, {2, 4}, {100, 6}, {1000, 5}, {1, 1}};

enum class Targets { Labels, Blocked, RowMajor };

std::string targetsType(Targets targets, const Shape &s) {
  switch (targets) {
  case Targets::Labels:
    return "tensor<?xi32>";
  case Targets::Blocked:
    return blockedType(0, s.classes, {s.rows});
  case Targets::RowMajor:
    return plainType({-1, s.classes});
  }
  return "";
}

std::string lossText(const std::string &kind, const Shape &s, Targets targets,
                     double smoothing) {
  std::string x = blockedType(0, s.classes, {s.rows});
  std::string t = targetsType(targets, s);
  std::string r = kind == "accuracy" ? "tensor<i32>" : "tensor<f32>";
  return "func.func @f(%x: " + x + ", %t: " + t + ") -> " + r +
         " {\n%r = kernel.loss " + kind + " %x, %t smoothing " +
         std::to_string(smoothing) + " : (" + x + ", " + t + ") -> " + r +
         "\nreturn %r : " + r + "\n}";
}

std::string backwardText(const std::string &kind, const Shape &s,
                         Targets targets, double smoothing) {
  std::string x = blockedType(0, s.classes, {s.rows});
  std::string t = targetsType(targets, s);
  return "func.func @f(%g: tensor<f32>, %x: " + x + ", %t: " + t + ") -> " + x +
         " {\n%r = kernel.loss_backward " + kind + " %g, %x, %t smoothing " +
         std::to_string(smoothing) + " slots [0] : (tensor<f32>, " + x + ", " +
         t + ") -> " + x + "\nreturn %r : " + x + "\n}";
}

Floats randomLabels(int64_t batch, int64_t classes, unsigned seed) {
  std::mt19937 generator(seed);
  Floats labels;
  for (int64_t i = 0; i < batch; ++i)
    labels.push_back(float(generator() % classes));
  return labels;
}

/// The form of `values` that the kernel reads: labels or a table.
Floats store(const Floats &values, Targets targets, int64_t batch,
             const Shape &s) {
  if (targets == Targets::Blocked)
    return block(values, batch, 0, s.classes, {s.rows});
  if (targets == Targets::RowMajor)
    return values;
  Floats result;
  for (float label : values)
    result.push_back(bits(int32_t(label)));
  return result;
}

Floats softTargets(int64_t batch, int64_t classes) {
  Floats values = randomFloats(batch * classes, 7);
  for (float &value : values)
    value = std::abs(value) / 2;
  return values;
}

/// The approximate sum of the targets of one image.
double sum(const Floats &targets, int64_t batch) {
  double total = 0;
  for (float t : targets)
    total += t;
  return total / batch;
}

int32_t integer(float value) {
  int32_t result;
  memcpy(&result, &value, sizeof result);
  return result;
}

TEST(Loss, CrossEntropyAndItsGradient) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes)
      for (Targets targets :
           {Targets::Labels, Targets::Blocked, Targets::RowMajor})
        for (double smoothing : {0.0, 0.125}) {
          std::string what = level + " " + std::to_string(s.classes) +
                             " classes, smoothing " + std::to_string(smoothing);
          Kernel loss(lossText("cross_entropy", s, targets, smoothing), level);
          Kernel backward(backwardText("cross_entropy", s, targets, smoothing),
                          level);
          for (int64_t batch : {1, 7, 64}) {
            Floats x = randomFloats(batch * s.classes, 1, 4);
            bool labelled = targets == Targets::Labels;
            Floats t = labelled ? randomLabels(batch, s.classes, 2)
                                : softTargets(batch, s.classes);
            reference::Tensor logits = tensor(x, {batch, s.classes});
            reference::Tensor wanted =
                tensor(t, labelled ? std::vector<int64_t>{batch}
                                   : std::vector<int64_t>{batch, s.classes});
            Guarded input(block(x, batch, 0, s.classes, {s.rows}));
            Guarded given(store(t, targets, batch, s));
            Guarded result(1, NAN);
            loss.run({input.data(), given.data(), result.data()}, batch, 2);
            double expected =
                reference::crossEntropy(logits, wanted, smoothing).data[0];
            EXPECT_NEAR(result.values()[0], expected,
                        2e-7 * std::max(1.0, std::abs(expected)))
                << what;

            Guarded gradient(Floats{0.5f}), dx(input.size(), NAN);
            backward.run(
                {gradient.data(), input.data(), given.data(), dx.data()}, batch,
                3);
            Floats found = unblock(dx.values(), batch, 0, s.classes, {s.rows});
            reference::Tensor exact =
                reference::crossEntropyBackward(0.5, logits, wanted, smoothing);
            // Relative to a share of the loss: where the prediction is nearly
            // right, the difference has the rounding error of 1.
            for (size_t i = 0; i < found.size(); ++i)
              EXPECT_NEAR(found[i], exact.data[i],
                          7e-7 * 0.5 / batch *
                              (labelled ? 1 : std::max(1.0, sum(t, batch))))
                  << what << " " << i;
          }
        }
}

TEST(Loss, ALabelThatIsNoClassMakesItNaN) {
  for (const std::string &level : levels())
    for (int32_t label : {-1, 10, 16, INT32_MIN}) {
      Shape s{10, 6};
      Kernel loss(lossText("cross_entropy", s, Targets::Labels, 0), level);
      Kernel accuracy(lossText("accuracy", s, Targets::Labels, 0), level);
      Guarded input(block(randomFloats(30, 1), 3, 0, 10, {6}));
      Guarded labels(Floats{bits(1), bits(label), bits(2)});
      Guarded result(1, 0);
      loss.run({input.data(), labels.data(), result.data()}, 3);
      EXPECT_TRUE(std::isnan(result.values()[0])) << label;
      accuracy.run({input.data(), labels.data(), result.data()}, 3);
      EXPECT_LE(integer(result.values()[0]), 2);
    }
}

TEST(Loss, NotANumberComesOut) {
  for (const std::string &level : levels())
    for (float bad : {float(NAN), float(INFINITY)})
      for (int64_t at : {0, 9, 17}) {
        Shape s{20, 6};
        Kernel loss(lossText("cross_entropy", s, Targets::Labels, 0), level);
        Floats x = randomFloats(40, 1);
        x[at] = bad;
        Guarded input(block(x, 2, 0, 20, {6})), result(1, 0);
        Guarded labels(Floats{bits(1), bits(2)});
        loss.run({input.data(), labels.data(), result.data()}, 2);
        EXPECT_FALSE(std::isfinite(result.values()[0])) << at;
      }
}

TEST(Loss, MseAndItsGradient) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes)
      for (Targets targets : {Targets::Blocked, Targets::RowMajor}) {
        Kernel loss(lossText("mse", s, targets, 0), level);
        Kernel backward(backwardText("mse", s, targets, 0), level);
        int64_t batch = 7;
        Floats x = randomFloats(batch * s.classes, 1),
               t = randomFloats(batch * s.classes, 2);
        reference::Tensor exact = tensor(x, {batch, s.classes}),
                          wanted = tensor(t, {batch, s.classes});
        Guarded input(block(x, batch, 0, s.classes, {s.rows}));
        Guarded given(store(t, targets, batch, s)), result(1, NAN);
        loss.run({input.data(), given.data(), result.data()}, batch);
        EXPECT_NEAR(result.values()[0] / reference::mse(exact, wanted).data[0],
                    1, 5e-7);
        Guarded gradient(Floats{2.0f}), dx(input.size(), NAN);
        backward.run({gradient.data(), input.data(), given.data(), dx.data()},
                     batch, 2);
        expectClose(unblock(dx.values(), batch, 0, s.classes, {s.rows}),
                    reference::mseBackward(2, exact, wanted).data, 1e-6, level);
      }
}

TEST(Loss, Accuracy) {
  for (const std::string &level : levels())
    for (const Shape &s : kShapes)
      for (Targets targets :
           {Targets::Labels, Targets::Blocked, Targets::RowMajor}) {
        Kernel kernel(lossText("accuracy", s, targets, 0), level);
        int64_t batch = 64;
        bool labelled = targets == Targets::Labels;
        // Few distinct values, so that many are equal; some are NaN.
        Floats x = randomFloats(batch * s.classes, 1), t;
        for (float &value : x)
          value = std::round(value);
        for (int64_t i = 0; i < 5; ++i)
          x[i * 11 % x.size()] = i % 2 ? NAN : -INFINITY;
        if (labelled)
          t = randomLabels(batch, s.classes, 3);
        else
          t = x;
        for (size_t i = 0; !labelled && i < t.size(); i += 17)
          t[i] += 3;
        reference::Tensor wanted =
            tensor(t, labelled ? std::vector<int64_t>{batch}
                               : std::vector<int64_t>{batch, s.classes});
        Guarded input(block(x, batch, 0, s.classes, {s.rows}));
        Guarded given(store(t, targets, batch, s)), result(1, NAN);
        kernel.run({input.data(), given.data(), result.data()}, batch, 2);
        EXPECT_EQ(
            integer(result.values()[0]),
            reference::accuracy(tensor(x, {batch, s.classes}), wanted).data[0])
            << level << " " << s.classes;
      }
}

} // namespace
