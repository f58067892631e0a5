//===- Iterations.cpp - How often a kernel's loops run --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop's bounds are sums of nonnegative values times constants. Terms that
// both bounds have, such as a workgroup's first item, cancel; each remaining
// term has an upper bound that follows from how it is computed.
//
//===----------------------------------------------------------------------===//

#include "SimtCodegen.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit::simt;

/// Depth to which nested minima are followed.
static constexpr int kMaxDepth = 8;

namespace {
/// fixed + perImage * batch
struct Bound {
  double fixed = 0, perImage = 0;

  Bound operator+(const Bound &other) const {
    return {fixed + other.fixed, perImage + other.perImage};
  }
  Bound operator*(double factor) const {
    return {fixed * factor, perImage * factor};
  }
};
using MaybeBound = std::optional<Bound>;

/// constant + the sum of nonnegative values times their factors.
struct Linear {
  double constant = 0;
  llvm::SmallMapVector<Value, double, 8> terms;

  void add(Value value, double factor);
};

class Counter {
public:
  explicit Counter(gpu::GPUFuncOp kernel) : kernel(kernel) {}
  /// The iterations of all loops in a region.
  MaybeBound count(Region &region);

private:
  MaybeBound countLoop(scf::ForOp loop);
  MaybeBound getUpper(Value value, int depth);
  MaybeBound getUpper(const Linear &linear, int depth);
  /// The smaller of the known bounds.
  MaybeBound getLower(MaybeBound a, MaybeBound b);
  /// An upper bound of `to` - `from`; 0 if that is negative.
  MaybeBound getDifference(Value to, Value from, int depth);

  gpu::GPUFuncOp kernel;
};
} // namespace

static std::optional<double> getConstant(Value value) {
  APInt constant;
  if (!matchPattern(value, m_ConstantInt(&constant)))
    return std::nullopt;
  return double(constant.getSExtValue());
}

static MaybeBound add(MaybeBound a, MaybeBound b) {
  return a && b ? MaybeBound(*a + *b) : std::nullopt;
}

/// Nothing if the result is not linear in the batch.
static MaybeBound multiply(MaybeBound a, MaybeBound b) {
  if (!a || !b || (a->perImage != 0 && b->perImage != 0))
    return std::nullopt;
  return a->perImage != 0 ? *a * b->fixed : *b * a->fixed;
}

void Linear::add(Value value, double factor) {
  if (std::optional<double> number = getConstant(value)) {
    constant += *number * factor;
    return;
  }
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op)) {
    add(op->getOperand(0), factor);
    return add(op->getOperand(1), isa<arith::AddIOp>(op) ? factor : -factor);
  }
  if (isa_and_nonnull<arith::MulIOp>(op))
    for (int side : {0, 1})
      if (std::optional<double> number = getConstant(op->getOperand(side)))
        return add(op->getOperand(1 - side), factor * *number);
  terms[value] += factor;
}

MaybeBound Counter::getLower(MaybeBound a, MaybeBound b) {
  if (!a || !b)
    return a ? a : b;
  return std::make_pair(a->perImage, a->fixed) <
                 std::make_pair(b->perImage, b->fixed)
             ? a
             : b;
}

MaybeBound Counter::getUpper(const Linear &linear, int depth) {
  if (depth > kMaxDepth)
    return std::nullopt;
  // A minimum is at most each of its operands; another one may cancel more.
  for (auto [value, factor] : linear.terms) {
    Operation *op = value.getDefiningOp();
    if (factor <= 0 || !isa_and_nonnull<arith::MinSIOp, arith::MinUIOp>(op))
      continue;
    MaybeBound lowest;
    for (Value operand : op->getOperands()) {
      Linear one = linear;
      one.terms.erase(value);
      one.add(operand, factor);
      lowest = getLower(lowest, getUpper(one, depth + 1));
    }
    return lowest;
  }
  Bound sum = {linear.constant, 0};
  for (auto [value, factor] : linear.terms) {
    if (factor <= 0)
      continue;
    MaybeBound upper = getUpper(value, depth + 1);
    if (!upper)
      return std::nullopt;
    sum = sum + *upper * factor;
  }
  return sum;
}

