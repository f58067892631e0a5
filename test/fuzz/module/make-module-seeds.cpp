//===- make-module-seeds.cpp - Writes the module fuzzer's seeds -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes modules of the unit tests' builder in the fuzzer's input format to the
// given folder, one for each way of storing weights.
//
//===----------------------------------------------------------------------===//

#include "ModuleBuilder.h"

#include <cstdio>
#include <cstring>
#include <string>

using namespace vit::test;

static bool write(const std::string &path, Builder &builder, uint8_t flags) {
  Bytes bytes = builder.write();
  vit::format::FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  bool whole = (flags & 7) == 7;
  unsigned char prefix[8] = {};
  auto metadataSize = uint32_t(header.metadataSize);
  std::memcpy(prefix, &metadataSize, 4);
  prefix[6] = flags;
  std::FILE *file = std::fopen(path.c_str(), "wb");
  if (!file)
    return false;
  std::fwrite(prefix, 1, sizeof prefix, file);
  if (whole) {
    std::fwrite(bytes.data(), 1, bytes.size(), file);
  } else {
    std::fwrite(bytes.data() + sizeof header, 1, header.metadataSize, file);
    std::fwrite(bytes.data() + header.segmentsOffset, 1, header.segmentsSize,
                file);
  }
  return std::fclose(file) == 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "error: usage: %s FOLDER\n", argv[0]);
    return 1;
  }
  std::string folder = std::string(argv[1]) + "/";
  Builder logical, stored, drawn, whole, resampled, vulkan, cuda, training,
      ranks, copied, narrow, rounded, migrated, newer;
  stored.storeForms();
  drawn.useInitializers();
  vulkan.addGpu(vit::schema::Target::Vulkan);
  cuda.addGpu(vit::schema::Target::Cuda);
  training.addTraining();
  ranks.addTraining();
  ranks.addRanks();
  copied.addTraining();
  copied.addGpu(vit::schema::Target::Cuda);
  copied.addRounded();
  narrow.addBf16();
  rounded.keepOnlyBf16();
  migrated.addMigrated({1, 2, 3, 4, 5, 6, 7, 8});
  newer.addNewer();
  auto resample = std::make_unique<vit::schema::DerivedT>();
  resample->kind = vit::schema::DerivedKind::Resample;
  resample->sources = {2};
  resample->dims = {9, 4};
  resample->bytes = 9 * 4 * 4;
  resample->from = {2, 2};
  resample->to = {3, 3};
  resample->antialias = true;
  resampled.module.derived.push_back(std::move(resample));
  resampled.schedule().commands[0]->arguments[1] =
      makeArgument(vit::schema::ArgumentKind::Derived, 2, {16, 0, 1});
  if (!write(folder + "inline", logical, 0) ||
      !write(folder + "stored", stored, 0) ||
      !write(folder + "drawn", drawn, 0) ||
      !write(folder + "resampled", resampled, 0) ||
      !write(folder + "vulkan", vulkan, 0) ||
      !write(folder + "cuda", cuda, 0) ||
      !write(folder + "training", training, 0) ||
      !write(folder + "ranks", ranks, 0) ||
      !write(folder + "copied", copied, 0) ||
      !write(folder + "narrow", narrow, 0) ||
      !write(folder + "rounded", rounded, 0) ||
      !write(folder + "migrated", migrated, 0) ||
      !write(folder + "newer", newer, 0) ||
      !write(folder + "whole", whole, 7)) {
    std::fprintf(stderr, "error: cannot write to '%s'\n", argv[1]);
    return 1;
  }
  return 0;
}
