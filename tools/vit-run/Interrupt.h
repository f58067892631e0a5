//===- Interrupt.h - Ends a command cleanly on Ctrl-C -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_INTERRUPT_H
#define VIT_TOOLS_INTERRUPT_H

namespace vit::tools {

/// After this call, the first SIGINT, SIGTERM or SIGHUP is recorded; a second
/// one of the same kind ends the process as usual.
void catchInterrupts();

/// The signal received, or 0.
int interrupted();

} // namespace vit::tools

#endif // VIT_TOOLS_INTERRUPT_H
