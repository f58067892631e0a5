//===- Symbols.h - Tensors that symbols name ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_DIALECT_SYMBOLS_H
#define VIT_LIB_DIALECT_SYMBOLS_H

#include "vit/Dialect/Vit.h"

namespace mlir::vit {

/// The product of sizes that are all positive; nothing where one is not, or
/// where it is beyond what any machine holds.
std::optional<int64_t> countElements(ArrayRef<int64_t> shape);

/// Whether `symbol` is a vit.parameter or vit.state of type `type` that `user`
/// may use with a layer (`layer` where it is known). `Only` restricts what it
/// may be. Messages are numbered as those of vit.read and of the updates: C1,
/// C2.
enum class Only { Nothing, Parameter, State };
LogicalResult verifyNamedTensor(Operation *user, SymbolTableCollection &symbols,
                                FlatSymbolRefAttr symbol, Type type,
                                bool indexed, std::optional<int64_t> layer,
                                Only only = Only::Nothing);

} // namespace mlir::vit

#endif // VIT_LIB_DIALECT_SYMBOLS_H
