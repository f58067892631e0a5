//===- Library.cpp - A shared object of kernels ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The manifest has one item per line:
//   ptx HASH
//   shared BYTES ALIGNMENT NAME
//   site TEXT
//   kernel THREADS SHIFT NAME
//   argument BYTES {value | pointer TIMES OF PER {read | write} {bf16 | f16 |
//   any}} units TIMES OF PER uses VARIABLE dynamic BYTES     that the launch
//   asks for ordered           if threads wait for some others ops COUNT ... a
//   basic block's ops of each class
// The last six belong to the preceding kernel.
//
//===----------------------------------------------------------------------===//

#include "Library.h"

#include "Interface.h"

#include <dlfcn.h>
#include <sstream>

using namespace vit::sim;

uint64_t vit::sim::hashText(const char *text, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < bytes; ++i)
    hash = (hash ^ static_cast<unsigned char>(text[i])) * 0x100000001b3;
  return hash;
}

bool Library::parse(const char *manifest, std::string &error) {
  std::istringstream lines(manifest);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream in(line);
    std::string what, text;
    in >> what;
    auto rest = [&] {
      std::getline(in >> std::ws, text);
      return text;
    };
    if (what == "ptx") {
      in >> ptxHash;
    } else if (what == "shared") {
      SharedVariable variable{};
      in >> variable.bytes >> variable.alignment;
      variable.name = rest();
      shared.push_back(variable);
    } else if (what == "site") {
      sites.push_back(rest());
    } else if (what == "kernel") {
      Kernel kernel;
      in >> kernel.threads >> kernel.shift;
      if (kernel.shift > 2)
        in.setstate(std::ios::failbit);
      kernel.name = rest();
      kernels.push_back(kernel);
    } else if (what == "argument" && !kernels.empty()) {
      Argument argument;
      in >> argument.bytes >> text;
      argument.pointer = text == "pointer";
      if (argument.pointer) {
        in >> argument.memory.times >> argument.memory.of >>
            argument.memory.per >> text;
        if (!argument.memory.per)
          in.setstate(std::ios::failbit);
        argument.written = text == "write";
        in >> text;
        argument.element = text;
      }
      if (text == "map")
        in >> argument.mapOf >> argument.mapColumns >> argument.mapBoxRows >>
            argument.mapRows;
      kernels.back().arguments.push_back(argument);
    } else if (what == "units" && !kernels.empty()) {
      ClosedForm &units = kernels.back().units;
      in >> units.times >> units.of >> units.per;
      if (!units.per)
        in.setstate(std::ios::failbit);
    } else if (what == "uses" && !kernels.empty()) {
      uint32_t variable = 0;
      in >> variable;
      kernels.back().shared.push_back(variable);
    } else if (what == "dynamic" && !kernels.empty()) {
      in >> kernels.back().dynamicShared;
    } else if (what == "ordered" && !kernels.empty()) {
      kernels.back().ordered = true;
    } else if (what == "cluster" && !kernels.empty()) {
      in >> kernels.back().cluster;
      if (!kernels.back().cluster)
        in.setstate(std::ios::failbit);
    } else if (what == "ops" && !kernels.empty()) {
      std::array<uint32_t, opClasses> ops;
      for (uint32_t &count : ops)
        in >> count;
      kernels.back().basicBlocks.push_back(ops);
    } else {
      in.setstate(std::ios::failbit);
    }
    if (in.fail()) {
      error = "the manifest's line \"" + line + "\" cannot be read";
      return false;
    }
  }
  for (const Kernel &kernel : kernels)
    for (uint32_t variable : kernel.shared)
      if (variable >= shared.size() || !shared[variable].alignment) {
        error = "kernel " + kernel.name + " uses an unknown shared variable";
        return false;
      }
  return true;
}

std::unique_ptr<Library> Library::open(const std::string &path,
                                       std::string &error) {
  // Kernels call functions of this program or library. If it was opened by
  // dlopen, reopen it as global to make its symbols visible.
  Dl_info self;
  if (dladdr(reinterpret_cast<void *>(&sim_barrier), &self) && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  void *handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    error = std::string("cannot open the simulator's kernels: ") + dlerror();
    return nullptr;
  }
  auto *manifest = static_cast<const char *>(dlsym(handle, "sim_manifest"));
  if (!manifest) {
    error = path + " does not come from vit-simulate: it has no sim_manifest";
    return nullptr;
  }
  auto library = std::make_unique<Library>();
  if (!library->parse(manifest, error)) {
    error = path + ": " + error;
    return nullptr;
  }
  for (Kernel &kernel : library->kernels) {
    kernel.entry = reinterpret_cast<void (*)(void **)>(
        dlsym(handle, ("sim_entry_" + kernel.name).c_str()));
    if (!kernel.entry) {
      error = path + " lacks its kernel " + kernel.name;
      return nullptr;
    }
  }
  return library;
}

const Kernel *Library::find(const std::string &name) const {
  for (const Kernel &kernel : kernels)
    if (kernel.name == name)
      return &kernel;
  return nullptr;
}

const std::string &Library::getSite(uint32_t site) const {
  static const std::string unknown = "an unknown place";
  return site < sites.size() ? sites[site] : unknown;
}
