//===- UpdateTest.cpp - Optimizer steps, clipping, flat maps, dropout -----===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"

#include "../../../lib/Kernel/UpdateCode.h"

#include "format/Hash.h"

#include "vit/Dialect/Registration.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace test;
namespace reference = mlir::vit::reference;

namespace {
struct Optimizer {
  std::string kind;
  int64_t states;
  double momentum, decay, beta1, beta2, epsilon;
  bool nesterov;
  int64_t every;
};

const Optimizer kOptimizers[] = {
    {"sgd", 0, 0, 0, 0, 0, 0, false, 1},
    {"sgd", 0, 0, 0.01, 0, 0, 0, false, 1},
    {"sgd", 1, 0.9, 0.01, 0, 0, 0, false, 1},
    {"sgd", 1, 0.9, 0, 0, 0, 0, true, 1},
    {"adam", 2, 0, 0.01, 0.9, 0.999, 1e-8, false, 1},
    {"adamw", 2, 0, 0.05, 0.9, 0.999, 1e-8, false, 4},
    {"adamw", 2, 0, 0, 0.8, 0.99999, 1e-6, false, 1},
};

/// Adds the update of two variables and their states at the end of `entry`,
/// whose arguments are the operands.
void addUpdate(const Optimizer &o, mlir::func::FuncOp entry, bool guarded) {
  using namespace mlir::vit::kernel;
  mlir::Block &block = entry.getBody().front();
  mlir::OpBuilder builder(block.getTerminator());
  auto getVariables = [&](const std::string &prefix) -> mlir::Attribute {
    mlir::SmallVector<mlir::Attribute> list;
    for (const char *name : {"a", "b"})
      list.push_back(VariableAttr::get(
          builder.getContext(),
          mlir::FlatSymbolRefAttr::get(builder.getContext(), prefix + name),
          -1));
    return builder.getArrayAttr(list);
  };
  mlir::SmallVector<mlir::Attribute> states;
  for (int64_t i = 0; i < o.states; ++i)
    states.push_back(getVariables("s" + std::to_string(i) + "."));
  mlir::ValueRange operands = block.getArguments();
  auto take = [&](bool isThere) {
    mlir::Value operand = isThere ? operands.front() : mlir::Value();
    operands = operands.drop_front(isThere);
    return operand;
  };
  mlir::Value gradient = take(o.kind != "zero"), guard = take(guarded);
  auto update = UpdateOp::create(builder, entry.getLoc(), o.kind,
                                 mlir::cast<mlir::ArrayAttr>(getVariables("")),
                                 states.empty() ? mlir::ArrayAttr()
                                                : builder.getArrayAttr(states),
                                 gradient, guard, operands, TileAttr());
  if (o.kind == "sgd")
    addSgdCode(update, {o.momentum, o.nesterov, o.decay});
  else if (o.states == 2)
    addAdamCode(update, {o.beta1, o.beta2, o.epsilon, o.decay,
                         o.kind == "adamw", o.every});
  else
    addAssignCode(update);
}

/// A module that updates two variables of `first` and `second` elements, and
/// their states.
std::string updateText(const Optimizer &o, int64_t first, int64_t second,
                       bool guarded, bool clipped) {
  int64_t begin = (first + 15) / 16 * 16,
          total = begin + (second + 15) / 16 * 16;
  std::string text, arenas, arguments;
  auto declare = [&](const std::string &arena, const std::string &prefix,
                     bool isState) {
    std::string op = isState ? "vit.state @" : "vit.parameter @";
    text += op + prefix + "a : " + plainType({first}) + "\n" + op + prefix +
            "b : " + plainType({second}) + "\n";
    arenas += std::string(arenas.empty() ? "" : ", ") + "#kernel.arena<\"" +
              arena + "\", bytes = " + std::to_string(4 * total) + ", [<@" +
              prefix + "a, offset = 0>, <@" + prefix +
              "b, offset = " + std::to_string(4 * begin) + ">]>";
  };
  declare("parameters", "", false);
  for (int64_t i = 0; i < o.states; ++i)
    declare("s" + std::to_string(i), "s" + std::to_string(i) + ".", true);
  auto argument = [&](bool isThere, const std::string &name,
                      const std::string &type) {
    if (isThere)
      arguments += (arguments.empty() ? "%" : ", %") + name + ": " + type;
  };
  argument(o.kind != "zero", "g", plainType({total}));
  argument(guarded, "l", "tensor<f32>");
  argument(clipped, "c", "tensor<f32>");
  argument(o.kind == "sgd" || o.states == 2, "r", "tensor<f32>");
  argument(o.states == 2, "t", "tensor<i32>");

  mlir::DialectRegistry registry;
  mlir::vit::registerModelDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      "module attributes {kernel.arenas = [" + arenas + "]} {\n" + text +
          "func.func @f(" + arguments + ") {\nreturn\n}\n}\n",
      &context);
  addUpdate(o, module->lookupSymbol<mlir::func::FuncOp>("f"), guarded);
  std::string result;
  llvm::raw_string_ostream stream(result);
  module->print(stream);
  return result;
}

