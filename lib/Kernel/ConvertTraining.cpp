//===- ConvertTraining.cpp - Backward, losses and updates to kernels ------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gradients of parameters have no batch. Kernels compute them in row-major
// layout, and updates read them.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"
#include "ElementCode.h"
#include "GridProduct.h"
#include "KernelUtils.h"
#include "UpdateCode.h"

#include "format/Hash.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

//===----------------------------------------------------------------------===//
// Products and sums
//===----------------------------------------------------------------------===//

LogicalResult Converter::convertInputGradient(LinearInputGradientOp op) {
  if (!isLoaded(op.getWeight()))
    return op.emitOpError("has no kernel where the weight is not a parameter");
  auto gemm =
      GemmOp::create(builder, op.getLoc(), op.getType(),
                     asOperand(op.getGradient(), op.getPrecision()),
                     asOperand(op.getWeight(), op.getPrecision()), ValueRange(),
                     /*transposed=*/true, isTf32(op.getPrecision()));
  addIdentity(gemm);
  replace(op, gemm);
  return success();
}

/// One kernel computes the gradients of weight and bias if both are needed.
LogicalResult Converter::convertWeightGradient(LinearWeightGradientOp op) {
  SumToOp bias;
  auto vector = RankedTensorType::get({op.getType().getDimSize(0)},
                                      op.getType().getElementType());
  for (Operation *user : op.getGradient().getUsers())
    if (auto sum = dyn_cast<SumToOp>(user);
        sum && sum.getType() == vector && op->isBeforeInBlock(sum) &&
        sum.getPrecision() == op.getPrecision())
      bias = sum;
  SmallVector<Location> locations = {op.getLoc()};
  if (bias)
    locations.push_back(bias.getLoc());
  auto kernel = WeightGradientOp::create(
      builder, builder.getFusedLoc(locations), op.getType(),
      bias ? Type(vector) : Type(),
      asOperand(op.getGradient(), op.getPrecision()),
      asOperand(op.getInput(), op.getPrecision()), isTf32(op.getPrecision()));
  if (bias)
    bias.replaceAllUsesWith(kernel.getBias());
  op.replaceAllUsesWith(kernel.getResult());
  op.erase();
  ++kernels;
  return success();
}

Value Converter::sum(Location location, SumKind kind, Value value,
                     ArrayRef<int64_t> shape) {
  ++kernels;
  auto type = RankedTensorType::get(shape, tensorOf(value).getElementType());
  return SumOp::create(builder, location, type, kind, value, TileAttr());
}

