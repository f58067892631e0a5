//===- GenerateBackward.cpp - Write a training step -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The forward part is a copy of the entry, the backward part consists of the
// adjoints of its ops (Differentiate.cpp), and the updates follow.
// docs/training-graph.md shows the result.
//
//===----------------------------------------------------------------------===//

#include "TrainedParameters.h"

#include "vit/Dialect/Names.h"
#include "vit/Graph/Differentiate.h"
#include "vit/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::vit {
#define GEN_PASS_DEF_GENERATEBACKWARD
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
/// What a generated entry does with the gradients.
enum class End { Update, Accumulate, Return };

struct GenerateBackwardPass
    : vit::impl::GenerateBackwardBase<GenerateBackwardPass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult checkOptions();
  FailureOr<unsigned> findResult(func::FuncOp entry);
  LogicalResult generate(func::FuncOp entry, StringRef name, End end);

  // Each function appends a part of the entry. They are called in this order.
  func::FuncOp copyForward(func::FuncOp entry, unsigned result, StringRef name,
                           End end);
  LogicalResult randomize(Block &block);
  Value buildLoss();
  FailureOr<SmallVector<TrainedParameter>> chooseParameters(Block &block);
  LogicalResult buildSums(MutableArrayRef<TrainedParameter> parameters,
                          MutableArrayRef<Value> gradients, End end);
  LogicalResult buildUpdates(MutableArrayRef<TrainedParameter> parameters,
                             ArrayRef<Value> gradients);
  LogicalResult buildUpdate(TrainedParameter trained, Value gradient,
                            Value factor);

  FailureOr<FlatSymbolRefAttr> getState(StringRef role, RankedTensorType type,
                                        ParameterOp parameter = {});
  FailureOr<FlatSymbolRefAttr> getState(StringRef role, ParameterOp parameter) {
    return getState(role, parameter.getTensorType(), parameter);
  }
  Location named(const Twine &name) {
    return NameLoc::get(StringAttr::get(&getContext(), name));
  }

  // State of the entry that is being generated.
  OpBuilder builder{static_cast<MLIRContext *>(nullptr)};
  Value output, labels, rate, step;
};
} // namespace

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

LogicalResult GenerateBackwardPass::checkOptions() {
  auto fail = [&](const Twine &message) {
    return getOperation().emitError("vit-generate-backward: ") << message;
  };
  if (loss != "cross_entropy" && loss != "mse")
    return fail("loss '" + loss + "' is not cross_entropy or mse");
  if (optimizer != "sgd" && optimizer != "adam" && optimizer != "adamw" &&
      optimizer != "none")
    return fail("optimizer '" + optimizer +
                "' is not sgd, adam, adamw or none");
  if (loss == "mse" && (softTargets || labelSmoothing != 0.0))
    return fail("soft-targets and label-smoothing belong to cross_entropy");
  if (accumulate < 1 || (accumulate > 1 && optimizer == "none"))
    return fail("accumulate must be at least 1, and needs an optimizer");
  if (!(clipNorm >= 0.0) || (clipNorm > 0.0 && optimizer == "none"))
    return fail("clip-norm must not be negative, and needs an optimizer");
  return success();
}

