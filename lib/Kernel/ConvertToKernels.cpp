//===- ConvertToKernels.cpp - One op, one kernel --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values without a batch depend on parameters only, except for gradients
// (ConvertTraining.cpp). Element-wise ops on parameters do not become kernels:
// their formula becomes part of the scalar code of the kernel that uses them,
// with the parameters as extras.
//
//===----------------------------------------------------------------------===//

#include "Converter.h"
#include "ElementCode.h"
#include "KernelUtils.h"
#include "vit/Passes.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

namespace mlir::vit {
#define GEN_PASS_DEF_CONVERTTOKERNELS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct ConvertToKernelsPass
    : vit::impl::ConvertToKernelsBase<ConvertToKernelsPass> {
  using Base::Base;
  void runOnOperation() override;
};

} // namespace

//===----------------------------------------------------------------------===//
// Parameters alone
//===----------------------------------------------------------------------===//

/// A constant [h * w, width] of (sin x, cos x, sin y, cos y), each for the
/// frequencies that the op defines.
void Converter::convertSincos(SincosPositionsOp op) {
  int64_t height = op.getGrid()[0], width = op.getGrid()[1];
  int64_t quarter = static_cast<int64_t>(op.getWidth()) / 4;
  double temperature = op.getTemperature().convertToDouble();
  auto last = static_cast<double>(op.getExclusive() ? quarter : quarter - 1);
  SmallVector<float> values(height * width * quarter * 4);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      float *row = &values[(y * width + x) * quarter * 4];
      for (int64_t i = 0; i < quarter; ++i) {
        double frequency =
            std::pow(temperature, -static_cast<double>(i) / last);
        row[i] = static_cast<float>(std::sin(x * frequency));
        row[quarter + i] = static_cast<float>(std::cos(x * frequency));
        row[2 * quarter + i] = static_cast<float>(std::sin(y * frequency));
        row[3 * quarter + i] = static_cast<float>(std::cos(y * frequency));
      }
    }
  auto constant = arith::ConstantOp::create(
      builder, op.getLoc(),
      DenseElementsAttr::get(cast<ShapedType>(op.getType()),
                             ArrayRef<float>(values)));
  op.replaceAllUsesWith(constant.getResult());
  op.erase();
}

LogicalResult Converter::convertResample(ResamplePositionsOp op) {
  if (!isLoaded(op.getInput()))
    return op.emitOpError("can only resample a parameter");
  auto resample =
      ResampleOp::create(builder, op.getLoc(), op.getType(), op.getInput(),
                         op.getFrom(), op.getTo(), op.getPrefix(),
                         op.getAntialias(), op.getSuffix(), op.getFilter());
  op.replaceAllUsesWith(resample.getResult());
  op.erase();
  return success();
}

/// Several tables are one above the other in the source.
LogicalResult Converter::convertRelativePositions(vit::RelativePositionsOp op) {
  for (Value table : op.getTables())
    if (!isLoaded(table))
      return op.emitOpError("can only expand parameters");
  Value source = op.getTables().front();
  if (op.getTables().size() > 1) {
    RankedTensorType type = tensorOf(source);
    auto rows = static_cast<int64_t>(op.getTables().size());
    source = DeriveOp::create(
        builder, op.getLoc(),
        RankedTensorType::get({rows * type.getDimSize(0), type.getDimSize(1)},
                              type.getElementType()),
        op.getTables());
  }
  auto expanded = kernel::RelativePositionsOp::create(
      builder, op.getLoc(), op.getType(), source, op.getGridAttr(),
      op.getPrefixAttr());
  op.replaceAllUsesWith(expanded.getResult());
  op.erase();
  return success();
}

