//===- GpuLiesTest.cpp - Invalid modules with GPU code --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CorruptSupport.h"

using namespace vit::test;
namespace schema = vit::schema;

namespace {

/// An invalid change of a module with code for the CPU and one GPU.
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
  expectCorrupt(builder, GetParam().message);
}

constexpr schema::Target kVulkan = schema::Target::Vulkan;
constexpr schema::Target kCuda = schema::Target::Cuda;

schema::KernelT &gemm(Builder &b) { return *b.gpu().kernels[1]; }
schema::ImageT &image(Builder &b) { return *b.module.images[gemm(b).image]; }
/// Replaces the bytes of an image.
void store(Builder &b, schema::ImageT &image, const std::string &bytes) {
  image.data = std::make_unique<schema::Segment>(
      b.addSegment(bytes.data(), bytes.size()));
}

INSTANTIATE_TEST_SUITE_P(
    Code, GpuLies,
    testing::Values(
        // Images
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
                 // The byte order of the words is reversed.
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
        GpuLie{kCuda, "kernel 'gemm_0' counts iterations, which is for vulkan",
               [](Builder &b) { gemm(b).iterations = 16; }},
        GpuLie{kVulkan,
               "kernel 'gemm_0' counts iterations, which is for vulkan",
               [](Builder &b) { b.schedule().kernels[1]->iterations = 16; }},
        GpuLie{kVulkan, "kernel 'gemm_0' has tensor maps, is resident",
               [](Builder &b) { gemm(b).is_resident = true; }},
        GpuLie{kVulkan, "is resident or has clusters, which is for cuda",
               [](Builder &b) { gemm(b).cluster = 2; }},
        GpuLie{kCuda, "kernel 'gemm_0' has clusters of 2 workgroups, where",
               [](Builder &b) { gemm(b).cluster = 2; }},
        GpuLie{kCuda, "has multiples of 1 work units, for clusters of 2",
               [](Builder &b) {
                 gemm(b).is_resident = true;
                 gemm(b).cluster = 2;
               }},
        GpuLie{kCuda, "kernel 'gemm_0' has clusters of 3 workgroups, where",
               [](Builder &b) {
                 gemm(b).is_resident = true;
                 gemm(b).cluster = 3;
               }},
        GpuLie{kCuda, "kernel 'gemm_0' has 9 tensor maps, at most 8",
               [](Builder &b) {
                 gemm(b).maps.assign(9, schema::TensorMap(0, 8, 1, 0));
               }},
        GpuLie{
            kCuda,
            "kernel 'gemm_0' has a tensor map of argument 3 of 3, 8 columns",
            [](Builder &b) { gemm(b).maps = {schema::TensorMap(3, 8, 1, 0)}; }},
        GpuLie{
            kCuda,
            "kernel 'gemm_0' has a tensor map of argument 0 of 3, 12 columns",
            [](Builder &b) {
              gemm(b).maps = {schema::TensorMap(0, 12, 1, 0)};
            }},
        GpuLie{kCuda, "8 columns and boxes of 257 rows",
               [](Builder &b) {
                 gemm(b).maps = {schema::TensorMap(0, 8, 257, 0)};
               }},
        // Schedules
        GpuLie{kCuda, "code for Cuda sm_80 lists image 3 of 3 as a cubin",
               [](Builder &b) { b.gpu().cubins[0] = 3; }},
        GpuLie{kCuda, "code for Cuda sm_80 lists image 1 of 3 as a cubin",
               [](Builder &b) { b.gpu().cubins[0] = 1; }},
        GpuLie{kVulkan, "code for Vulkan tiled lists image 1 of 4 as a cubin",
               [](Builder &b) { b.gpu().cubins = {1}; }},
        GpuLie{kVulkan, "a feature that code needs is empty",
               [](Builder &b) { b.gpu().features = {""}; }}));

} // namespace
