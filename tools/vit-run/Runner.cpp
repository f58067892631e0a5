//===- Runner.cpp - Runs a model on a device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runner.h"

#include "Cache.h"
#include "vit/Graph/OutputNames.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace vit::tools {

/// Says that the driver of a GPU will take its time, if it has not seen the
/// model's kernels or may have thrown them away.
static void announceDriver(const Model &model) {
  const CommonOptions &options = model.getOptions();
  if (options.isGpu() &&
      (model.isCompiledNow() ||
       (options.family() == "vulkan" && !hasDriverKernels())))
    std::fprintf(stderr,
                 "note: the driver of %s compiles the kernels; this can take "
                 "some seconds the first time\n",
                 options.device.c_str());
}

SessionHandle createSession(Model &model, EventLog *log,
                            const vit_collective *collective,
                            vit_reduction reduction) {
  const CommonOptions &options = model.getOptions();
  vit_session_options sessionOptions = {};
  sessionOptions.struct_size = sizeof(sessionOptions);
  sessionOptions.parameters = model.parameters();
  sessionOptions.threads = options.threads;
  sessionOptions.memory_budget = options.memory;
  sessionOptions.device = options.device.c_str();
  sessionOptions.level =
      options.level.empty() ? nullptr : options.level.c_str();
  sessionOptions.precision =
      options.precision.empty() ? nullptr : options.precision.c_str();
  sessionOptions.collective = collective;
  sessionOptions.reduction = reduction;
  if (log) {
    log->device = options.device;
    sessionOptions.on_event = appendCommand;
    sessionOptions.event_context = log;
  }
  vit_session *session = nullptr;
  vit_error error;
  vit_module *module = model.module();
  announceDriver(model);
  check(vit_session_create(module, &sessionOptions, &session, &error), error);
  SessionHandle handle(session);
  vit_code_info code = {};
  code.struct_size = sizeof(code);
  // A module may have no more than a training step for this device.
  if (vit_session_code(session, model.entry(), &code, nullptr) == VIT_OK)
    model.reportCode(code);
  return handle;
}

vit_code_info codeOf(const SessionHandle &session, const char *entry) {
  vit_error error;
  vit_code_info code = {};
  code.struct_size = sizeof(code);
  check(vit_session_code(session.get(), entry, &code, &error), error);
  return code;
}

uint64_t workspaceBytes(const SessionHandle &session, const char *entry,
                        int64_t batch) {
  vit_error error;
  uint64_t bytes = 0;
  check(vit_session_workspace_size(session.get(), entry, batch, &bytes, &error),
        error);
  return bytes;
}

void checkInput(const Tensor &input, const vit_binding_info &info,
                const std::string &source) {
  bool fits =
      static_cast<size_t>(info.rank) == input.dims.size() && input.dims[0] > 0;
  for (int32_t i = 1; fits && i < info.rank; ++i)
    fits = info.dims[i] == input.dims[i];
  if (!fits)
    throw Error(source + " has shape " + shapeText(input.dims) + ", but '" +
                info.name + "' is " + shapeText(info.dims, info.rank) +
                " (? is the batch, 1 or more)");
  if (!input.name.empty() && input.name != info.name)
    throw Error("the model has no input '" + input.name + "'; its input is '" +
                info.name + "'");
}

static bool means(const std::string &name, const vit_binding_info &info) {
  return name == info.name || (info.alias && name == info.alias);
}

std::vector<vit_binding_info>
selectOutputs(const std::vector<vit_binding_info> &outputs,
              const std::vector<std::string> &names) {
  for (const std::string &name : names)
    if (name != "*" && !name.empty() &&
        std::none_of(outputs.begin(), outputs.end(),
                     [&](const auto &info) { return means(name, info); })) {
      std::vector<std::string> known;
      for (const vit_binding_info &info : outputs)
        known.push_back(info.name);
      throw Error("the module has no output '" + name + "', only " +
                      mlir::vit::listOutputs(known, name) +
                      "; compile it with --outputs " + name,
                  VIT_NOT_FOUND);
    }
  std::vector<vit_binding_info> result;
  for (const vit_binding_info &info : outputs) {
    bool isDefault = &info == &outputs.front();
    bool isWanted = isDefault && names.empty();
    for (const std::string &name : names)
      isWanted |=
          name == "*" || (name.empty() && isDefault) || means(name, info);
    if (isWanted)
      result.push_back(info);
  }
  return result;
}

namespace {

/// A session of the runtime.
class SessionRunner : public Runner {
public:
  SessionRunner(Model &model, EventLog *log)
      : Runner(model), log(log), session(createSession(model, log)),
        input(model.inputInfo()), outputs(model.outputInfos()) {}

  uint64_t workspaceBytes(int64_t batch) override {
    return tools::workspaceBytes(session, model.entry(), batch);
  }
  std::optional<vit_code_info> code() override {
    return codeOf(session, model.entry());
  }

protected:
  std::vector<Tensor> compute(const Tensor &tensor,
                              const std::vector<std::string> &names) override {
    checkInput(tensor, input);
    std::vector<Tensor> results;
    for (const vit_binding_info &info : selectOutputs(outputs, names)) {
      std::vector<int64_t> dims = dimsOf(info);
      // An output without a batch keeps its shape.
      if (!dims.empty() && dims[0] < 0)
        dims[0] = tensor.dims[0];
      results.emplace_back();
      results.back().name = info.name;
      results.back().allocate(info.dtype, dims);
    }
    if (model.getOptions().verbose && tensor.dims[0] != saidBatch)
      sayWorkspace(tensor.dims[0]);
    vit_tensor in = tensor.view();
    in.name = input.name;
    std::vector<vit_tensor> views;
    for (Tensor &result : results)
      views.push_back(result.view());
    computeInto(in, views);
    return results;
  }

