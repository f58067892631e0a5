//===- ModuleFuzzer.cpp - Fuzzes the module loader ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input is eight bytes (metadata length and flags), the metadata, and the
// segments of a module. The fuzzer adds a header with valid sizes and hashes,
// so that inputs pass these checks; one input in eight is a whole file. Like an
// application, it describes a loaded module, creates, reads and writes its
// parameters, and asks for its plan. It does not run the module's code, which
// is trusted.
//
//===----------------------------------------------------------------------===//

#include "ModuleBuilder.h"

#include "vit/vit.h"

#include <cstdlib>
#include <cstring>
#include <vector>

using namespace vit::test;

/// A low memory limit, so that allocations often fail.
static void *allocate(void *, size_t size, size_t alignment) {
  return size > (size_t(4) << 20) ? nullptr
                                  : std::aligned_alloc(alignment, size);
}
static void deallocate(void *, void *memory) { std::free(memory); }

static void check(bool condition) {
  if (!condition)
    std::abort();
}

static void use(vit_module *module) {
  vit_error error;
  char *text = nullptr;
  if (vit_module_describe(module, &text, &error) == VIT_OK)
    vit_module_free_text(module, text);
  uint64_t bytes;
  for (int64_t batch : {int64_t(1), int64_t(64), int64_t(INT32_MAX)})
    vit_module_workspace_size(module, nullptr, batch, &bytes, &error);
  vit_preprocessing preprocessing = {};
  preprocessing.struct_size = sizeof preprocessing;
  vit_module_preprocessing(module, &preprocessing, &error);
  vit_parameters *parameters = nullptr;
  if (vit_parameters_create(module, &parameters, &error) != VIT_OK)
    return;
  // Sessions make the forms that they read.
  vit_session *sessions[2] = {nullptr, nullptr};
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.parameters = parameters;
  options.threads = 1;
  for (vit_session *&session : sessions) {
    vit_session_create(module, &options, &session, &error);
    options.precision = "bf16";
  }
  vit_parameters_find_not_finite(parameters);
  for (int32_t i = 0; i < vit_parameters_count(parameters) && i < 8; ++i) {
    vit_binding_info info;
    check(vit_parameters_info(parameters, i, &info, &error) == VIT_OK);
    size_t elements = 1;
    for (int32_t d = 0; d < info.rank; ++d)
      elements *= size_t(info.dims[d]);
    if (elements > 1 << 20)
      continue;
    std::vector<float> data(elements, 1);
    // A rounded value can be written, but not read.
    bool isRounded = info.dtype != VIT_F32;
    if (vit_parameters_read(parameters, info.name, data.data(), elements * 4,
                            &error) != VIT_OK &&
        !isRounded)
      continue;
    if (vit_parameters_write(parameters, info.name, data.data(), elements * 4,
                             &error) != VIT_OK)
      continue;
    if (isRounded)
      continue;
    std::vector<float> again(elements);
    check(vit_parameters_read(parameters, info.name, again.data(), elements * 4,
                              &error) == VIT_OK);
  }
  vit_parameters_seed(parameters, 1);
  for (int32_t i = 0; i < vit_parameters_state_count(parameters); ++i) {
    vit_binding_info info;
    check(vit_parameters_state_info(parameters, i, &info, &error) == VIT_OK);
    size_t stateSize = vit_dtype_size(info.dtype);
    for (int32_t d = 0; d < info.rank && stateSize <= 4 << 20; ++d)
      stateSize *= size_t(info.dims[d]);
    if (stateSize > 4 << 20)
      continue;
    std::vector<char> data(stateSize, 1);
    if (vit_parameters_state_read(parameters, info.name, data.data(),
                                  data.size(), &error) == VIT_OK)
      vit_parameters_state_write(parameters, info.name, data.data(),
                                 data.size(), &error);
  }
  for (vit_session *session : sessions)
    vit_session_release(session);
  vit_parameters_release(parameters);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 8)
    return 0;
  vit_allocator allocator = {nullptr, allocate, deallocate};
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.allocator = &allocator;
  options.verify_weights = data[7] & 1;
  uint32_t metadataSize;
  std::memcpy(&metadataSize, data, 4);
  bool whole = (data[6] & 7) == 7;
  data += 8;
  size -= 8;
  if (metadataSize > size)
    metadataSize = uint32_t(size);
  Bytes bytes = whole ? Bytes(size)
                      : frame(data, metadataSize, data + metadataSize,
                              size - metadataSize);
  if (whole && size)
    std::memcpy(bytes.data(), data, size);
  vit_module *module = nullptr;
  vit_error error;
  error.message[0] = 0;
  vit_status status = vit_module_load_memory(
      bytes.data(), bytes.size(), nullptr, &options, &module, &error);
  check((status == VIT_OK) == (module != nullptr));
  check(status == VIT_OK || error.message[0] != 0);
  if (module)
    use(module);
  vit_module_release(module);
  return 0;
}
