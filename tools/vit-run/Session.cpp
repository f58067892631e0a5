//===- Session.cpp - A model on its device --------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Session.h"

namespace vit::tools {

SessionHandle createSession(Model &model, EventLog *log) {
  const CommonOptions &options = model.getOptions();
  vit_session_options sessionOptions = {};
  sessionOptions.struct_size = sizeof(sessionOptions);
  sessionOptions.parameters = model.parameters();
  sessionOptions.threads = options.threads;
  sessionOptions.memory_budget = options.memory;
  sessionOptions.device = options.device.c_str();
  sessionOptions.level =
      options.level.empty() ? nullptr : options.level.c_str();
  if (log) {
    log->device = options.device;
    sessionOptions.on_event = appendCommand;
    sessionOptions.event_context = log;
  }
  vit_session *session = nullptr;
  vit_error error;
  check(vit_session_create(model.module(), &sessionOptions, &session, &error),
        error);
  return SessionHandle(session);
}

uint64_t workspaceBytes(const SessionHandle &session, const char *entry,
                        int64_t batch) {
  vit_error error;
  uint64_t bytes = 0;
  check(vit_session_workspace_size(session.get(), entry, batch, &bytes, &error),
        error);
  return bytes;
}

} // namespace vit::tools
