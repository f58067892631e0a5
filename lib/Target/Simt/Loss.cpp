//===- Loss.cpp - Losses and their adjoints on a GPU ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread takes one image at a time. A loss is one number, so a single
// workgroup takes all images and adds the sums of its threads as a tree.
//
//===----------------------------------------------------------------------===//

#include "../Common/LossCode.h"
#include "../Common/Math.h"
#include "Emitters.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::simt;

using Reduction = SimtBuilder::Reduction;

namespace {
/// The scores of all images and their targets.
struct Targets {
  SimtBuilder &b;
  Activation shape;
  unsigned input, targets; ///< arguments
  bool isLabel;
  bool isPadded; ///< soft targets are padded as the input is; otherwise they
                 ///< are row-major
  SmoothedTargets smoothed;

  Value at(Value image, Value vector) {
    return b.add(b.mul(image, shape.vectors), vector);
  }
  Value load(Value image, Value vector) {
    return b.load4(input, at(image, vector));
  }
  /// Loads a vector of soft targets. Lanes in padding are undefined.
  Value loadTarget(Value image, Value vector) {
    if (isPadded)
      return b.load4(targets, at(image, vector));
    Value row = b.mul(image, shape.width), first = b.mul(vector, kVectorLanes);
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Value known = b.min(b.add(first, lane), b.index(shape.width - 1));
      lanes.push_back(b.load(targets, b.add(row, known)));
    }
    return b.fromElements(lanes);
  }
  /// Loads a label, an i32.
  Value loadLabel(Value image) { return b.loadInteger(targets, image); }
  /// Returns the class of lane `lane`, an i32.
  Value getClass(Value vector, int64_t lane) {
    return b.toInteger(b.add(b.mul(vector, kVectorLanes), lane));
  }
  /// Returns the smoothed targets of a vector. Lanes in padding are undefined.
  /// `label` is null if there are soft targets.
  Value getWanted(Value image, Value vector, Value label) {
    if (!isLabel)
      return smoothed.ofProbabilities(loadTarget(image, vector));
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < kVectorLanes; ++lane) {
      Value isIt = b.isEqual(label, getClass(vector, lane));
      lanes.push_back(smoothed.ofLabel(b.getF32Type(), isIt));
    }
    return b.fromElements(lanes);
  }
  /// Reduces the vectors that `map` returns for each vector number of the
  /// image. Returns the result in all lanes.
  Value reduce(Reduction kind, double start, function_ref<Value(Value)> map) {
    Value result =
        b.fold(shape.vectors, b.splat(start), [&](Value vector, Value carried) {
          Value value = maskChannels(b, shape, vector, map(vector), start);
          return b.combine(kind, value, carried);
        });
    return b.broadcast(b.reduce(kind, result));
  }
  /// Returns the largest score and the sum of exponentials relative to it, each
  /// in all lanes.
  std::pair<Value, Value> getSoftmax(Value image) {
    Value largest =
        reduce(Reduction::Max, -std::numeric_limits<double>::infinity(),
               [&](Value vector) { return load(image, vector); });
    Value sum = reduce(Reduction::Add, 0, [&](Value vector) {
      return power(load(image, vector), largest);
    });
    return {largest, sum};
  }
  Value power(Value x, Value largest) {
    return emitExp2OfNegative(b, b.mulf(b.subf(x, largest), b.splat(kLog2E)));
  }

  Value getCrossEntropy(Value image);
  Value getSquares(Value image);
  Value isRight(Value image);
  Value findLargest(Value image, bool inTargets);
};
} // namespace

/// Returns the loss of one image as a scalar, NaN if the label is not a class.
Value Targets::getCrossEntropy(Value image) {
  Value label = isLabel ? loadLabel(image) : Value();
  Value largest, sum;
  std::tie(largest, sum) = getSoftmax(image);
  Value log = b.broadcast(emitLog(b, b.extract(sum, 0)));
  Value loss = reduce(Reduction::Add, 0, [&](Value vector) {
    Value distance = b.addf(b.subf(largest, load(image, vector)), log);
    return b.mulf(getWanted(image, vector, label), distance);
  });
  loss = b.extract(loss, 0);
  return isLabel ? smoothed.checkLabel(label, loss) : loss;
}

Value Targets::getSquares(Value image) {
  Value sum = reduce(Reduction::Add, 0, [&](Value vector) {
    Value error = b.subf(load(image, vector), loadTarget(image, vector));
    return b.mulf(error, error);
  });
  return b.extract(sum, 0);
}

/// Returns the index of the first largest channel as i32, -1 if any is NaN.
Value Targets::findLargest(Value image, bool inTargets) {
  auto integer = [&](int32_t value) {
    return b.constant(b.getI32IntegerAttr(value));
  };
  SmallVector<Value> none{b.scalar(-std::numeric_limits<double>::infinity()),
                          integer(0), integer(0)};
  Largest found(
      b.loop(shape.vectors, none, [&](Value vector, ValueRange carried) {
        // Padding is not larger than any other channel.
        Value four = maskChannels(b, shape, vector,
                                  inTargets ? loadTarget(image, vector)
                                            : load(image, vector),
                                  -std::numeric_limits<double>::infinity());
        Largest next(carried);
        for (int64_t lane = 0; lane < kVectorLanes; ++lane)
          next.add(b, b.extract(four, lane),
                   [&] { return getClass(vector, lane); });
        return next.values();
      }));
  Value isNumber = b.isEqual(found.hasNaN, integer(0));
  return b.select(isNumber, found.number, integer(-1));
}

