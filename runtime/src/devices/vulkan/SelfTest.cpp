//===- SelfTest.cpp - Optional features, tried out ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/SelfTest.h"

#include "devices/vulkan/Buffer.h"
#include "devices/vulkan/Pipelines.h"
#include "devices/vulkan/Submissions.h"

#include <cstdio>
#include <pthread.h>

namespace vit::runtime::vulkan {

static constexpr int kThreads = 256;

/// Of subgroup_test.spvasm.
static constexpr uint32_t kSubgroupKernel[] = {
#include "devices/vulkan/subgroup_test.inc"
};
/// Of dot_test.mlir.
static constexpr uint32_t kDotKernel[] = {
#include "devices/vulkan/dot_test.inc"
};
/// Of matrix_test.mlir.
static constexpr uint32_t kBf16MatrixKernel[] = {
#include "devices/vulkan/matrix_test.inc"
};
static constexpr uint32_t kF16MatrixKernel[] = {
#include "devices/vulkan/matrix_test_f16.inc"
};
static constexpr uint32_t kF16Matrix8x16Kernel[] = {
#include "devices/vulkan/matrix_test_8x16_f16.inc"
};

namespace {

/// The objects that the test creates on the device; destroyed in any case.
struct Objects {
  explicit Objects(Context &context) : context(context) {}
  ~Objects() {
    const DeviceFunctions &vk = context.vk;
    work.finish();
    vk.DestroyDescriptorPool(context.device, pool, nullptr);
    vk.DestroyPipeline(context.device, pipeline, nullptr);
    vk.DestroyPipelineLayout(context.device, layout, nullptr);
    vk.DestroyDescriptorSetLayout(context.device, setLayout, nullptr);
  }

  Context &context;
  Submissions work;
  VkDescriptorSetLayout setLayout = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkDescriptorPool pool = VK_NULL_HANDLE;
};

} // namespace

/// Runs one workgroup of a kernel on `data`, which is both of its buffers.
template <size_t size>
static vit_status runKernel(Context &context, const uint32_t (&kernel)[size],
                            const char *name, uint32_t subgroupSize,
                            Buffer &data) {
  const DeviceFunctions &vk = context.vk;
  Objects made(context);
  VIT_TRY(made.work.create(context, nullptr));
  VIT_TRY(createLayout(context, made.setLayout, made.layout, nullptr));
  if (createPipeline(context, kernel, sizeof kernel, name, subgroupSize,
                     made.layout, VK_NULL_HANDLE, made.pipeline) != VK_SUCCESS)
    return VIT_INTERNAL;
  VkDescriptorPoolSize descriptors = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
  VkDescriptorPoolCreateInfo poolInfo = {};
  poolInfo.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  poolInfo.maxSets = 1;
  poolInfo.poolSizeCount = 1;
  poolInfo.pPoolSizes = &descriptors;
  if (vk.CreateDescriptorPool(context.device, &poolInfo, nullptr, &made.pool) !=
      VK_SUCCESS)
    return VIT_INTERNAL;
  VkDescriptorSetAllocateInfo setInfo = {};
  setInfo.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  setInfo.descriptorPool = made.pool;
  setInfo.descriptorSetCount = 1;
  setInfo.pSetLayouts = &made.setLayout;
  VkDescriptorSet set;
  if (vk.AllocateDescriptorSets(context.device, &setInfo, &set) != VK_SUCCESS)
    return VIT_INTERNAL;
  VkDescriptorBufferInfo ranges[2] = {{data.handle, 0, data.size},
                                      {data.handle, 0, data.size}};
  VkWriteDescriptorSet write = {};
  write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
  write.dstSet = set;
  write.descriptorCount = 2;
  write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
  write.pBufferInfo = ranges;
  vk.UpdateDescriptorSets(context.device, 1, &write, 0, nullptr);
  return made.work.runOnce(
      [&](VkCommandBuffer commands) {
        vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                           made.pipeline);
        vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                 made.layout, 0, 1, &set, 0, nullptr);
        vk.CmdDispatch(commands, 1, 1, 1);
        context.barrier(commands, kCompute, kHostReads);
      },
      nullptr);
}

namespace {
/// The result for a device, which its properties name.
struct Result {
  VkPhysicalDeviceProperties device;
  bool works;
};

/// The results of one test. A process has few kinds of devices; a further one
/// is tested each time.
struct Results {
  Result known[8] = {};
  int count = 0;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
};

struct Test {
  format::Feature feature;
  const char *what;   ///< is tested, for messages
  const char *option; ///< of VIT_VULKAN_DISABLE
  bool (*passes)(Context &);
};
} // namespace

