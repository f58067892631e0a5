//===- corrupt_test.cpp - Modules that are damaged or lie -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test_support.h"

#include "hash.h"

#include <functional>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

/// Loads bytes that may be anything; the message must be one line.
vit_status tryLoad(const Bytes &bytes, vit_error &error,
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

TEST(Corrupt, TruncatedAnywhere) {
  Bytes whole = Builder().write();
  for (size_t percent = 0; percent < 100; ++percent) {
    // A copy of exactly this size, so that ASan sees a read beyond it.
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
  for (size_t i = 0; i < sizeof(vit::runtime::FileHeader); ++i)
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
  vit::runtime::FileHeader header;
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
    vit::runtime::FileHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto &data = stored ? builder.module.derived[1]->data
                              : builder.module.parameters[1]->data;
    bytes[header.segmentsOffset + data->offset() + 5] ^= 1;
    EXPECT_EQ(tryLoad(bytes, error, false), VIT_OK);
    EXPECT_EQ(tryLoad(bytes, error, true), VIT_CORRUPT);
    EXPECT_NE(std::string(error.message).find("hash"), std::string::npos);
  }
}

/// Metadata with any one byte changed and its hash made right again is refused
/// or works, but never reads where it must not: ASan watches.
TEST(Corrupt, MetadataWithARightHash) {
  Builder builder;
  builder.addTraining();
  builder.addGpu(schema::Target::Vulkan);
  builder.addGpu(schema::Target::Cuda);
  Bytes bytes = builder.write();
  vit::runtime::FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  unsigned char *metadata = bytes.data() + sizeof header;
  size_t accepted = 0;
  for (size_t i = 0; i < header.metadataSize; ++i)
    for (unsigned change : {0x01u, 0x80u, 0xffu}) {
      metadata[i] ^= change;
      header.metadataHash = vit::runtime::hash64(metadata, header.metadataSize);
      std::memcpy(bytes.data(), &header, sizeof header);
      vit_error error;
      accepted += tryLoad(bytes, error) == VIT_OK;
      metadata[i] ^= change;
    }
  // Names, tiles and padding may change; most else may not.
  EXPECT_LT(accepted, header.metadataSize * 3 / 2);
}

//===----------------------------------------------------------------------===//
// Lies: well-formed metadata that says what cannot be
//===----------------------------------------------------------------------===//

struct Lie {
  const char *message; ///< Part of the error.
  std::function<void(Builder &)> tell;
};

class Lies : public testing::TestWithParam<Lie> {};

TEST_P(Lies, AreFound) {
  Builder builder;
  GetParam().tell(builder);
  Bytes bytes = builder.write();
  vit_error error;
  EXPECT_EQ(tryLoad(bytes, error), VIT_CORRUPT);
  EXPECT_NE(std::string(error.message).find(GetParam().message),
            std::string::npos)
      << error.message;
}

using Segment = schema::Segment;
std::unique_ptr<Segment> segment(uint64_t offset, uint64_t size) {
  return std::make_unique<Segment>(offset, size);
}
schema::Argument &argument(Builder &b, size_t command, size_t index) {
  return b.schedule().commands[command]->arguments[index];
}

INSTANTIATE_TEST_SUITE_P(
    Metadata, Lies,
    testing::Values(
        // Segments
        Lie{"code image 0 lies beyond the end",
            [](Builder &b) {
              b.module.images[0]->data =
                  segment(4096, b.module.images[0]->data->size());
            }},
        Lie{"code image 0 lies beyond the end",
            [](Builder &b) {
              b.module.images[0]->data = segment(uint64_t(0) - 4096, 8192);
            }},
        Lie{"code image 0 is not stored at a multiple of 4096",
            [](Builder &b) { b.module.images[0]->data = segment(64, 64); }},
        Lie{"code image 0 is empty",
            [](Builder &b) { b.module.images[0]->data.reset(); }},
        Lie{"parameter 'q' is not stored at a multiple of 64",
            [](Builder &b) { b.module.parameters[1]->data = segment(4, 32); }},
        Lie{"parameter 'q' is stored in 28 bytes, expected 32",
            [](Builder &b) {
              b.module.parameters[1]->data =
                  segment(b.module.parameters[1]->data->offset(), 28);
            }},
        Lie{"segments overlap",
            [](Builder &b) {
              b.module.parameters[1]->data =
                  segment(b.module.parameters[0]->data->offset(), 32);
            }},
        Lie{"constant 0 is stored in 0 bytes, expected 12",
            [](Builder &b) { b.module.constants[0]->data.reset(); }},
        // Parameters
        Lie{"two parameters are called 'q'",
            [](Builder &b) { b.module.parameters[2]->name = "q"; }},
        Lie{"a parameter's name is not readable text",
            [](Builder &b) { b.module.parameters[2]->name = "a\nb"; }},
        Lie{"a parameter's name is not readable text",
            [](Builder &b) { b.module.parameters[2]->name = "\xc3("; }},
        Lie{"a parameter's name is empty",
            [](Builder &b) { b.module.parameters[2]->name = ""; }},
        Lie{"parameter 'q' has an impossible dimension 0",
            [](Builder &b) { b.module.parameters[1]->dims = {0, 8}; }},
        Lie{"parameter 'q' has an impossible dimension -8",
            [](Builder &b) { b.module.parameters[1]->dims = {1, -8}; }},
        Lie{"parameter 'q' has an impossible dimension 4294967296",
            [](Builder &b) {
              b.module.parameters[1]->dims = {int64_t(1) << 32, int64_t(1)
                                                                    << 32};
            }},
        Lie{"parameter 'q' has rank 0",
            [](Builder &b) { b.module.parameters[1]->dims = {}; }},
        Lie{"parameter 'q' has rank 9",
            [](Builder &b) {
              b.module.parameters[1]->dims = {1, 1, 1, 1, 1, 1, 1, 1, 8};
            }},
        Lie{"parameter 'q' lies in a file that is not listed",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source::File;
            }},
        Lie{"parameter 'q' is rows 1 to 9 of a tensor with 1",
            [](Builder &b) {
              auto file = std::make_unique<schema::FileT>();
              file->path = "x.safetensors";
              b.module.files.push_back(std::move(file));
              b.module.parameters[1]->source = schema::Source::File;
              b.module.parameters[1]->stored_begin = 1;
              b.module.parameters[1]->stored_end = 9;
            }},
        Lie{"parameter 'q' has 8 elements and 16 are stored",
            [](Builder &b) {
              auto file = std::make_unique<schema::FileT>();
              file->path = "x.safetensors";
              b.module.files.push_back(std::move(file));
              b.module.parameters[1]->source = schema::Source::File;
              b.module.parameters[1]->stored_dims = {1, 16};
            }},
        Lie{"parameter 'q' is stored in a type",
            [](Builder &b) {
              b.module.parameters[1]->dtype = schema::DType::I64;
            }},
        Lie{"parameter 'q' comes from an unknown source",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source(9);
            }},
        Lie{"parameter 'q' is stored nowhere",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source::Derived;
              b.module.parameters[1]->data.reset();
            }},
        Lie{"parameter 'q' has an unknown initialiser",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source::Init;
              b.module.parameters[1]->distribution = schema::Distribution(99);
            }},
        // Derived forms
        Lie{"derived form 1 is of an unknown kind",
            [](Builder &b) {
              b.module.derived[1]->kind = schema::DerivedKind(17);
            }},
        Lie{"derived form 1 has 1020 bytes, expected 1024",
            [](Builder &b) { b.module.derived[1]->bytes = 1020; }},
        Lie{"derived form 1 has panels that are no multiple of 16 wide",
            [](Builder &b) { b.module.derived[1]->cols = 0; }},
        Lie{"derived form 1 has groups that do not divide it",
            [](Builder &b) { b.module.derived[1]->in_group = 3; }},
        Lie{"derived form 1 has a source 4 that is not before it",
            [](Builder &b) { b.module.derived[1]->sources = {4}; }},
        Lie{"derived form 1 is made from a form that is not row-major",
            [](Builder &b) { b.module.derived[1]->sources = {3}; }},
        Lie{"derived form 1 has no sources",
            [](Builder &b) { b.module.derived[1]->sources = {}; }},
        Lie{"derived form 1 has 24 elements and its sources 8",
            [](Builder &b) { b.module.derived[1]->sources = {1}; }},
        Lie{"derived form 1 is stored in 64 bytes, expected 1024",
            [](Builder &b) {
              b.module.derived[1]->data = std::make_unique<Segment>(
                  b.addSegment(std::vector<float>(16)));
            }},
        Lie{"derived form 1 has panels of rank 3",
            [](Builder &b) { b.module.derived[1]->dims = {3, 2, 4}; }},
        Lie{"derived form 0 resamples something that is not one table",
            [](Builder &b) {
              b.module.derived[0]->kind = schema::DerivedKind::Resample;
            }},
        Lie{"derived form 0 resamples a table of another size",
            [](Builder &b) {
              auto &d = *b.module.derived[0];
              d.kind = schema::DerivedKind::Resample;
              d.from = {2, 2};
              d.to = {3, 3};
              d.dims = {10, 1};
              d.bytes = 40;
            }},
        // Kernels
        Lie{"kernel 'gemm_0' is in code image 5 of 1",
            [](Builder &b) { b.schedule().kernels[1]->image = 5; }},
        Lie{"kernel 'gemm_0' starts beyond its code image",
            [](Builder &b) {
              b.schedule().kernels[1]->entry = b.module.images[0]->data->size();
            }},
        Lie{"kernel 'gemm_0' wants",
            [](Builder &b) { b.schedule().kernels[1]->scratch = UINT64_MAX; }},
        Lie{"kernel 'gemm_0' has 65 arguments",
            [](Builder &b) { b.schedule().kernels[1]->argument_count = 65; }},
        // Commands
        Lie{"command 4 of entry 'forward' has 3 arguments, expected 4",
            [](Builder &b) { b.schedule().kernels[1]->argument_count = 4; }},
        Lie{"command 4 of entry 'forward' runs kernel 3 of 3",
            [](Builder &b) { b.schedule().commands[4]->kernel = 3; }},
        Lie{"command 4 of entry 'forward' has no work units",
            [](Builder &b) { b.schedule().commands[4]->units.reset(); }},
        Lie{"command 3 of entry 'forward' is of an unknown kind",
            [](Builder &b) {
              b.schedule().commands[3]->kind = schema::CommandKind(4);
            }},
        Lie{"argument 0 of command 4 of entry 'forward' is number 2 of 2",
            [](Builder &b) {
              argument(b, 4, 0) = {schema::ArgumentKind::Slot, 2, {8, 1, 1}, 0};
            }},
        Lie{"argument 1 of command 4 of entry 'forward' is number 2 of 2",
            [](Builder &b) {
              argument(b, 4, 1) = {schema::ArgumentKind::Derived, 2, {}, 0};
            }},
        Lie{"argument 0 of command 0 of entry 'forward' is of an unknown kind",
            [](Builder &b) {
              argument(b, 0, 0) = {schema::ArgumentKind(8), 0, {}, 0};
            }},
        Lie{"command 4 of entry 'forward' goes beyond its argument 1 at batch "
            "1: 1028 of 1024 bytes",
            [](Builder &b) {
              argument(b, 4,
                       1) = {schema::ArgumentKind::Derived, 1, {1028, 0, 1}, 0};
            }},
        Lie{"command 0 of entry 'forward' goes beyond its argument 0 at batch "
            "1: 36 of 32 bytes",
            [](Builder &b) {
              argument(b, 0,
                       0) = {schema::ArgumentKind::Input, 0, {36, 1, 1}, 0};
            }},
        Lie{"command 0 of entry 'forward' goes beyond its argument 0",
            [](Builder &b) {
              argument(b, 0,
                       0) = {schema::ArgumentKind::Input, 0, {32, 1, 0}, 0};
            }},
        Lie{"command 2 of entry 'forward' copies 28 bytes to 32",
            [](Builder &b) {
              argument(b, 2,
                       0) = {schema::ArgumentKind::Output, 1, {28, 1, 1}, 0};
            }},
        Lie{"command 1 of entry 'forward' writes to what is read only",
            [](Builder &b) {
              argument(b, 1,
                       0) = {schema::ArgumentKind::Input, 0, {8, 1, 1}, 0};
            }},
        Lie{"entry 'forward' has a slot of impossible size",
            [](Builder &b) {
              b.schedule().slots[0]->values[0] = {uint64_t(1) << 62, 4, 1};
            }},
        Lie{"command 4 of entry 'forward' begins argument 0 at an impossible",
            [](Builder &b) {
              argument(b, 4,
                       0) = {schema::ArgumentKind::Slot, 0, {8, 1, 1}, 32};
            }},
        Lie{"command 4 of entry 'forward' begins argument 1 at an impossible",
            [](Builder &b) {
              argument(b, 4,
                       1) = {schema::ArgumentKind::Derived, 1, {64, 0, 1}, 64};
            }},
        Lie{"argument 0 of command 0 of entry 'forward' is number 0 of 0",
            [](Builder &b) {
              argument(b, 0,
                       0) = {schema::ArgumentKind::Arena, 0, {16, 0, 1}, 0};
            }},
        // Entries
        Lie{"it has no entry", [](Builder &b) { b.module.entries.clear(); }},
        Lie{"entry 'forward' has no code",
            [](Builder &b) { b.entry().schedules.clear(); }},
        Lie{"an entry has no output",
            [](Builder &b) { b.entry().outputs.clear(); }},
        Lie{"two inputs or outputs of an entry are called 'hidden'",
            [](Builder &b) { b.entry().outputs[0]->alias = "hidden"; }},
        Lie{"input 'image' has an impossible dimension -1",
            [](Builder &b) { b.entry().inputs[0]->dims = {-1, -1, 4}; }},
        Lie{"input 'image' is of an unknown type",
            [](Builder &b) { b.entry().inputs[0]->dtype = schema::DType(50); }},
        // Preprocessing
        Lie{"preprocessing has an impossible size",
            [](Builder &b) { b.module.preprocessing->width = 0; }},
        Lie{"preprocessing has not one mean and std per channel",
            [](Builder &b) { b.module.preprocessing->mean = {1}; }},
        Lie{"preprocessing has an impossible mean or std",
            [](Builder &b) { b.module.preprocessing->std[1] = 0; }}));

