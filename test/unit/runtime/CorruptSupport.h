//===- CorruptSupport.h - Tests with invalid modules ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_CORRUPT_SUPPORT_H
#define VIT_TEST_CORRUPT_SUPPORT_H

#include "TestSupport.h"

#include <functional>

namespace vit::test {

/// Loads arbitrary bytes and checks that an error message is one line.
inline vit_status tryLoad(const Bytes &bytes, vit_error &error,
                          bool verifyWeights = false) {
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.verify_weights = verifyWeights;
  vit_module *module = nullptr;
  error.message[0] = 0;
  vit_status status = vit_module_load_memory(
      bytes.data(), bytes.size(), nullptr, &options, &module, &error);
  EXPECT_EQ(status == VIT_OK, module != nullptr);
  if (status != VIT_OK) {
    EXPECT_NE(error.message[0], 0);
    EXPECT_EQ(std::strchr(error.message, '\n'), nullptr);
  }
  vit_module_release(module);
  return status;
}

/// A change that makes well-formed metadata invalid.
struct Lie {
  const char *message; ///< A part of the error message.
  std::function<void(Builder &)> tell;
};

inline void expectFailure(Builder &builder, vit_status status,
                          const char *message) {
  vit_error error;
  EXPECT_EQ(tryLoad(builder.write(), error), status);
  EXPECT_NE(std::string(error.message).find(message), std::string::npos)
      << error.message;
}

/// Checks that the module is rejected as corrupt, with this message.
inline void expectCorrupt(Builder &builder, const char *message) {
  expectFailure(builder, VIT_CORRUPT, message);
}

/// Checks that the module is rejected as one of a newer version.
inline void expectNewer(Builder &builder, const char *message) {
  expectFailure(builder, VIT_UNSUPPORTED, "is of a newer vit (");
  expectFailure(builder, VIT_UNSUPPORTED, message);
  expectFailure(builder, VIT_UNSUPPORTED, "; update vit, or compile the model");
}

inline std::unique_ptr<schema::Segment> segment(uint64_t offset,
                                                uint64_t size) {
  return std::make_unique<schema::Segment>(offset, size);
}

} // namespace vit::test

#endif // VIT_TEST_CORRUPT_SUPPORT_H
