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

/// The object of that list that `device` ("cpu", "vulkan:1", "vulkan:llvmpipe",
/// "cuda") stands for, or an empty object. As in the runtime, the first one
/// that fits: the list has the best first.
nlohmann::ordered_json findDevice(const std::string &device);

/// The CPU level that a module would be run at here, or "none". `limit` empty:
/// no limit beside VIT_CPU_LEVEL.
std::string cpuLevel(const std::string &limit);

} // namespace vit::tools

#endif // VIT_TOOLS_DEVICELIST_H
