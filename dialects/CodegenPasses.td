//===- CodegenPasses.td - From GPU kernels to code ---------*- tablegen -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_CODEGEN_PASSES_TD
#define VIT_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def VerifyLimits : Pass<"vit-verify-limits", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Check GPU kernels against the limits of a level";
  let description = [{
    Each function of the module must be within the level's limits of threads,
    workgroup memory, storage buffers, push constants and arguments, and use
    only what every device of the level supports: f32 and 32-bit integers in
    memory (Vulkan guarantees no other widths, and bf16 would silently become
    f32), vectors of 2 and 4, subgroup operations only if the level has them,
    and no library functions. An error names the kernel, the number and the
    limit, at the location of the op that exceeds it.
  }];
  let options = [Option<"level", "level", "std::string", "\"\"",
      "A GPU level; empty: the default of Vulkan">];
}

def ExpandMatrices : Pass<"vit-expand-matrices", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Replace cooperative matrices by plain code, for tests";
  let description = [{
    Kernels for Vulkan with cooperative matrices run on devices without them
    after this. Each lane has some rows and columns of each matrix and sums them
    in the order of the depth. Lane and subgroup are numbers of the thread in
    the workgroup: lane = thread % size, subgroup = thread / size, where size is
    that of a subgroup for matrices of this kind.

    ```mlir
    %d = gpu.subgroup_mma_compute %a, %b, %c : !gpu.mma_matrix<16x16xf16, "AOp">, ...
    ```
    becomes
    ```mlir
    %x = vector.broadcast %a00 : f32 to vector<4xf32>
    %d0 = vector.fma %x, %b0, %c0 : vector<4xf32>
    ...
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
      "::mlir::spirv::SPIRVDialect", "::mlir::vector::VectorDialect"];
}

def LowerToSpirv : Pass<"vit-lower-to-spirv", "::mlir::ModuleOp"> {
  let summary = "Convert GPU kernels to SPIR-V, one module per kernel";
  let description = [{
    The gpu.module becomes one spirv.module per kernel, for Vulkan 1.1: SPIR-V
    1.3 with the capability Shader, and GroupNonUniformArithmetic if the kernel
    uses it. Cooperative matrices need SPIR-V 1.6, for Vulkan 1.3, and the Vulkan
    memory model; the attribute `kernel.matrices` of a kernel says of which type
    their operands are. The first argument of a kernel is the buffer at binding
    0, the second the read-only buffer at binding 1, the third the push
    constants.

    ```mlir
    gpu.module @kernels {
      gpu.func @gemm_0(%a: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>,
                       %b: memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>,
                       %p: memref<32xi32, #spirv.storage_class<PushConstant>>)
          kernel attributes {known_block_size = array<i32: 128, 1, 1>} { ... }
    ```
    becomes
    ```mlir
    spirv.module @gemm_0 Logical GLSL450 requires #spirv.vce<v1.3, [Shader], ...> {
      spirv.GlobalVariable @gemm_0_arg_0 bind(0, 0) : ...
      spirv.GlobalVariable @gemm_0_arg_1 bind(0, 1) {non_writable} : ...
      spirv.GlobalVariable @gemm_0_arg_2 : !spirv.ptr<..., PushConstant>
      spirv.func @gemm_0() "None" { ... }
      spirv.EntryPoint "GLCompute" @gemm_0, ...
    ```
  }];
  let dependentDialects = ["::mlir::spirv::SPIRVDialect"];
}

def LowerToNvvm : Pass<"vit-lower-to-nvvm", "::mlir::ModuleOp"> {
  let summary = "Convert GPU kernels to the NVVM and LLVM dialects";
  let description = [{
    The gpu.module becomes a module of the same name with an llvm.func per
    kernel. Buffers become bare pointers, indices 32-bit integers, and workgroup
    memory a global in address space 3, aligned to 16 bytes. Kernels call no
    functions, so libdevice is not needed.

    ```mlir
    gpu.module @kernels {
      gpu.func @map_0(%x: memref<?xf32>, %y: memref<?xf32>, %batch: i32, %first: i32)
          kernel attributes {known_block_size = array<i32: 256, 1, 1>} { ... }
    ```
    becomes
    ```mlir
    module @kernels {
      llvm.func @map_0(%x: !llvm.ptr, %y: !llvm.ptr, %batch: i32, %first: i32)
          attributes {gpu.kernel, nvvm.kernel, nvvm.maxntid = array<i32: 256, 1, 1>} { ... }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
      "::mlir::cf::ControlFlowDialect", "::mlir::math::MathDialect"];
}

#endif // VIT_CODEGEN_PASSES_TD
