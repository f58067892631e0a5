//===- Update.cpp - Optimizer steps over ranges of arenas -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work unit is a run of elements of the gradient and, at the same position,
// of the parameters and each state. All are read once and written once, so the
// kernel is bound by memory, and prefetching matters most. For the norm,
// squares are added in 64 f32 sums for each run of elements, and the sums of
// the runs in double; there is one work unit, so the order is fixed.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "vit/Kernel/Variables.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::cpu;

/// The number of elements of a work unit.
static constexpr int64_t kRun = 8192;
/// The prefetch distance in elements.
static constexpr int64_t kAhead = 512;

namespace {
struct Update {
  kernel::UpdateOp op;
  KernelBuilder &b;
  int64_t elements;
  Value gradient, guard;        ///< arguments, or null
  SmallVector<Value> scalars;   ///< arguments
  SmallVector<Value> variables; ///< parameters, then states

  Value loadFirst(Value buffer) { return b.loadScalar(buffer, b.index(0)); }
  void computeScalars();
  void prefetch(Value at);
  void updateVector(Value at);
  void emit();

  SmallVector<Value> broadcasts; ///< the scalars of the body, in all lanes
};
} // namespace

/// Emits what runs once per call, the prologue in f64.
void Update::computeScalars() {
  SmallVector<Value> values;
  for (Value scalar : scalars)
    values.push_back(loadFirst(scalar));
  if (!op.getPrologue().empty()) {
    Type f64 = b.getF64Type();
    for (Value &value : values)
      if (value.getType().isF32())
        value = arith::ExtFOp::create(b, f64, value);
    values = inlineRegion(b, op.getPrologue(), f64, values);
    for (Value &value : values)
      value = arith::TruncFOp::create(b, b.getF32Type(), value);
  }
  for (Value value : values)
    broadcasts.push_back(b.broadcast(value));
}

void Update::prefetch(Value at) {
  auto ask = [&](Value buffer, bool isWrite) {
    memref::PrefetchOp::create(b, buffer, ValueRange{b.add(at, kAhead)},
                               isWrite, /*localityHint=*/3,
                               /*isDataCache=*/true);
  };
  if (gradient)
    ask(gradient, false);
  for (Value variable : variables)
    ask(variable, true);
}

void Update::updateVector(Value at) {
  Block &body = op.getBody().front();
  SmallVector<Value> buffers = variables, arguments;
  if (gradient)
    buffers.push_back(gradient);
  for (auto [buffer, argument] : llvm::zip(buffers, body.getArguments()))
    arguments.push_back(argument.use_empty() ? Value() : b.load(buffer, at));
  llvm::append_range(arguments, broadcasts);
  SmallVector<Value> results =
      inlineRegion(b, op.getBody(), b.vectorType, arguments);
  for (auto [result, variable] : llvm::zip_equal(results, variables)) {
    // Store a result as soon as it is computed, which frees its registers.
    OpBuilder::InsertionGuard guard(b);
    Operation *maker = result.getDefiningOp();
    if (maker->getBlock() == b.getInsertionBlock())
      b.setInsertionPointAfter(maker);
    b.store(result, variable, at);
  }
}

