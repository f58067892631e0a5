//===- CheckpointFolder.h - A folder replaced as a whole --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_CHECKPOINTFOLDER_H
#define VIT_TOOLS_CHECKPOINTFOLDER_H

#include <string>

namespace vit::tools {

/// Replaces the folder `path` by a new one, such that a process killed at any
/// moment leaves a complete one: it is filled as PATH.new and takes the name
/// when all of it is on the disk. The one that was there becomes PATH.previous.
class FolderReplacement {
public:
  /// Makes an empty PATH.new; what PATH.previous holds is given up now, so that
  /// there are never three.
  explicit FolderReplacement(const std::string &path);
  /// Removes PATH.new where it was not committed.
  ~FolderReplacement();
  FolderReplacement(const FolderReplacement &) = delete;
  FolderReplacement &operator=(const FolderReplacement &) = delete;

  /// Where to write to. Files must be synced by who writes them.
  const std::string &folder() const { return fresh; }

  /// Exchanges the two in one step (renameat2 with RENAME_EXCHANGE). A file
  /// system that cannot (or `exchange` false) takes two renames, between which
  /// there is no PATH: `recoverFolder` completes them.
  void commit(bool exchange = true);

private:
  std::string path, fresh, previous;
  bool committed = false;
};

/// Completes a replacement that was interrupted: where there is no PATH, it is
/// PATH.new if PATH.previous is there too (the new one was complete before the
/// old one was moved away), else PATH.previous. Removes a PATH.new that is not
/// needed. Returns whether there is a PATH then.
bool recoverFolder(const std::string &path);

} // namespace vit::tools

#endif // VIT_TOOLS_CHECKPOINTFOLDER_H