struct Variables {
  Floats w, m, v;
};

/// The results of the reference.
Variables expectedOf(const Optimizer &o, const Variables &from, const Floats &g,
                     double rate, double factor, int64_t step) {
  std::vector<int64_t> shape{int64_t(g.size())};
  reference::Tensor w = tensor(from.w, shape), m = tensor(from.m, shape),
                    v = tensor(from.v, shape), gradient = tensor(g, shape);
  for (double &x : gradient.data)
    x *= factor;
  if (o.kind == "sgd")
    reference::sgd(w, gradient, o.states ? &m : nullptr, rate, o.momentum,
                   o.nesterov, o.decay);
  else
    reference::adam(w, gradient, m, v,
                    {o.kind == "adamw", rate, o.beta1, o.beta2, o.epsilon,
                     o.decay, step / o.every + 1});
  auto floats = [](const reference::Tensor &t) {
    return Floats(t.data.begin(), t.data.end());
  };
  return {floats(w), floats(m), floats(v)};
}

TEST(Update, Optimizers) {
  for (const std::string &level : levels())
    for (const Optimizer &o : kOptimizers)
      for (int32_t step : {0, 1, 7, 999, 123456789, INT32_MAX})
        for (int64_t first : {5, 20011}) {
          bool clipped = step % 2, guarded = step < 8;
          Kernel kernel(updateText(o, first, 40, guarded, clipped), level);
          size_t size = (first + 15) / 16 * 16 + 48;
          Floats g = randomFloats(size, 1, 0.01f);
          Variables from{randomFloats(size, 2), randomFloats(size, 3, 0.01f),
                         randomFloats(size, 4, 0.01f)};
          for (float &value : from.v)
            value = std::abs(value);
          // A zero gradient in the first step must not cause 0 / 0.
          g[1] = from.m[1] = from.v[1] = 0;
          float rate = 1e-2f, factor = clipped ? 0.25f : 1;
          Variables expected = expectedOf(o, from, g, rate, factor, step);
          Guarded gradient(g), loss(Floats{1.5f}), clip(Floats{factor}),
              learningRate(Floats{rate}), count(Floats{bits(step)});
          Guarded w(from.w), m(from.m), v(from.v);
          std::vector<float *> arguments{gradient.data()};
          if (guarded)
            arguments.push_back(loss.data());
          if (clipped)
            arguments.push_back(clip.data());
          arguments.push_back(learningRate.data());
          if (o.kind != "sgd")
            arguments.push_back(count.data());
          arguments.push_back(w.data());
          if (o.states > 0)
            arguments.push_back(m.data());
          if (o.states > 1)
            arguments.push_back(v.data());
          kernel.run(arguments, /*batch=*/64, 3);
          // Compare the change, not the parameter.
          auto expectStep = [&](const Floats &to, const Floats &before,
                                const Floats &wanted, const char *name) {
            for (size_t i = 0; i < to.size(); ++i) {
              double moved = std::abs(double(wanted[i]) - before[i]);
              ASSERT_NEAR(to[i], wanted[i],
                          1e-6 * moved + 2e-9 +
                              1.2e-7 *
                                  (std::abs(wanted[i]) + std::abs(before[i])))
                  << level << " " << o.kind << " " << &o - kOptimizers
                  << " step " << step << " " << name << " " << i << " from "
                  << before[i];
            }
          };
          expectStep(w.values(), from.w, expected.w, "parameter");
          if (o.states > 0)
            expectStep(m.values(), from.m, expected.m, "first state");
          if (o.states > 1)
            expectStep(v.values(), from.v, expected.v, "second state");
        }
}

