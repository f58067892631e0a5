//===- DeviceList.cpp - The list of devices -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceList.h"

#include "Support.h"
#include "format/level.h"

#include <cctype>
#include <cstdlib>

namespace vit::tools {

using Json = nlohmann::ordered_json;

Json listDevices(const char *family) {
  char *text = nullptr;
  vit_error error;
  check(vit_devices_describe(family, &text, &error), error);
  Json devices = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  std::free(text);
  Json result = Json::array();
  if (devices.is_array())
    for (Json &device : devices)
      if (device.is_object())
        result.push_back(std::move(device));
  return result;
}

static std::string lower(std::string text) {
  for (char &c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Json findDevice(const std::string &device) {
  std::string kind = device.substr(0, device.find(':'));
  std::string part = device == kind ? "" : device.substr(kind.size() + 1);
  for (const Json &one : listDevices(kind.c_str())) {
    std::string name = one.value("device", "");
    if (name == device)
      return one;
    if (name.substr(0, name.find(':')) != kind || one.contains("unavailable"))
      continue;
    if (lower(one.value("name", "")).find(lower(part)) != std::string::npos)
      return one;
  }
  return Json::object();
}

std::string cpuLevel(const std::string &limit) {
  std::string name = findDevice("cpu").value("level", "none");
  const format::Level *level = format::findLevel(format::Target::Cpu, name);
  const format::Level *most = format::findLevel(format::Target::Cpu, limit);
  return level && most && most->rank < level->rank ? limit : name;
}

} // namespace vit::tools