LogicalResult Converter::convertParameters(Operation *op) {
  if (auto sincos = dyn_cast<SincosPositionsOp>(op)) {
    if (!tensorOf(sincos).getElementType().isF32())
      return op->emitOpError("must be f32");
    convertSincos(sincos);
    return success();
  }
  if (auto resample = dyn_cast<ResamplePositionsOp>(op))
    return convertResample(resample);
  if (auto positions = dyn_cast<vit::RelativePositionsOp>(op))
    return convertRelativePositions(positions);
  // vit.rotate reads the attributes of its angles.
  if (isa<ReadOp, RotaryPositionsOp>(op) || isElementwise(op))
    return success();
  return op->emitOpError("has no kernel on parameters alone; give it a value "
                         "that has a batch");
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

void Converter::replace(Operation *op, Operation *kernel) {
  op->replaceAllUsesWith(kernel->getResults());
  op->erase();
  ++kernels;
}

LogicalResult Converter::convertElementwise(Operation *op) {
  RankedTensorType type = tensorOf(op->getResult(0));
  auto input = llvm::find_if(op->getOperands(), [&](Value operand) {
    return operand.getType() == type && isComputed(operand);
  });
  if (input == op->operand_end())
    return op->emitOpError("has no kernel that broadcasts both operands to ")
           << type;
  if (isa<vit::DropoutOp, DropPathOp>(op)) {
    op->replaceAllUsesWith(op->getOperands());
    op->erase();
    return success();
  }

  Leaves leaves(op, type);
  leaves.setElement(*input);
  for (Value operand : op->getOperands())
    if (failed(leaves.add(operand)))
      return failure();
  auto map =
      MapOp::create(builder, op->getLoc(), type, *input, leaves.getExtras());
  OpBuilder code = addEpilogue(map);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(leaves.emit(code, getEpilogue(map), operand));
  kernel::YieldOp::create(code, op->getLoc(), emitElement(code, op, operands));
  replace(op, map);
  return success();
}

bool Converter::isTf32(PrecisionAttr precision) {
  return precision && precision.getValue() == Precision::tf32;
}

/// The type that holds operands of `precision`; null: kernels read f32.
static FloatType getNarrowType(PrecisionAttr precision, Builder &builder) {
  if (precision && precision.getValue() == Precision::bf16)
    return builder.getBF16Type();
  if (precision && precision.getValue() == Precision::f16)
    return builder.getF16Type();
  return {};
}

/// Returns `value` as an operand of a product of `precision`. One of f16 or
/// bf16 is rounded, by a derive if it is a parameter, else by a map, which may
/// be fused into the kernel that computes the value. Kernels round operands to
/// tf32 themselves.
Value Converter::asOperand(Value value, PrecisionAttr precision) {
  FloatType element = getNarrowType(precision, builder);
  if (!element)
    return value;
  RankedTensorType type = tensorOf(value);
  auto narrow = RankedTensorType::get(type.getShape(), element);
  Value &found = rounded[{value, narrow}];
  if (found)
    return found;
  // All products that read the value come after it, whichever comes first.
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(value);
  if (isLoaded(value))
    return found = DeriveOp::create(builder, value.getLoc(), narrow, value);
  auto map =
      MapOp::create(builder, value.getLoc(), narrow, value, ValueRange());
  addIdentity(map);
  return found = map.getResult();
}

/// A map to `element` of the input of `op` times a factor for each channel: the
/// inverse of the op's migration and, where the result is i8, of its
/// input_scale. It may be fused into the kernel that computes the input.
Value Converter::createQuantizingMap(LinearOp op, Type element) {
  Value input = op.getInput();
  ArrayRef<int64_t> shape = tensorOf(input).getShape();
  double scale =
      element.isInteger(8) ? op.getInputScaleAttr().getValueAsDouble() : 1.0;
  DenseElementsAttr migration = op.getMigrationAttr();
  SmallVector<Value, 1> extras;
  if (migration) {
    SmallVector<float> factors;
    for (float factor : migration.getValues<float>())
      factors.push_back(static_cast<float>(1.0 / (scale * factor)));
    extras.push_back(arith::ConstantOp::create(
        builder, op.getLoc(),
        DenseElementsAttr::get(migration.getType(), ArrayRef(factors))));
  }
  auto map =
      MapOp::create(builder, input.getLoc(),
                    RankedTensorType::get(shape, element), input, extras);
  OpBuilder code = addEpilogue(map);
  Block &block = getEpilogue(map);
  Value factor =
      migration ? Value(block.getArgument(1))
                : arith::ConstantOp::create(
                      code, op.getLoc(),
                      code.getF32FloatAttr(static_cast<float>(1.0 / scale)));
  Value multiple =
      arith::MulFOp::create(code, op.getLoc(), block.getArgument(0), factor);
  kernel::YieldOp::create(code, op.getLoc(), multiple);
  ++kernels;
  return map.getResult();
}

/// The input of `op`, of int8, as multiples of scales. Products that read the
/// same value with the same attributes share them.
Converter::Quantized Converter::quantizeInput(LinearOp op) {
  Value input = op.getInput();
  Quantized &found =
      quantized[{input, op.getMigrationAttr(), op.getInputScaleAttr()}];
  if (found.multiples)
    return found;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(input);
  if (op.getInputScaleAttr()) {
    found.multiples = createQuantizingMap(op, builder.getI8Type());
    return found;
  }
  if (op.getMigrationAttr())
    input = createQuantizingMap(op, builder.getF32Type());
  SmallVector<int64_t> shape(tensorOf(input).getShape());
  auto narrow = RankedTensorType::get(shape, builder.getI8Type());
  shape.back() = 1;
  auto quantize = QuantizeOp::create(
      builder, input.getLoc(), narrow,
      RankedTensorType::get(shape, builder.getF32Type()), input);
  ++kernels;
  found = {quantize.getResult(), quantize.getScales()};
  return found;
}

/// The product of quantized operands, times both scales.
GemmOp Converter::createInt8Product(LinearOp op) {
  Value weight = op.getWeight();
  Quantized input = quantizeInput(op);
  ArrayRef<int64_t> shape = tensorOf(weight).getShape();
  auto narrow =
      DeriveOp::create(builder, weight.getLoc(),
                       RankedTensorType::get(shape, builder.getI8Type()),
                       weight, op.getMigrationAttr());
  auto scales = RowScalesOp::create(
      builder, weight.getLoc(),
      RankedTensorType::get(shape.take_front(), builder.getF32Type()), weight,
      op.getMigrationAttr());
  SmallVector<Value, 2> extras;
  if (input.scales)
    extras.push_back(input.scales);
  extras.push_back(scales.getResult());
  auto gemm = GemmOp::create(builder, op.getLoc(), op.getType(),
                             input.multiples, narrow.getResult(), extras);
  OpBuilder code = addEpilogue(gemm);
  Block &block = getEpilogue(gemm);
  Value product = block.getArgument(0);
  auto multiply = [&](Value scale) {
    product = arith::MulFOp::create(code, op.getLoc(), product, scale);
  };
  if (!input.scales)
    multiply(
        arith::ConstantOp::create(code, op.getLoc(), op.getInputScaleAttr()));
  for (Value scale : block.getArguments().drop_front())
    multiply(scale);
  kernel::YieldOp::create(code, op.getLoc(), product);
  return gemm;
}

LogicalResult Converter::convertLinear(LinearOp op) {
  if (!isLoaded(op.getWeight()))
    return op.emitOpError("has no kernel where the weight is not a parameter");
  GemmOp gemm;
  if (op.getPrecision() && op.getPrecision().getValue() == Precision::int8) {
    if (!op.getWeight().getDefiningOp<ReadOp>())
      return op.emitOpError("has no kernel in int8 where the weight is not a "
                            "vit.parameter itself");
    gemm = createInt8Product(op);
  } else {
    gemm = GemmOp::create(builder, op.getLoc(), op.getType(),
                          asOperand(op.getInput(), op.getPrecision()),
                          asOperand(op.getWeight(), op.getPrecision()),
                          ValueRange(), /*transposed=*/false,
                          isTf32(op.getPrecision()));
    addIdentity(gemm);
  }
  if (!op.getBias()) {
    replace(op, gemm);
    return success();
  }
  ++kernels;
  Leaves leaves(op, tensorOf(op));
  if (failed(leaves.add(op.getBias())))
    return failure();
  auto map = MapOp::create(builder, op.getLoc(), op.getType(), gemm.getResult(),
                           leaves.getExtras());
  OpBuilder code = addEpilogue(map);
  Value bias = leaves.emit(code, getEpilogue(map), op.getBias());
  Value sum = arith::AddFOp::create(code, op.getLoc(),
                                    getEpilogue(map).getArgument(0), bias);
  kernel::YieldOp::create(code, op.getLoc(), sum);
  replace(op, map);
  return success();
}

/// Repeats the scale or bias of a norm, which has one group's width, for all
/// groups.
Value Converter::forAllGroups(Value vector, int64_t groups) {
  if (groups == 1 || !isLoaded(vector))
    return vector;
  RankedTensorType type = tensorOf(vector);
  SmallVector<Value> copies(groups, vector);
  return DeriveOp::create(builder, vector.getLoc(),
                          RankedTensorType::get(type.getNumElements() * groups,
                                                type.getElementType()),
                          copies);
}

/// A norm of `groups` parts of each row; `scale` and `bias` may be null.
LogicalResult Converter::convertNorm(Operation *op, RowsKind kind, Value scale,
                                     Value bias, llvm::APFloat epsilon,
                                     int64_t groups) {
  Type type = op->getResult(0).getType();
  Leaves leaves(op, cast<RankedTensorType>(type));
  for (Value *value : {&scale, &bias}) {
    if (!*value)
      continue;
    *value = forAllGroups(*value, groups);
    if (failed(leaves.add(*value)))
      return failure();
  }
  auto rows =
      RowsOp::create(builder, op->getLoc(), type, kind, op->getOperand(0),
                     leaves.getExtras(), std::move(epsilon), groups);
  OpBuilder code = addEpilogue(rows);
  Block &block = getEpilogue(rows);
  Value result = block.getArgument(0);
  if (scale)
    result = arith::MulFOp::create(code, op->getLoc(), result,
                                   leaves.emit(code, block, scale));
  if (bias)
    result = arith::AddFOp::create(code, op->getLoc(), result,
                                   leaves.emit(code, block, bias));
  kernel::YieldOp::create(code, op->getLoc(), result);
  replace(op, rows);
  return success();
}

LogicalResult Converter::convertSoftmax(SoftmaxOp op) {
  auto rows =
      RowsOp::create(builder, op.getLoc(), op.getType(), RowsKind::softmax,
                     op.getInput(), ValueRange(), llvm::APFloat(0.0));
  addIdentity(rows);
  replace(op, rows);
  return success();
}

/// The angles of `op`, [h * w, width], in double.
static std::vector<double> getAngles(RotaryPositionsOp op) {
  auto number = [](std::optional<llvm::APFloat> value, double otherwise) {
    return value ? value->convertToDouble() : otherwise;
  };
  int64_t width = op.getWidth(), half = width / 2;
  double origin = number(op.getOrigin(), 0.0);
  double temperature = op.getTemperature().convertToDouble();
  auto coordinate = [&](int64_t place, int64_t count) {
    double extent = number(op.getExtent(), static_cast<double>(count));
    return (static_cast<double>(place) + origin) * extent /
               static_cast<double>(count) -
           (op.getCentered() ? extent / 2.0 : 0.0);
  };
  std::vector<double> angles;
  for (int64_t y = 0; y < op.getGrid()[0]; ++y)
    for (int64_t x = 0; x < op.getGrid()[1]; ++x) {
      double row = coordinate(y, op.getGrid()[0]);
      double column = coordinate(x, op.getGrid()[1]);
      bool isRowFirst = op.getOrder() == AxisOrder::yx;
      for (double place :
           {isRowFirst ? row : column, isRowFirst ? column : row})
        for (int64_t i = 0; i < half; ++i)
          angles.push_back(
              place * std::pow(temperature, -static_cast<double>(i) /
                                                static_cast<double>(half)));
    }
  return angles;
}

LogicalResult Converter::convertRotate(vit::RotateOp op) {
  auto positions = op.getAngles().getDefiningOp<RotaryPositionsOp>();
  if (!positions)
    return op.emitOpError("has no kernel where the angles are not "
                          "vit.rotary_positions");
  std::vector<double> angles = getAngles(positions);
  RankedTensorType type = op.getType();
  int64_t tokens = type.getDimSize(1), prefix = op.getPrefix();
  int64_t headDim = type.getDimSize(2) / static_cast<int64_t>(op.getHeads());
  int64_t pairs = headDim / 2;
  bool areHalves = op.getPairs() == PairKind::halves;
  SmallVector<float> cosine(tokens * headDim, 1.0f), sine(tokens * headDim);
  for (int64_t token = prefix; token < tokens; ++token)
    for (int64_t pair = 0; pair < pairs; ++pair) {
      double angle = angles[(token - prefix) * pairs + pair];
      int64_t first = token * headDim + (areHalves ? pair : 2 * pair);
      int64_t second = first + (areHalves ? pairs : 1);
      cosine[first] = cosine[second] = static_cast<float>(std::cos(angle));
      sine[second] =
          static_cast<float>(std::sin(op.getInverse() ? -angle : angle));
      sine[first] = -sine[second];
    }
  auto tableType =
      RankedTensorType::get({tokens, headDim}, type.getElementType());
  auto constant = [&](ArrayRef<float> values) -> Value {
    return arith::ConstantOp::create(builder, op.getLoc(),
                                     DenseElementsAttr::get(tableType, values));
  };
  replace(op, kernel::RotateOp::create(
                  builder, op.getLoc(), type, op.getInput(), constant(cosine),
                  constant(sine), op.getHeadsAttr(),
                  builder.getI64IntegerAttr(headDim),
                  builder.getI64IntegerAttr(0), op.getPairsAttr()));
  return success();
}

LogicalResult Converter::convertAttention(vit::AttentionOp op) {
  int64_t heads = op.getHeads();
  int64_t keyWidth = tensorOf(op.getKey()).getDimSize(2);
  int64_t valueWidth = tensorOf(op.getValue()).getDimSize(2);
  if (keyWidth != valueWidth)
    return op.emitOpError("has no kernel for keys of width ")
           << keyWidth << " and values of width " << valueWidth
           << "; make them equal";
  if (op.getBias() && !isLoaded(op.getBias()))
    return op.emitOpError("has no kernel where the bias is not a parameter or "
                          "vit.relative_positions");
  bool asked = op.getProbabilities() && !op.getProbabilities().use_empty();
  auto attention = kernel::AttentionOp::create(
      builder, op.getLoc(), op.getResult().getType(),
      asked ? op.getProbabilities().getType() : Type(),
      asOperand(op.getQuery(), op.getPrecision()),
      asOperand(op.getKey(), op.getPrecision()),
      asOperand(op.getValue(), op.getPrecision()), op.getBias(),
      op.getHeadsAttr(), builder.getI64IntegerAttr(valueWidth / heads),
      builder.getDenseI64ArrayAttr({0, 0, 0}), op.getScaleAttr(),
      asUnit(isTf32(op.getPrecision())));
  op.getResult().replaceAllUsesWith(attention.getResult());
  if (asked)
    op.getProbabilities().replaceAllUsesWith(attention.getProbabilities());
  op.erase();
  ++kernels;
  return success();
}

LogicalResult Converter::convertRepeat(RepeatTokensOp op) {
  if (!isLoaded(op.getTokens()))
    return op.emitOpError("has no kernel where the tokens are not a parameter");
  replace(op, RepeatOp::create(builder, op.getLoc(), op.getType(),
                               op.getTokens(), op.getLike()));
  return success();
}

LogicalResult Converter::convertPrepend(PrependTokensOp op) {
  if (!isLoaded(op.getTokens()))
    return op.emitOpError("has no kernel where the tokens are not a parameter");
  auto prepend = PrependOp::create(builder, op.getLoc(), op.getType(),
                                   op.getInput(), op.getTokens(), ValueRange());
  addIdentity(prepend);
  replace(op, prepend);
  return success();
}

/// The first element type among the operands and results of `op` that kernels
/// do not support, or null.
static Type findOtherType(Operation *op) {
  auto isOther = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && !tensor.getElementType().isF32() &&
           !tensor.getElementType().isInteger(32);
  };
  for (Type type : op->getOperandTypes())
    if (isOther(type))
      return cast<RankedTensorType>(type).getElementType();
  for (Type type : op->getResultTypes())
    if (isOther(type))
      return cast<RankedTensorType>(type).getElementType();
  return {};
}