/// Returns 1 or 0 as f32.
Value Targets::isRight(Value image) {
  Value answer = findLargest(image, /*inTargets=*/false);
  Value wanted =
      isLabel ? loadLabel(image) : findLargest(image, /*inTargets=*/true);
  return b.select(isRightAnswer(b, answer, wanted), b.scalar(1), b.scalar(0));
}

static FailureOr<Targets> getTargets(Operation *op, SimtBuilder &b,
                                     unsigned input, double smoothing) {
  RankedTensorType type = tensorOf(op->getOperand(input));
  RankedTensorType wanted = tensorOf(op->getOperand(input + 1));
  FailureOr<Activation> shape = Activation::get(op, type);
  if (failed(shape))
    return failure();
  bool isLabel = wanted.getRank() == 1;
  bool isPadded = bool(wanted.getEncoding());
  if (isPadded) {
    FailureOr<Activation> other = Activation::get(op, wanted);
    if (failed(other))
      return failure();
    if (other->group != shape->group) {
      op->emitOpError("has layouts that do not fit: ")
          << type << " and " << wanted;
      return failure();
    }
  }
  if (shape->group != 0 || shape->tokens != 1) {
    op->emitOpError("needs [batch, classes] without groups where it has ")
        << type;
    return failure();
  }
  return Targets{b,
                 *shape,
                 input,
                 input + 1,
                 isLabel,
                 isPadded,
                 {b, shape->width, smoothing}};
}

/// Returns the batch times `factor` as f32.
static Value getCount(SimtBuilder &b, int64_t factor) {
  Value batch =
      arith::SIToFPOp::create(b, b.getF32Type(), b.toInteger(b.batch()));
  return b.mulf(batch, b.scalar(double(factor)));
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::LossOp op, SimtBuilder &b) {
  FailureOr<Targets> targets =
      getTargets(op, b, /*input=*/0, op.getSmoothing().convertToDouble());
  if (failed(targets))
    return failure();
  bool isCount = op.getKind() == kernel::LossKind::accuracy;
  b.setThreads(b.level.threads);
  b.useScalars();
  if (targets->isLabel || isCount)
    b.useIntegers();
  auto measure = [&](Value image) {
    switch (op.getKind()) {
    case kernel::LossKind::cross_entropy:
      return targets->getCrossEntropy(image);
    case kernel::LossKind::mse:
      return targets->getSquares(image);
    case kernel::LossKind::accuracy:
      return targets->isRight(image);
    }
    llvm_unreachable("every kind is above");
  };
  Value sum = b.fold(
      b.thread(), b.batch(), b.threads(), b.scalar(0),
      [&](Value image, Value sum) { return b.addf(sum, measure(image)); });
  sum = b.reduceWorkgroup(Reduction::Add, sum);
  b.ifThen(b.isEqual(b.thread(), b.index(0)), [&] {
    if (isCount) {
      Value count = arith::FPToSIOp::create(b, b.getI32Type(), sum);
      return b.storeInteger(count, 2, b.index(0));
    }
    bool isMse = op.getKind() == kernel::LossKind::mse;
    Value count = getCount(b, isMse ? targets->shape.width : 1);
    b.store(b.divf(sum, count), 2, b.index(0));
  });
  return withoutBatch(op, 1);
}

FailureOr<KernelInfo> mlir::vit::simt::emit(kernel::LossBackwardOp op,
                                            SimtBuilder &b) {
  FailureOr<Targets> targets =
      getTargets(op, b, /*input=*/1, op.getSmoothing().convertToDouble());
  FailureOr<Activation> result = Activation::get(op, op.getResult().getType());
  if (failed(targets) || failed(result))
    return failure();
  const Activation &shape = targets->shape;
  if (result->group != shape.group)
    return op.emitOpError("has layouts that do not fit: input ")
           << op.getInput().getType() << ", result "
           << op.getResult().getType();
  if (targets->isLabel)
    b.useIntegers();
  bool isMse = op.getKind() == kernel::LossKind::mse;
  Value gradient =
      b.divf(b.load(0, b.index(0)), getCount(b, isMse ? shape.width : 1));
  if (isMse)
    gradient = b.mulf(gradient, b.scalar(2));
  gradient = b.broadcast(gradient);
  auto store = [&](Value image, function_ref<Value(Value)> map) {
    b.loop(0, shape.vectors, [&](Value vector) {
      Value value = b.mulf(map(vector), gradient);
      b.store4(maskChannels(b, shape, vector, value), 3,
               targets->at(image, vector));
    });
  };
  forEachItem(b, b.batch(), b.threads(), [&](Value image) {
    if (isMse)
      return store(image, [&](Value vector) {
        return b.subf(targets->load(image, vector),
                      targets->loadTarget(image, vector));
      });
    Value label = targets->isLabel ? targets->loadLabel(image) : Value();
    auto getWanted = [&](Value vector) {
      return targets->getWanted(image, vector, label);
    };
    Value largest, sum;
    std::tie(largest, sum) = targets->getSoftmax(image);
    // The targets of a label add up to 1.
    Value total = b.splat(1);
    if (!targets->isLabel)
      total = targets->reduce(Reduction::Add, 0, getWanted);
    Value factor = b.divf(total, sum);
    store(image, [&](Value vector) {
      Value power = targets->power(targets->load(image, vector), largest);
      return b.subf(b.mulf(power, factor), getWanted(vector));
    });
  });
  return KernelInfo{
      kernel::ExtentAttr::get(op.getContext(), 1, 1, b.threads())};
}