/// Returns the number of the result that the loss is computed from; fails if
/// the entry cannot be trained.
FailureOr<unsigned> GenerateBackwardPass::findResult(func::FuncOp entry) {
  if (entry.isExternal() || !entry.getBody().hasOneBlock())
    return entry.emitError("cannot be trained: it must be one block");
  for (LayersOp layers : entry.getOps<LayersOp>())
    return layers.emitOpError("has no adjoint; run vit-unroll-layers first");
  for (unsigned i = 0; i < entry.getNumResults(); ++i) {
    auto name = entry.getResultAttrOfType<StringAttr>(i, "vit.name");
    if (!resultName.empty() && (!name || name.getValue() != resultName))
      continue;
    auto type = dyn_cast<RankedTensorType>(entry.getResultTypes()[i]);
    if (!type || type.getRank() != 2 || type.isDynamicDim(1) ||
        !type.getElementType().isF32())
      return entry.emitError("result ")
             << i << " is " << entry.getResultTypes()[i]
             << "; a loss needs [batch, classes] of f32";
    return i;
  }
  return entry.emitError("has no result '")
         << resultName << "' for the loss; see its vit.name";
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

/// Creates a function with the ops of `entry` that compute result number
/// `result`. Sets `output`, `labels`, `rate` and `step`. The results of the
/// function are added at the end.
func::FuncOp GenerateBackwardPass::copyForward(func::FuncOp entry,
                                               unsigned result, StringRef name,
                                               End end) {
  Type resultType = entry.getResultTypes()[result];
  SmallVector<Type> types(entry.getArgumentTypes());
  SmallVector<DictionaryAttr> attributes;
  entry.getAllArgAttrs(attributes);
  attributes.resize(types.size());
  Builder make(&getContext());
  auto add = [&](StringRef argument, Role role, Type type,
                 int64_t classes = 0) {
    types.push_back(type);
    NamedAttrList list;
    list.set("vit.name", make.getStringAttr(argument));
    list.set("vit.role", RoleAttr::get(&getContext(), role));
    if (classes != 0)
      list.set("vit.classes", make.getI64IntegerAttr(classes));
    attributes.push_back(list.getDictionary(&getContext()));
  };
  ArrayRef<int64_t> shape = cast<RankedTensorType>(resultType).getShape();
  if (loss == "cross_entropy" && !softTargets)
    add("labels", Role::targets,
        RankedTensorType::get(shape.front(), make.getI32Type()), shape.back());
  else
    add("labels", Role::targets, resultType);
  if (end == End::Update)
    add("learning_rate", Role::learning_rate,
        RankedTensorType::get({}, make.getF32Type()));
  add("step", Role::step, RankedTensorType::get({}, make.getI32Type()));

  auto function = func::FuncOp::create(entry.getLoc(), name,
                                       make.getFunctionType(types, {}));
  function.setAllArgAttrs(attributes);
  getOperation().insert(std::next(entry->getIterator()), function);
  Block &block = *function.addEntryBlock();
  unsigned given = entry.getNumArguments();
  labels = block.getArgument(given);
  rate = end == End::Update ? block.getArgument(given + 1) : Value();
  step = block.getArguments().back();

  builder = OpBuilder::atBlockEnd(&block);
  Block &body = entry.getBody().front();
  IRMapping mapping;
  mapping.map(body.getArguments(), block.getArguments().take_front(given));
  for (auto [from, to] : llvm::zip(body.getArguments(), block.getArguments()))
    to.setLoc(from.getLoc());
  labels.setLoc(named("labels"));
  step.setLoc(named("step"));
  if (rate)
    rate.setLoc(named("learning_rate"));
  for (Operation &op : body.without_terminator())
    if (!isa<OutputOp>(op))
      builder.clone(op, mapping);
  output = mapping.lookup(body.getTerminator()->getOperand(result));
  return function;
}

/// Returns a name that does not depend on the path of the source text.
static std::string getStableName(Operation *op) {
  return hasName(op->getLoc()) ? getWorkName(op->getLoc()) : "dropout";
}

/// Adds the operands of dropout and drop path that select their random numbers.
LogicalResult GenerateBackwardPass::randomize(Block &block) {
  llvm::StringMap<int64_t> names;
  Value seed;
  auto handle = [&](auto op) -> LogicalResult {
    if (op.getRandom())
      return success();
    if (op.getProbability().isZero()) {
      op.replaceAllUsesWith(op.getInput());
      op.erase();
      return success();
    }
    if (!seed) {
      OpBuilder begin = OpBuilder::atBlockBegin(&block);
      auto type = RankedTensorType::get({2}, builder.getI32Type());
      FailureOr<FlatSymbolRefAttr> state = getState("random_seed", type);
      if (failed(state))
        return failure();
      seed = ReadOp::create(begin, named("random_seed"), type, *state, Value(),
                            IntegerAttr());
    }
    std::string name = getStableName(op);
    if (int64_t number = names[name]++)
      name += "." + std::to_string(number);
    op.setRandom(name);
    op.getSeedMutable().assign(seed);
    op.getStepMutable().assign(step);
    return success();
  };
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto drop = dyn_cast<DropoutOp>(op); drop && failed(handle(drop)))
      return failure();
    if (auto drop = dyn_cast<DropPathOp>(op); drop && failed(handle(drop)))
      return failure();
  }
  return success();
}

