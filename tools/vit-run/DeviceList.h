//===- DeviceList.h - The list of devices -----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_DEVICELIST_H
#define VIT_TOOLS_DEVICELIST_H

#include <nlohmann/json.hpp>

#include <string>

namespace vit::tools {

/// The result of vit_devices_describe(family): an array of objects.
nlohmann::ordered_json listDevices(const char *family = nullptr);

/// The object in that list for `device` ("cpu", "vulkan:1", "vulkan:llvmpipe",
/// "cuda"), or an empty object. Like the runtime, returns the first match: the
/// list has the best devices first.
nlohmann::ordered_json findDevice(const std::string &device);

/// The CPU level that this machine runs code of, in `precision` ("f32"), or
/// "none". If `limit` is empty, only VIT_CPU_LEVEL limits it.
std::string cpuLevel(const std::string &limit, const std::string &precision);

} // namespace vit::tools

#endif // VIT_TOOLS_DEVICELIST_H
