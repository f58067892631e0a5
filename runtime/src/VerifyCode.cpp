//===- VerifyCode.cpp - Checks of code images and kernels -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyCode.h"

#include "Verify.h"

#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace vit::runtime {

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

uint64_t imageAlignment(schema::ImageFormat format) {
  return format == schema::ImageFormat::MachineCode ? kPageSize : kAlignment;
}

static const char *checkSpirV(const unsigned char *data, uint64_t size) {
  constexpr uint64_t header = 5 * sizeof(uint32_t);
  constexpr unsigned char magic[4] = {0x03, 0x02, 0x23, 0x07};
  if (size < header || size % sizeof(uint32_t) != 0)
    return "is no SPIR-V: it is not made of words";
  if (std::memcmp(data, magic, sizeof magic) != 0)
    return "is no SPIR-V: it does not start with its magic number";
  return nullptr;
}

static const char *checkPtx(const unsigned char *data, uint64_t size) {
  if (data[size - 1] != 0)
    return "is no PTX: it does not end in a NUL";
  for (uint64_t i = 0; i + 1 < size; ++i) {
    unsigned char c = data[i];
    bool isText =
        (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r';
    if (!isText)
      return "is no PTX: it is not text";
  }
  std::string_view text(reinterpret_cast<const char *>(data), size - 1);
  for (const char *directive : {".version", ".target"})
    if (text.find(directive) == std::string_view::npos)
      return "is no PTX: it lacks .version or .target";
  return nullptr;
}

static const char *checkCubin(const unsigned char *data, uint64_t size) {
  constexpr uint64_t header = 64; // of a 64-bit ELF file
  constexpr unsigned char magic[5] = {0x7f, 'E', 'L', 'F', 2};
  if (size < header || std::memcmp(data, magic, sizeof magic) != 0)
    return "is no cubin: it does not start as an ELF file";
  return nullptr;
}

const char *checkImage(schema::ImageFormat format, const unsigned char *data,
                       uint64_t size) {
  switch (format) {
  case schema::ImageFormat::MachineCode:
    return nullptr;
  case schema::ImageFormat::SpirV:
    return checkSpirV(data, size);
  case schema::ImageFormat::Ptx:
    return checkPtx(data, size);
  case schema::ImageFormat::Cubin:
    return checkCubin(data, size);
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static schema::ImageFormat formatOf(schema::Target target) {
  switch (target) {
  case schema::Target::Cpu:
    return schema::ImageFormat::MachineCode;
  case schema::Target::Vulkan:
    return schema::ImageFormat::SpirV;
  case schema::Target::Cuda:
    return schema::ImageFormat::Ptx;
  }
  return schema::ImageFormat::MachineCode;
}

/// Writes the reason and returns false.
__attribute__((format(printf, 3, 4))) static bool
refuse(char *reason, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, size, format, arguments);
  va_end(arguments);
  return false;
}

/// Checks what a kernel says of its tensor maps and its launches.
static bool checkLaunches(const schema::Kernel &kernel, schema::Target target,
                          char *reason, size_t size) {
  uint32_t maps = count(kernel.maps());
  if (target != schema::Target::Cuda &&
      (maps || kernel.is_resident() || kernel.cluster()))
    return refuse(reason, size,
                  "has tensor maps, is resident or has clusters, which is for "
                  "cuda");
  if (kernel.cluster() && (kernel.cluster() != 2 || !kernel.is_resident()))
    return refuse(reason, size,
                  "has clusters of %u workgroups, where only resident kernels "
                  "may have some, of 2",
                  kernel.cluster());
  if (maps > kMaxTensorMaps)
    return refuse(reason, size, "has %u tensor maps, at most %u are possible",
                  maps, kMaxTensorMaps);
  for (uint32_t i = 0; i < maps; ++i) {
    const schema::TensorMap &map = *kernel.maps()->Get(i);
    bool isPossible = map.argument() < kernel.argument_count() &&
                      map.columns() != 0 && map.columns() % 8 == 0 &&
                      map.box_rows() >= 1 && map.box_rows() <= 256;
    if (!isPossible)
      return refuse(reason, size,
                    "has a tensor map of argument %u of %u, %u columns and "
                    "boxes of %u rows",
                    map.argument(), kernel.argument_count(), map.columns(),
                    map.box_rows());
  }
  return true;
}

/// Checks a kernel. On an error returns false and writes the reason after the
/// kernel's name.
static bool checkKernel(const schema::Module &module,
                        const schema::Kernel &kernel, schema::Target target,
                        char *reason, size_t size) {
  bool isGpu = target != schema::Target::Cpu;
  if (kernel.image() >= count(module.images()))
    return refuse(reason, size, "is in code image %u of %u", kernel.image(),
                  count(module.images()));
  const schema::Image &image = *module.images()->Get(kernel.image());
  if (image.format() != formatOf(target))
    return refuse(reason, size, "is for %s and its code image is %s",
                  schema::EnumNameTarget(target),
                  schema::EnumNameImageFormat(image.format()));
  if (kernel.entry() >= image.data()->size() || (isGpu && kernel.entry() != 0))
    return refuse(reason, size, "starts beyond its code image");
  uint32_t most = isGpu ? kMaxGpuArguments : kMaxArguments;
  if (kernel.argument_count() > most)
    return refuse(reason, size, "has %u arguments, at most %u are possible",
                  kernel.argument_count(), most);
  if (kernel.scratch() > (isGpu ? 0 : kMaxScratch))
    return refuse(reason, size, "wants %llu bytes of scratch memory",
                  llu(kernel.scratch()));
  bool threadsArePossible =
      isGpu ? kernel.threads() >= 1 && kernel.threads() <= kMaxGpuThreads
            : kernel.threads() == 0;
  if (!threadsArePossible)
    return refuse(reason, size, "has workgroups of %u threads",
                  kernel.threads());
  if (kernel.shared() > (isGpu ? kMaxGpuShared : 0))
    return refuse(reason, size, "wants %u bytes of workgroup memory",
                  kernel.shared());
  bool isCounted = target == schema::Target::Vulkan ||
                   (kernel.iterations() == 0 && !kernel.batch_iterations());
  if (!isCounted)
    return refuse(reason, size, "counts iterations, which is for vulkan");
  return checkLaunches(kernel, target, reason, size);
}

bool checkCode(const schema::Module &module, const schema::Schedule &schedule,
               char *reason, size_t reasonSize) {
  for (uint32_t i = 0; i < count(schedule.kernels()); ++i) {
    const schema::Kernel &kernel = *schedule.kernels()->Get(i);
    char wrong[128];
    if (checkKernel(module, kernel, schedule.target(), wrong, sizeof wrong))
      continue;
    return refuse(reason, reasonSize, "kernel '%.100s' %s",
                  kernel.name()->c_str(), wrong);
  }
  for (uint32_t i = 0; i < count(schedule.cubins()); ++i) {
    uint32_t image = schedule.cubins()->Get(i);
    if (schedule.target() == schema::Target::Cuda &&
        image < count(module.images()) &&
        module.images()->Get(image)->format() == schema::ImageFormat::Cubin)
      continue;
    return refuse(reason, reasonSize,
                  "code for %s %.50s lists image %u of %u as a cubin",
                  schema::EnumNameTarget(schedule.target()),
                  schedule.level()->c_str(), image, count(module.images()));
  }
  return true;
}

} // namespace vit::runtime
