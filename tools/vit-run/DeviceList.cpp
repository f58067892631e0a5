//===- DeviceList.cpp - The list of devices -------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceList.h"

#include "JsonText.h"
#include "Options.h"
#include "Support.h"
#include "format/Level.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
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

std::string cpuLevel(const std::string &limit, const std::string &precision) {
  Json cpu = findDevice("cpu");
  auto levelOf = [](const std::string &name) {
    return format::findLevel(format::Target::Cpu, name);
  };
  const format::Level *best = levelOf(cpu.value("level", "none"));
  const format::Level *most = levelOf(limit);
  auto type = format::ElementType::F32;
  format::parsePrecision(precision, type);
  // The processor may lack the level that is the limit, and have lower ones.
  for (const Json &offered : cpu.value("levels", Json::array())) {
    const format::Level *level = levelOf(offered.value("name", ""));
    if (!level || !best || level->rank > best->rank ||
        (most && level->rank > most->rank))
      continue;
    level = format::distinctLevel(*level, type);
    return level ? level->name : "none";
  }
  return "none";
}

//===----------------------------------------------------------------------===//
// vit-run devices
//===----------------------------------------------------------------------===//

static std::string valueText(const Json &value) {
  if (value.is_string())
    return value.get<std::string>();
  if (value.is_object()) // of "levels"
    return value.value("name", "") + " (" +
           valueText(value.value("precisions", Json::array())) + ")";
  if (!value.is_array())
    return value.dump();
  std::vector<std::string> items;
  for (const Json &item : value)
    items.push_back(valueText(item));
  return join(items, ", ");
}

/// Whether the value is a number of bytes.
static bool isBytes(const std::string &key) {
  return key == "memory" || key == "workgroup_memory" ||
         key.rfind("max_", 0) == 0;
}

/// "workgroup_memory" as "workgroup memory".
static std::string words(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

static std::string headline(const Json &device) {
  std::string line = device.value("device", "");
  if (std::string why = device.value("unavailable", ""); !why.empty())
    return line + "  not available: " + why;
  line += "  " + device.value("name", "");
  // Software drivers such as lavapipe and SwiftShader.
  if (device.value("type", "") == "CPU")
    line += "  (runs on the CPU, no GPU)";
  return line;
}

void addDevices(CLI::App &app) {
  Command command(app, "devices", "List the devices that can run models");
  auto json = std::make_shared<bool>(false);
  command.flag("--json", *json, "Print JSON");
  command.action([json] {
    Json devices = listDevices();
    if (*json) {
      std::printf("%s\n", jsonText(devices).c_str());
      return;
    }
    for (const Json &device : devices) {
      std::printf("%s\n", headline(device).c_str());
      for (const auto &[key, value] : device.items())
        if (key != "device" && key != "name" && key != "unavailable")
          std::printf("  %s %s\n", words(key).c_str(),
                      isBytes(key) && value.is_number_unsigned()
                          ? bytesText(value).c_str()
                          : valueText(value).c_str());
    }
    std::printf("reference  plain loops in double, for comparison\n");
  });
}

} // namespace vit::tools
