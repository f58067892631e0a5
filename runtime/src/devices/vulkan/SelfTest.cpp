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

namespace vit::runtime::vulkan {

static constexpr int kThreads = 256;

/// Of subgroup_test.spvasm.
static constexpr uint32_t kKernel[] = {
#include "devices/vulkan/subgroup_test.inc"
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

/// Small integers of both signs, whose sums are exact in any order.
static float inputOf(int thread) { return float(thread * 37 % 101 - 50); }

/// Runs the kernel on `data`, 4 * kThreads floats, the first of which are its
/// input.
static vit_status runKernel(Context &context, Buffer &data) {
  const DeviceFunctions &vk = context.vk;
  Objects made(context);
  VIT_TRY(made.work.create(context, nullptr));
  VIT_TRY(createLayout(context, made.setLayout, made.layout, nullptr));
  if (createPipeline(context, kKernel, sizeof kKernel, "subgroup_test",
                     made.layout, VK_NULL_HANDLE, made.pipeline) != VK_SUCCESS)
    return VIT_INTERNAL;
  VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2};
  VkDescriptorPoolCreateInfo poolInfo = {};
  poolInfo.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  poolInfo.maxSets = 1;
  poolInfo.poolSizeCount = 1;
  poolInfo.pPoolSizes = &size;
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
  if (runKernel(context, data) != VIT_OK)
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

bool subgroupsWork(Context &context) {
  using Tested = Context::Tested;
  Lock lock(context.testing);
  if (context.subgroups == Tested::NotYet)
    context.subgroups = testSubgroups(context) ? Tested::Works : Tested::Fails;
  return context.subgroups == Tested::Works;
}

} // namespace vit::runtime::vulkan