//===----------------------------------------------------------------------===//
// Lies about training
//===----------------------------------------------------------------------===//

class TrainingLies : public testing::TestWithParam<Lie> {};

TEST_P(TrainingLies, AreFound) {
  Builder builder;
  builder.addTraining();
  vit_error error;
  EXPECT_EQ(tryLoad(builder.write(), error), VIT_OK) << error.message;
  GetParam().tell(builder);
  EXPECT_EQ(tryLoad(builder.write(), error), VIT_CORRUPT);
  EXPECT_NE(std::string(error.message).find(GetParam().message),
            std::string::npos)
      << error.message;
}

/// An argument of train_step's update: gradient, loss, rate, two arenas.
schema::Argument &updated(Builder &b, size_t index) {
  return b.module.entries[1]->schedules[0]->commands.back()->arguments[index];
}

INSTANTIATE_TEST_SUITE_P(
    Metadata, TrainingLies,
    testing::Values(
        Lie{"two arenas are called 'momentum'",
            [](Builder &b) { b.module.arenas[0]->name = "momentum"; }},
        Lie{"arena 'parameters' has an impossible size",
            [](Builder &b) { b.module.arenas[0]->bytes = 100; }},
        Lie{"arena 'momentum' has an impossible size",
            [](Builder &b) { b.module.arenas[1]->bytes = 0; }},
        Lie{"arena 'momentum' has an impossible size",
            [](Builder &b) {
              b.module.arenas[0]->bytes = uint64_t(1) << 56;
              b.module.arenas[1]->bytes = uint64_t(1) << 56;
            }},
        Lie{"two variables are called 'momentum.q'",
            [](Builder &b) { b.module.variables[6]->name = "momentum.q"; }},
        Lie{"variable 'q' lies in arena 3 of 3",
            [](Builder &b) { b.module.variables[2]->arena = 3; }},
        Lie{"variable 'q' does not lie in its arena",
            [](Builder &b) { b.module.variables[2]->offset = 192; }},
        Lie{"variable 'q' does not lie in its arena",
            [](Builder &b) { b.module.variables[2]->offset = 60; }},
        Lie{"variable 'q' does not lie in its arena",
            [](Builder &b) {
              b.module.variables[2]->offset = uint64_t(0) - 64;
            }},
        Lie{"variables overlap at offset 64 of arena 'momentum'",
            [](Builder &b) { b.module.variables[5]->offset = 64; }},
        Lie{"variable 'momentum.q' has an impossible dimension 0",
            [](Builder &b) { b.module.variables[3]->dims = {0}; }},
        Lie{"variable 'momentum.q' has rank 0",
            [](Builder &b) { b.module.variables[3]->dims = {}; }},
        Lie{"variable 'momentum.q' is of a type that is not f32 or i32",
            [](Builder &b) {
              b.module.variables[3]->dtype = schema::DType::BF16;
            }},
        Lie{"variable 'q' is parameter 3 of 3",
            [](Builder &b) { b.module.variables[2]->parameter = 4; }},
        Lie{"variable 'q' is not as its parameter 'kv'",
            [](Builder &b) { b.module.variables[2]->parameter = 3; }},
        Lie{"variable 'q' is not as its parameter 'q'",
            [](Builder &b) { b.module.variables[2]->dims = {8, 1}; }},
        Lie{"variable 'q' is not as its parameter 'q'",
            [](Builder &b) {
              b.module.variables[2]->dtype = schema::DType::I32;
            }},
        Lie{"parameter 'q' is two variables",
            [](Builder &b) {
              auto &v = *b.module.variables[3];
              v.name = "q";
              v.parameter = 2;
            }},
        Lie{"command 5 of entry 'train_step' goes beyond its argument 3 at "
            "batch 1: 192 of 128 bytes",
            [](Builder &b) {
              updated(b, 3) = {schema::ArgumentKind::Arena, 0, {192, 0, 1}, 64};
            }},
        Lie{"command 5 of entry 'train_step' goes beyond its argument 0 at "
            "batch 1: 192 of 0 bytes",
            [](Builder &b) {
              updated(b, 0) = {schema::ArgumentKind::Slot, 0, {192, 0, 1}, 256};
            }},
        Lie{"command 5 of entry 'train_step' begins argument 4 at an "
            "impossible offset",
            [](Builder &b) {
              updated(b, 4) = {schema::ArgumentKind::Arena, 1, {64, 0, 1}, 8};
            }},
        Lie{"argument 4 of command 5 of entry 'train_step' is number 3 of 3",
            [](Builder &b) {
              updated(b, 4) = {schema::ArgumentKind::Arena, 3, {64, 0, 1}, 0};
            }},
        Lie{"command 3 of entry 'train_step' writes to what is read only",
            [](Builder &b) {
              auto &command = *b.module.entries[1]->schedules[0]->commands[3];
              command.kind = schema::CommandKind::Fill;
              command.arguments = {
                  {schema::ArgumentKind::Arena, 0, {64, 0, 1}, 0}};
            }}));

