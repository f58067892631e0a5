//===- CheckpointFolder.h - Replaces a folder atomically --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CHECKPOINTFOLDER_H
#define VIT_TOOLS_CHECKPOINTFOLDER_H

#include <string>

namespace vit::tools {

/// Replaces the folder `path` so that a process killed at any time leaves a
/// complete folder: it is written as PATH.new and renamed when all data is on
/// disk. The previous folder becomes PATH.previous.
class FolderReplacement {
public:
  /// Creates an empty PATH.new. Removes PATH.previous first, so that there are
  /// never three folders.
  explicit FolderReplacement(const std::string &path);
  /// Removes PATH.new unless it was committed.
  ~FolderReplacement();
  FolderReplacement(const FolderReplacement &) = delete;
  FolderReplacement &operator=(const FolderReplacement &) = delete;

  /// The folder to write to. Callers must sync the files.
  const std::string &folder() const { return fresh; }

  /// Exchanges both in one step (renameat2 with RENAME_EXCHANGE). If the file
  /// system does not support it (or `exchange` is false), renames twice; in
  /// between there is no PATH, which `recoverFolder` fixes.
  void commit(bool exchange = true);

private:
  std::string path, fresh, previous;
  bool committed = false;
};

/// Completes an interrupted replacement: if PATH is missing, renames PATH.new
/// to PATH if PATH.previous exists (then PATH.new is complete, as the old
/// folder was already moved), or else PATH.previous. Removes an unneeded
/// PATH.new. Returns whether PATH exists afterwards.
bool recoverFolder(const std::string &path);

} // namespace vit::tools

#endif // VIT_TOOLS_CHECKPOINTFOLDER_H