static bool isSame(const VkPhysicalDeviceProperties &a,
                   const VkPhysicalDeviceProperties &b) {
  return a.vendorID == b.vendorID && a.deviceID == b.deviceID &&
         a.driverVersion == b.driverVersion &&
         std::strcmp(a.deviceName, b.deviceName) == 0 &&
         std::memcmp(a.pipelineCacheUUID, b.pipelineCacheUUID, VK_UUID_SIZE) ==
             0;
}

/// Whether `test` passes, which is run once for each device; says once if not.
static bool passesOncePerDevice(Context &context, const Test &test,
                                Results &results) {
  constexpr int most = sizeof results.known / sizeof *results.known;
  const VkPhysicalDeviceProperties &device = context.adapter->properties;
  pthread_mutex_lock(&results.mutex);
  int i = 0;
  while (i < results.count && !isSame(results.known[i].device, device))
    ++i;
  bool works =
      i < results.count ? results.known[i].works : test.passes(context);
  if (i == results.count) {
    if (!works)
      std::fprintf(stderr,
                   "vit: '%s' fails the test of %s, so slower code runs "
                   "(VIT_VULKAN_DISABLE=%s skips this test)\n",
                   device.deviceName, test.what, test.option);
    if (results.count < most)
      results.known[results.count++] = {device, works};
  }
  pthread_mutex_unlock(&results.mutex);
  return works;
}

//===----------------------------------------------------------------------===//
// Subgroups
//===----------------------------------------------------------------------===//

/// Small integers of both signs, whose sums are exact in any order.
static float inputOf(int thread) { return float(thread * 37 % 101 - 50); }

