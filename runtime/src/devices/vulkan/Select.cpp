//===- Select.cpp - Choosing a Vulkan device ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/Instance.h"

#include <cstdio>
#include <cstdlib>
#include <strings.h>

namespace vit::runtime::vulkan {

/// Whether `text` contains `part`, ignoring case.
static bool contains(const char *text, const char *part) {
  size_t length = std::strlen(part);
  for (; *text; ++text)
    if (strncasecmp(text, part, length) == 0)
      return true;
  return false;
}

/// Writes "vulkan:0: NAME, vulkan:1: NAME" for messages.
static void listAdapters(const Array<Adapter> &adapters, char *text,
                         size_t size) {
  text[0] = 0;
  size_t used = 0;
  for (size_t i = 0; i < adapters.size() && used < size; ++i)
    used += size_t(std::snprintf(text + used, size - used, "%svulkan:%zu: %s",
                                 i ? ", " : "", i,
                                 adapters[i].properties.deviceName));
}

vit_status Instance::select(const char *selector, const Adapter *&adapter,
                            vit_error *error) const {
  adapter = nullptr;
  char list[512];
  listAdapters(adapters, list, sizeof list);
  if (*selector == 0) {
    for (const Adapter &a : adapters)
      if (!a.unusable) {
        adapter = &a;
        return VIT_OK;
      }
    return fail(error, VIT_UNSUPPORTED,
                "no Vulkan device here is usable: '%s': %s",
                adapters[0].properties.deviceName, adapters[0].unusable);
  }
  const char *wanted = selector + (*selector == ':');
  if (*wanted == 0)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the device 'vulkan:' needs an index or a part of a name: %s",
                list);
  if (std::strspn(wanted, "0123456789") == std::strlen(wanted)) {
    char *end;
    unsigned long long index = std::strtoull(wanted, &end, 10);
    if (index >= adapters.size())
      return fail(error, VIT_NOT_FOUND,
                  "there is no Vulkan device %s; there is %s", wanted, list);
    adapter = &adapters[size_t(index)];
  } else {
    for (const Adapter &a : adapters) {
      if (!contains(a.properties.deviceName, wanted))
        continue;
      if (adapter)
        return fail(error, VIT_INVALID_ARGUMENT,
                    "several Vulkan devices are called '%s': %s", wanted, list);
      adapter = &a;
    }
    if (!adapter)
      return fail(error, VIT_NOT_FOUND,
                  "no Vulkan device is called '%s'; there is %s", wanted, list);
  }
  if (adapter->unusable)
    return fail(error, VIT_UNSUPPORTED,
                "the Vulkan device '%s' cannot be used: %s",
                adapter->properties.deviceName, adapter->unusable);
  return VIT_OK;
}

} // namespace vit::runtime::vulkan
