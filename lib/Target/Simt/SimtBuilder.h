//===- SimtBuilder.h - Builds the body of a GPU kernel ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One set of emitters serves Vulkan and CUDA. The builder hides how a kernel
// accesses its arguments, the batch and its unit.
//
//   Vulkan: gpu.func @name(%workspace, %parameters, %push), two buffers of
//     vector<4xf32> (if requested, the workspace is of f32, or both are of
//     i32), and 32 push words: batch, first unit, then the offset of each
//     argument in its buffer in units of 16 bytes. Arguments and results of the
//     entry and computed values are in the workspace. Derived forms, constants
//     and arenas are in the parameters. If an argument is f16 or bf16, both
//     are of i32 and that with the argument is of vector<2xi32>, four elements
//     of 16 bits: a word holds two neighbouring ones, the first in its low
//     half, so no device needs to support accesses of 16 bits.
//   CUDA: gpu.func @name(%argument0, ..., %batch: i32, %first: i32), one
//     memref per argument of its element type (f32, f16, bf16, or i32 for
//     integers such as labels and for four elements of i8), aligned to 16
//     bytes.
//
// The arguments are the operands of the dispatch, then its results. Addresses
// count vectors of 4 elements, or single elements, from the beginning of the
// argument. Loads widen f16, bf16 and i8 to f32, and stores round f32 to them,
// to nearest even, in f16 to a NaN beyond the range; the elements of a word are
// always stored by one thread. A work unit is a workgroup. Index arithmetic is
// 32 bit; no value has 2^31 elements or more.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_SIMT_SIMTBUILDER_H
#define VIT_TARGET_SIMT_SIMTBUILDER_H

#include "../Common/CodeBuilder.h"

#include "vit/Target/Level.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <array>

namespace mlir::vit::simt {

/// Lanes of the vectors that GPU code uses, vector<4xf32>.
inline constexpr int64_t kVectorLanes = 4;

/// Elements of i8 of a vector of 16 bytes, vector<4xi32>.
inline constexpr int64_t kBytesPerVector = 16;

/// An operand or result of a dispatch.
struct KernelArgument {
  RankedTensorType type;
  bool isInWorkspace; ///< otherwise it is in the buffer of parameters
};

class SimtBuilder : public CodeBuilder {
public:
  /// Adds an empty kernel `name` for `op` to `kernels` and starts building in
  /// it. The size of workgroups is that of the tile of the op, or else that of
  /// the level.
  SimtBuilder(Operation *op, ArrayRef<KernelArgument> arguments, StringRef name,
              gpu::GPUModuleOp kernels, const Level &level);

  const Level &level;
  const VectorType vectorType; ///< vector<4xf32>
  gpu::GPUFuncOp function() const { return kernel; }
  RankedTensorType argumentType(unsigned argument) const {
    return arguments[argument].type;
  }
  /// Completes the kernel.
  void finish();

  /// Invocations per workgroup. Must not be set after the first use of
  /// `threads`.
  int64_t threads() const { return threadCount; }
  void setThreads(int64_t threads);

  // The position of the running invocation: index values, defined at the
  // beginning of the kernel.
  /// The first unit of the launch plus the number of this workgroup.
  Value unit() const { return unitValue; }
  Value thread() const { return threadValue; } ///< within the workgroup
  Value batch() const { return batchValue; }

  //===--------------------------------------------------------------------===//
  // Arguments
  //===--------------------------------------------------------------------===//

  /// Allows the kernel to write single elements of the workspace. On Vulkan
  /// this makes the workspace a buffer of scalars, in which a vector takes four
  /// accesses, so only kernels that need it should call this. Must be called
  /// before any access.
  void useScalars();
  /// Allows the kernel to read and write i32 elements. On Vulkan this makes the
  /// buffers i32, because a small integer is a denormal f32, which a device may
  /// flush to zero. Must be called before any access.
  void useIntegers();

  /// Says that the kernel reads these arguments of i8 by `loadBytes16` only, so
  /// that on Vulkan their buffers need no accesses of single words. Must be
  /// called before any access.
  void useByteVectors(ArrayRef<unsigned> read);

  Type elementType(unsigned argument) const {
    return arguments[argument].type.getElementType();
  }
  /// Whether the elements of an argument are f16 or bf16.
  bool isNarrow(unsigned argument) const {
    return kernel::isNarrowFloat(elementType(argument));
  }
  /// Whether they are i8.
  bool isInt8(unsigned argument) const {
    return elementType(argument).isInteger(8);
  }
  /// Loads vector `vector` of an argument: 4 elements from 4 * vector on, as
  /// f32.
  Value load4(unsigned argument, Value vector);
  void store4(Value value, unsigned argument, Value vector);
  /// Vulkan: loads vector `vector` of an argument of f16 or bf16 as it is
  /// stored, vector<2xi32>.
  Value loadNarrow4(unsigned argument, Value vector);
  /// Loads four elements of an argument of i8, from 4 * `word` on, as they are
  /// stored, in an i32; or 16, from 16 * `vector` on, as vector<4xi32>.
  Value loadBytes4(unsigned argument, Value word) {
    return loadElement(argument, word);
  }
  Value loadBytes16(unsigned argument, Value vector);
  /// Returns `sum` plus the products of the four i8 in `a` by those in `b`, all
  /// i32. Needs a level with such an instruction.
  Value addDot(Value a, Value b, Value sum);
  /// Loads one element as f32. Without `useScalars`, Vulkan loads the vector
  /// and extracts the element.
  Value load(unsigned argument, Value element);
  /// Needs `useScalars` and an argument of f32 in the workspace.
  void store(Value scalar, unsigned argument, Value element);
  /// The same for i32. Need `useIntegers`.
  Value loadInteger(unsigned argument, Value element);
  void storeInteger(Value integer, unsigned argument, Value element);

