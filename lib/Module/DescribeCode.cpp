//===- DescribeCode.cpp - The code of one level ---------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <set>

using namespace mlir;
using namespace mlir::vit;

uint32_t Images::addImage(ArrayRef<char> bytes, schema::ImageFormat format,
                          StringRef arch) {
  // Levels often have identical kernels: store each once.
  std::string key = llvm::formatv("{0} {1} ", static_cast<int>(format), arch);
  key.append(bytes.data(), bytes.size());
  auto [known, isNew] =
      imageIndex.try_emplace(key, description.metadata.images.size());
  if (!isNew)
    return known->second;
  auto image = std::make_unique<schema::ImageT>();
  image->format = format;
  image->arch = arch.str();
  // Machine code is copied to its own pages.
  description.addSegment(
      *image, bytes.size(),
      [bytes](MutableArrayRef<char> out, std::string &) {
        llvm::copy(bytes, out.begin());
        return success();
      },
      format == schema::ImageFormat::MachineCode ? 4096 : 64);
  description.metadata.images.push_back(std::move(image));
  return known->second;
}

/// The features that any of `kernels` needs, sorted.
static std::vector<std::string> featuresOf(ArrayRef<SimtKernel> kernels) {
  std::set<std::string> features;
  for (const SimtKernel &kernel : kernels)
    features.insert(kernel.features.begin(), kernel.features.end());
  return {features.begin(), features.end()};
}

/// The iterations that a kernel has per image, rounded up.
static schema::Extent batchIterations(const SimtKernel &kernel) {
  constexpr uint32_t per = 1 << 10;
  double of = std::ceil(kernel.iterationsPerImage * per);
  if (of == 0)
    return schema::Extent();
  // Larger numbers do not occur in practice.
  of = std::min<double>(of, UINT32_MAX);
  return schema::Extent(/*times=*/1, static_cast<uint32_t>(of), per);
}

static std::vector<schema::TensorMap> mapsOf(const SimtKernel &kernel) {
  std::vector<schema::TensorMap> maps;
  for (const TensorMap &map : kernel.maps)
    maps.emplace_back(
        static_cast<uint32_t>(map.argument), static_cast<uint32_t>(map.columns),
        static_cast<uint32_t>(map.boxRows), static_cast<uint32_t>(map.rows));
  return maps;
}

KernelCodes Images::addCode(const CompiledLevel &level,
                            schema::ScheduleT &schedule) {
  KernelCodes codes;
  if (auto *code = std::get_if<CodeImage>(&level.code)) {
    schedule.target = schema::Target::Cpu;
    uint32_t image =
        addImage(code->bytes, schema::ImageFormat::MachineCode, "");
    for (const auto &[name, offset] : code->entries)
      codes[name] = {image, offset, 0, 0};
  } else if (auto *code = std::get_if<VulkanCode>(&level.code)) {
    schedule.target = schema::Target::Vulkan;
    schedule.features = featuresOf(code->kernels);
    for (const SimtKernel &kernel : code->kernels)
      codes[kernel.name] = {
          addImage(kernel.binary, schema::ImageFormat::SpirV, ""),
          0,
          kernel.threads,
          kernel.sharedBytes,
          kernel.iterations,
          batchIterations(kernel)};
  } else {
    const CudaCode &cuda = std::get<CudaCode>(level.code);
    schedule.target = schema::Target::Cuda;
    schedule.features = featuresOf(cuda.kernels);
    // The driver expects a terminating zero.
    uint32_t ptx = addImage(ArrayRef(cuda.ptx.c_str(), cuda.ptx.size() + 1),
                            schema::ImageFormat::Ptx, "");
    for (const CudaImage &image : cuda.cubins)
      schedule.cubins.push_back(
          addImage(image.bytes, schema::ImageFormat::Cubin, image.arch));
    for (const SimtKernel &kernel : cuda.kernels)
      codes[kernel.name] = {ptx,
                            0,
                            kernel.threads,
                            kernel.sharedBytes,
                            /*iterations=*/0,
                            schema::Extent(),
                            mapsOf(kernel),
                            kernel.isResident,
                            kernel.cluster};
  }
  return codes;
}