TEST(Update, NothingChangesWithoutALoss) {
  for (const std::string &level : levels())
    for (float loss : {float(NAN), float(INFINITY), -float(INFINITY)})
      for (const Optimizer &o : kOptimizers) {
        if (o.states != 2)
          continue;
        Kernel kernel(updateText(o, 16, 16, true, false), level);
        Floats values = randomFloats(32, 1);
        Guarded gradient(values), guard(Floats{loss}), rate(Floats{0.1f}),
            step(Floats{bits(3)}), w(values), m(values), v(values);
        kernel.run({gradient.data(), guard.data(), rate.data(), step.data(),
                    w.data(), m.data(), v.data()},
                   1);
        for (Guarded *variable : {&w, &m, &v})
          expectSameBits(variable->values(), values, level);
      }
}

TEST(Update, AssignAndZero) {
  for (const std::string &level : levels()) {
    Kernel assign(updateText({"assign", 0, 0, 0, 0, 0, 0, false, 1}, 20, 40,
                             false, false),
                  level);
    Floats values = randomFloats(80, 1);
    Guarded gradient(values), w(80, 3.0f);
    assign.run({gradient.data(), w.data()}, 1);
    expectSameBits(w.values(), values, level);
    Kernel zero(
        updateText({"zero", 0, 0, 0, 0, 0, 0, false, 1}, 20, 40, false, false),
        level);
    zero.run({w.data()}, 1);
    expectSameBits(w.values(), Floats(80, 0), level);
  }
}

TEST(Norm, Factor) {
  for (const std::string &level : levels())
    for (std::vector<int64_t> sizes :
         {std::vector<int64_t>{1}, {10, 48}, {100003, 7, 4096}})
      for (float scale : {1e-3f, 10.0f}) {
        std::string arguments, names, types;
        for (size_t i = 0; i < sizes.size(); ++i) {
          std::string comma = i ? ", " : "", name = "%g" + std::to_string(i);
          arguments += comma + name + ": " + plainType({sizes[i]});
          names += comma + name;
          types += comma + plainType({sizes[i]});
        }
        Kernel kernel("func.func @f(" + arguments +
                          ") -> tensor<f32> {\n%f = kernel.norm " + names +
                          " max_norm 2.0 slots [0] : (" + types +
                          ") -> tensor<f32>\nreturn %f : tensor<f32>\n}",
                      level);
        std::vector<Guarded> buffers;
        std::vector<reference::Tensor> tensors;
        std::vector<float *> pointers;
        for (size_t i = 0; i < sizes.size(); ++i) {
          Floats g = randomFloats(sizes[i], i + 1, scale);
          tensors.push_back(tensor(g, {sizes[i]}));
          buffers.emplace_back(padFlat(g));
          pointers.push_back(buffers.back().data());
        }
        std::vector<const reference::Tensor *> gradients;
        for (const reference::Tensor &t : tensors)
          gradients.push_back(&t);
        Guarded factor(1, NAN);
        pointers.push_back(factor.data());
        kernel.run(pointers, 64, 2);
        double expected = reference::clipFactor(gradients, 2);
        EXPECT_NEAR(factor.values()[0] / expected, 1, 1e-6) << level;
        buffers[0].data()[0] = NAN;
        kernel.run(pointers, 64);
        EXPECT_TRUE(std::isnan(factor.values()[0]));
      }
}

TEST(Map, WithoutABatch) {
  for (const std::string &level : levels())
    for (int64_t size : {1, 7, 16, 100, 5000}) {
      std::string t = size == 1 ? "tensor<f32>" : plainType({size});
      Kernel kernel("func.func @f(%x: " + t + ", %y: " + t +
                        ", %s: tensor<f32>) -> " + t +
                        " {\n%0 = kernel.map %x extras(%y, %s : " + t +
                        ", tensor<f32>) {\n^bb0(%a: f32, %b: f32, %c: f32):\n"
                        "%1 = arith.mulf %b, %c : f32\n"
                        "%2 = arith.addf %a, %1 : f32\n"
                        "kernel.yield %2 : f32 } : " +
                        t + " -> " + t +
                        "\n%3 = kernel.map %0 {\n^bb0(%a: f32):\n"
                        "kernel.yield %a : f32 } : " +
                        t + " -> " + t + "\nreturn %3 : " + t + "\n}",
                    level);
      Floats x = randomFloats(size, 1), y = randomFloats(size, 2);
      std::vector<double> expected;
      for (int64_t i = 0; i < size; ++i)
        expected.push_back(double(x[i]) + double(y[i]) * 0.5);
      Guarded a(x), b(y), scalar(Floats{0.5f});
      Guarded result(size == 1 ? 1 : (size + 15) / 16 * 16, NAN);
      kernel.run({a.data(), b.data(), scalar.data(), result.data()}, 3, 2);
      Floats found = result.values();
      for (size_t i = size; i < found.size(); ++i)
        EXPECT_EQ(found[i], 0);
      found.resize(size);
      expectClose(found, expected, 5e-7, level + " " + std::to_string(size));
    }
}

