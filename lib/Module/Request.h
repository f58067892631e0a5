//===- Request.h - One request to the compiler ------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_MODULE_REQUEST_H
#define VIT_LIB_MODULE_REQUEST_H

#include "CompilerProcess.h"
#include "DumpIr.h"
#include "Levels.h"
#include "vit/Compiler.h"
#include "vit/Import/Weights.h"
#include "vit/Module/Writer.h"
#include "vit/Passes.h"

#include "mlir/IR/Diagnostics.h"

#include <chrono>
#include <mutex>

namespace mlir::vit {

/// The first error that MLIR reports, with its location.
class FirstError {
public:
  explicit FirstError(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          std::lock_guard<std::mutex> lock(mutex);
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error &&
              text.empty())
            text = describe(diagnostic);
          return success();
        }) {}

  /// The error's text, or `otherwise` if none was reported.
  std::string take(const Twine &otherwise) {
    std::lock_guard<std::mutex> lock(mutex);
    return text.empty() ? otherwise.str() : std::exchange(text, "");
  }

private:
  static std::string describe(Diagnostic &diagnostic) {
    std::string where;
    llvm::raw_string_ostream stream(where);
    diagnostic.getLocation()->walk([&](Location location) {
      if (auto file = dyn_cast<FileLineColLoc>(location)) {
        stream << file.getFilename().getValue() << ':' << file.getLine() << ':'
               << file.getColumn() << ": ";
        return WalkResult::interrupt();
      }
      if (auto name = dyn_cast<NameLoc>(location);
          name && isa<UnknownLoc>(name.getChildLoc())) {
        stream << name.getName().getValue() << ": ";
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    return where + diagnostic.str();
  }

  std::mutex mutex;
  std::string text;
  ScopedDiagnosticHandler handler;
};

/// The entries of a list with commas, which may be null.
SmallVector<std::string> splitList(const char *text);

/// One kind of code that a module will hold.
struct Plan {
  const Level *level;
  ::vit::format::ElementType precision;
  bool expandsTiles = false; ///< see kExpandTiles

  /// The level that the module says the code is for. That of a GPU tells the
  /// features that kernels use one by one.
  const Level &codeLevel() const {
    return expandsTiles && level->target == ::vit::format::Target::Cpu
               ? getExpandedLevel()
               : *level;
  }
  /// "avx2", or "avx2-bf16".
  std::string name() const {
    std::string text = level->name;
    if (precision != ::vit::format::ElementType::F32)
      text += std::string("-") + ::vit::format::precisionName(precision);
    return text;
  }
};

/// One request, step by step: the model (RequestModel.cpp), then the module's
/// code (RequestCode.cpp) or an evaluation.
class Request {
public:
  Request(const vit_compiler_request &request, Outcome &outcome);
  LogicalResult run();

private:
  LogicalResult load();
  LogicalResult setImageSize();
  LogicalResult expandOutputs();
  LogicalResult observeProducts();
  void addPassesBeforeNarrow(OpPassManager &entries,
                             const SelectOutputsOptions &selected);
  FailureOr<OwningOpRef<ModuleOp>> prepareProducts();
  LogicalResult checkKept();
  LogicalResult addWeightMagnitudes();
  LogicalResult addPlans(ArrayRef<std::string> targets,
                         ::vit::format::ElementType precision,
                         SmallVector<Plan> &plans);
  bool asksForTf32(ArrayRef<std::string> precisions);
  void noteTf32(ArrayRef<std::string> precisions, ArrayRef<Plan> plans);
  LogicalResult choosePlans(SmallVector<Plan> &plans);
  LogicalResult compile();
  LogicalResult lower(const Plan &plan, OwningOpRef<ModuleOp> &lowered);
  LogicalResult runPasses(const Plan &plan, ModuleOp lowered,
                          uint64_t trainingMemory);
  LogicalResult generate(const Plan &plan, CompiledLevel &compiled);
  LogicalResult evaluate();

  /// Reports the time since the last phase ended.
  void endPhase(const Twine &name) {
    auto now = std::chrono::steady_clock::now();
    if (request.on_phase)
      request.on_phase(request.context, name.str().c_str(),
                       std::chrono::duration<double>(now - started).count());
    started = now;
  }

  const vit_compiler_request &request;
  Outcome &outcome;
  MLIRContext context;
  FirstError *firstError = nullptr;
  SmallVector<std::string> outputs, skip;
  std::optional<CalibrateOptions> calibration; ///< of code in int8
  OwningOpRef<ModuleOp> graph;
  std::unique_ptr<Weights> weights;
  std::unique_ptr<IrDumper> dumper;
  std::chrono::steady_clock::time_point started;
};

} // namespace mlir::vit

#endif // VIT_LIB_MODULE_REQUEST_H
