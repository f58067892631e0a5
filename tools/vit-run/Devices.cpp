//===- Devices.cpp - vit-run devices --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Support.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>

namespace vit::tools {

static std::string valueText(const nlohmann::ordered_json &value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void addDevices(CLI::App &app) {
  CLI::App *command =
      app.add_subcommand("devices", "List what this machine can run models on");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([json] {
    char *text = nullptr;
    vit_error error;
    check(vit_devices_describe(&text, &error), error);
    std::string description = text;
    std::free(text);
    if (*json) {
      std::printf("%s\n", description.c_str());
      return;
    }
    for (const nlohmann::ordered_json &device :
         nlohmann::ordered_json::parse(description)) {
      std::string line;
      for (const auto &[key, value] : device.items())
        line += line.empty() ? valueText(value)
                             : "  " + key + " " + valueText(value);
      std::printf("%s\n", line.c_str());
    }
    std::printf("reference  plain loops in double, for comparison\n");
  });
}

} // namespace vit::tools