LogicalResult Converter::convertSumTo(SumToOp op) {
  if (op.use_empty()) { // comes with a weight's gradient
    op.erase();
    return success();
  }
  if (isTf32(op.getPrecision()))
    return op.emitOpError("has no kernel in tf32 but with the gradient of the "
                          "weight of the same layer; leave its precision out");
  Value input = asOperand(op.getInput(), op.getPrecision());
  // Sums the input of a sum over the batch again, instead of its result.
  if (auto sum = input.getDefiningOp<SumOp>();
      sum && sum.getKind() == SumKind::batch)
    input = sum.getInput();
  ArrayRef<int64_t> from = tensorOf(input).getShape(),
                    to = op.getType().getShape();
  auto withoutOnes = [](ArrayRef<int64_t> shape) {
    return shape.drop_while([](int64_t size) { return size == 1; });
  };
  ArrayRef<int64_t> kept = withoutOnes(to);
  Value result;
  if (kept.empty() && op.getType().hasStaticShape())
    result = sum(op.getLoc(), SumKind::all, input, to);
  else if (isActivation(input) && kept == withoutOnes(from.drop_front()))
    result = sum(op.getLoc(), SumKind::batch, input, to);
  else if (isActivation(input) && from.size() == 3 &&
           kept == from.take_back()) {
    Value images = sum(op.getLoc(), SumKind::tokens, input, {from[0], from[2]});
    result = sum(op.getLoc(), SumKind::batch, images, to);
  } else {
    return op.emitOpError("has no kernel that sums ")
           << tensorOf(input) << " to " << op.getType()
           << "; what is broadcast must be [width], [tokens, width] or one "
              "number";
  }
  op.replaceAllUsesWith(result);
  op.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Rows and attention
//===----------------------------------------------------------------------===//

LogicalResult Converter::convertNormBackward(LayerNormBackwardOp op) {
  RankedTensorType type = tensorOf(op.getInput());
  if (type.getRank() != 2 && type.getRank() != 3)
    return op.emitOpError("has no kernel for ")
           << type << "; use [batch, tokens, width] or [batch, width]";
  int64_t groups = op.getGroups(), width = type.getShape().back();
  Value scale = op.getScale();
  if (scale && !isLoaded(scale))
    return op.emitOpError("has no kernel where the scale is not a parameter");
  if (scale)
    scale = forAllGroups(scale, groups);
  std::pair<Value, unsigned> vectors[] = {{op.getScaleGradient(), 0},
                                          {op.getBiasGradient(), 1}};
  bool areWanted =
      llvm::any_of(vectors, [](auto &pair) { return !pair.first.use_empty(); });
  SmallVector<Type> types = {type};
  if (areWanted)
    types.append(2, RankedTensorType::get({type.getDimSize(0), width},
                                          type.getElementType()));
  auto kernel = NormalizeBackwardOp::create(
      builder, op.getLoc(), types, op.getGradient(), op.getInput(), scale,
      /*residual=*/Value(), op.getEpsilonAttr(), op.getGroupsAttr(),
      op.getKindAttr());
  ++kernels;
  op.getInputGradient().replaceAllUsesWith(kernel.getResult());
  for (auto [gradient, index] : vectors) {
    if (gradient.use_empty())
      continue;
    Value value =
        sum(op.getLoc(), SumKind::batch, kernel.getSums()[index], {width});
    if (groups != 1)
      value = sum(op.getLoc(), SumKind::groups, value, {width / groups});
    gradient.replaceAllUsesWith(value);
  }
  op.erase();
  return success();
}

LogicalResult Converter::convertAttentionBackward(vit::AttentionBackwardOp op) {
  int64_t heads = op.getHeads();
  int64_t width = tensorOf(op.getKey()).getDimSize(2);
  if (width != tensorOf(op.getValue()).getDimSize(2))
    return op.emitOpError("has no kernel for keys of width ")
           << width << " and values of width "
           << tensorOf(op.getValue()).getDimSize(2) << "; make them equal";
  if (op.getBias() && !isLoaded(op.getBias()))
    return op.emitOpError("has no kernel where the bias is not a parameter or "
                          "vit.relative_positions");
  IntegerAttr headDim = builder.getI64IntegerAttr(width / heads);
  DenseI64ArrayAttr offsets = builder.getDenseI64ArrayAttr({0, 0, 0});
  if (op.getBiasGradient() && !op.getBiasGradient().use_empty()) {
    auto gradient = AttentionBiasGradientOp::create(
        builder, op.getLoc(), op.getBiasGradient().getType(), op.getGradient(),
        op.getQuery(), op.getKey(), op.getValue(), op.getBias(),
        op.getHeadsAttr(), headDim, offsets, op.getScaleAttr());
    op.getBiasGradient().replaceAllUsesWith(gradient.getResult());
    ++kernels;
  }
  auto backward = kernel::AttentionBackwardOp::create(
      builder, op.getLoc(), TypeRange(op.getResultTypes()).take_front(3),
      asOperand(op.getGradient(), op.getPrecision()),
      asOperand(op.getQuery(), op.getPrecision()),
      asOperand(op.getKey(), op.getPrecision()),
      asOperand(op.getValue(), op.getPrecision()), op.getBias(),
      op.getHeadsAttr(), headDim, offsets, op.getScaleAttr(),
      asUnit(isTf32(op.getPrecision())));
  for (auto [old, result] : llvm::zip(op.getResults(), backward.getResults()))
    old.replaceAllUsesWith(result);
  op.erase();
  ++kernels;
  return success();
}

LogicalResult
Converter::convertResampleBackward(ResamplePositionsBackwardOp op) {
  replace(op, createGridProduct(builder, op.getLoc(), tensorOf(op),
                                op.getGradient(), getResampling(op),
                                /*isAdjoint=*/true));
  return success();
}

LogicalResult Converter::convertRelativePositionsBackward(
    vit::RelativePositionsBackwardOp op) {
  replace(op, kernel::RelativePositionsBackwardOp::create(
                  builder, op.getLoc(), op.getType(), op.getGradient(),
                  op.getGridAttr(), op.getPrefixAttr()));
  return success();
}

//===----------------------------------------------------------------------===//
// Random masks and losses
//===----------------------------------------------------------------------===//

/// An op and its adjoint have the same name and therefore the same random
/// stream and mask.
template <typename Op>
LogicalResult Converter::convertDrop(Op op, RandomUnit unit) {
  RankedTensorType type = tensorOf(op.getResult());
  if (!isActivation(op.getResult()) ||
      (type.getRank() != 2 && type.getRank() != 3))
    return op.emitOpError("has no kernel for ")
           << type << "; use [batch, tokens, width] or [batch, width]";
  StringRef name = *op.getRandom();
  uint64_t stream = ::vit::format::hash64(name.data(), name.size());
  replace(op, kernel::DropoutOp::create(
                  builder, op.getLoc(), type, op.getInput(), op.getSeed(),
                  op.getStep(), op.getProbability(), stream, unit, TileAttr()));
  return success();
}

/// Converts a loss if `gradient` is null, and the gradient of a loss otherwise.
LogicalResult Converter::convertLoss(Operation *op, LossKind kind, Value input,
                                     Value targets, Value gradient,
                                     double smoothing) {
  if (tensorOf(input).getRank() != 2 || tensorOf(input).isDynamicDim(1))
    return op->emitOpError("has no kernel for ")
           << tensorOf(input) << "; use [batch, classes]";
  Type type = op->getResult(0).getType();
  llvm::APFloat smooth(smoothing);
  if (gradient)
    replace(op,
            LossBackwardOp::create(builder, op->getLoc(), type, kind, gradient,
                                   input, targets, smooth, TileAttr()));
  else
    replace(op, LossOp::create(builder, op->getLoc(), type, kind, input,
                               targets, smooth, TileAttr()));
  return success();
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// The loss of the entry; variables only change if it is finite. Null if the
/// entry has no loss.
Value Converter::getGuard() {
  for (auto loss : entry.getBody().front().getOps<LossOp>())
    if (loss.getKind() != LossKind::accuracy)
      return loss.getResult();
  return {};
}

static VariableAttr getVariable(FlatSymbolRefAttr symbol,
                                std::optional<uint64_t> layer) {
  return VariableAttr::get(symbol.getContext(), symbol,
                           layer ? static_cast<int64_t>(*layer) : -1);
}

UpdateOp Converter::replaceByUpdate(Operation *op, const Change &change) {
  auto list = [&](FlatSymbolRefAttr symbol) -> Attribute {
    return builder.getArrayAttr(getVariable(symbol, change.layer));
  };
  ArrayAttr states;
  if (!change.states.empty())
    states = builder.getArrayAttr(llvm::map_to_vector(change.states, list));
  auto update =
      UpdateOp::create(builder, op->getLoc(), change.name,
                       cast<ArrayAttr>(list(change.variable)), states,
                       change.gradient, getGuard(), change.scalars, TileAttr());
  op->erase();
  ++kernels;
  return update;
}

static bool isZero(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto numbers = constant ? dyn_cast<DenseFPElementsAttr>(constant.getValue())
                          : DenseFPElementsAttr();
  return numbers && numbers.isSplat() &&
         numbers.getSplatValue<llvm::APFloat>().isPosZero();
}

LogicalResult Converter::convertWrite(WriteOp op) {
  if (!tensorOf(op.getValue()).getElementType().isF32())
    return op.emitOpError("has no kernel for ")
           << tensorOf(op.getValue()).getElementType() << "; use f32";
  bool isZeroed = isZero(op.getValue());
  addAssignCode(replaceByUpdate(op, {isZeroed ? "zero" : "assign",
                                     op.getSymbolAttr(),
                                     op.getLayer(),
                                     {},
                                     isZeroed ? Value() : op.getValue(),
                                     {}}));
  return success();
}

/// `factor`, unless it is null, followed by `others`.
static SmallVector<Value> getScalars(Value factor, ValueRange others) {
  SmallVector<Value> scalars(others);
  if (factor)
    scalars.insert(scalars.begin(), factor);
  return scalars;
}

LogicalResult Converter::convertSgd(SgdOp op) {
  SgdNumbers numbers{op.getMomentum().convertToDouble(), op.getNesterov(),
                     op.getDecay().convertToDouble()};
  SmallVector<FlatSymbolRefAttr> states;
  if (op.getBufferAttr())
    states.push_back(op.getBufferAttr());
  addSgdCode(
      replaceByUpdate(op, {"sgd", op.getParameterAttr(), op.getLayer(), states,
                           op.getGradient(),
                           getScalars(op.getFactor(), op.getLearningRate())}),
      numbers);
  return success();
}

/// Adam and AdamW.
template <typename Op> LogicalResult Converter::convertAdam(Op op) {
  bool decoupled = std::is_same_v<Op, AdamwOp>;
  AdamNumbers numbers{op.getBetas()[0],
                      op.getBetas()[1],
                      op.getEpsilon().convertToDouble(),
                      op.getDecay().convertToDouble(),
                      decoupled,
                      static_cast<int64_t>(op.getEvery())};
  addAdamCode(
      replaceByUpdate(op, {decoupled ? "adamw" : "adam",
                           op.getParameterAttr(),
                           op.getLayer(),
                           {op.getFirstAttr(), op.getSecondAttr()},
                           op.getGradient(),
                           getScalars(op.getFactor(),
                                      {op.getLearningRate(), op.getStep()})}),
      numbers);
  return success();
}

LogicalResult Converter::convertClip(ClipByGlobalNormOp op) {
  replace(op, NormOp::create(builder, op.getLoc(), op.getType(),
                             op.getGradients(), op.getMaxNormAttr()));
  return success();
}

//===----------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------===//

std::optional<LogicalResult> Converter::convertTraining(Operation *op) {
  using Done = std::optional<LogicalResult>;
  if (isa<UnpatchifyOp>(op))
    return op->emitOpError("has no kernel: freeze what lies before the patches "
                           "(frozen=...), or train without a gradient of the "
                           "pictures");
  return llvm::TypeSwitch<Operation *, Done>(op)
      .Case([&](LinearInputGradientOp op) { return convertInputGradient(op); })
      .Case(
          [&](LinearWeightGradientOp op) { return convertWeightGradient(op); })
      .Case([&](SumToOp op) { return convertSumTo(op); })
      .Case([&](LayerNormBackwardOp op) { return convertNormBackward(op); })
      .Case([&](vit::AttentionBackwardOp op) {
        return convertAttentionBackward(op);
      })
      .Case([&](ResamplePositionsBackwardOp op) {
        return convertResampleBackward(op);
      })
      .Case([&](vit::RelativePositionsBackwardOp op) {
        return convertRelativePositionsBackward(op);
      })
      .Case([&](vit::SoftmaxBackwardOp op) {
        replace(op, kernel::SoftmaxBackwardOp::create(
                        builder, op.getLoc(), op.getType(), op.getGradient(),
                        op.getOutput()));
        return success();
      })
      .Case([&](PlaceTokensOp op) {
        replace(op, PlaceOp::create(builder, op.getLoc(), op.getType(),
                                    op.getInput(), op.getStartAttr()));
        return success();
      })
      .Case([&](vit::TakeChannelsOp op) {
        replace(op, kernel::TakeChannelsOp::create(builder, op.getLoc(),
                                                   op.getType(), op.getInput(),
                                                   op.getStartAttr()));
        return success();
      })
      .Case([&](SpreadTokensOp op) {
        replace(op, SpreadOp::create(builder, op.getLoc(), op.getType(),
                                     op.getInput(), op.getStartAttr()));
        return success();
      })
      .Case([&](vit::DropoutOp op) -> Done {
        if (!op.getRandom())
          return std::nullopt;
        return convertDrop(op, RandomUnit::element);
      })
      .Case([&](DropPathOp op) -> Done {
        if (!op.getRandom())
          return std::nullopt;
        return convertDrop(op, RandomUnit::image);
      })
      .Case([&](CrossEntropyOp op) {
        return convertLoss(op, LossKind::cross_entropy, op.getLogits(),
                           op.getTargets(), Value(),
                           op.getSmoothing().convertToDouble());
      })
      .Case([&](CrossEntropyBackwardOp op) {
        return convertLoss(op, LossKind::cross_entropy, op.getLogits(),
                           op.getTargets(), op.getGradient(),
                           op.getSmoothing().convertToDouble());
      })
      .Case([&](MseOp op) {
        return convertLoss(op, LossKind::mse, op.getInput(), op.getTargets(),
                           Value(), 0.0);
      })
      .Case([&](MseBackwardOp op) {
        return convertLoss(op, LossKind::mse, op.getInput(), op.getTargets(),
                           op.getGradient(), 0.0);
      })
      .Case([&](AccuracyOp op) {
        return convertLoss(op, LossKind::accuracy, op.getLogits(),
                           op.getTargets(), Value(), 0.0);
      })
      .Case([&](vit::AllReduceOp op) {
        auto reduce = kernel::AllReduceOp::create(
            builder, op.getLoc(), op.getResultTypes(), op.getGradients(),
            op.getSums());
        op.replaceAllUsesWith(reduce.getResults());
        op.erase();
        return success();
      })
      .Case([&](WriteOp op) { return convertWrite(op); })
      .Case([&](SgdOp op) { return convertSgd(op); })
      .Case<AdamOp, AdamwOp>([&](auto op) { return convertAdam(op); })
      .Case([&](ClipByGlobalNormOp op) { return convertClip(op); })
      .Default([](Operation *) -> Done { return std::nullopt; });
}