//===----------------------------------------------------------------------===//
// Lies about code for GPUs
//===----------------------------------------------------------------------===//

/// A lie in a module that has code for the CPU and one GPU.
struct GpuLie {
  schema::Target target;
  const char *message;
  std::function<void(Builder &)> tell;
};

class GpuLies : public testing::TestWithParam<GpuLie> {};

TEST_P(GpuLies, AreFound) {
  vit_error error;
  Builder truth;
  truth.addGpu(GetParam().target);
  EXPECT_EQ(tryLoad(truth.write(), error), VIT_OK) << error.message;
  Builder builder;
  builder.addGpu(GetParam().target);
  GetParam().tell(builder);
  EXPECT_EQ(tryLoad(builder.write(), error), VIT_CORRUPT);
  EXPECT_NE(std::string(error.message).find(GetParam().message),
            std::string::npos)
      << error.message;
}

constexpr schema::Target kVulkan = schema::Target::Vulkan;
constexpr schema::Target kCuda = schema::Target::Cuda;

schema::KernelT &gemm(Builder &b) { return *b.gpu().kernels[1]; }
schema::ImageT &image(Builder &b) { return *b.module.images[gemm(b).image]; }
/// Replaces the bytes of an image.
void store(Builder &b, schema::ImageT &image, const std::string &bytes) {
  image.data =
      std::make_unique<Segment>(b.addSegment(bytes.data(), bytes.size()));
}