/// A dropout op on values of type `type`.
std::string dropoutText(const std::string &type, double probability,
                        int64_t stream, bool wholeImages) {
  return "func.func @f(%x: " + type +
         ", %s: tensor<2xi32>, %t: tensor<i32>) -> " + type +
         " {\n%r = kernel.dropout %x, %s, %t probability " +
         std::to_string(probability) + " stream " + std::to_string(stream) +
         " unit " + (wholeImages ? "image" : "element") + " slots [0] : (" +
         type + ", tensor<2xi32>, tensor<i32>) -> " + type +
         "\nreturn %r : " + type + "\n}";
}

TEST(Dropout, MasksOfTheReference) {
  struct Shape {
    int64_t tokens, width;
    Layout layout;
  };
  const std::string name = "blocks.3.drop";
  auto stream = int64_t(vit::format::hash64(name.data(), name.size()));
  for (const std::string &level : levels())
    for (Shape s : std::initializer_list<Shape>{{17, 192, {6}},
                                                {5, 80, {4}},
                                                {5, 36, {4}},
                                                {5, 27, {4}},
                                                {17, 75, {6, 25}},
                                                {17, 80, {6, 20}},
                                                {0, 100, {6}},
                                                {0, 10, {5}}})
      for (bool wholeImages : {false, true})
        for (double probability : {0.0, 0.1, 0.5}) {
          std::string x = blockedType(s.tokens, s.width, s.layout);
          Kernel kernel(dropoutText(x, probability, stream, wholeImages),
                        level);
          int64_t batch = 7;
          size_t count = batch * std::max<int64_t>(s.tokens, 1) * s.width;
          Floats values = randomFloats(count, 1);
          int32_t seed[2] = {-5, 123456}, step = 41;
          Guarded input(block(values, batch, s.tokens, s.width, s.layout));
          Guarded key(Floats{bits(seed[0]), bits(seed[1])}),
              counter(Floats{bits(step)}), result(input.size(), NAN);
          kernel.run({input.data(), key.data(), counter.data(), result.data()},
                     batch, 3);
          reference::Tensor words({2});
          words.data = {double(seed[0]), double(seed[1])};
          expectClose(
              unblock(result.values(), batch, s.tokens, s.width, s.layout),
              reference::drop(tensor(values, shapeOf(batch, s.tokens, s.width)),
                              probability, name, words, step, wholeImages)
                  .data,
              1e-6, level + " " + std::to_string(s.width));
        }
}

// Dropped values become +0, including infinities and NaNs.
TEST(Dropout, DroppedIsPositiveZero) {
  constexpr int64_t batch = 6, tokens = 5;
  for (const std::string &level : levels())
    for (int64_t width : {64, 27})
      for (bool wholeImages : {false, true})
        for (float value : {-1.0f, INFINITY, -INFINITY, NAN}) {
          Layout layout{4};
          Kernel kernel(dropoutText(blockedType(tokens, width, layout), 0.5, 7,
                                    wholeImages),
                        level);
          Floats values(batch * tokens * width, value);
          Guarded input(block(values, batch, tokens, width, layout));
          Guarded key(Floats{bits(3), bits(4)}), counter(Floats{bits(5)}),
              result(input.size(), NAN);
          kernel.run({input.data(), key.data(), counter.data(), result.data()},
                     batch);
          Floats found = unblock(result.values(), batch, tokens, width, layout);
          auto isDropped = [](float x) { return x == 0 && !std::signbit(x); };
          auto dropped = std::count_if(found.begin(), found.end(), isDropped);
          EXPECT_GT(dropped, 0);
          EXPECT_LT(size_t(dropped), found.size());
          for (float x : found)
            if (!isDropped(x))
              ASSERT_TRUE(std::isnan(value) ? std::isnan(x) : x == 2 * value)
                  << level << " " << value << " became " << x;
        }
}

} // namespace
