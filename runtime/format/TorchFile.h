//===- TorchFile.h - What torch.save writes ---------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// pytorch_model.bin, *.pth, *.pt: a pickle whose tensors refer to storages
// (torch/serialization.py). Since PyTorch 1.6 a zip archive, whose folder, of
// any name, holds data.pkl and a record data/KEY for each storage. Before, five
// pickles one after the other (a magic number, the version, properties of the
// system, the object, the keys of the storages), then for each storage the
// number of its elements (64 bits) and these.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_TORCH_FILE_H
#define VIT_FORMAT_TORCH_FILE_H

#include "format/Pickle.h"
#include "format/StoredTensors.h"
#include "format/ZipArchive.h"

#include <string_view>

namespace vit::format {

/// The state dict that the user wants of a file with several: kWeightsKey, of
/// which no more is used than a message can show. Empty if it is not set.
std::string_view wantedWeightsKey();

/// The tensors of the state dict in a file of torch.save. Nothing that the
/// pickle names is run. Objects of other classes beside the state dict, such as
/// the options of a training script, are ignored.
class TorchFile : public StoredTensors {
public:
  /// Whether the file begins as torch.save begins one (or another zip archive
  /// or pickle).
  static bool isTorch(const unsigned char *file, uint64_t size);

  /// Reads and checks all but the elements. `name` is for messages: "cannot
  /// read NAME: ...". The state dict is the object itself or, in a checkpoint
  /// of a training run, one that lies in it by a usual name ("model",
  /// "state_dict"), or the only one. Tensors that are not contiguous are
  /// copied; those of one storage may overlap. Fails with VIT_CORRUPT, or with
  /// VIT_UNSUPPORTED for code, types that are unknown, compressed archives,
  /// several state dicts and ranks above VIT_MAX_RANK.
  vit_status read(const unsigned char *file, uint64_t size, const char *name,
                  const Allocator &allocator, vit_error *error);

  /// What the user should know of what was read, or NULL: `its "model" is
  /// read`.
  const char *note() const { return noteText[0] ? noteText : nullptr; }

private:
  friend class TorchReader;

  Array<unsigned char> copies; ///< of tensors that are not contiguous
  char noteText[256] = "";
};

} // namespace vit::format

#endif // VIT_FORMAT_TORCH_FILE_H