void Update::emit() {
  computeScalars();
  b.loop(b.begin(), b.end(), [&](Value unit) {
    Value first = b.mul(unit, kRun);
    Value last = b.min(b.add(first, kRun), b.index(elements));
    // Two vectors at a time, then one if the number is odd.
    Value pairs =
        b.add(first, b.mul(b.div(b.sub(last, first), 2 * kVectorLanes),
                           2 * kVectorLanes));
    b.loop(first, pairs, 2 * kVectorLanes, [&](Value at) {
      Value next = b.add(at, kVectorLanes);
      prefetch(at);
      prefetch(next);
      updateVector(at);
      updateVector(next);
    });
    b.ifThen(b.isLess(pairs, last), [&] { updateVector(pairs); });
  });
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::UpdateOp op,
                                           KernelBuilder &b) {
  Update update{op, b};
  if (failed(verifyUpdate(op)))
    return failure();
  kernel::Variables variables(op->getParentOfType<ModuleOp>());
  if (!variables.getRoundedLists(op).empty())
    return op.emitOpError("changes an arena with a rounded copy, which only "
                          "code for GPUs does");
  update.elements = kernel::getUpdatedElements(op);
  if (op.getGradient()) {
    RankedTensorType type = op.getGradient().getType();
    if (failed(verifyFlat(op, type)))
      return failure();
    if (kernel::occupiedElements(type.getNumElements()) != update.elements)
      return op.emitOpError("has a gradient ")
             << type << " for variables that take " << update.elements
             << " elements";
  }
  unsigned next = 0;
  auto take = [&](Value operand) {
    return operand ? b.argument(next++) : Value();
  };
  update.gradient = take(op.getGradient());
  update.guard = take(op.getGuard());
  for (Value scalar : op.getScalars())
    update.scalars.push_back(take(scalar));
  for (unsigned i = 0; i < op.getVariableCount(); ++i)
    update.variables.push_back(b.argument(next++));

  if (update.guard) {
    Value size = math::AbsFOp::create(b, update.loadFirst(update.guard));
    Value isFinite =
        b.compare(arith::CmpFPredicate::OLT, size,
                  b.scalar(std::numeric_limits<double>::infinity()));
    b.ifThen(isFinite, [&] { update.emit(); });
  } else {
    update.emit();
  }
  return withoutBatch(op, llvm::divideCeil(update.elements, kRun));
}

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

static constexpr int64_t kVectors = 4;    ///< vectors of sums
static constexpr int64_t kNormRun = 4096; ///< elements of a run

/// Returns the f32 sum of squares of [from, to), as f64. `to - from` is a
/// multiple of `vectors` vectors.
static Value addSquares(KernelBuilder &b, Value buffer, Value from, Value to,
                        int64_t vectors) {
  SmallVector<Value> sums(vectors, b.splat(0));
  sums = b.loop(from, to, vectors * kVectorLanes, sums,
                [&](Value at, ValueRange carried) {
                  SmallVector<Value> next;
                  for (int64_t v = 0; v < vectors; ++v) {
                    Value g = b.load(buffer, b.add(at, v * kVectorLanes));
                    next.push_back(b.fma(g, g, carried[v]));
                  }
                  return next;
                });
  Value sum = b.reduce(KernelBuilder::Reduction::Add, addPairwise(b, sums));
  return arith::ExtFOp::create(b, b.getF64Type(), sum);
}

FailureOr<KernelInfo> mlir::vit::cpu::emit(kernel::NormOp op,
                                           KernelBuilder &b) {
  auto number = [&](double value) {
    return b.constant(b.getF64FloatAttr(value));
  };
  for (Value gradient : op.getGradients())
    if (failed(verifyFlat(op, gradient.getType())))
      return failure();
  b.loop(b.begin(), b.end(), [&](Value) {
    Value total = number(0);
    for (auto [i, gradient] : llvm::enumerate(op.getGradients())) {
      Value buffer = b.argument(i);
      int64_t elements =
          kernel::occupiedElements(tensorOf(gradient).getNumElements());
      int64_t runs = elements / kNormRun * kNormRun;
      int64_t groups =
          elements / (kVectors * kVectorLanes) * (kVectors * kVectorLanes);
      total = b.fold(b.index(0), b.index(runs), kNormRun, total,
                     [&](Value at, Value carried) {
                       return b.addf(carried,
                                     addSquares(b, buffer, at,
                                                b.add(at, kNormRun), kVectors));
                     });
      total = b.addf(total, addSquares(b, buffer, b.index(runs),
                                       b.index(groups), kVectors));
      total = b.addf(
          total, addSquares(b, buffer, b.index(groups), b.index(elements), 1));
    }
    Value norm = math::SqrtOp::create(b, total);
    Value factor = b.divf(number(op.getMaxNorm().convertToDouble()),
                          b.addf(norm, number(1e-6)));
    // NaN is kept.
    factor = b.select(b.compare(arith::CmpFPredicate::OGE, factor, number(1)),
                      number(1), factor);
    b.storeScalar(arith::TruncFOp::create(b, b.getF32Type(), factor),
                  b.argument(op->getNumOperands()), b.index(0));
  });
  return withoutBatch(op, 1);
}
