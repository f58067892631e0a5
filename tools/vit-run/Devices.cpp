//===- Devices.cpp - vit-run devices --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceList.h"
#include "Options.h"
#include "Support.h"

#include <algorithm>
#include <cstdio>

namespace vit::tools {

static std::string valueText(const nlohmann::ordered_json &value) {
  if (value.is_string())
    return value.get<std::string>();
  if (!value.is_array())
    return value.dump();
  std::vector<std::string> items;
  for (const nlohmann::ordered_json &item : value)
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

static std::string headline(const nlohmann::ordered_json &device) {
  std::string line = device.value("device", "");
  if (std::string why = device.value("unavailable", ""); !why.empty())
    return line + "  not available: " + why;
  return line + "  " + device.value("name", "");
}

void addDevices(CLI::App &app) {
  Command command(app, "devices", "List the devices that can run models");
  auto json = std::make_shared<bool>(false);
  command.flag("--json", *json, "Print JSON");
  command.action([json] {
    nlohmann::ordered_json devices = listDevices();
    if (*json) {
      std::printf(
          "%s\n",
          devices.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              .c_str());
      return;
    }
    for (const nlohmann::ordered_json &device : devices) {
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
