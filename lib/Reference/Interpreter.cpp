//===- Interpreter.cpp - Evaluates a function, op by op -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Reference/Interpreter.h"

#include "Evaluator.h"

#include "vit/Dialect/Names.h"
#include "vit/Graph/OutputNames.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <new>
#include <numeric>
#include <stdexcept>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

Tensor::Tensor(std::vector<int64_t> dims) : shape(std::move(dims)) {
  data.resize(std::accumulate(shape.begin(), shape.end(), int64_t(1),
                              std::multiplies<int64_t>()));
}

static std::string text(ArrayRef<int64_t> shape) {
  std::string result = "[";
  for (auto [index, size] : llvm::enumerate(shape)) {
    if (index > 0)
      result += ", ";
    result += ShapedType::isDynamic(size) ? "?" : std::to_string(size);
  }
  return result + "]";
}

LogicalResult Evaluator::fail(Operation *op, const Twine &message) {
  std::string name = getWorkName(op->getLoc());
  error = ((name.empty() ? Twine() : name + ": ") + message).str();
  return failure();
}

bool Evaluator::isWanted(StringRef name) const {
  return llvm::is_contained(outputs, name);
}

std::string Evaluator::getName(OutputOp op) {
  std::string name = op.getName().str();
  if (op.getIndex())
    name.replace(name.find("{}"), 2,
                 std::to_string(indices.lookup(op.getIndex())));
  return name;
}

bool Evaluator::isNeeded(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto output = dyn_cast<OutputOp>(user);
    return !output || isWanted(getName(output));
  });
}

//===----------------------------------------------------------------------===//
// Parameters, layers, outputs
//===----------------------------------------------------------------------===//

FailureOr<Tensor> Evaluator::load(Operation *op, FlatSymbolRefAttr symbol,
                                  int64_t layer, std::string &name) {
  Operation *found = SymbolTable::lookupNearestSymbolFrom(op, symbol);
  auto parameter = dyn_cast_or_null<ParameterOp>(found);
  auto state = dyn_cast_or_null<StateOp>(found);
  if (!parameter && !state)
    return fail(op, "there is no parameter @" + symbol.getValue());
  std::optional<uint64_t> layers =
      parameter ? parameter.getLayers() : state.getLayers();
  int64_t count = layers.value_or(1);
  if (layer < 0 || layer >= count)
    return fail(op, "there is no layer " + Twine(layer) + " of @" +
                        symbol.getValue() + "; it has " + Twine(count));
  name = symbol.getValue().str();
  if (layers)
    name += "." + std::to_string(layer);
  if (store)
    if (auto changed = store->find(name); changed != store->end())
      return changed->second;
  RankedTensorType type =
      parameter ? parameter.getTensorType() : state.getTensorType();
  Tensor value(type.getShape().vec());
  std::string problem;
  if (parameter && failed(readParameter(parameter, layer, value.data, problem)))
    return fail(op, problem);
  return value;
}

LogicalResult Evaluator::evaluateRead(ReadOp op) {
  int64_t layer = op.getLayer().value_or(0);
  if (op.getIndex()) {
    auto found = indices.find(op.getIndex());
    if (found == indices.end())
      return fail(op, "the layer of @" + op.getParameter() + " is not known");
    layer = found->second;
  }
  std::string name;
  FailureOr<Tensor> value = load(op, op.getParameterAttr(), layer, name);
  if (failed(value))
    return failure();
  set(op.getResult(), std::move(*value));
  return success();
}

LogicalResult Evaluator::evaluateLayers(LayersOp op) {
  Block &body = op.getBody().front();
  SmallVector<std::shared_ptr<const Tensor>> carried;
  for (Value init : op.getInits())
    carried.push_back(tensors.at(init));
  int64_t count = op.getCount();
  for (int64_t layer = 0; layer < count; ++layer) {
    indices[body.getArgument(0)] = layer;
    for (auto [argument, value] :
         llvm::zip(body.getArguments().drop_front(), carried))
      tensors[argument] = std::move(value);
    if (failed(evaluateBlock(body)))
      return failure();
    for (auto [value, yielded] :
         llvm::zip(carried, body.getTerminator()->getOperands()))
      value = tensors.at(yielded);
  }
  for (auto [result, value] : llvm::zip(op.getResults(), carried))
    tensors[result] = std::move(value);
  return success();
}

