//===- Session.h - A model on its device ------------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_SESSION_H
#define VIT_TOOLS_SESSION_H

#include "Model.h"
#include "Trace.h"

namespace vit::tools {

/// Creates a session with the device, threads and memory limit of the model's
/// options. `log` may be null; otherwise every command that runs while it is
/// open is appended to it, and it must outlive the session.
SessionHandle createSession(Model &model, EventLog *log);

/// Bytes that a call of `entry` (null: the first) with this batch needs in
/// addition to the weights.
uint64_t workspaceBytes(const SessionHandle &session, const char *entry,
                        int64_t batch);

} // namespace vit::tools

#endif // VIT_TOOLS_SESSION_H