  void computeInto(const vit_tensor &in,
                   std::vector<vit_tensor> &views) override {
    vit_error error;
    uint64_t begin = log ? nanoseconds() : 0;
    check(vit_session_run(session.get(), model.entry(), &in, 1, views.data(),
                          static_cast<int32_t>(views.size()), &error),
          error);
    if (log)
      log->calls.push_back(
          {"batch " + std::to_string(in.dims[0]), "", begin, nanoseconds()});
  }

private:
  void sayWorkspace(int64_t batch) {
    std::fprintf(stderr, "batch %lld needs %s of workspace\n",
                 static_cast<long long>(batch),
                 bytesText(workspaceBytes(batch)).c_str());
    saidBatch = batch;
  }

  EventLog *log;
  SessionHandle session;
  vit_binding_info input;
  std::vector<vit_binding_info> outputs;
  int64_t saidBatch = 0;
};

class ReferenceRunner : public Runner {
public:
  explicit ReferenceRunner(Model &model) : Runner(model) {}

protected:
  std::vector<Tensor> compute(const Tensor &tensor,
                              const std::vector<std::string> &names) override {
    std::vector<std::string> wanted = names;
    for (std::string &name : wanted)
      name = canonicalName(name);
    if (wanted.empty() || wanted.front().empty() || wanted.front() == "*")
      wanted = model.getOutputs();
    CompilerOptions options = model.compilerOptions();
    options.outputs = join(wanted, ",");
    vit_tensor in = tensor.view();
    std::vector<Tensor> results;
    vit_compiler_request request = options.createRequest(VIT_COMPILER_EVALUATE);
    request.inputs = &in;
    request.input_count = 1;
    request.context = &results;
    request.on_output = [](void *context, const vit_tensor *output) {
      static_cast<std::vector<Tensor> *>(context)->push_back(
          Tensor::copy(*output));
    };
    runCompiler(request);
    if (names.empty() || names.front().empty())
      results.resize(1);
    return results;
  }
};

/// The index of the first NaN or infinity, or -1.
template <typename T> int64_t findNotFinite(const T *values, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    if (!std::isfinite(values[i]))
      return i;
  return -1;
}

int64_t findNotFinite(const vit_tensor &tensor) {
  int64_t count = product(dimsOf(tensor));
  if (tensor.dtype == VIT_F64)
    return findNotFinite(static_cast<const double *>(tensor.data), count);
  return tensor.dtype == VIT_F32
             ? findNotFinite(static_cast<const float *>(tensor.data), count)
             : -1;
}

double valueAt(const vit_tensor &tensor, int64_t index) {
  return tensor.dtype == VIT_F64
             ? static_cast<const double *>(tensor.data)[index]
             : static_cast<const float *>(tensor.data)[index];
}

} // namespace

std::unique_ptr<Runner> Runner::create(Model &model, EventLog *log) {
  if (model.getOptions().isReference())
    return std::make_unique<ReferenceRunner>(model);
  return std::make_unique<SessionRunner>(model, log);
}

std::vector<Tensor> Runner::run(const Tensor &input,
                                const std::vector<std::string> &names) {
  std::vector<Tensor> outputs = compute(input, names);
  for (const Tensor &output : outputs) {
    vit_tensor view = output.view();
    view.name = output.name.c_str();
    checkFinite(input.view(), view);
  }
  return outputs;
}

void Runner::runInto(const vit_tensor &input,
                     std::vector<vit_tensor> &outputs) {
  computeInto(input, outputs);
  for (const vit_tensor &output : outputs)
    checkFinite(input, output);
}

void Runner::computeInto(const vit_tensor &, std::vector<vit_tensor> &) {
  throw Error("--device " + model.getOptions().device +
                  " does not run into memory of the caller",
              VIT_UNSUPPORTED);
}

void Runner::checkFinite(const vit_tensor &input, const vit_tensor &output) {
  int64_t index = findNotFinite(output);
  if (index < 0)
    return;
  int64_t perImage = product(dimsOf(output)) / output.dims[0];
  std::string message =
      std::string("output '") + output.name + "' holds a " +
      (std::isnan(valueAt(output, index)) ? "NaN" : "infinity") + " (image " +
      std::to_string(index / perImage) + "); ";
  if (int64_t bad = findNotFinite(input); bad >= 0)
    throw Error(message + "the input holds one too, at element " +
                std::to_string(bad));
  if (const char *parameter =
          vit_parameters_find_not_finite(model.parameters()))
    throw Error(message + "the first parameter that is not finite is " +
                model.parameterName(parameter));
  message += "input and parameters are finite, so the computation overflowed";
  std::optional<vit_code_info> info = code();
  if (info && info->precision == std::string("f16"))
    message += " in f16, which ends at 65504; use --precision bf16 or f32";
  throw Error(message);
}

} // namespace vit::tools
