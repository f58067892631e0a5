//===- Source.h - Where parameters come from --------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads a parameter from its source: bytes in the module, a tensor of a weight
// file, or its initialiser.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_SOURCE_H
#define VIT_RUNTIME_SOURCE_H

#include "Module.h"
#include "format/WeightFile.h"

namespace vit::runtime {

/// The weight files of a module, opened on first use.
class Sources {
public:
  explicit Sources(const vit_module &module) : module(module) {}
  Sources(const Sources &) = delete;
  Sources &operator=(const Sources &) = delete;
  ~Sources();

  /// Opens every file that contains a parameter and checks the tensors. One
  /// error lists all that are missing or of another shape or type.
  vit_status openAll(vit_error *error);
  /// Does the same for the file of one parameter, if it has one.
  vit_status openFor(const schema::Parameter &parameter, vit_error *error);

  /// Returns the stored elements of a parameter whose file is open, or NULL if
  /// it has none in a file or segment.
  const void *view(const schema::Parameter &parameter, ElementType &type) const;
  /// Tells the system that the pages of `view(parameter)` are not needed for
  /// now if they are those of a file: the host's memory and copies would be
  /// lost.
  void forget(const schema::Parameter &parameter) const;

  /// Reads elements [begin, begin + count) from the file, the segment or the
  /// initialiser.
  void read(const schema::Parameter &parameter, float *target, int64_t begin,
            int64_t count) const;

  /// To be called after elements were read: fails if a file was cut short
  /// meanwhile, so that they may be wrong.
  vit_status requireWhole(vit_error *error) const;

private:
  struct File {
    MappedFile *file;
    WeightFile *header;
  };
  /// Finds the tensor of a parameter whose file is open; NULL if it is missing.
  const StoredTensor *find(const schema::Parameter &parameter) const;
  /// Appends what is wrong with a parameter's tensor; false if nothing is.
  bool describeProblem(const schema::Parameter &parameter, char *text,
                       size_t size) const;
  vit_status open(uint32_t index, vit_error *error);

  const vit_module &module;
  Array<File> files;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_SOURCE_H
