//===- SimtBuilder.h - Shorthands for building a GPU kernel -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One source for Vulkan and CUDA: the builder hides how a kernel gets at its
// arguments, the batch and its unit.
//
//   Vulkan: gpu.func @name(%workspace, %parameters, %push), two buffers of
//     vector<4xf32> (the workspace of f32, or either of i32, where asked for)
//     and 32 push words: batch, first unit, then where each argument begins in
//     its buffer, in 16-byte vectors. What an entry is given, returns or
//     computes lies in the workspace; derived forms, constants and arenas lie
//     in the parameters.
//   CUDA: gpu.func @name(%argument0, ..., %batch: i32, %first: i32), one
//     memref<?xf32> (of labels and such memref<?xi32>) per argument, aligned to
//     16 bytes.
//
// Arguments are the dispatch's operands, then its results. An address counts
// either vectors of 4 elements or single ones from the argument's beginning. A
// work unit is a workgroup. Index arithmetic is 32 bit: no value has 2^31
// elements.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_SIMTBUILDER_H
#define VIT_TARGET_SIMT_SIMTBUILDER_H

#include "../Common/CodeBuilder.h"

#include "vit/Target/Level.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::vit::simt {

/// Lanes of the vectors of GPU code, vector<4xf32>.
inline constexpr int64_t kVectorLanes = 4;

/// An operand or result of a dispatch.
struct KernelArgument {
  RankedTensorType type;
  bool isInWorkspace; ///< else among the parameters
};

class SimtBuilder : public CodeBuilder {
public:
  /// Adds an empty kernel `name` for `op` to `kernels` and builds in it. The
  /// workgroup's size is what the op's tile says, else the level's.
  SimtBuilder(Operation *op, ArrayRef<KernelArgument> arguments, StringRef name,
              gpu::GPUModuleOp kernels, const Level &level);

  const Level &level;
  const VectorType vectorType; ///< vector<4xf32>
  gpu::GPUFuncOp function() const { return kernel; }
  RankedTensorType argumentType(unsigned argument) const {
    return arguments[argument].type;
  }
  /// Ends the kernel.
  void finish();

  /// Invocations of a workgroup; may be set before `threads` is first used.
  int64_t threads() const { return threadCount; }
  void setThreads(int64_t threads);

  // Who runs: index values, made at the kernel's beginning.
  /// The launch's first unit + this workgroup's number.
  Value unit() const { return unitValue; }
  Value thread() const { return threadValue; } ///< within the workgroup
  Value batch() const { return batchValue; }

  //===--------------------------------------------------------------------===//
  // Arguments
  //===--------------------------------------------------------------------===//

  /// Lets the kernel write single elements of the workspace. On Vulkan that
  /// then is a buffer of scalars and a vector four accesses, so only kernels
  /// that need it ask. To be called before any access.
  void useScalars();
  /// Lets the kernel read and write elements of i32. On Vulkan the buffers then
  /// are of i32: as f32 a small integer is a denormal number, which a device
  /// may take for zero. To be called before any access.
  void useIntegers();

  /// vector<4xf32> number `vector` of an argument (elements 4 * vector on).
  Value load4(unsigned argument, Value vector);
  void store4(Value value, unsigned argument, Value vector);
  /// Element `element`, f32. Without `useScalars`, Vulkan loads the vector and
  /// extracts.
  Value load(unsigned argument, Value element);
  /// Needs `useScalars`, and an argument in the workspace.
  void store(Value scalar, unsigned argument, Value element);
  /// The same for i32; need `useIntegers`.
  Value loadInteger(unsigned argument, Value element);
  void storeInteger(Value integer, unsigned argument, Value element);

  //===--------------------------------------------------------------------===//
  // Workgroup memory
  //===--------------------------------------------------------------------===//

  /// An array in workgroup memory, of vector<4xf32> or of f32: it is read and
  /// written as what it was made as.
  Value allocateShared4(int64_t vectors);
  Value allocateShared(int64_t elements);
  /// A value of the array's element type.
  Value loadShared(Value array, Value index);
  void storeShared(Value value, Value array, Value index);
  /// Waits for all threads of the workgroup and makes their writes to
  /// workgroup memory seen. Only where all threads come by. Memory of
  /// arguments is not covered.
  void barrier();
  /// Combines the scalars of each aligned run of `segment` threads (a power of
  /// two; 0: the whole workgroup) as a tree, in the same order always; all
  /// threads of the run get the result. Where `threads` is not a multiple of
  /// `segment` it is an error of the emitter. All threads must come by. Uses
  /// one f32 of workgroup memory per thread, once per kernel.
  Value reduceWorkgroup(Reduction kind, Value scalar, int64_t segment = 0);

  //===--------------------------------------------------------------------===//
  // Vectors of 4 f32
  //===--------------------------------------------------------------------===//

  using CodeBuilder::splat;
  Value splat(double value) { return splat(vectorType, value); }
  Value broadcast(Value scalar);
  Value extract(Value vector, int64_t lane);
  Value extract(Value vector, Value lane);
  Value fromElements(ValueRange scalars); ///< 4 scalars to a vector
  /// As CodeBuilder's; one condition for a vector is broadcast, as SPIR-V
  /// before 1.4 wants.
  Value select(Value condition, Value whenTrue, Value whenFalse) override;
  Value both(Value a, Value b); ///< a && b
  /// The four lanes to a scalar: (0 + 2) + (1 + 3).
  Value reduce(Reduction kind, Value vector);

  // Integers.
  Value toIndex(Value i32);
  Value toInteger(Value index); ///< i32

private:
  SimtBuilder(Operation *op, ArrayRef<KernelArgument> arguments,
              gpu::GPUFuncOp kernel, const Level &level);
  Value pushWord(unsigned word);
  bool isInWorkspace(unsigned argument) const {
    return arguments[argument].isInWorkspace;
  }
  bool isVulkan() const {
    return level.target == ::vit::format::Target::Vulkan;
  }
  void setBuffers();
  Value buffer(unsigned argument);
  Value scalarAt(unsigned argument, Value element);
  /// `value` as the other of f32 and i32, where it is not that already.
  Value asFloat(Value value);
  Value asInteger(Value value);
  /// As it is in the buffer.
  Value loadElement(unsigned argument, Value element);
  void storeElement(Value scalar, unsigned argument, Value element);
  Value allocate(int64_t size, Type element);

  SmallVector<KernelArgument> arguments;
  gpu::GPUFuncOp kernel;
  int64_t threadCount;
  bool scalars = false, integers = false;
  Value unitValue, threadValue, batchValue, reductionArray;
  SmallVector<Value> bases; ///< Vulkan: where each argument begins
};

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_SIMTBUILDER_H