static bool testSubgroups(Context &context) {
  const VkPhysicalDeviceLimits &limits = context.limits();
  if (limits.maxComputeWorkGroupInvocations < kThreads ||
      limits.maxComputeWorkGroupSize[0] < kThreads)
    return false;
  Buffer data;
  if (data.create(context, 4 * kThreads * sizeof(float), Use::Download,
                  "a test", nullptr) != VIT_OK)
    return false;
  float values[4 * kThreads] = {};
  for (int i = 0; i < kThreads; ++i)
    values[i] = inputOf(i);
  std::memcpy(data.mapped, values, sizeof values);
  if (runKernel(context, kSubgroupKernel, "subgroup_test", 0, data) != VIT_OK)
    return false;
  std::memcpy(values, data.mapped, sizeof values);

  // The device decides which thread is in which subgroup. The kernel writes
  // that too, and the sums must agree with it.
  float sums[kThreads] = {}, most[kThreads];
  for (float &m : most)
    m = -1000;
  for (int i = 0; i < kThreads; ++i) {
    float number = values[3 * kThreads + i];
    if (!(number >= 0 && number < float(kThreads)))
      return false;
    int group = int(number);
    sums[group] += inputOf(i);
    most[group] = inputOf(i) > most[group] ? inputOf(i) : most[group];
  }
  for (int i = 0; i < kThreads; ++i) {
    int group = int(values[3 * kThreads + i]);
    if (values[kThreads + i] != sums[group] ||
        values[2 * kThreads + i] != most[group])
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Dot products of integers
//===----------------------------------------------------------------------===//

static bool testDotProducts(Context &context) {
  constexpr int count = 64, lanes = 4; // as in dot_test.mlir
  struct {
    int8_t left[count][lanes], right[count][lanes];
    int32_t sums[count];
  } values;
  int32_t expected[count];
  for (int i = 0; i < count; ++i) {
    values.sums[i] = expected[i] = 1000003 * (i - 20);
    for (int k = 0; k < lanes; ++k) {
      // From -128 to 127; the first word has the largest sum.
      values.left[i][k] = int8_t(i == 0 ? -128 : (i * 37 + k * 91) % 256 - 128);
      values.right[i][k] =
          int8_t(i == 0 ? -128 : 127 - (i * 53 + k * 29) % 256);
      expected[i] += values.left[i][k] * values.right[i][k];
    }
  }
  Buffer data;
  if (data.create(context, sizeof values, Use::Download, "a test", nullptr) !=
      VIT_OK)
    return false;
  std::memcpy(data.mapped, &values, sizeof values);
  if (runKernel(context, kDotKernel, "dot_test", 0, data) != VIT_OK)
    return false;
  std::memcpy(&values, data.mapped, sizeof values);
  return std::memcmp(values.sums, expected, sizeof expected) == 0;
}

//===----------------------------------------------------------------------===//
// Cooperative matrices
//===----------------------------------------------------------------------===//

/// Sizes of the products in matrix_test.mlir: A B^T, and the parts of A B and
/// A^T B where the depth is at most that of a matrix.
static constexpr int kRows = 32, kColumns = 16, kDepth = 32, kPart = 16;

/// Integers of both signs that f16 and bf16 have. Their products and sums need
/// up to 19 bits: f32 has them exactly, f16 and bf16 do not.
static int leftOf(int row, int k) { return (row * 31 + k * 17) % 255 - 100; }
static int rightOf(int column, int k) {
  return (column * 7 + k * 53) % 201 - 60;
}

/// An integer of at most 8 bits as bf16: the high half of the f32.
static uint16_t toBf16(int value) {
  float wide = float(value);
  uint32_t bits;
  std::memcpy(&bits, &wide, sizeof bits);
  return uint16_t(bits >> 16);
}

/// The same as f16: the exponent has another bias, the mantissa fewer bits.
static uint16_t toF16(int value) {
  if (value == 0)
    return 0;
  constexpr int bits = 7, f32Bias = 127, f16Bias = 15; // of bf16
  int bf16 = toBf16(value);
  int exponent = (bf16 >> bits & 0xff) - f32Bias + f16Bias;
  int mantissa = bf16 & 0x7f;
  return uint16_t((bf16 & 0x8000) | exponent << 10 | mantissa << 3);
}

/// Runs a kernel of matrices whose operands are as `convert` has them.
template <size_t size>
static bool testMatrices(Context &context, const uint32_t (&kernel)[size],
                         format::Feature kind, uint16_t (*convert)(int)) {
  struct {
    uint16_t left[kRows][kDepth], right[kColumns][kDepth];
    float result[kRows][kColumns];
  } values;
  for (int k = 0; k < kDepth; ++k) {
    for (int i = 0; i < kRows; ++i)
      values.left[i][k] = convert(leftOf(i, k));
    for (int j = 0; j < kColumns; ++j)
      values.right[j][k] = convert(rightOf(j, k));
  }
  for (auto &row : values.result)
    for (float &value : row)
      value = -1;
  Buffer data;
  if (data.create(context, sizeof values, Use::Download, "a test", nullptr) !=
      VIT_OK)
    return false;
  std::memcpy(data.mapped, &values, sizeof values);
  auto subgroup = uint32_t(findMatrixKind(featureName(kind))->subgroup);
  if (runKernel(context, kernel, "matrix_test", subgroup, data) != VIT_OK)
    return false;
  std::memcpy(&values, data.mapped, sizeof values);
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kColumns; ++j) {
      int sum = 0;
      for (int k = 0; k < kDepth; ++k)
        sum += leftOf(i, k) * rightOf(j, k);
      for (int k = 0; k < kPart; ++k)
        sum += (leftOf(i, k) + leftOf(k, i)) * rightOf(k, j);
      if (values.result[i][j] != float(sum))
        return false;
    }
  return true;
}

//===----------------------------------------------------------------------===//
// All tests
//===----------------------------------------------------------------------===//

static constexpr Test kTests[] = {
    {format::Feature::SubgroupArithmetic, "subgroup arithmetic", "subgroup",
     testSubgroups},
    {format::Feature::IntegerDotProduct, "dot products of integers",
     "integer-dot-product", testDotProducts},
    {format::Feature::CooperativeMatrix, "cooperative matrices of bf16",
     "cooperative-matrix",
     [](Context &context) {
       return testMatrices(context, kBf16MatrixKernel,
                           format::Feature::CooperativeMatrix, toBf16);
     }},
    {format::Feature::CooperativeMatrixF16, "cooperative matrices of f16",
     "cooperative-matrix",
     [](Context &context) {
       return testMatrices(context, kF16MatrixKernel,
                           format::Feature::CooperativeMatrixF16, toF16);
     }},
    {format::Feature::CooperativeMatrix8x16F16,
     "cooperative matrices of 8 x 16 of f16", "cooperative-matrix",
     [](Context &context) {
       return testMatrices(context, kF16Matrix8x16Kernel,
                           format::Feature::CooperativeMatrix8x16F16, toF16);
     }}};

bool featureWorks(Context &context, format::Feature feature) {
  constexpr int count = sizeof kTests / sizeof *kTests;
  static Results results[count];
  for (int i = 0; i < count; ++i)
    if (kTests[i].feature == feature)
      return passesOncePerDevice(context, kTests[i], results[i]);
  return false;
}

} // namespace vit::runtime::vulkan
