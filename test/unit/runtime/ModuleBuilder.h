//===- ModuleBuilder.h - Modules for tests ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds .vitm files without the compiler. `Builder` holds the metadata as
// structs of the FlatBuffers object API, so that tests can change anything
// before the bytes are written.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_MODULE_BUILDER_H
#define VIT_TEST_MODULE_BUILDER_H

#include "format/ModuleFile.h"
#include "module_generated.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace vit::test {

/// Bytes aligned to 64, as vit_module_load_memory requires.
class Bytes {
public:
  explicit Bytes(size_t size);
  Bytes(const Bytes &other);
  Bytes &operator=(const Bytes &) = delete;
  ~Bytes() { std::free(memory); }

  unsigned char *data() { return memory; }
  const unsigned char *data() const { return memory; }
  size_t size() const { return length; }
  unsigned char &operator[](size_t i) { return memory[i]; }

private:
  unsigned char *memory;
  size_t length;
};

/// A module with one entry, forward: image [batch, 2, 4] to logits [batch, 3]
/// and hidden [batch, 2, 4] with
///   hidden = image * scale, logits = hidden W^T + [0.5, -0.5, 2],
/// where W consists of the rows of q [1, 8], then kv [2, 8]. All parameters are
/// stored inline unless changed before `write`.
class Builder {
public:
  Builder();

  /// The file: computes hashes; everything else is as `module` says.
  Bytes write();
  /// The version in the header of the file.
  uint32_t formatVersion = format::kFormatVersion;

  /// Adds bytes at a multiple of `alignment` and returns their place.
  schema::Segment addSegment(const void *data, size_t size,
                             uint64_t alignment = format::kAlignment);
  template <typename T>
  schema::Segment addSegment(const std::vector<T> &values) {
    return addSegment(values.data(), values.size() * sizeof(T));
  }

  /// Stores the weight panels (derived form 1) in the module instead of q and
  /// kv, and form 0 instead of the scale.
  void storeForms();
  /// Takes parameters from their initialisers.
  void useInitializers();

  /// Adds training: all parameters become variables of the arena "parameters",
  /// with states at the same offsets of "momentum", and random_seed in "other".
  /// Entry train_step takes image, labels i32 [batch], learning_rate and step,
  /// and returns loss and correct:
  ///   loss = sum((image * scale - label)^2) / batch, correct = step + seed,
  ///   momentum += gradient, parameters -= learning_rate * momentum,
  /// the latter if the loss is finite; the gradients of q and kv are the batch.
  /// accumulate_step: image and labels to loss; only momentum += gradient.
  void addTraining();
  /// Gives the parameters a rounded copy in all schedules of GPUs. The update
  /// changes it, and the loss of all entries is -batch where it is another than
  /// that of the parameters.
  void addRounded();
  /// Lets the training entries sum their gradients over ranks.
  void addRanks();

  /// Adds to entry forward a schedule in bf16, whose product reads weights in
  /// bf16 from another derived form, the last one.
  void addBf16();
  /// Adds q and kv as panels of i8, multiplied by `factors`, a derived form
  /// that no schedule reads.
  void addMigrated(std::vector<float> factors);
  /// Adds to entry forward what a later version of vit may write: a schedule in
  /// an unknown precision, with commands and code of unknown kinds, and the two
  /// last derived forms, one of an unknown kind and one that is made from it.
  void addNewer();
  /// Leaves only the schedule in bf16, and stores q and kv in its form alone,
  /// which is then derived form 1.
  void keepOnlyBf16();

  /// Adds schedules for a GPU with the same commands and kernel names. Their
  /// images look valid and contain no code.
  void addGpu(schema::Target target);
  void addGpu(schema::Target target, schema::EntryT &to);
  /// The schedule that addGpu added last to `entry`.
  schema::ScheduleT &gpu() { return *entry().schedules.back(); }

  schema::EntryT &entry() { return *module.entries[0]; }
  schema::ScheduleT &schedule() { return *entry().schedules[0]; }

  schema::ModuleT module;
  std::vector<unsigned char> segments;

  static const std::vector<float> scale; ///< [4]
  static const std::vector<float> q;     ///< [1, 8]
  static const std::vector<float> kv;    ///< [2, 8]
  static const std::vector<float> table; ///< [3]
};

/// Functions that make parts of modules.
std::unique_ptr<schema::BindingT>
makeBinding(const char *name, const char *alias, std::vector<int64_t> dims,
            schema::DType dtype = schema::DType::F32);
std::unique_ptr<schema::KernelT>
makeKernel(const char *name, const char *family, const void *function,
           uint32_t arguments, uint64_t scratch);
std::unique_ptr<schema::CommandT>
makeCommand(schema::CommandKind kind, const char *name, uint32_t kernel,
            std::vector<schema::Argument> arguments, schema::Extent units = {},
            schema::Extent flop = {});

/// Makes an argument; `offset` is for slots and arenas.
inline schema::Argument makeArgument(schema::ArgumentKind kind, uint32_t index,
                                     schema::Extent bytes,
                                     uint64_t offset = 0) {
  return schema::Argument(kind, index, bytes, offset);
}

/// Computes the results of the module, with the same order of sums.
void evaluateReference(const std::vector<float> &image, int64_t batch,
                       const std::vector<float> &scale,
                       const std::vector<float> &q,
                       const std::vector<float> &kv, std::vector<float> &hidden,
                       std::vector<float> &logits);

/// Adds a valid header to metadata and segments.
Bytes frame(const void *metadata, size_t metadataSize, const void *segments,
            size_t segmentsSize);

} // namespace vit::test

#endif // VIT_TEST_MODULE_BUILDER_H
