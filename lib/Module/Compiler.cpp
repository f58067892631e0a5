//===- Compiler.cpp - The compiler's one function in C --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"

#include "Request.h"
#include "vit/Dialect/Registration.h"
#include "vit/Dialect/Vit.h"
#include "vit/Reference/Interpreter.h"

#include <cstdio>
#include <new>

using namespace mlir;
using namespace mlir::vit;

SmallVector<std::string> mlir::vit::splitList(const char *text) {
  SmallVector<std::string> parts;
  SmallVector<StringRef> pieces;
  StringRef(text ? text : "").split(pieces, ',', -1, /*KeepEmpty=*/false);
  for (StringRef piece : pieces)
    parts.push_back(piece.trim().str());
  return parts;
}

Request::Request(const vit_compiler_request &request, Outcome &outcome)
    : request(request), outcome(outcome) {
  DialectRegistry registry;
  registerVitDialects(registry);
  registerCpuCodegen(registry);
  registerSimtCodegen(registry);
  context.appendDialectRegistry(registry);
  // Passes have one function to work on; code generation has its own threads.
  context.disableMultithreading();
  started = std::chrono::steady_clock::now();
}

LogicalResult Request::run() {
  FirstError errors(&context);
  firstError = &errors;
  outputs = splitList(request.outputs);
  for (std::string &name : outputs)
    if (name == VIT_COMPILER_LOGITS_ALIAS)
      name = "logits";
  skip = splitList(request.skip_passes);
  for (StringRef pass : skip)
    if (!llvm::is_contained(getOptionalPasses(), pass))
      return outcome.fail(VIT_INVALID_ARGUMENT,
                          "there is no optional pass '" + pass +
                              "'; choose of " VIT_COMPILER_OPTIONAL_PASSES);
  if (failed(load()) || failed(expandOutputs()) || failed(observeProducts()))
    return failure();
  return request.action == VIT_COMPILER_EVALUATE ? evaluate() : compile();
}

/// The elements of a tensor of f32 or f64.
static FailureOr<reference::Tensor> readTensor(const vit_tensor &tensor) {
  reference::Tensor result(
      std::vector<int64_t>(tensor.dims, tensor.dims + tensor.rank));
  // Not vit_dtype_size: this library does not link the runtime.
  size_t element = tensor.dtype == VIT_F32 ? sizeof(float) : sizeof(double);
  if (tensor.size < result.data.size() * element)
    return failure();
  if (tensor.dtype == VIT_F32)
    llvm::copy(
        ArrayRef(static_cast<const float *>(tensor.data), result.data.size()),
        result.data.begin());
  else if (tensor.dtype == VIT_F64)
    llvm::copy(
        ArrayRef(static_cast<const double *>(tensor.data), result.data.size()),
        result.data.begin());
  else
    return failure();
  return result;
}

LogicalResult Request::evaluate() {
  func::FuncOp entry;
  for (auto function : graph->getOps<func::FuncOp>())
    entry = entry ? entry : function;
  if (!entry)
    return outcome.fail(VIT_INVALID_ARGUMENT, "the model has no func.func");
  std::vector<reference::Tensor> inputs;
  for (int32_t i = 0; i < request.input_count; ++i) {
    FailureOr<reference::Tensor> input = readTensor(request.inputs[i]);
    if (failed(input))
      return outcome.fail(VIT_INVALID_ARGUMENT,
                          "an input is neither f32 nor f64, or too short");
    inputs.push_back(std::move(*input));
  }
  auto read = [&](ParameterOp parameter, int64_t layer,
                  MutableArrayRef<double> out, std::string &message) {
    return weights->read(parameter, layer, out, message);
  };
  std::vector<reference::NamedTensor> results;
  std::string message;
  if (failed(
          reference::evaluate(entry, inputs, read, outputs, results, message)))
    return outcome.fail(VIT_INVALID_ARGUMENT, message);
  endPhase("evaluate");
  for (reference::NamedTensor &result : results) {
    vit_tensor view = {};
    view.name = result.name.c_str();
    view.data = result.value.data.data();
    view.size = result.value.data.size() * sizeof(double);
    view.dtype = VIT_F64;
    view.rank = static_cast<int32_t>(result.value.rank());
    if (view.rank > VIT_MAX_RANK)
      return outcome.fail(VIT_UNSUPPORTED, "output '" + result.name +
                                               "' has too many dimensions");
    llvm::copy(result.value.shape, view.dims);
    if (request.on_output)
      request.on_output(request.context, &view);
  }
  return success();
}

static vit_status report(const vit_compiler_request *request,
                         const Outcome &outcome, vit_error *error) {
  if (outcome.status == VIT_OK)
    return VIT_OK;
  if (request && request->on_error)
    request->on_error(request->context, outcome.message.c_str());
  if (error)
    std::snprintf(error->message, sizeof(error->message), "%s",
                  outcome.message.c_str());
  return outcome.status;
}

vit_status vit_compiler_run(const vit_compiler_request *request,
                            vit_error *error) {
  Outcome outcome;
  if (!request || request->struct_size != sizeof(vit_compiler_request)) {
    (void)outcome.fail(VIT_INVALID_ARGUMENT,
                       "the request's struct_size is not that of this "
                       "compiler; build against its own vit/Compiler.h");
    return report(nullptr, outcome, error);
  }
  try {
    outcome = serveInChild(*request, [](const vit_compiler_request &served) {
      Outcome result;
      Request work(served, result);
      if (failed(work.run()) && result.status == VIT_OK)
        (void)result.fail(VIT_INTERNAL, "compilation failed without a message");
      return result;
    });
    return report(request, outcome, error);
  } catch (const std::bad_alloc &) {
    if (error)
      std::snprintf(error->message, sizeof(error->message), "out of memory");
    return VIT_OUT_OF_MEMORY;
  }
}
