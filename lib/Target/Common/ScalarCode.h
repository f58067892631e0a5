//===- ScalarCode.h - The scalar code of fused kernels -------------------===//
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

/// Whether `inlineRegion` knows each op of the region, scalar code of the
/// kernel `op`; else emits an error.
LogicalResult verifyRegion(Operation *op, Region &region);
/// The same for both regions of an update.
LogicalResult verifyUpdate(kernel::UpdateOp op);

/// What a verified region yields for `arguments`. Its f32 and f64 values become
/// values of `type`: f32, a vector of it, or f64. An argument that the region
/// does not use may be null.
SmallVector<Value> inlineRegion(CodeBuilder &b, Region &region, Type type,
                                ArrayRef<Value> arguments);
/// The one value of an epilogue, whose arguments are all of one type.
Value inlineEpilogue(CodeBuilder &b, Region &region, ArrayRef<Value> arguments);

/// How an extra operand of a kernel is broadcast against the result.
enum class Broadcast { Channel, Token, Element };

/// The epilogue of a kernel and how its extras are broadcast.
class FusedCode {
public:
  /// Channels of the result are padded in groups of `group`.
  /// `getElementGroup` returns the groups of an extra of the result's shape, or
  /// fails with an error on `op` where its layout is not the result's. Fails,
  /// with an error, where an extra's layout does not fit or the region holds an
  /// op that has no code.
  static FailureOr<FusedCode>
  get(Operation *op, ValueRange extras, int64_t group,
      function_ref<FailureOr<int64_t>(RankedTensorType)> getElementGroup);

  /// One per extra.
  ArrayRef<Broadcast> getBroadcasts() const { return broadcasts; }
  /// Whether zeros give zero: then padded channels need no mask.
  bool keepsZero() const { return ofZeros; }
  /// The value of `element`, f32 or a vector; `load` loads an extra.
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