INSTANTIATE_TEST_SUITE_P(
    Code, GpuLies,
    testing::Values(
        // Images
        GpuLie{kVulkan, "code image 2 is of an unknown format",
               [](Builder &b) { image(b).format = schema::ImageFormat(4); }},
        GpuLie{kVulkan, "code image 2 is not stored at a multiple of 64",
               [](Builder &b) {
                 image(b).data = segment(image(b).data->offset() + 4, 20);
               }},
        GpuLie{kVulkan, "code image 2 is no SPIR-V: it is not made of words",
               [](Builder &b) {
                 image(b).data = segment(image(b).data->offset(), 19);
               }},
        GpuLie{kVulkan, "code image 2 is no SPIR-V: it is not made of words",
               [](Builder &b) {
                 image(b).data = segment(image(b).data->offset(), 16);
               }},
        GpuLie{kVulkan,
               "code image 2 is no SPIR-V: it does not start with its magic",
               [](Builder &b) {
                 // Words of the other byte order.
                 store(b, image(b),
                       std::string("\x07\x23\x02\x03", 4) + std::string(16, 0));
               }},
        GpuLie{kCuda, "code image 1 is no PTX: it does not end in a NUL",
               [](Builder &b) {
                 image(b).data = segment(image(b).data->offset(),
                                         image(b).data->size() - 1);
               }},
        GpuLie{kCuda, "code image 1 is no PTX: it is not text",
               [](Builder &b) {
                 store(b, image(b),
                       std::string(".version 7.0\0.target sm_80\0", 27));
               }},
        GpuLie{kCuda, "code image 1 is no PTX: it lacks .version or .target",
               [](Builder &b) {
                 store(b, image(b), std::string(".version 7.0\n", 14));
               }},
        GpuLie{kCuda, "code image 2 is no cubin",
               [](Builder &b) {
                 store(b, *b.module.images[2], std::string(64, 'E'));
               }},
        GpuLie{kCuda, "the architecture of a cubin is missing",
               [](Builder &b) { b.module.images[2]->arch = ""; }},
        GpuLie{kCuda, "the architecture of a cubin is not readable text",
               [](Builder &b) { b.module.images[2]->arch = "sm\t90"; }},
        // Kernels
        GpuLie{
            kVulkan,
            "kernel 'gemm_0' is for Vulkan and its code image is MachineCode",
            [](Builder &b) { gemm(b).image = 0; }},
        GpuLie{kCuda, "kernel 'gemm_0' is for Cuda and its code image is Cubin",
               [](Builder &b) { gemm(b).image = 2; }},
        GpuLie{kCuda, "kernel 'gemm_0' is for Cpu and its code image is Ptx",
               [](Builder &b) { b.schedule().kernels[1]->image = 1; }},
        GpuLie{kVulkan, "kernel 'gemm_0' is in code image 4 of 4",
               [](Builder &b) { gemm(b).image = 4; }},
        GpuLie{kVulkan, "kernel 'gemm_0' starts beyond its code image",
               [](Builder &b) { gemm(b).entry = 4; }},
        GpuLie{kVulkan, "kernel 'gemm_0' has 31 arguments, at most 30",
               [](Builder &b) { gemm(b).argument_count = 31; }},
        GpuLie{kCuda, "kernel 'gemm_0' wants 64 bytes of scratch memory",
               [](Builder &b) { gemm(b).scratch = 64; }},
        GpuLie{kCuda, "kernel 'gemm_0' has workgroups of 0 threads",
               [](Builder &b) { gemm(b).threads = 0; }},
        GpuLie{kVulkan, "kernel 'gemm_0' has workgroups of 1025 threads",
               [](Builder &b) { gemm(b).threads = 1025; }},
        GpuLie{kVulkan, "kernel 'gemm_0' has workgroups of 64 threads",
               [](Builder &b) { b.schedule().kernels[1]->threads = 64; }},
        GpuLie{kCuda, "kernel 'gemm_0' wants 232449 bytes of workgroup memory",
               [](Builder &b) { gemm(b).shared = 232449; }},
        GpuLie{kVulkan, "kernel 'gemm_0' wants 16 bytes of workgroup memory",
               [](Builder &b) { b.schedule().kernels[1]->shared = 16; }},
        // Schedules
        GpuLie{kCuda, "code for Cuda sm_80 lists image 3 of 3 as a cubin",
               [](Builder &b) { b.gpu().cubins[0] = 3; }},
        GpuLie{kCuda, "code for Cuda sm_80 lists image 1 of 3 as a cubin",
               [](Builder &b) { b.gpu().cubins[0] = 1; }},
        GpuLie{kVulkan, "code for Vulkan tiled lists image 1 of 4 as a cubin",
               [](Builder &b) { b.gpu().cubins = {1}; }},
        GpuLie{kVulkan, "a feature that code needs is empty",
               [](Builder &b) { b.gpu().features = {""}; }},
        GpuLie{kVulkan, "code of entry 'forward' is for an unknown target",
               [](Builder &b) { b.gpu().target = schema::Target(3); }}));

/// A plan that is right for one image and wrong for two is found when two come.
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
