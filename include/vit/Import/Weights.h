//===- Weights.h - The values of a graph's parameters -----------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_IMPORT_WEIGHTS_H
#define VIT_IMPORT_WEIGHTS_H

#include "vit/Dialect/Vit.h"
#include "vit/vit-data.h"

#include "mlir/IR/BuiltinOps.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mlir::vit {

/// Where the elements of one parameter (of one layer) lie in a file of weights:
/// `size` bytes from `offset`, row-major, of type `dtype`. The strings
/// live as long as the Weights.
struct StoredRange {
  StringRef file;
  StringRef tensor; ///< As the file spells it.
  vit_dtype dtype = VIT_F32;
  uint64_t offset = 0; ///< Meaningless where `data` is a copy.
  uint64_t size = 0;
  const void *data = nullptr; ///< The same bytes, mapped; maybe not aligned.
};

/// The values of a graph's parameters: from a checkpoint, or, without one, from
/// the parameters' initialisers and a seed. Immutable after `open`.
class Weights {
public:
  /// `path`: a folder with weights (vit_weights_open), such a file, or empty:
  /// initialisers. Returns null and sets `error` on failure, and `status`, if
  /// there is one, to the kind of failure.
  static std::unique_ptr<Weights> open(StringRef path, uint64_t seed,
                                       std::string &error,
                                       vit_status *status = nullptr);
  /// Whether `folder` holds weights under a usual name.
  static bool existIn(StringRef folder);
  ~Weights();
  Weights(const Weights &) = delete;
  Weights &operator=(const Weights &) = delete;

  /// Whether values come from a checkpoint.
  bool isStored() const { return weights != nullptr; }
  uint64_t getSeed() const { return seed; }
  /// What the user should know of how the files were read, a line each.
  const std::vector<std::string> &getNotes() const { return notes; }

  /// What the names of all stored tensors begin with and those of `module` do
  /// not, as wrappers of a model (DataParallel, torch.compile) leave it, as a
  /// line for a person to read; empty if there is nothing.
  std::string describePrefix(ModuleOp module) const;

  /// Checks that each parameter of `module` has a value: a stored tensor of
  /// the right shape and a type that vit has, or, without a checkpoint, an
  /// initialiser; and, unless `allowUnused`, that each tensor of the checkpoint
  /// is used. On failure `error` is one line that says how many
  /// there are, names up to ten of a kind and what they have in common.
  /// Not counted as unused: empty tensors, and those whose name matches a
  /// pattern of the module's `vit.unused` (an array of names with `*`), which
  /// import sets to what the model's own library ignores too, and those that
  /// the file itself lists (format::kCarriedKey).
  LogicalResult check(ModuleOp module, bool allowUnused,
                      std::string &error) const;

  /// The shape of the tensor called `name`, or by another name that its library
  /// stores it under; nothing where there is none.
  std::optional<SmallVector<int64_t>> getShape(StringRef name) const;

  /// Where the values of `parameter` lie; nothing where they come from an
  /// initialiser, or where `check` would have failed. `layer` is 0 for a
  /// parameter without layers.
  std::optional<StoredRange> locate(ParameterOp parameter, int64_t layer) const;

  /// Reads all elements of `parameter`, row-major, widened exactly, or draws
  /// them (runtime/format/Initializer.h, by the name "symbol" or
  /// "symbol.layer"). `out` has exactly as many elements as its type.
  LogicalResult read(ParameterOp parameter, int64_t layer,
                     MutableArrayRef<float> out, std::string &error) const;
  LogicalResult read(ParameterOp parameter, int64_t layer,
                     MutableArrayRef<double> out, std::string &error) const;

  /// To be called after bytes of a StoredRange were read: fails if a file was
  /// cut short meanwhile, so that they may be wrong.
  LogicalResult requireWhole(std::string &error) const;

private:
  Weights() = default;
  template <typename T>
  LogicalResult readAs(ParameterOp parameter, int64_t layer,
                       MutableArrayRef<T> out, std::string &error) const;
  /// The index of the tensor called `name` or by one of the other names that
  /// libraries store the same tensor by; -1 where there is none.
  int64_t find(StringRef name) const;

  vit_weights *weights = nullptr;
  std::string commonPrefix; ///< Of the names of all stored tensors.
  std::vector<std::string> notes;
  uint64_t seed = 0;
};

} // namespace mlir::vit

#endif // VIT_IMPORT_WEIGHTS_H
