//===- KernelBuilder.h - Short hands for building a kernel's body ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emission order is the schedule (LLVM's machine scheduler is off for kernels),
// so the emitters say exactly which load, broadcast and FMA comes when. Every
// buffer is a flat memref<?xf32>: one addition per address, which LLVM folds
// into the addressing mode.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_CPU_KERNELBUILDER_H
#define VIT_TARGET_CPU_KERNELBUILDER_H

#include "vit/Kernel/Layout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <map>

namespace mlir::vit::cpu {

using kernel::kLanes;

/// What a level offers.
struct Level {
  int64_t registers; ///< vector registers
  int64_t parts;     ///< registers that one vector of 16 f32 takes
  bool isAvx512() const { return parts == 1; }
  /// How many of `vectors` vectors of 16 a register tile of `rows` rows takes
  /// at once: a divisor, at most `limit`, whose sums stay in registers.
  int64_t stripVectors(int64_t rows, int64_t vectors, int64_t limit = 4) const;
};
FailureOr<Level> getLevel(StringRef name);

class KernelBuilder : public ImplicitLocOpBuilder {
public:
  /// Starts `function`, whose block and arguments exist; constants gather at
  /// its beginning.
  KernelBuilder(func::FuncOp function, const Level &level);

  const Level &level;
  const VectorType vectorType; ///< vector<16xf32>

  // The calling convention.
  Value batch();
  Value begin();
  Value end();
  Value argument(unsigned i);
  /// `scratch` as f32 from `byteOffset` on.
  Value scratch(int64_t byteOffset = 0);

  // Index arithmetic; constants fold.
  Value index(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, index(b)); }
  Value sub(Value a, Value b);
  Value mul(Value a, int64_t b);
  Value mul(Value a, Value b);
  Value div(Value a, int64_t b); ///< of values not negative
  Value div(Value a, Value b);
  Value rem(Value a, int64_t b);
  Value rem(Value a, Value b);
  Value min(Value a, Value b);
  Value isLess(Value a, Value b);
  Value isEqual(Value a, Value b);
  Value isAtLeast(Value a, Value b);

  // Vectors of 16 f32.
  Value splat(double value);
  Value splatBits(int32_t value); ///< vector<16xi32>
  Value load(Value buffer, Value offset);
  void store(Value vector, Value buffer, Value offset);
  /// Loads or stores the first `lanes` lanes alone; other lanes load as zero.
  Value loadLanes(Value buffer, Value offset, int64_t lanes);
  void storeLanes(Value vector, Value buffer, Value offset, int64_t lanes);
  Value loadScalar(Value buffer, Value offset);
  void storeScalar(Value scalar, Value buffer, Value offset);
  Value broadcast(Value scalar);
  Value fma(Value a, Value b, Value c);
  Value shuffle(Value a, Value b, ArrayRef<int64_t> lanes);
  /// vector<16xi1> with the first `lanes` true.
  Value laneMask(int64_t lanes);
  /// x < bound ? bound : x, a NaN of x stays (and so for atMost).
  Value atLeast(Value x, Value bound);
  Value atMost(Value x, Value bound);
  Value select(Value condition, Value whenTrue, Value whenFalse);
  enum class Reduction { Add, Max, Min };
  Value combine(Reduction kind, Value a, Value b);
  /// All lanes to one scalar, as a tree: the same order always.
  Value reduce(Reduction kind, Value vector);

  // Control.
  using Body = function_ref<SmallVector<Value>(Value, ValueRange)>;
  SmallVector<Value> loop(Value from, Value to, int64_t step, ValueRange init,
                          Body body);
  void loop(Value from, Value to, function_ref<void(Value)> body);
  void loop(int64_t from, int64_t to, function_ref<void(Value)> body) {
    loop(index(from), index(to), body);
  }
  void ifThen(Value condition, function_ref<void()> then,
              function_ref<void()> otherwise = nullptr);

private:
  Value constant(TypedAttr attribute);
  func::FuncOp function;
  llvm::DenseMap<Attribute, Value> constants;
  Operation *lastConstant = nullptr;
};

} // namespace mlir::vit::cpu

#endif // VIT_TARGET_CPU_KERNELBUILDER_H
