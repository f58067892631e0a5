//===- CheckGradients.cpp - Adjoints against finite differences -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Inputs.h"

#include "vit/Graph/Differentiate.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Verifier.h"

#include "llvm/Support/Format.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

namespace {
/// A variable to differentiate with respect to: an argument, or a parameter
/// that the entry reads.
struct Variable {
  Value value;
  std::string name;
  int64_t argument = -1; ///< -1: a parameter
  Tensor at;             ///< Where the gradient is evaluated.
};

/// The number to differentiate: a weighted sum of the elements of the results.
class Function {
public:
  Function(func::FuncOp entry, ArrayRef<Tensor> inputs,
           const InputOptions &options)
      : entry(entry), inputs(inputs), options(options),
        readParameter(makeParameterReader(options.seed)) {}

  /// Sets the members below.
  LogicalResult prepare();
  /// The gradients computed by adjoints, in the order of `variables`.
  LogicalResult differentiate(std::vector<Tensor> &gradients);
  /// The value after adding `delta` to element `element` of `variable`.
  double evaluateNear(const Variable &variable, int64_t element, double delta);

  std::vector<Variable> variables;
  std::string error;

private:
  func::FuncOp entry;
  std::vector<Tensor> inputs;
  const InputOptions &options;
  ParameterReader readParameter;
  std::vector<Tensor> weights; ///< one per result of floats
  std::vector<unsigned> weighed;
  /// Results that are gradients ("gradient.fc1.weight.3"), one per variable, as
  /// vit-generate-backward computes them for a loss.
  std::vector<unsigned> given;
};
} // namespace

static bool isFloat(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// The name of the parameter whose gradient is result number `index`.
static std::optional<std::string> getGradientName(func::FuncOp entry,
                                                  unsigned index) {
  auto name = entry.getResultAttrOfType<StringAttr>(index, "vit.name");
  StringRef text = name ? name.getValue() : "";
  if (!text.consume_front("gradient."))
    return std::nullopt;
  return text.str();
}

LogicalResult Function::prepare() {
  std::vector<NamedTensor> results;
  Store store;
  if (failed(
          evaluate(entry, inputs, readParameter, {}, results, error, &store)))
    return failure();
  Block &block = entry.getBody().front();
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands()))
    if (isFloat(value) && !getGradientName(entry, i)) {
      weighed.push_back(i);
      Tensor &weight = weights.emplace_back(results[i].value.shape);
      // Gradients returned by the entry are those of its loss; otherwise the
      // weights are arbitrary.
      if (value.getType() ==
          RankedTensorType::get({}, Float32Type::get(value.getContext())))
        weight.data[0] = 1.0;
      else
        fill(weight.data, "weight " + std::to_string(i), 1.0, options.seed);
    }
  for (auto [i, argument] : llvm::enumerate(block.getArguments()))
    if (isFloat(argument))
      variables.push_back({argument, "argument " + std::to_string(i),
                           static_cast<int64_t>(i), inputs[i]});
  for (ReadOp read : block.getOps<ReadOp>()) {
    auto parameter = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(
        read, read.getParameterAttr());
    if (!parameter)
      continue;
    std::string name = parameter.getSymName().str();
    if (read.getLayer())
      name += "." + std::to_string(*read.getLayer());
    Tensor at(parameter.getTensorType().getShape().vec());
    if (failed(readParameter(parameter, read.getLayer().value_or(0), at.data,
                             error)))
      return failure();
    variables.push_back({read, name, -1, std::move(at)});
  }
  std::vector<Variable> wanted;
  for (unsigned i = 0; i < entry.getNumResults(); ++i)
    if (std::optional<std::string> name = getGradientName(entry, i)) {
      auto variable = llvm::find_if(
          variables, [&](const Variable &v) { return v.name == *name; });
      if (variable == variables.end()) {
        error = "there is no parameter " + *name;
        return failure();
      }
      given.push_back(i);
      wanted.push_back(*variable);
    }
  if (!given.empty())
    variables = std::move(wanted);
  return success();
}

