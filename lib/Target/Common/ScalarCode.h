//===- ScalarCode.h - The scalar code of fused kernels ----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TARGET_COMMON_SCALARCODE_H
#define VIT_TARGET_COMMON_SCALARCODE_H

#include "CodeBuilder.h"
#include "vit/Dialect/Kernel.h"

namespace mlir::vit {

/// Verifies that `inlineRegion` supports every op of `region`, the scalar code
/// of the kernel `op`. Emits an error otherwise.
LogicalResult verifyRegion(Operation *op, Region &region);
/// Does the same for both regions of an update.
LogicalResult verifyUpdate(kernel::UpdateOp op);

/// Inlines a verified region and returns the values it yields. Its f32 and f64
/// values become values of `type`, which is f32, a vector of f32, or f64.
/// Arguments that the region does not use may be null.
SmallVector<Value> inlineRegion(CodeBuilder &b, Region &region, Type type,
                                ArrayRef<Value> arguments);
/// Inlines an epilogue, which yields one value. All arguments have one type.
Value inlineEpilogue(CodeBuilder &b, Region &region, ArrayRef<Value> arguments);

/// How an extra operand of a kernel is broadcast against the result.
enum class Broadcast { Channel, Token, Element, Row };

/// The epilogue of a kernel and the broadcasts of its extra operands.
class FusedCode {
public:
  /// `group` is the channel group of the result. `getElementGroup` returns the
  /// channel group of an extra that has the shape of the result, or emits an
  /// error on `op` and fails if its layout differs from that of the result.
  /// Emits an error and fails if the layout of an extra does not fit, or if an
  /// op in the region is not supported.
  static FailureOr<FusedCode>
  get(Operation *op, ValueRange extras, int64_t group,
      function_ref<FailureOr<int64_t>(RankedTensorType)> getElementGroup);

  /// The broadcast of each extra.
  ArrayRef<Broadcast> getBroadcasts() const { return broadcasts; }
  /// Whether the epilogue of zeros is zero. Then padded channels need no mask.
  bool keepsZero() const { return ofZeros; }
  /// Applies the epilogue to `element`, an f32 or a vector. `load` loads an
  /// extra.
  Value apply(CodeBuilder &b, Value element,
              function_ref<Value(unsigned extra)> load) const;

private:
  explicit FusedCode(Region &region) : region(&region) {}

  Region *region;
  SmallVector<Broadcast> broadcasts;
  bool ofZeros = false;
};

} // namespace mlir::vit

#endif // VIT_TARGET_COMMON_SCALARCODE_H
