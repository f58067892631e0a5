//===- ControlGroup.cpp - Limits of Linux control groups ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/ControlGroup.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace vit::format {
// The analyzer does not see that the destructor of Lines closes the file, nor
// that the functions below stop at the end of a line, which is a string.
// NOLINTBEGIN(clang-analyzer-unix.Stream, clang-analyzer-security.ArrayBound)

namespace {

/// A path that is built without allocating, on stacks that may be small.
class Path {
public:
  /// Returns false, and changes nothing, if the path would be too long.
  bool append(const char *text) {
    size_t size = std::strlen(text);
    if (size >= sizeof path - length)
      return false;
    std::memcpy(path + length, text, size + 1);
    length += size;
    return true;
  }
  void truncate(size_t size) { path[length = size] = 0; }
  /// Removes the last name.
  void removeLast() {
    while (length > 0 && path[length - 1] != '/')
      --length;
    truncate(length > 0 ? length - 1 : 0);
  }
  const char *data() const { return path; }
  size_t size() const { return length; }

private:
  char path[2048] = "";
  size_t length = 0;
};

/// The lines of a file, without ends of line; none if it cannot be read.
class Lines {
public:
  explicit Lines(const char *path) : file(std::fopen(path, "re")) {}
  Lines(const Lines &) = delete;
  Lines &operator=(const Lines &) = delete;
  ~Lines() {
    std::free(line);
    if (file)
      std::fclose(file);
  }
  /// Returns NULL at the end.
  char *next() {
    if (!file || getline(&line, &capacity, file) <= 0)
      return nullptr;
    if (char *end = std::strchr(line, '\n'))
      *end = 0;
    return line;
  }

private:
  FILE *file;
  char *line = nullptr;
  size_t capacity = 0;
};

/// Tells whether a list with commas contains `name`.
bool contains(const char *list, const char *name) {
  size_t size = std::strlen(name);
  while (true) {
    size_t item = std::strcspn(list, ",");
    if (item == size && std::memcmp(list, name, size) == 0)
      return true;
    if (list[item] == 0)
      return false;
    list += item + 1;
  }
}

/// A mounted hierarchy, from a line of /proc/self/mountinfo (see proc(5)).
struct Mount {
  const char *root;  ///< The group that is mounted, within the hierarchy.
  const char *point; ///< Where.
  const char *type;
  const char *options; ///< Of the file system: names the controllers.
};

/// Replaces the kernel's \040 and the like by the characters that they are.
void unescape(char *text) {
  char *out = text;
  for (; *text; ++text) {
    bool escape = text[0] == '\\' && std::strspn(text + 1, "01234567") >= 3;
    *out++ =
        escape
            ? char((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'))
            : *text;
    text += escape ? 3 : 0;
  }
  *out = 0;
}

/// Splits `line` in place. Returns false if it is not as described in proc(5).
bool parseMount(char *line, Mount &mount) {
  char *second = std::strstr(line, " - ");
  if (!second)
    return false;
  *second = 0;
  char *rest;
  char *first[5] = {strtok_r(line, " ", &rest)};
  for (int i = 1; i < 5; ++i)
    first[i] = strtok_r(nullptr, " ", &rest);
  mount.type = strtok_r(second + 3, " ", &rest);
  char *source = strtok_r(nullptr, " ", &rest);
  mount.options = strtok_r(nullptr, " ", &rest);
  if (!first[4] || !source || !mount.options)
    return false;
  unescape(first[3]);
  unescape(first[4]);
  mount.root = first[3];
  mount.point = first[4];
  return true;
}

/// Appends the group of this process in the hierarchy of version 1 that has
/// `controller`, or in that of version 2 (""). The lines are
/// number:controllers:path.
bool appendGroup(const char *root, const char *controller, Path &group) {
  Path file;
  if (!file.append(root) || !file.append("/proc/self/cgroup"))
    return false;
  Lines lines(file.data());
  while (char *line = lines.next()) {
    char *controllers = std::strchr(line, ':');
    char *path = controllers ? std::strchr(++controllers, ':') : nullptr;
    if (!path)
      continue;
    *path++ = 0;
    if (contains(controllers, controller))
      return group.append(path);
  }
  return false;
}

/// Returns the path of `group` below the group `root` that is mounted; NULL if
/// it is elsewhere. Both are relative to the namespace of the process, so those
/// outside it begin with "/..".
const char *pathBelow(const char *group, const char *root) {
  size_t size = std::strcmp(root, "/") == 0 ? 0 : std::strlen(root);
  const char *below = group + size;
  if (std::strncmp(group, root, size) == 0 && (*below == '/' || *below == 0) &&
      std::strncmp(below, "/..", 3) != 0)
    return std::strcmp(below, "/") == 0 ? "" : below;
  // A group above the namespace: which of its groups lead here is not known.
  bool isAbove = std::strncmp(root, "/..", 3) == 0;
  return isAbove && std::strncmp(group, "/..", 3) != 0 ? "" : nullptr;
}

/// Calls `read` with the folder of each group that `controller` limits this
/// process by, and with the version of its hierarchy.
template <typename Read>
void visitGroups(const char *root, const char *controller, Read read) {
  Path file;
  if (!file.append(root) || !file.append("/proc/self/mountinfo"))
    return;
  Lines lines(file.data());
  while (char *line = lines.next()) {
    Mount mount;
    if (!parseMount(line, mount))
      continue;
    bool isV2 = std::strcmp(mount.type, "cgroup2") == 0;
    if (!isV2 && (std::strcmp(mount.type, "cgroup") != 0 ||
                  !contains(mount.options, controller)))
      continue;
    Path &group = file; // Its name is not needed any more.
    group.truncate(0);
    if (!appendGroup(root, isV2 ? "" : controller, group))
      continue;
    const char *below = pathBelow(group.data(), mount.root);
    Path folder;
    if (!below || !folder.append(root) || !folder.append(mount.point))
      continue;
    size_t top = folder.size();
    if (!folder.append(below))
      continue;
    for (; folder.size() > top; folder.removeLast())
      read(folder, isV2 ? 2 : 1);
    read(folder, isV2 ? 2 : 1);
  }
}

/// Reads up to two whole numbers from the first line of a file of `folder`.
/// Returns how many there are: none where the file says "max" or -1.
int readNumbers(Path &folder, const char *file, uint64_t (&numbers)[2]) {
  size_t size = folder.size();
  if (!folder.append(file))
    return 0;
  Lines lines(folder.data());
  folder.truncate(size);
  const char *text = lines.next();
  int count = 0;
  while (text && count < 2) {
    text += std::strspn(text, " ");
    char *end;
    numbers[count] = std::strtoull(text, &end, 10);
    if (*text < '0' || *text > '9')
      break;
    text = end;
    ++count;
  }
  return count;
}

template <typename T> void takeLeast(std::optional<T> &least, T value) {
  if (!least || value < *least)
    least = value;
}

} // namespace

std::optional<double> cpuQuota(const char *root) {
  std::optional<double> least;
  visitGroups(root, "cpu", [&](Path &folder, int version) {
    uint64_t quota[2], period[2];
    if (version == 2) {
      if (readNumbers(folder, "/cpu.max", quota) < 2)
        return;
      period[0] = quota[1];
    } else if (readNumbers(folder, "/cpu.cfs_quota_us", quota) < 1 ||
               readNumbers(folder, "/cpu.cfs_period_us", period) < 1) {
      return;
    }
    if (period[0] > 0)
      takeLeast(least, double(quota[0]) / double(period[0]));
  });
  return least;
}

std::optional<uint64_t> memoryLimit(const char *root) {
  std::optional<uint64_t> least;
  visitGroups(root, "memory", [&](Path &folder, int version) {
    uint64_t limit[2];
    const char *file = version == 2 ? "/memory.max" : "/memory.limit_in_bytes";
    // Version 1 writes "no limit" as the largest multiple of a page.
    if (readNumbers(folder, file, limit) > 0 && limit[0] < uint64_t(1) << 62)
      takeLeast(least, limit[0]);
  });
  return least;
}

uint64_t usableMemory(const char *root) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  uint64_t machine =
      pages > 0 && page > 0 ? uint64_t(pages) * uint64_t(page) : UINT64_MAX;
  return std::min(machine, memoryLimit(root).value_or(machine));
}

} // namespace vit::format

// NOLINTEND(clang-analyzer-unix.Stream, clang-analyzer-security.ArrayBound)