LogicalResult Converter::convert(Operation *op) {
  if (isa<LayersOp>(op))
    return op->emitOpError("has no kernel; run vit-unroll-layers first");
  if (isa<OutputOp>(op))
    return op->emitOpError("has no kernel; run vit-select-outputs first");
  if (!isa_and_nonnull<VitDialect>(op->getDialect()))
    return success();
  if (Type type = findOtherType(op))
    return op->emitOpError("has no kernel for ") << type << "; use f32";
  builder.setInsertionPoint(op);
  if (std::optional<LogicalResult> done = convertTraining(op))
    return *done;
  if (llvm::none_of(op->getResults(), isActivation))
    return isElementwise(op) && llvm::any_of(op->getOperands(), isComputed)
               ? convertElementwise(op)
               : convertParameters(op);
  if (!tensorOf(op->getResult(0)).getElementType().isF32())
    return op->emitOpError("has no kernel for ")
           << tensorOf(op->getResult(0)).getElementType() << "; use f32";
  int64_t rank = tensorOf(op->getResult(0)).getRank();
  if (rank != 2 && rank != 3)
    return op->emitOpError("has no kernel for rank ")
           << rank << "; use [batch, tokens, width] or [batch, width]";
  if (isElementwise(op))
    return convertElementwise(op);

  auto plain = [&](Operation *kernel) {
    replace(op, kernel);
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](LinearOp linear) { return convertLinear(linear); })
      .Case([&](LayerNormOp norm) {
        return convertNorm(norm, RowsKind::normalize, norm.getScale(),
                           norm.getBias(), norm.getEpsilon(), norm.getGroups());
      })
      .Case([&](RmsNormOp norm) {
        return convertNorm(norm, RowsKind::rms, norm.getScale(), Value(),
                           norm.getEpsilon(), norm.getGroups());
      })
      .Case([&](L2NormalizeOp norm) {
        return convertNorm(norm, RowsKind::l2, Value(), Value(),
                           norm.getEpsilon(), /*groups=*/1);
      })
      .Case([&](SoftmaxOp softmax) { return convertSoftmax(softmax); })
      .Case([&](vit::AttentionOp attention) {
        return convertAttention(attention);
      })
      .Case([&](vit::RotateOp rotate) { return convertRotate(rotate); })
      .Case([&](PrependTokensOp prepend) { return convertPrepend(prepend); })
      .Case([&](RepeatTokensOp repeat) { return convertRepeat(repeat); })
      .Case([&](vit::ConcatChannelsOp concat) {
        return plain(kernel::ConcatChannelsOp::create(
            builder, op->getLoc(), concat.getType(), concat.getInputs()));
      })
      .Case([&](vit::PatchifyOp patchify) {
        return plain(kernel::PatchifyOp::create(
            builder, op->getLoc(), patchify.getType(), patchify.getInput(),
            patchify.getPatchAttr(), patchify.getOrderAttr()));
      })
      .Case([&](TakeTokensOp take) {
        return plain(TakeOp::create(builder, op->getLoc(), take.getType(),
                                    take.getInput(), take.getStartAttr()));
      })
      .Case([&](MeanTokensOp mean) {
        return plain(MeanOp::create(builder, op->getLoc(), mean.getType(),
                                    mean.getInput(), mean.getStartAttr()));
      })
      .Default(
          [](Operation *other) { return other->emitOpError("has no kernel"); });
}

