//===- Interrupt.h - Ctrl-C ends a command cleanly --------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_INTERRUPT_H
#define VIT_TOOLS_INTERRUPT_H

namespace vit::tools {

/// From here on the first SIGINT, SIGTERM or SIGHUP is remembered; the second
/// one of the same kind ends the process as it would have.
void catchInterrupts();

/// The signal that came, 0 where none has.
int interrupted();

} // namespace vit::tools

#endif // VIT_TOOLS_INTERRUPT_H
