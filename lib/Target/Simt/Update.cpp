//===- Update.cpp - Optimizer steps over arenas on a GPU ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Updates change one range of each arena, vector by vector, and of rounded
// copies, which products of the next step read. The factor that clips gradients
// is computed by a single workgroup.
//
//===----------------------------------------------------------------------===//

#include "Emitters.h"

#include "vit/Kernel/Variables.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = SimtBuilder::Reduction;

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::NormOp op, SimtBuilder &b) {
  b.useScalars();
  Value total = b.splat(0);
  for (auto [i, gradient] : llvm::enumerate(op.getGradients())) {
    FailureOr<Activation> shape = Activation::getFlat(op, gradient.getType());
    if (failed(shape))
      return failure();
    Value squares = sumVectors(b, i, b.index(shape->vectors),
                               [&](Value g) { return b.mulf(g, g); });
    total = b.addf(total, squares);
  }
  Value sum =
      b.reduceWorkgroup(Reduction::Add, b.reduce(Reduction::Add, total));
  b.ifThen(b.isEqual(b.thread(), b.index(0)), [&] {
    Value norm = math::SqrtOp::create(b, sum);
    Value factor = b.divf(b.scalar(op.getMaxNorm().convertToDouble()),
                          b.addf(norm, b.scalar(1e-6)));
    b.store(b.atMost(factor, b.scalar(1)), op->getNumOperands(), b.index(0));
  });
  return withoutBatch(op, 1);
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

static bool isInteger(Value scalar) {
  return getElementTypeOrSelf(scalar).isInteger(32);
}

namespace {
struct Update {
  kernel::UpdateOp op;
  SimtBuilder &b;
  int64_t vectors;
  // The first argument of each kind; -1: none. The variables are the
  // parameters, then each state.
  int gradient = -1, guard = -1, scalars = -1, variables = -1;
  SmallVector<unsigned> rounded; ///< lists of variables with a rounded copy

  void computeScalars();
  void updateVector(Value at);
  void emit();

  SmallVector<Value> broadcasts; ///< the scalars of the body, in all lanes
};
} // namespace

/// Emits what runs once per thread, in f32, because not every GPU has f64.
void Update::computeScalars() {
  SmallVector<Value> values;
  for (auto [i, scalar] : llvm::enumerate(op.getScalars()))
    values.push_back(isInteger(scalar) ? b.loadInteger(scalars + i, b.index(0))
                                       : b.load(scalars + i, b.index(0)));
  if (!op.getPrologue().empty())
    values = inlineRegion(b, op.getPrologue(), b.getF32Type(), values);
  for (Value value : values)
    broadcasts.push_back(b.broadcast(value));
}

void Update::updateVector(Value at) {
  Block &body = op.getBody().front();
  SmallVector<int> sources = llvm::to_vector(
      llvm::seq<int>(variables, variables + op.getVariableCount()));
  if (gradient >= 0)
    sources.push_back(gradient);
  SmallVector<Value> arguments;
  for (auto [source, argument] : llvm::zip(sources, body.getArguments()))
    arguments.push_back(argument.use_empty() ? Value() : b.load4(source, at));
  llvm::append_range(arguments, broadcasts);
  SmallVector<Value> results =
      inlineRegion(b, op.getBody(), b.vectorType, arguments);
  for (auto [i, result] : llvm::enumerate(results))
    b.store4(result, variables + i, at);
  int copies = variables + static_cast<int>(op.getVariableCount());
  for (auto [i, list] : llvm::enumerate(rounded))
    b.store4(results[list], copies + i, at);
}

void Update::emit() {
  auto run = [&] {
    computeScalars();
    forEachItem(b, b.index(vectors), b.threads() * kItemsPerThread * 4,
                [&](Value item) { updateVector(item); });
  };
  if (guard < 0)
    return run();
  // Test the bits, because a device may treat NaN and infinity as other
  // numbers.
  Value exponent = b.constant(b.getI32IntegerAttr(0x7f800000));
  Value bits =
      arith::BitcastOp::create(b, b.getI32Type(), b.load(guard, b.index(0)));
  Value isFinite =
      b.compare(arith::CmpIPredicate::ne, b.both(bits, exponent), exponent);
  b.ifThen(isFinite, run);
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::UpdateOp op,
                                            SimtBuilder &b) {
  if (failed(verifyUpdate(op)))
    return failure();
  Update update{op, b, /*vectors=*/0};
  int next = 0;
  auto take = [&](Value operand, int &argument) {
    if (operand)
      argument = next++;
  };
  take(op.getGradient(), update.gradient);
  take(op.getGuard(), update.guard);
  update.scalars = next;
  next += op.getScalars().size();
  update.variables = next;
  update.rounded =
      kernel::Variables(op->getParentOfType<ModuleOp>()).getRoundedLists(op);
  int64_t elements = b.argumentType(next).getNumElements();
  update.vectors = kernel::occupiedElements(elements) / kVectorLanes;
  if (op.getGradient()) {
    FailureOr<Activation> gradient =
        Activation::getFlat(op, op.getGradient().getType());
    if (failed(gradient))
      return failure();
    if (gradient->vectors != update.vectors)
      return op.emitOpError("changes ")
             << elements << " elements with a gradient of "
             << op.getGradient().getType() << "; run vit-group-updates first";
  }
  if (llvm::any_of(op.getScalars(), isInteger))
    b.useIntegers();
  update.emit();
  return withoutBatch(
      op, llvm::divideCeil(update.vectors, b.threads() * kItemsPerThread * 4));
}
