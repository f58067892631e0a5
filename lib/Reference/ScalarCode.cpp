//===- ScalarCode.cpp - The scalar code in a kernel's region --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarCode.h"

#include "vit/Dialect/Kernel.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit::reference;

/// IEEE 754-2019 maximum: a NaN wins.
static double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : std::fmax(a, b);
}
static double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : std::fmin(a, b);
}

static double compare(const double *x, int64_t predicate) {
  bool unordered = std::isnan(x[0]) || std::isnan(x[1]);
  switch (static_cast<arith::CmpFPredicate>(predicate)) {
  case arith::CmpFPredicate::AlwaysFalse:
    return 0.0;
  case arith::CmpFPredicate::OEQ:
    return !unordered && x[0] == x[1];
  case arith::CmpFPredicate::OGT:
    return !unordered && x[0] > x[1];
  case arith::CmpFPredicate::OGE:
    return !unordered && x[0] >= x[1];
  case arith::CmpFPredicate::OLT:
    return !unordered && x[0] < x[1];
  case arith::CmpFPredicate::OLE:
    return !unordered && x[0] <= x[1];
  case arith::CmpFPredicate::ONE:
    return !unordered && x[0] != x[1];
  case arith::CmpFPredicate::ORD:
    return !unordered;
  case arith::CmpFPredicate::UEQ:
    return unordered || x[0] == x[1];
  case arith::CmpFPredicate::UGT:
    return unordered || x[0] > x[1];
  case arith::CmpFPredicate::UGE:
    return unordered || x[0] >= x[1];
  case arith::CmpFPredicate::ULT:
    return unordered || x[0] < x[1];
  case arith::CmpFPredicate::ULE:
    return unordered || x[0] <= x[1];
  case arith::CmpFPredicate::UNE:
    return unordered || x[0] != x[1];
  case arith::CmpFPredicate::UNO:
    return unordered;
  case arith::CmpFPredicate::AlwaysTrue:
    return 1.0;
  }
  llvm_unreachable("every predicate is above");
}

static double geluSlope(const double *x, int64_t) {
  double density = std::exp(-0.5 * x[0] * x[0]) * 0.39894228040143268;
  return 0.5 * (1.0 + std::erf(x[0] * 0.70710678118654752)) + x[0] * density;
}

using Function = double (*)(const double *operands, int64_t detail);

/// The function that an op computes; null for an unknown op.
static Function lookUp(StringRef op) {
  using X = const double *;
  static const llvm::StringMap<Function> functions = {
      {"arith.addi", [](X x, int64_t) { return x[0] + x[1]; }},
      {"arith.addf", [](X x, int64_t) { return x[0] + x[1]; }},
      {"arith.subf", [](X x, int64_t) { return x[0] - x[1]; }},
      {"arith.mulf", [](X x, int64_t) { return x[0] * x[1]; }},
      {"arith.divui", [](X x, int64_t) { return std::trunc(x[0] / x[1]); }},
      {"arith.divf", [](X x, int64_t) { return x[0] / x[1]; }},
      {"arith.negf", [](X x, int64_t) { return -x[0]; }},
      {"arith.maximumf", [](X x, int64_t) { return maximum(x[0], x[1]); }},
      {"arith.minimumf", [](X x, int64_t) { return minimum(x[0], x[1]); }},
      {"arith.maxnumf", [](X x, int64_t) { return std::fmax(x[0], x[1]); }},
      {"arith.minnumf", [](X x, int64_t) { return std::fmin(x[0], x[1]); }},
      {"arith.cmpf", compare},
      {"arith.select", [](X x, int64_t) { return x[0] != 0.0 ? x[1] : x[2]; }},
      {"kernel.bias_correction",
       [](X x, int64_t) { return 1.0 - std::pow(x[1], x[0]); }},
      {"kernel.gelu_slope", geluSlope},
      {"math.absf", [](X x, int64_t) { return std::fabs(x[0]); }},
      {"math.cos", [](X x, int64_t) { return std::cos(x[0]); }},
      {"math.erf", [](X x, int64_t) { return std::erf(x[0]); }},
      {"math.exp", [](X x, int64_t) { return std::exp(x[0]); }},
      {"math.exp2", [](X x, int64_t) { return std::exp2(x[0]); }},
      {"math.expm1", [](X x, int64_t) { return std::expm1(x[0]); }},
      {"math.fma", [](X x, int64_t) { return std::fma(x[0], x[1], x[2]); }},
      {"math.log", [](X x, int64_t) { return std::log(x[0]); }},
      {"math.log1p", [](X x, int64_t) { return std::log1p(x[0]); }},
      {"math.powf", [](X x, int64_t) { return std::pow(x[0], x[1]); }},
      {"math.rsqrt", [](X x, int64_t) { return 1.0 / std::sqrt(x[0]); }},
      {"math.sin", [](X x, int64_t) { return std::sin(x[0]); }},
      {"math.sqrt", [](X x, int64_t) { return std::sqrt(x[0]); }},
      {"math.tanh", [](X x, int64_t) { return std::tanh(x[0]); }},
  };
  auto found = functions.find(op);
  return found == functions.end() ? nullptr : found->second;
}

FailureOr<ScalarCode> ScalarCode::compile(Block &block, std::string &error) {
  ScalarCode code;
  llvm::DenseMap<Value, unsigned> numbers;
  auto add = [&](Value value, double number) {
    numbers[value] = code.values.size();
    code.values.push_back(number);
  };
  for (BlockArgument argument : block.getArguments())
    add(argument, 0.0);
  for (Operation &op : block.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      if (auto number = dyn_cast<FloatAttr>(constant.getValue()))
        add(constant, number.getValueAsDouble());
      else if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
        add(constant, static_cast<double>(integer.getValue().getZExtValue()));
      else
        return error = "the constant of a kernel's region is not a number",
               failure();
      continue;
    }
    Function function = lookUp(op.getName().getStringRef());
    if (!function || op.getNumResults() != 1 || op.getNumOperands() > 3)
      return error = ("the reference interpreter does not know " +
                      op.getName().getStringRef() + " in a kernel's region")
                         .str(),
             failure();
    Step step = {function, 0, {0, 0, 0}, 0};
    if (auto comparison = dyn_cast<arith::CmpFOp>(op))
      step.detail = static_cast<int64_t>(comparison.getPredicate());
    for (auto [index, operand] : llvm::enumerate(op.getOperands()))
      step.operands[index] = numbers.lookup(operand);
    if (auto correction = dyn_cast<kernel::BiasCorrectionOp>(op)) {
      step.operands[1] = code.values.size();
      code.values.push_back(correction.getBeta().convertToDouble());
    }
    add(op.getResult(0), 0.0);
    step.result = numbers.lookup(op.getResult(0));
    code.steps.push_back(step);
  }
  for (Value value : block.getTerminator()->getOperands())
    code.yielded.push_back(numbers.lookup(value));
  return code;
}

ArrayRef<double> ScalarCode::run() {
  for (const Step &step : steps) {
    double operands[3] = {values[step.operands[0]], values[step.operands[1]],
                          values[step.operands[2]]};
    values[step.result] = step.function(operands, step.detail);
  }
  results.clear();
  for (unsigned number : yielded)
    results.push_back(values[number]);
  return results;
}
