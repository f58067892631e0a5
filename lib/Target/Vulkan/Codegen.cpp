//===- Codegen.cpp - From GPU kernels to SPIR-V words ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Codegen/SimtCodegen.h"

#include "vit/Passes.h"
#include "vit/Target/Vulkan.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/SPIRV/Serialization.h"

#include "llvm/Support/Endian.h"

using namespace mlir;
using namespace mlir::vit;
using ::vit::format::Feature;

namespace {
class VulkanWorker : public simt::Worker {
public:
  explicit VulkanWorker(const CodegenOptions &options)
      : Worker(options), passes(&context) {
    passes.addPass(createLowerToSpirv());
    passes.enableVerifier(options.verify);
  }
  llvm::Error compile(ModuleOp module, SimtKernel &kernel,
                      std::string &text) override;

private:
  PassManager passes;
};
} // namespace

llvm::Error VulkanWorker::compile(ModuleOp module, SimtKernel &kernel,
                                  std::string &text) {
  module.walk([&](gpu::GPUFuncOp function) {
    if (const ::vit::format::MatrixKind *kind = simt::getMatrixKind(function))
      kernel.features.push_back(::vit::format::featureName(kind->feature));
  });
  if (failed(passes.run(module)))
    return llvm::createStringError("does not lower to SPIR-V");
  auto code = cast<spirv::ModuleOp>(module.getBody()->front());
  if (!options.dumpDirectory.empty()) {
    llvm::raw_string_ostream(text) << code << "\n";
    if (llvm::Error error = dump(kernel.name + ".spirv.mlir", text))
      return error;
    text.clear();
  }
  constexpr std::pair<spirv::Capability, Feature> features[] = {
      {spirv::Capability::GroupNonUniformArithmetic,
       Feature::SubgroupArithmetic},
      {spirv::Capability::DotProductInput4x8BitPacked,
       Feature::IntegerDotProduct}};
  for (auto [capability, feature] : features)
    if (llvm::is_contained(code.getVceTriple()->getCapabilities(), capability))
      kernel.features.push_back(::vit::format::featureName(feature));

  SmallVector<uint32_t, 0> words;
  if (failed(spirv::serialize(code, words)))
    return llvm::createStringError("does not serialise to SPIR-V");
  kernel.binary.resize(words.size() * sizeof(uint32_t));
  for (size_t i = 0; i < words.size(); ++i)
    llvm::support::endian::write32le(&kernel.binary[i * sizeof(uint32_t)],
                                     words[i]);
  return dump(kernel.name + ".spv",
              StringRef(kernel.binary.data(), kernel.binary.size()));
}

FailureOr<VulkanCode>
mlir::vit::compileVulkanKernels(gpu::GPUModuleOp kernels, StringRef level,
                                const CodegenOptions &options) {
  const Level *found =
      getLevel(kernels.getLoc(), ::vit::format::Target::Vulkan, level);
  if (!found || failed(simt::verifyLimits(kernels, *found)))
    return failure();
  auto compiled = simt::compileKernels(kernels, options, [&] {
    return std::make_unique<VulkanWorker>(options);
  });
  if (failed(compiled))
    return failure();
  VulkanCode code;
  for (auto [compiledKernel, function] :
       llvm::zip_equal(*compiled, kernels.getOps<gpu::GPUFuncOp>())) {
    SimtKernel &kernel = compiledKernel.kernel;
    std::optional<simt::Iterations> most = simt::boundIterations(function);
    kernel.iterations = most ? most->fixed : kUnknownIterations;
    kernel.iterationsPerImage = most ? most->perImage : 0;
    code.kernels.push_back(std::move(kernel));
  }
  return code;
}