/// An upper bound of a value that is not a sum.
MaybeBound Counter::getUpper(Value value, int depth) {
  if (depth > kMaxDepth)
    return std::nullopt;
  auto getSum = [&](Value of) {
    Linear linear;
    linear.add(of, 1);
    return getUpper(linear, depth + 1);
  };
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop && value == loop.getInductionVar()
               ? getSum(loop.getUpperBound())
               : std::nullopt;
  }
  return llvm::TypeSwitch<Operation *, MaybeBound>(value.getDefiningOp())
      .Case([&](gpu::ThreadIdOp) {
        return Bound{double((*kernel.getKnownBlockSize())[0]) - 1, 0};
      })
      .Case([&](arith::IndexCastOp op) { return getSum(op.getIn()); })
      // The first push constant is the batch; the second has no bound.
      .Case([&](memref::LoadOp op) -> MaybeBound {
        bool isPushed =
            op.getMemref() == kernel.getArgument(kernel.getNumArguments() - 1);
        if (isPushed && getConstant(op.getIndices()[0]) == 0.0)
          return Bound{0, 1};
        return std::nullopt;
      })
      .Case([&](arith::MulIOp op) {
        return multiply(getSum(op.getLhs()), getSum(op.getRhs()));
      })
      .Case([&](arith::DivUIOp op) -> MaybeBound {
        std::optional<double> by = getConstant(op.getRhs());
        MaybeBound whole = getSum(op.getLhs());
        return by && *by > 0 && whole ? MaybeBound(*whole * (1 / *by)) : whole;
      })
      .Case([&](arith::RemUIOp op) {
        std::optional<double> by = getConstant(op.getRhs());
        return getLower(by ? MaybeBound({*by - 1, 0}) : std::nullopt,
                        getSum(op.getLhs()));
      })
      .Case([&](arith::SelectOp op) -> MaybeBound {
        MaybeBound a = getSum(op.getTrueValue());
        MaybeBound b = getSum(op.getFalseValue());
        if (!a || !b)
          return std::nullopt;
        return Bound{std::max(a->fixed, b->fixed),
                     std::max(a->perImage, b->perImage)};
      })
      .Default([](Operation *) { return MaybeBound(); });
}

MaybeBound Counter::getDifference(Value to, Value from, int depth) {
  Linear difference;
  difference.add(to, 1);
  difference.add(from, -1);
  MaybeBound upper = getUpper(difference, depth);
  if (upper)
    upper->fixed = std::max(upper->fixed, 0.0);
  return upper;
}

MaybeBound Counter::countLoop(scf::ForOp loop) {
  std::optional<double> step = getConstant(loop.getStep());
  MaybeBound length =
      getDifference(loop.getUpperBound(), loop.getLowerBound(), 0);
  if (!step || *step < 1 || !length)
    return std::nullopt;
  Bound rounds = *length * (1 / *step);
  // Rounded up: if the batch contributes, by the largest possible remainder.
  bool isWhole = *step == 1 && rounds.perImage == std::floor(rounds.perImage);
  rounds.fixed = std::ceil(rounds.fixed);
  if (rounds.perImage != 0 && !isWhole)
    rounds.fixed += 1;
  MaybeBound inner = count(loop.getRegion());
  // The test that ends the loop counts as one iteration of the loops inside.
  Bound last = {1, 0};
  loop.getRegion().walk([&](scf::ForOp) { last.fixed += 1; });
  return add(multiply(rounds, add(inner, Bound{1, 0})), last);
}

MaybeBound Counter::count(Region &region) {
  MaybeBound sum = Bound{};
  for (Block &block : region)
    for (Operation &op : block) {
      if (auto loop = dyn_cast<scf::ForOp>(op)) {
        sum = add(sum, countLoop(loop));
        continue;
      }
      bool isKnown = op.getNumRegions() == 0 || isa<scf::IfOp>(op);
      if (!isKnown || op.getNumSuccessors() != 0)
        return std::nullopt;
      for (Region &inner : op.getRegions())
        sum = add(sum, count(inner));
    }
  return sum;
}

std::optional<Iterations>
mlir::vit::simt::boundIterations(gpu::GPUFuncOp kernel) {
  MaybeBound bound = Counter(kernel).count(kernel.getBody());
  constexpr double most = 1e15;
  if (!bound || bound->fixed > most || bound->perImage > most)
    return std::nullopt;
  return Iterations{uint64_t(std::ceil(bound->fixed)), bound->perImage};
}