/// Erases element-wise ops on parameters, whose formulas are part of their
/// users by now. Reports an error if one still has a user, which then cannot
/// contain the formula.
LogicalResult Converter::eraseParameterOps() {
  Block &block = entry.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isOpTriviallyDead(&op))
      op.erase();
    else if (isElementwise(&op))
      return op.emitOpError("of parameters alone has no kernel; ")
             << (*op.user_begin())->getName() << " needs it as a value";
  }
  for (auto [index, value] :
       llvm::enumerate(block.getTerminator()->getOperands()))
    if (isa<RankedTensorType>(value.getType()) && !isComputed(value))
      return entry.emitOpError("result ")
             << index << " is a parameter; return a value that has a batch";
  return success();
}

/// Checks that each argument has the batch as its first dimension or is a
/// single number.
LogicalResult Converter::checkArguments() {
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || (type.getRank() != 0 && !isActivation(argument)))
      return entry.emitError("argument ")
             << argument.getArgNumber() << " of '" << entry.getSymName()
             << "' is " << argument.getType()
             << "; an entry's arguments are tensors whose first dimension, "
                "`?`, is the batch, and single numbers";
  }
  return success();
}

LogicalResult Converter::run() {
  if (failed(checkArguments()))
    return failure();
  for (Operation &op :
       llvm::make_early_inc_range(entry.getBody().front().without_terminator()))
    if (failed(convert(&op)))
      return failure();
  return eraseParameterOps();
}

void ConvertToKernelsPass::runOnOperation() {
  if (getOperation().isExternal())
    return;
  Converter converter(getOperation());
  if (failed(converter.run()))
    return signalPassFailure();
  kernelsMade += converter.kernels;
}
