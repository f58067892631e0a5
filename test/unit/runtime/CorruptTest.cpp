//===- CorruptTest.cpp - Damaged modules ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CorruptSupport.h"

#include "format/Hash.h"

using namespace vit::test;
namespace schema = vit::schema;

namespace {

TEST(Corrupt, TruncatedAnywhere) {
  Bytes whole = Builder().write();
  for (size_t percent = 0; percent < 100; ++percent) {
    // A copy of exactly this size, so that ASan detects reads beyond it.
    size_t size = whole.size() * percent / 100;
    Bytes part(size);
    std::memcpy(part.data(), whole.data(), size);
    vit_error error;
    EXPECT_EQ(tryLoad(part, error), VIT_CORRUPT) << percent << " %";
    TemporaryFile file(part);
    vit_module *module = nullptr;
    EXPECT_EQ(vit_module_load(file.path().c_str(), nullptr, &module, &error),
              VIT_CORRUPT)
        << percent << " %";
  }
}

TEST(Corrupt, LongerThanItSays) {
  Bytes whole = Builder().write();
  Bytes longer(whole.size() + 1);
  std::memcpy(longer.data(), whole.data(), whole.size());
  vit_error error;
  EXPECT_EQ(tryLoad(longer, error), VIT_CORRUPT);
}

TEST(Corrupt, EveryBitOfTheHeader) {
  Bytes bytes = Builder().write();
  for (size_t i = 0; i < sizeof(vit::format::FileHeader); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= 1 << bit;
      vit_error error;
      vit_status status = tryLoad(bytes, error);
      EXPECT_TRUE(status == VIT_CORRUPT || status == VIT_UNSUPPORTED)
          << "byte " << i << " bit " << bit;
      bytes[i] ^= 1 << bit;
    }
}

TEST(Corrupt, AnyByteOfMetadataAndCode) {
  Builder builder;
  Bytes bytes = builder.write();
  vit::format::FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  uint64_t codeEnd =
      header.segmentsOffset + builder.module.images[0]->data->size();
  for (size_t i = sizeof header; i < codeEnd; i += 7) {
    bytes[i] ^= 0x10;
    vit_error error;
    EXPECT_EQ(tryLoad(bytes, error), VIT_CORRUPT) << "byte " << i;
    bytes[i] ^= 0x10;
  }
}

TEST(Corrupt, WeightsAreHashedWhenAsked) {
  for (bool stored : {false, true}) {
    Builder builder;
    if (stored)
      builder.storeForms();
    Bytes bytes = builder.write();
    vit_error error;
    EXPECT_EQ(tryLoad(bytes, error, true), VIT_OK) << error.message;
    vit::format::FileHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto &data = stored ? builder.module.derived[1]->data
                              : builder.module.parameters[1]->data;
    bytes[header.segmentsOffset + data->offset() + 5] ^= 1;
    EXPECT_EQ(tryLoad(bytes, error, false), VIT_OK);
    EXPECT_EQ(tryLoad(bytes, error, true), VIT_CORRUPT);
    EXPECT_NE(std::string(error.message).find("hash"), std::string::npos);
  }
}

/// Metadata with one changed byte and a matching hash is either rejected or
/// usable, and is never read out of bounds (checked by ASan).
TEST(Corrupt, MetadataWithARightHash) {
  Builder builder;
  builder.addTraining();
  builder.addGpu(schema::Target::Vulkan);
  builder.addGpu(schema::Target::Cuda);
  Bytes bytes = builder.write();
  vit::format::FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  unsigned char *metadata = bytes.data() + sizeof header;
  size_t accepted = 0;
  for (size_t i = 0; i < header.metadataSize; ++i)
    for (unsigned change : {0x01u, 0x80u, 0xffu}) {
      metadata[i] ^= change;
      header.metadataHash = vit::format::hash64(metadata, header.metadataSize);
      std::memcpy(bytes.data(), &header, sizeof header);
      vit_error error;
      accepted += tryLoad(bytes, error) == VIT_OK;
      metadata[i] ^= change;
    }
  // Names, tiles and padding may change; most other bytes may not.
  EXPECT_LT(accepted, header.metadataSize * 3 / 2);
}

/// A plan that is valid for one image only is rejected at batch 2.
TEST(Corrupt, PlanThatDoesNotGrowWithTheBatch) {
  Builder builder;
  builder.schedule().slots[0]->values = {{32, 0, 1}};
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  Call one(1), two(2);
  EXPECT_EQ(one.run(session), VIT_OK);
  EXPECT_EQ(two.run(session), VIT_CORRUPT);
  EXPECT_STREQ(two.error.message,
               "'module in memory' is damaged: command 2 goes beyond its "
               "argument 1 at batch 2: 64 of 32 bytes");
  EXPECT_EQ(one.run(session), VIT_OK);
}

} // namespace
