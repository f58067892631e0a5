//===- Symbols.h - Tensors that symbols name --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_LIB_DIALECT_SYMBOLS_H
#define VIT_LIB_DIALECT_SYMBOLS_H

#include "vit/Dialect/Vit.h"

namespace mlir::vit {

/// Returns the product of positive sizes, or nullopt if one is not positive or
/// the product is larger than any memory.
std::optional<int64_t> countElements(ArrayRef<int64_t> shape);

/// Checks that `symbol` is a vit.parameter or vit.state of type `type` that
/// `user` may use with a layer (`layer` if it is known). `Only` restricts the
/// kind of op. The constraints in messages are numbered as in vit.read and the
/// updates: C1, C2.
enum class Only { Nothing, Parameter, State };
LogicalResult verifyNamedTensor(Operation *user, SymbolTableCollection &symbols,
                                FlatSymbolRefAttr symbol, Type type,
                                bool indexed, std::optional<int64_t> layer,
                                Only only = Only::Nothing);

} // namespace mlir::vit

#endif // VIT_LIB_DIALECT_SYMBOLS_H
