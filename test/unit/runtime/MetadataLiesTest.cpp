//===- MetadataLiesTest.cpp - Invalid metadata ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CorruptSupport.h"

#include <cmath>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

class Lies : public testing::TestWithParam<Lie> {};

TEST_P(Lies, AreFound) {
  Builder builder;
  GetParam().tell(builder);
  expectCorrupt(builder, GetParam().message);
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
        // Products
        Lie{"the name of a product is not readable text",
            [](Builder &b) { b.schedule().kept[0]->name = "a\nb"; }},
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
        Lie{"parameter 'q' is rows 1 to 9 of a tensor with 8",
            [](Builder &b) {
              auto file = std::make_unique<schema::FileT>();
              file->path = "x.safetensors";
              b.module.files.push_back(std::move(file));
              b.module.parameters[1]->source = schema::Source::File;
              b.module.parameters[1]->stored_begin = 1;
              b.module.parameters[1]->stored_end = 9;
            }},
        Lie{"parameter 'q' has 8 elements and 1 are stored",
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
        Lie{"parameter 'q' is stored nowhere",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source::Derived;
              b.module.parameters[1]->data.reset();
            }},
        // Derived forms
        Lie{"derived form 1 has 1020 bytes, expected 1024",
            [](Builder &b) { b.module.derived[1]->bytes = 1020; }},
        Lie{"derived form 1 has panels whose width is neither 1 nor a multiple "
            "of 16",
            [](Builder &b) { b.module.derived[1]->cols = 0; }},
        Lie{"derived form 1 has groups that do not divide it",
            [](Builder &b) { b.module.derived[1]->in_group = 3; }},
        Lie{"derived form 1 has a source 4 that is not before it",
            [](Builder &b) { b.module.derived[1]->sources = {4}; }},
        Lie{"derived form 1 has elements that are not f32, bf16, f16 or panels "
            "of i8",
            [](Builder &b) {
              b.module.derived[1]->element_type = schema::DType::I32;
            }},
        Lie{"derived form 0 has 64 bytes, expected 32",
            [](Builder &b) {
              b.module.derived[0]->element_type = schema::DType::BF16;
            }},
        Lie{"derived form 1 interleaves depths in a way that is not possible",
            [](Builder &b) { b.module.derived[1]->interleave = 3; }},
        Lie{"derived form 1 has a migration, but is not of int8",
            [](Builder &b) { b.module.derived[1]->migration.assign(8, 1); }},
        Lie{"derived form 2 has a migration of 3 factors for rows of 8",
            [](Builder &b) { b.addMigrated({1, 2, 3}); }},
        Lie{"derived form 2 has the factor 0 for channel 2, which must be "
            "2^-60 to 2^60",
            [](Builder &b) { b.addMigrated({1, 2, 0, 4, 5, 6, 7, 8}); }},
        Lie{"derived form 2 has the factor -1 for channel 0, which must be",
            [](Builder &b) { b.addMigrated({-1, 2, 3, 4, 5, 6, 7, 8}); }},
        Lie{"derived form 2 has the factor nan for channel 7, which must be",
            [](Builder &b) { b.addMigrated({1, 2, 3, 4, 5, 6, 7, NAN}); }},
        Lie{"derived form 2 has the factor inf for channel 7, which must be",
            [](Builder &b) { b.addMigrated({1, 2, 3, 4, 5, 6, 7, INFINITY}); }},
        // A parameter that is stored rounded is in no other form.
        Lie{"derived form 2 is made from parameter 'scale', which is stored "
            "rounded",
            [](Builder &b) {
              b.storeForms();
              auto &d = *b.module.derived[0];
              d.element_type = schema::DType::BF16;
              d.bytes /= 2;
              d.data = std::make_unique<schema::Segment>(
                  b.addSegment(std::vector<uint16_t>(d.bytes / 2)));
              auto made = std::make_unique<schema::DerivedT>(d);
              made->data.reset();
              b.module.derived.push_back(std::move(made));
            }},
        Lie{"derived form 1 is made from a form that is not row-major f32",
            [](Builder &b) { b.module.derived[1]->sources = {3}; }},
        Lie{"derived form 1 has no sources",
            [](Builder &b) { b.module.derived[1]->sources = {}; }},
        Lie{"derived form 1 has 24 elements and its sources 8",
            [](Builder &b) { b.module.derived[1]->sources = {1}; }},
        Lie{"derived form 1 is stored in 64 bytes, expected 1024",
            [](Builder &b) {
              b.module.derived[1]->data = std::make_unique<schema::Segment>(
                  b.addSegment(std::vector<float>(16)));
            }},
        Lie{"derived form 1 has rank 3, expected 2",
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
        Lie{"command 4 of entry 'forward' has 3 arguments and types of 2",
            [](Builder &b) {
              b.schedule().commands[4]->element_types.resize(2);
            }},
        Lie{"command 4 of entry 'forward' has 4 results among 3 arguments",
            [](Builder &b) { b.schedule().commands[4]->results = 4; }},
        Lie{"command 4 of entry 'forward' runs kernel 3 of 3",
            [](Builder &b) { b.schedule().commands[4]->kernel = 3; }},
        Lie{"command 4 of entry 'forward' has no work units",
            [](Builder &b) { b.schedule().commands[4]->units.reset(); }},
        Lie{"argument 0 of command 4 of entry 'forward' is number 2 of 2",
            [](Builder &b) {
              argument(b, 4, 0) = {schema::ArgumentKind::Slot, 2, {8, 1, 1}, 0};
            }},
        Lie{"argument 1 of command 4 of entry 'forward' is number 2 of 2",
            [](Builder &b) {
              argument(b, 4, 1) = {schema::ArgumentKind::Derived, 2, {}, 0};
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
        // Preprocessing
        Lie{"preprocessing has an impossible size",
            [](Builder &b) { b.module.preprocessing->width = 0; }},
        Lie{"preprocessing has not one mean and std per channel",
            [](Builder &b) { b.module.preprocessing->mean = {1}; }},
        Lie{"preprocessing has an impossible mean or std",
            [](Builder &b) { b.module.preprocessing->std[1] = 0; }},
        // The meaning of logits and tokens
        Lie{"tokens have an impossible grid", [](Builder &b) {
              b.module.tokens = std::make_unique<schema::TokensT>();
              b.module.tokens->rows = 4;
            }}));

} // namespace