LogicalResult Evaluator::evaluateOutput(OutputOp op) {
  std::string name = getName(op);
  if (llvm::is_contained(offered, name))
    return fail(op, "two outputs are called \"" + name + "\"; rename one");
  offered.push_back(name);
  if (isWanted(name))
    collected.push_back({name, get(op.getValue())});
  return success();
}

/// An index is kept as a number, anything else as a tensor.
LogicalResult Evaluator::evaluateConstant(arith::ConstantOp op) {
  if (auto index = dyn_cast<IntegerAttr>(op.getValue())) {
    indices[op] = index.getInt();
    return success();
  }
  if (auto integers = dyn_cast<DenseIntElementsAttr>(op.getValue())) {
    Tensor value(cast<RankedTensorType>(integers.getType()).getShape().vec());
    llvm::transform(integers.getValues<APInt>(), value.data.begin(),
                    [](const APInt &number) {
                      return static_cast<double>(number.getSExtValue());
                    });
    set(op, std::move(value));
    return success();
  }
  auto elements = dyn_cast<DenseFPElementsAttr>(op.getValue());
  if (!elements)
    return fail(op, "a constant must be numbers in dense<>");
  Tensor value(cast<RankedTensorType>(elements.getType()).getShape().vec());
  llvm::transform(elements.getValues<APFloat>(), value.data.begin(),
                  [](APFloat number) {
                    bool exact;
                    number.convert(APFloat::IEEEdouble(),
                                   APFloat::rmNearestTiesToEven, &exact);
                    return number.convertToDouble();
                  });
  set(op, std::move(value));
  return success();
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

LogicalResult Evaluator::evaluate(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](ReadOp op) { return evaluateRead(op); })
      .Case([&](LayersOp op) { return evaluateLayers(op); })
      .Case([&](OutputOp op) { return evaluateOutput(op); })
      .Case([&](arith::ConstantOp op) { return evaluateConstant(op); })
      .Case([&](AttentionOp op) { return evaluateAttention(op); })
      .Case([&](kernel::AttentionOp op) { return evaluateKernelAttention(op); })
      .Case([&](kernel::QuantizeOp op) { return evaluateQuantize(op); })
      .Default([&](Operation *op) -> LogicalResult {
        if (std::optional<LogicalResult> done = evaluateTrainingOp(op))
          return *done;
        if (std::optional<LogicalResult> done = evaluateTrainingKernel(op))
          return *done;
        std::optional<Tensor> result = evaluateGraphOp(op);
        if (!result) {
          FailureOr<std::optional<Tensor>> kernelResult = evaluateKernelOp(op);
          if (failed(kernelResult))
            return fail(op, Twine(std::string(error)));
          result = std::move(*kernelResult);
        }
        if (!result)
          return fail(op, "the reference interpreter does not know " +
                              op->getName().getStringRef());
        set(op->getResult(0), std::move(*result));
        return success();
      });
}

