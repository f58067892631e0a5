//===- source.h - Where parameters come from --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a parameter from what the module says of it: bytes of its own, a
// tensor of a weight file, its initialiser.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_SOURCE_H
#define VIT_RUNTIME_SOURCE_H

#include "format/safetensors.h"
#include "module.h"

namespace vit::runtime {

/// The weight files of a module, opened when they are first asked for.
class Sources {
public:
  explicit Sources(const vit_module &module) : module(module) {}
  Sources(const Sources &) = delete;
  Sources &operator=(const Sources &) = delete;
  ~Sources();

  /// Opens every file that a parameter lies in and checks the tensors there:
  /// all that are missing or of another shape or type are named at once.
  vit_status openAll(vit_error *error);
  /// The same for the file of one parameter (of any source) alone.
  vit_status openFor(const schema::Parameter &parameter, vit_error *error);

  /// The stored elements of a parameter whose file is open: a view, or NULL
  /// where they are drawn from its initialiser. Source must not be Derived.
  const void *view(const schema::Parameter &parameter, ElementType &type) const;

  /// Copies elements [begin, begin + count), from the view or the initialiser.
  void read(const schema::Parameter &parameter, float *target, int64_t begin,
            int64_t count) const;

private:
  struct File {
    MappedFile *file;
    Safetensors *header;
  };
  /// The tensor that a parameter is in, whose file is open; NULL if missing.
  const StoredTensor *find(const schema::Parameter &parameter) const;
  /// What is wrong with a parameter's tensor, NULL where it is sound.
  const char *problem(const schema::Parameter &parameter) const;
  vit_status open(uint32_t index, vit_error *error);

  const vit_module &module;
  Array<File> files;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_SOURCE_H
