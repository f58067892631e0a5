//===- KernelBuilder.h - Builds the body of a kernel ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of emission is the intended schedule: the emitters decide which
// load, broadcast and FMA comes when. LLVM's machine scheduler runs and may
// still move instructions within a block. Every buffer is a flat memref<?xf32>,
// so that an address is one addition, which LLVM folds into the addressing
// mode.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_KERNELBUILDER_H
#define VIT_TARGET_CPU_KERNELBUILDER_H

#include "../Common/CodeBuilder.h"

#include "vit/Target/Level.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::vit::cpu {

using kernel::kChannelPad;
using kernel::kPanelGranule;

/// Lanes of the vectors that emitters use, vector<16xf32>.
inline constexpr int64_t kVectorLanes = 16;
static_assert(kVectorLanes == kChannelPad,
              "emitters load a run of padded channels as one vector");

/// f32 elements in a cache line.
inline constexpr int64_t kLineElements = 16;

class KernelBuilder : public CodeBuilder {
public:
  /// Builds in `function`, which has its block and arguments. Constants are
  /// placed at its beginning.
  KernelBuilder(func::FuncOp function, const Level &level);

  const Level &level;
  const VectorType vectorType; ///< vector<16xf32>

  /// The level's instruction for products of `element`, which it must have.
  const ::vit::format::Product &getProduct(Type element) const;
  /// Calls the intrinsic "llvm.x86.NAME".
  Value intrinsic(StringRef name, Type type, ValueRange operands);
  /// Calls an intrinsic for vectors of a register: `of512` once with all of
  /// `operands`, of 64 bytes, or `of256` for each half where registers are
  /// smaller. The results are vector<16xi32>.
  Value intrinsicOfRegisters(StringRef of512, StringRef of256,
                             ValueRange operands);

  /// How many of `vectors` vectors of 16 f32 a register tile of `rows` rows
  /// takes at once: a divisor, at most `limit`, whose sums stay in registers.
  int64_t stripVectors(int64_t rows, int64_t vectors, int64_t limit = 4) const;

  // The calling convention.
  Value batch();
  Value begin();
  Value end();
  Value argument(unsigned i);
  /// Returns `scratch` from `byteOffset` on, as elements of `type` (null: f32).
  Value scratch(int64_t byteOffset = 0, Type type = {});

  // Vectors of 16 f32. In a buffer of a narrower type they are widened when
  // they are loaded and rounded to nearest even when they are stored, as by
  // emitNarrow.
  using CodeBuilder::splat;
  Value splat(double value) { return splat(vectorType, value); }
  Value load(Value buffer, Value offset);
  void store(Value vector, Value buffer, Value offset);
  /// Loads or stores only the first `lanes` lanes; the others load as zero.
  Value loadLanes(Value buffer, Value offset, int64_t lanes);
  void storeLanes(Value vector, Value buffer, Value offset, int64_t lanes);
  Value loadScalar(Value buffer, Value offset);
  /// Loads 32 bits, one or more neighbouring elements, as one i32.
  Value loadWord(Value buffer, Value offset);
  /// Loads 64 bytes of elements of the buffer's type.
  Value loadLine(Value buffer, Value offset);
  void storeLine(Value line, Value buffer, Value offset);
  /// Returns `vector`, of f32, rounded to the type `element`, or to that of the
  /// elements of `buffer`.
  Value roundTo(Value vector, Type element) {
    return widen(narrow(vector, element));
  }
  Value roundTo(Value vector, Value buffer) {
    return roundTo(vector, storedType(buffer).getElementType());
  }
  /// The bits of `vector` as a vector of another element type.
  Value bitcast(Value vector, Type element);
  void storeScalar(Value scalar, Value buffer, Value offset);
  Value broadcast(Value scalar); ///< of any type
  Value shuffle(Value a, Value b, ArrayRef<int64_t> lanes);
  /// Returns a vector<16xi1> whose first `lanes` lanes are true.
  Value laneMask(int64_t lanes);
  /// Returns `vector` with `other` in all but its first `lanes` lanes.
  Value keepLanes(Value vector, int64_t lanes, double other = 0);
  /// Returns a vector<16xi32> of the numbers of the lanes.
  Value laneNumbers();
  /// Reduces all lanes to one scalar as a tree, always in the same order.
  Value reduce(Reduction kind, Value vector);

private:
  /// 16 elements of the type of `buffer`.
  VectorType storedType(Value buffer);
  Value widen(Value vector);
  Value narrow(Value vector, Type element);

  func::FuncOp function;
};

/// Lays out buffers in the scratch of a kernel, one after the other.
class ScratchLayout {
public:
  explicit ScratchLayout(KernelBuilder &b) : b(b) {}
  /// Returns a buffer of `elements` elements of `type` that begins at a cache
  /// line.
  Value take(int64_t elements, Type type);
  /// The bytes of all buffers: KernelInfo::scratch.
  int64_t getBytes() const { return bytes; }

private:
  KernelBuilder &b;
  int64_t bytes = 0;
};

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_KERNELBUILDER_H