  //===--------------------------------------------------------------------===//
  // Workgroup memory
  //===--------------------------------------------------------------------===//

  /// Allocates an array in workgroup memory, of vector<4xf32>, of four elements
  /// of 16 bits (vector<2xi32>), of 16 of i8 (vector<4xi32>) or of f32. All its
  /// accesses have that element type.
  Value allocateShared4(int64_t vectors);
  Value allocateNarrow(int64_t vectors);
  Value allocateBytes16(int64_t vectors);
  Value allocateShared(int64_t elements);
  /// Loads a value of the element type of the array.
  Value loadShared(Value array, Value index);
  void storeShared(Value value, Value array, Value index);
  /// Waits for all threads of the workgroup and makes their writes to workgroup
  /// memory visible, but not those to arguments. All threads must reach it.
  void barrier();
  /// Combines the scalars of each aligned run of `segment` threads (a power of
  /// two that divides `threads`; 0: the whole workgroup) as a tree, always in
  /// the same order. All threads of the run get the result. All threads must
  /// reach it. Uses one f32 of workgroup memory per thread, which all
  /// reductions of a kernel share.
  Value reduceWorkgroup(Reduction kind, Value scalar, int64_t segment = 0);

  //===--------------------------------------------------------------------===//
  // Vectors of 4 f32
  //===--------------------------------------------------------------------===//

  using CodeBuilder::splat;
  Value splat(double value) { return splat(vectorType, value); }
  /// Rounds an f32 or a vector as a store to `argument`, of floats, does, but
  /// returns f32.
  Value roundAs(unsigned argument, Value value);
  Value broadcast(Value scalar);
  Value extract(Value vector, int64_t lane);
  Value extract(Value vector, Value lane);
  Value fromElements(ValueRange scalars); ///< a vector of 4 scalars
  /// As in CodeBuilder. A single condition for a vector is broadcast, as SPIR-V
  /// before 1.4 requires.
  Value select(Value condition, Value whenTrue, Value whenFalse) override;
  /// Reduces the four lanes to a scalar: (0 + 2) + (1 + 3).
  Value reduce(Reduction kind, Value vector);

  Value toIndex(Value i32);

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
  /// Vulkan: sets the words of an access of each buffer, where arguments of i8
  /// but those of `inVectors` need single words.
  void setAccessWords(ArrayRef<unsigned> inVectors);
  Value buffer(unsigned argument);
  /// Vulkan: the number of the buffer that contains `argument`.
  unsigned bufferOf(unsigned argument) const {
    return isInWorkspace(argument) ? 0 : 1;
  }
  /// Vulkan: the words of an element of the buffer that contains `argument`.
  int64_t wordsPerAccess(unsigned argument) const {
    return accessWords[bufferOf(argument)];
  }
  /// Vulkan: the accesses for the `count` words from count * number on, where
  /// `count` is a multiple of the words of one.
  SmallVector<Value> getAccesses(unsigned argument, Value number,
                                 int64_t count);
  Value loadWords(unsigned argument, Value number, int64_t count);
  void storeWords(Value words, unsigned argument, Value number);
  /// The four elements of a word of i8, as f32.
  Value widenBytes(Value word);
  /// The inverse, of a vector of four i32.
  Value packBytes(Value integers);
  /// Bitcasts `value`, unless it has the type already.
  Value asFloat(Value value);
  Value asInteger(Value value);
  /// Loads an element with the element type of the buffer.
  Value loadElement(unsigned argument, Value element);
  void storeElement(Value scalar, unsigned argument, Value element);
  Value allocate(int64_t size, Type element);

  SmallVector<KernelArgument> arguments;
  gpu::GPUFuncOp kernel;
  int64_t threadCount;
  bool integers = false;
  /// Vulkan: words of an element of each buffer, 1, 2 or 4.
  std::array<int64_t, 2> accessWords = {kVectorLanes, kVectorLanes};
  Value unitValue, threadValue, batchValue, reductionArray;
  SmallVector<Value> bases; ///< Vulkan: the beginning of each argument
};

} // namespace mlir::vit::simt

#endif // VIT_TARGET_SIMT_SIMTBUILDER_H
