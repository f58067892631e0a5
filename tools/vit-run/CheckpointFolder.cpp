//===- CheckpointFolder.cpp - Replaces a folder atomically ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckpointFolder.h"

#include "Support.h"

#include "format/AtomicFile.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace fs = std::filesystem;

namespace vit::tools {

static void failAbout(const std::string &what, const std::string &path) {
  throw Error("cannot " + what + " " + path + ": " + std::strerror(errno));
}

static void removeFolder(const std::string &path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code)
    throw Error("cannot remove " + path + ": " + code.message());
}

static void move(const std::string &from, const std::string &to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    failAbout("rename " + from + " to", to);
}

/// Syncs the entries of a folder to disk.
static void syncFolder(const std::string &path) {
  vit_error error;
  check(format::syncFolder(path.c_str(), &error), error);
}

static std::string parentOf(const std::string &path) {
  std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

FolderReplacement::FolderReplacement(const std::string &path)
    : path(path), fresh(path + ".new"), previous(path + ".previous") {
  recoverFolder(path);
  removeFolder(fresh);
  removeFolder(previous);
  if (mkdir(fresh.c_str(), 0777) != 0)
    failAbout("make the folder", fresh);
}

FolderReplacement::~FolderReplacement() {
  std::error_code ignored;
  if (!committed)
    fs::remove_all(fresh, ignored);
}

void FolderReplacement::commit(bool exchange) {
  syncFolder(fresh);
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    move(fresh, path);
  } else if (exchange && renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD,
                                   path.c_str(), RENAME_EXCHANGE) == 0) {
    committed = true;
    move(fresh, previous);
  } else if (!exchange || errno == EINVAL || errno == ENOSYS) {
    // Now the new folder is valid: sync its data first.
    syncFolder(parentOf(path));
    move(path, previous);
    committed = true;
    move(fresh, path);
  } else {
    failAbout("exchange " + fresh + " and", path);
  }
  committed = true;
  syncFolder(parentOf(path));
}

bool recoverFolder(const std::string &path) {
  std::string fresh = path + ".new", previous = path + ".previous";
  if (!fs::is_directory(path) && fs::is_directory(previous))
    move(fs::is_directory(fresh) ? fresh : previous, path);
  if (!fs::is_directory(path))
    return false;
  removeFolder(fresh);
  return true;
}

} // namespace vit::tools
