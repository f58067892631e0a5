//===- Passes.h - The compiler's passes ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_PASSES_H
#define VIT_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Pass/Pass.h"

#include <optional>

namespace mlir::vit {

#define GEN_PASS_DECL
#include "Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "Passes.h.inc"

/// What `--vit-to-cpu`, `--vit-to-vulkan` and `--vit-to-cuda` do, from a graph
/// to dispatches of generated code.
struct TargetPipelineOptions {
  std::string target = "cpu";    ///< cpu, vulkan or cuda
  std::string level;             ///< of the target; empty: see vit-tile
  std::string precision = "f32"; ///< of products: see vit-narrow
  std::vector<std::string> keep; ///< products: see vit-narrow
  std::optional<CalibrateOptions> calibration; ///< null: no vit-calibrate
  /// See vit-emit-cpu and vit-expand-matrices.
  bool expandTiles = false;
  int64_t batch = 1;
  std::vector<std::string> outputs; ///< empty: the entry's own results
  std::vector<std::string> skip;    ///< optional passes to leave out
  /// Options of vit-generate-backward, where a training step is wanted.
  std::optional<std::string> training;
  uint64_t bucketBytes = 0;    ///< of vit-distribute; 0: no such pass
  uint64_t trainingMemory = 0; ///< budget of vit-rematerialize
};

/// The passes that `skip` may name: results stay the same without them.
ArrayRef<StringRef> getOptionalPasses();

/// Adds the passes from a graph to dispatches of code for a target, but for the
/// optional ones that `skip` names. Fails where `training` is no option text.
LogicalResult
buildTargetPipeline(OpPassManager &manager,
                    const TargetPipelineOptions &options,
                    function_ref<LogicalResult(const Twine &)> reportError);

/// Registers `--vit-to-cpu`, `--vit-to-vulkan` and `--vit-to-cuda`.
void registerPipelines();

} // namespace mlir::vit

#endif // VIT_PASSES_H