Value GenerateBackwardPass::buildLoss() {
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  if (loss == "mse")
    return MseOp::create(builder, named("loss"), scalar, output, labels);
  return CrossEntropyOp::create(builder, named("loss"), scalar, output, labels,
                                builder.getF64FloatAttr(labelSmoothing));
}

/// The parameters that `block` reads and that are not frozen.
FailureOr<SmallVector<TrainedParameter>>
GenerateBackwardPass::chooseParameters(Block &block) {
  ModuleOp module = getOperation();
  FailureOr<NamePatterns> leave = NamePatterns::parse(frozen, module),
                          only = NamePatterns::parse(trained, module);
  if (failed(leave) || failed(only))
    return failure();
  SmallVector<TrainedParameter> all = collectParameters(block), chosen;
  for (TrainedParameter &parameter : all) {
    if (!hasName(parameter.read.getLoc()))
      parameter.read->setLoc(named(parameter.getName()));
    bool stays = leave->match(parameter);
    if ((only->match(parameter) || only->empty()) && !stays)
      chosen.push_back(parameter);
  }
  if (failed(leave->checkAllMatched(module)) ||
      failed(only->checkAllMatched(module)))
    return failure();
  parametersFrozen = all.size() - chosen.size();
  return chosen;
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// Returns the symbol of the state with `role`, of `parameter` if that is
/// given. The state is declared if necessary.
FailureOr<FlatSymbolRefAttr>
GenerateBackwardPass::getState(StringRef role, RankedTensorType type,
                               ParameterOp parameter) {
  ModuleOp module = getOperation();
  StringAttr name = builder.getStringAttr(
      parameter ? role + "." + parameter.getSymName() : Twine(role));
  auto of = parameter ? FlatSymbolRefAttr::get(parameter.getSymNameAttr())
                      : FlatSymbolRefAttr();
  Operation *found = SymbolTable::lookupSymbolIn(module, name);
  if (auto state = dyn_cast_or_null<StateOp>(found);
      state && state.getType() == type && state.getParameterAttr() == of &&
      state.getRole() == role)
    return FlatSymbolRefAttr::get(name);
  if (found)
    return found->emitOpError("has a name that training needs: rename '")
           << name.getValue() << "'";
  // After the parameters and the existing states.
  Operation *last = nullptr;
  for (Operation &op : module.getBody()->getOperations())
    if (isa<ParameterOp, StateOp>(op))
      last = &op;
  OpBuilder declare = last
                          ? OpBuilder(last->getBlock(), ++Block::iterator(last))
                          : OpBuilder::atBlockBegin(module.getBody());
  StateOp::create(declare, named(name.getValue()), name, of,
                  builder.getStringAttr(role), TypeAttr::get(type),
                  parameter ? parameter.getLayersAttr() : IntegerAttr());
  return FlatSymbolRefAttr::get(name);
}

/// Adds the sum of earlier micro-batches to the gradient, or stores the sum for
/// later ones.
LogicalResult
GenerateBackwardPass::buildSums(MutableArrayRef<TrainedParameter> parameters,
                                MutableArrayRef<Value> gradients, End end) {
  for (auto [trained, gradient] : llvm::zip(parameters, gradients)) {
    FailureOr<FlatSymbolRefAttr> state =
        getState("gradient", trained.parameter);
    if (failed(state))
      return failure();
    Location location = named(trained.getName() + ".sum");
    IntegerAttr layer = trained.read.getLayerAttr();
    Value earlier = ReadOp::create(builder, location, gradient.getType(),
                                   *state, Value(), layer);
    gradient = AddOp::create(builder, location, earlier, gradient);
    if (end == End::Accumulate)
      WriteOp::create(builder, location, *state, layer, gradient);
  }
  return success();
}

LogicalResult GenerateBackwardPass::buildUpdate(TrainedParameter trained,
                                                Value gradient, Value factor) {
  Location location = named(trained.getName() + ".update");
  auto symbol = FlatSymbolRefAttr::get(trained.parameter.getSymNameAttr());
  IntegerAttr layer = trained.read.getLayerAttr();
  double value = weightDecay >= 0.0     ? weightDecay
                 : optimizer == "adamw" ? 0.01
                                        : 0.0;
  FloatAttr decay =
      builder.getF64FloatAttr(trained.isWeight || decayAll ? value : 0.0);
  if (optimizer == "sgd") {
    FlatSymbolRefAttr buffer;
    if (momentum != 0.0) {
      FailureOr<FlatSymbolRefAttr> state =
          getState("momentum_buffer", trained.parameter);
      if (failed(state))
        return failure();
      buffer = *state;
    }
    SgdOp::create(builder, location, symbol, layer, gradient, factor, buffer,
                  rate, builder.getF64FloatAttr(momentum),
                  nesterov ? builder.getUnitAttr() : UnitAttr(), decay);
    return success();
  }
  FailureOr<FlatSymbolRefAttr> first = getState("exp_avg", trained.parameter);
  FailureOr<FlatSymbolRefAttr> second =
      getState("exp_avg_sq", trained.parameter);
  if (failed(first) || failed(second))
    return failure();
  auto betas = builder.getDenseF64ArrayAttr({beta1, beta2});
  auto every = builder.getI64IntegerAttr(accumulate);
  FloatAttr small = builder.getF64FloatAttr(epsilon);
  if (optimizer == "adam")
    AdamOp::create(builder, location, symbol, layer, gradient, factor, *first,
                   *second, rate, step, betas, small, decay, every);
  else
    AdamwOp::create(builder, location, symbol, layer, gradient, factor, *first,
                    *second, rate, step, betas, small, decay, every);
  return success();
}

LogicalResult
GenerateBackwardPass::buildUpdates(MutableArrayRef<TrainedParameter> parameters,
                                   ArrayRef<Value> gradients) {
  Value factor;
  if (clipNorm > 0.0)
    factor = ClipByGlobalNormOp::create(
        builder, named("clip"), RankedTensorType::get({}, builder.getF32Type()),
        gradients, builder.getF64FloatAttr(clipNorm));
  for (auto [trained, gradient] : llvm::zip(parameters, gradients))
    if (failed(buildUpdate(trained, gradient, factor)))
      return failure();
  if (accumulate == 1)
    return success();
  for (auto [trained, gradient] : llvm::zip(parameters, gradients)) {
    auto type = cast<RankedTensorType>(gradient.getType());
    Location location = named(trained.getName() + ".sum");
    Value zero = arith::ConstantOp::create(
        builder, location,
        DenseElementsAttr::get(type, builder.getF32FloatAttr(0.0)));
    WriteOp::create(builder, location, *getState("gradient", trained.parameter),
                    trained.read.getLayerAttr(), zero);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------===//

/// Erases dead ops, users before producers.
static void eraseDeadOps(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

LogicalResult GenerateBackwardPass::generate(func::FuncOp entry, StringRef name,
                                             End end) {
  FailureOr<unsigned> result = findResult(entry);
  if (failed(result))
    return failure();
  if (Operation *taken = SymbolTable::lookupSymbolIn(getOperation(), name))
    return taken->emitOpError("is already called '") << name << "'";
  func::FuncOp function = copyForward(entry, *result, name, end);
  Block &block = function.getBody().front();

  // The loss and the results that describe it.
  SmallVector<Value> results = {buildLoss()};
  SmallVector<std::string> names = {"loss"};
  SmallVector<Role> roles = {Role::loss};
  if (loss == "cross_entropy") {
    auto count = RankedTensorType::get({}, builder.getI32Type());
    results.push_back(
        AccuracyOp::create(builder, named("correct"), count, output, labels));
    names.push_back("correct");
    roles.push_back(Role::correct);
  }
  func::ReturnOp::create(builder, entry.getLoc(), results);
  builder.setInsertionPoint(block.getTerminator());
  eraseDeadOps(block);
  IRRewriter rewriter(builder);
  for (auto attention :
       llvm::make_early_inc_range(block.getOps<AttentionOp>())) {
    rewriter.setInsertionPoint(attention);
    (void)dropProbabilities(attention, rewriter);
  }
  if (failed(randomize(block)))
    return failure();
  FailureOr<SmallVector<TrainedParameter>> chosen = chooseParameters(block);
  if (failed(chosen))
    return failure();

  // Backward.
  auto scalar = cast<RankedTensorType>(results.front().getType());
  Value share = arith::ConstantOp::create(
      builder, named("loss.backward"),
      DenseElementsAttr::get(
          scalar,
          builder.getF32FloatAttr(1.0f / static_cast<float>(accumulate))));
  SmallVector<Value> wanted;
  for (TrainedParameter &trained : *chosen)
    wanted.push_back(trained.read);
  FailureOr<SmallVector<Value>> found =
      buildGradients(builder, block, {{results.front(), share}}, wanted);
  if (failed(found))
    return failure();
  SmallVector<TrainedParameter> parameters;
  SmallVector<Value> gradients;
  for (auto [trained, gradient] : llvm::zip(*chosen, *found))
    if (gradient) {
      parameters.push_back(trained);
      gradients.push_back(gradient);
    }
  if (gradients.empty())
    return entry.emitError("has nothing to train: the loss depends on no "
                           "parameter that is not frozen");
  parametersTrained = gradients.size();

  // Updates.
  if (accumulate > 1 && failed(buildSums(parameters, gradients, end)))
    return failure();
  if (end == End::Update && failed(buildUpdates(parameters, gradients)))
    return failure();
  if (end == End::Return)
    for (auto [trained, gradient] : llvm::zip(parameters, gradients)) {
      results.push_back(gradient);
      names.push_back("gradient." + trained.getName());
    }

  block.getTerminator()->setOperands(results);
  function.setFunctionType(builder.getFunctionType(
      function.getArgumentTypes(), ValueRange(results).getTypes()));
  for (auto [i, resultName] : llvm::enumerate(names))
    function.setResultAttr(i, "vit.name", builder.getStringAttr(resultName));
  for (auto [i, role] : llvm::enumerate(roles))
    function.setResultAttr(i, "vit.role", RoleAttr::get(&getContext(), role));
  return success();
}

void GenerateBackwardPass::runOnOperation() {
  ModuleOp module = getOperation();
  if (failed(checkOptions()))
    return signalPassFailure();
  auto entryFunction = module.lookupSymbol<func::FuncOp>(entry);
  if (!entryFunction) {
    module.emitError("vit-generate-backward: there is no function @") << entry;
    return signalPassFailure();
  }
  End end = optimizer == "none" ? End::Return : End::Update;
  if (failed(generate(entryFunction, name, end)) ||
      (accumulate > 1 &&
       failed(generate(entryFunction, "accumulate_step", End::Accumulate))))
    signalPassFailure();
}