/// For each op of `block`, the values of this block that it is the last to use.
static llvm::DenseMap<Operation *, SmallVector<Value>> lastUses(Block &block) {
  llvm::DenseMap<Operation *, SmallVector<Value>> result;
  auto add = [&](Value value) {
    Operation *last = nullptr;
    for (Operation *user : value.getUsers()) {
      Operation *ancestor = block.findAncestorOpInBlock(*user);
      if (!last || last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
    if (last && !last->hasTrait<OpTrait::IsTerminator>())
      result[last].push_back(value);
  };
  for (BlockArgument argument : block.getArguments())
    add(argument);
  for (Operation &op : block)
    for (Value value : op.getResults())
      add(value);
  return result;
}

LogicalResult Evaluator::evaluateBlock(Block &block) {
  llvm::DenseMap<Operation *, SmallVector<Value>> finished = lastUses(block);
  for (Operation &op : block.without_terminator()) {
    if (failed(evaluate(&op)))
      return failure();
    for (Value value : finished.lookup(&op))
      tensors.erase(value);
  }
  return success();
}

LogicalResult Evaluator::checkInputs(func::FuncOp entry,
                                     ArrayRef<Tensor> inputs) {
  std::string name = entry.getName().str();
  if (entry.isExternal())
    return error = "@" + name + " has no body", failure();
  if (!entry.getBody().hasOneBlock())
    return error = "@" + name + " must be one block, without branches",
           failure();
  if (inputs.size() != entry.getNumArguments())
    return error = "@" + name + " takes " +
                   std::to_string(entry.getNumArguments()) + " inputs, not " +
                   std::to_string(inputs.size()),
           failure();
  // All unknown leading sizes are the batch.
  int64_t batch = 0;
  for (auto [index, input] : llvm::enumerate(inputs)) {
    auto type = dyn_cast<RankedTensorType>(entry.getArgument(index).getType());
    auto describe = [&, index = index, &input = input] {
      return "input " + std::to_string(index) + " of @" + name + " is " +
             text(input.shape);
    };
    if (!type)
      return error = "argument " + std::to_string(index) + " of @" + name +
                     " is not a tensor",
             failure();
    bool fits = input.rank() == type.getRank() &&
                input.size() == Tensor(input.shape).size();
    for (int64_t dim = 0; fits && dim < input.rank(); ++dim)
      fits =
          input.shape[dim] >= 1 &&
          (type.isDynamicDim(dim) || input.shape[dim] == type.getDimSize(dim));
    if (!fits)
      return error = describe() + " but must be " + text(type.getShape()) +
                     ", with ? at least 1",
             failure();
    if (type.getRank() == 0 || !type.isDynamicDim(0))
      continue;
    if (batch != 0 && input.shape[0] != batch)
      return error = describe() + ": its batch is not the other inputs' " +
                     std::to_string(batch),
             failure();
    batch = input.shape[0];
  }
  return success();
}

LogicalResult Evaluator::run(func::FuncOp entry, ArrayRef<Tensor> inputs,
                             std::vector<NamedTensor> &results) {
  if (failed(checkInputs(entry, inputs)))
    return failure();
  Block &body = entry.getBody().front();
  for (auto [argument, input] : llvm::zip(body.getArguments(), inputs))
    tensors[argument] = std::make_shared<const Tensor>(input);
  if (failed(evaluateBlock(body)))
    return failure();

  std::vector<NamedTensor> found;
  for (auto [index, value] :
       llvm::enumerate(body.getTerminator()->getOperands())) {
    auto name = entry.getResultAttrOfType<StringAttr>(index, "vit.name");
    found.push_back(
        {name ? name.str() : "result_" + std::to_string(index), get(value)});
  }
  if (outputs.empty()) {
    results = std::move(found);
    return success();
  }
  std::vector<std::string> names;
  for (const NamedTensor &result : found)
    names.push_back(result.name);
  llvm::append_range(names, offered);
  llvm::append_range(found, collected);
  results.clear();
  for (const std::string &name : outputs) {
    auto result = llvm::find_if(
        found, [&](const NamedTensor &tensor) { return tensor.name == name; });
    if (result == found.end())
      return error = "@" + entry.getName().str() + " has no output \"" + name +
                     "\"; it has " + listOutputs(names, name),
             failure();
    results.push_back(*result);
  }
  return success();
}

LogicalResult reference::evaluate(func::FuncOp entry, ArrayRef<Tensor> inputs,
                                  const ParameterReader &readParameter,
                                  ArrayRef<std::string> outputs,
                                  std::vector<NamedTensor> &results,
                                  std::string &error, Store *store) {
  // Sizes come from the text and the batch, either of which may be absurdly
  // large.
  try {
    return Evaluator(readParameter, outputs, error, store)
        .run(entry, inputs, results);
  } catch (const std::bad_alloc &) {
    error = "there is not enough memory to evaluate @" + entry.getName().str() +
            "; use a smaller batch";
  } catch (const std::length_error &) {
    error = "@" + entry.getName().str() + " has tensors beyond any memory";
  }
  return failure();
}