LogicalResult Function::differentiate(std::vector<Tensor> &gradients) {
  if (!given.empty()) {
    std::vector<NamedTensor> results;
    if (failed(evaluate(entry, inputs, readParameter, {}, results, error)))
      return failure();
    for (unsigned index : given)
      gradients.push_back(results[index].value);
    return success();
  }
  // A copy of the entry that takes the weights as an argument and returns
  // gradients.
  IRMapping mapping;
  OwningOpRef<func::FuncOp> copy = cast<func::FuncOp>(entry->clone(mapping));
  entry->getBlock()->getParent()->front().push_back(*copy);
  func::FuncOp function = copy.release();
  Block &block = function.getBody().front();
  Operation *terminator = block.getTerminator();
  OpBuilder builder(terminator);
  std::vector<Tensor> arguments = inputs;
  SmallVector<std::pair<Value, Value>> seeds;
  for (auto [i, weight] : llvm::zip(weighed, weights)) {
    Value result = terminator->getOperand(i);
    seeds.push_back(
        {result, block.addArgument(result.getType(), result.getLoc())});
    arguments.push_back(weight);
  }
  SmallVector<Value> wanted, found;
  for (Variable &variable : variables)
    wanted.push_back(mapping.lookup(variable.value));
  FailureOr<SmallVector<Value>> built =
      buildGradients(builder, block, seeds, wanted);
  if (succeeded(built)) {
    llvm::copy_if(*built, std::back_inserter(found),
                  [](Value gradient) { return bool(gradient); });
    terminator->setOperands(found);
    function.removeResAttrsAttr();
    function.setFunctionType(builder.getFunctionType(
        block.getArgumentTypes(), ValueRange(found).getTypes()));
    function.removeArgAttrsAttr();
  }
  if (failed(built) || failed(verify(function))) {
    error = "there are no gradients of @" + entry.getName().str();
    function.erase();
    return failure();
  }

  std::vector<NamedTensor> results;
  Store store;
  LogicalResult evaluated =
      evaluate(function, arguments, readParameter, {}, results, error, &store);
  function.erase();
  if (failed(evaluated))
    return failure();
  auto next = results.begin();
  for (auto [gradient, variable] : llvm::zip(*built, variables))
    gradients.push_back(gradient ? (next++)->value : Tensor(variable.at.shape));
  return success();
}

double Function::evaluateNear(const Variable &variable, int64_t element,
                              double delta) {
  std::vector<Tensor> arguments = inputs;
  Store store;
  if (variable.argument >= 0)
    arguments[variable.argument].data[element] += delta;
  else
    (store[variable.name] = variable.at).data[element] += delta;
  std::vector<NamedTensor> results;
  if (failed(evaluate(entry, arguments, readParameter, {}, results, error,
                      &store)))
    return std::nan("");
  double sum = 0.0;
  for (auto [i, weight] : llvm::zip(weighed, weights))
    for (auto [x, w] : llvm::zip(results[i].value.data, weight.data))
      sum += x * w;
  return sum;
}

bool vit::checkGradients(func::FuncOp entry, ArrayRef<Tensor> inputs,
                         const InputOptions &options, int64_t samples,
                         double tolerance) {
  Function function(entry, inputs, options);
  std::vector<Tensor> gradients;
  if (failed(function.prepare()) || failed(function.differentiate(gradients))) {
    llvm::errs() << "error: " << function.error << "\n";
    return false;
  }
  bool good = true;
  for (auto [variable, gradient] : llvm::zip(function.variables, gradients)) {
    int64_t size = gradient.size();
    int64_t stride = samples > 0 ? std::max<int64_t>(1, size / samples) : 1;
    double largest = 0.0, difference = 0.0;
    for (double g : gradient.data)
      largest = std::max(largest, std::fabs(g));
    int64_t checked = 0;
    for (int64_t i = 0; i < size; i += stride, ++checked) {
      // Central differences of fourth order.
      constexpr double h = 1e-3;
      auto near = [&, &variable = variable](double delta) {
        return function.evaluateNear(variable, i, delta);
      };
      double expected =
          (8.0 * (near(h) - near(-h)) - (near(2.0 * h) - near(-2.0 * h))) /
          (12.0 * h);
      double distance = std::fabs(gradient.data[i] - expected);
      difference = distance <= difference ? difference : distance;
    }
    bool close = difference <= tolerance * std::max(1.0, largest);
    good &= close;
    (close ? llvm::outs() : llvm::errs())
        << (close ? "" : "error: ") << entry.getName() << ", " << variable.name
        << ": " << checked << " of " << size
        << (close ? " gradients agree, largest " : " gradients, largest ")
        << llvm::format("%.3g", largest);
    if (!close)
      llvm::errs() << ", differ by " << llvm::format("%.3g", difference);
    (close ? llvm::outs() : llvm::errs()) << "\n";
  }
  return good;
}
