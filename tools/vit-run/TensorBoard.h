//===- TensorBoard.h - TensorBoard's event files ----------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_TENSORBOARD_H
#define VIT_TOOLS_TENSORBOARD_H

#include "Support.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vit::tools {

/// A named value of one step.
struct Scalar {
  const char *tag; ///< "train/loss": the part before the slash is the group.
  double value;    ///< NaN: left out.
};

/// Appends scalars to FOLDER/events.out.tfevents.TIME.HOST, which TensorBoard
/// reads.
///
/// The file is a sequence of TFRecords, each one `Event` of
/// tensorflow/core/util/event.proto with a `Summary` of
/// tensorflow/core/framework/summary.proto. The framing is that of
/// tensorflow/core/lib/io/record_writer.h: length (8 bytes, little endian),
/// masked CRC-32C of the length (4 bytes), data, masked CRC-32C of the data.
class EventFile {
public:
  /// Continues the newest such file, if there is one. Incomplete events, and
  /// those of steps after `resumedStep`, are removed from all files.
  EventFile(const std::string &folder, uint64_t resumedStep);

  void add(uint64_t step, const std::vector<Scalar> &scalars);
  /// Syncs the file to disk.
  void flush() { file.flush(); }

private:
  AppendFile file;
};

} // namespace vit::tools

#endif // VIT_TOOLS_TENSORBOARD_H
