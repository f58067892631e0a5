//===- PipelineCache.cpp - Compiled shaders on disk -----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/vulkan/PipelineCache.h"

#include "format/AtomicFile.h"
#include "format/Hash.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vit::runtime::vulkan {

namespace {

/// The header before the driver's data. In native byte order, since the file
/// stays on this machine.
struct FileHeader {
  char magic[8];
  uint32_t vendor, device, driver;
  uint32_t reserved;
  uint8_t uuid[VK_UUID_SIZE];
  uint64_t size; ///< of the data
  uint64_t hash; ///< of the data
};
static_assert(sizeof(FileHeader) == 56, "the header has no padding");

constexpr char kMagic[8] = {'V', 'I', 'T', 'P', 'I', 'P', 'E', '1'};
/// A larger file is discarded.
constexpr uint64_t kMaxSize = uint64_t(256) << 20;

FileHeader makeHeader(const VkPhysicalDeviceProperties &properties,
                      const unsigned char *data, uint64_t size) {
  FileHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.vendor = properties.vendorID;
  header.device = properties.deviceID;
  header.driver = properties.driverVersion;
  std::memcpy(header.uuid, properties.pipelineCacheUUID, VK_UUID_SIZE);
  header.size = size;
  header.hash = hash64(data, size);
  return header;
}

/// Whether the header in the driver's own data is for this device.
bool isOfDevice(const VkPhysicalDeviceProperties &properties,
                const unsigned char *data, uint64_t size) {
  VkPipelineCacheHeaderVersionOne header;
  if (size < sizeof header)
    return false;
  std::memcpy(&header, data, sizeof header);
  return header.headerSize >= sizeof header && header.headerSize <= size &&
         header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
         header.vendorID == properties.vendorID &&
         header.deviceID == properties.deviceID &&
         std::memcmp(header.pipelineCacheUUID, properties.pipelineCacheUUID,
                     VK_UUID_SIZE) == 0;
}

/// Writes the file's path; false if there is no home directory.
bool findPath(const VkPhysicalDeviceProperties &properties, char *path,
              size_t size) {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  const char *middle = "";
  if (!cache || cache[0] != '/') {
    cache = std::getenv("HOME");
    middle = "/.cache";
  }
  if (!cache || cache[0] != '/')
    return false;
  char uuid[2 * VK_UUID_SIZE + 1];
  for (int i = 0; i < int(VK_UUID_SIZE); ++i)
    std::snprintf(uuid + 2 * i, 3, "%02x", properties.pipelineCacheUUID[i]);
  int length = std::snprintf(path, size, "%s%s/vit/vulkan-%s-%08x.pipelines",
                             cache, middle, uuid, properties.driverVersion);
  return length > 0 && size_t(length) < size;
}

/// Creates the missing directories above a file.
void makeFolders(char *path) {
  for (char *slash = path + 1; (slash = std::strchr(slash, '/')); ++slash) {
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
  }
}

bool readAll(int file, void *target, uint64_t size) {
  auto *bytes = static_cast<char *>(target);
  while (size > 0) {
    ssize_t got = ::read(file, bytes, size);
    if (got <= 0)
      return false;
    bytes += got;
    size -= uint64_t(got);
  }
  return true;
}

} // namespace

PipelineCache::~PipelineCache() {
  if (handle)
    context->vk.DestroyPipelineCache(context->device, handle, nullptr);
}

/// Reads the file's data. False if it is missing or cannot be trusted.
bool PipelineCache::read(Array<unsigned char> &data) const {
  int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0)
    return false;
  const VkPhysicalDeviceProperties &properties = context->adapter->properties;
  struct stat status;
  FileHeader header;
  // Drivers do not check this data: no other user may have written it.
  bool sound = fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
               status.st_uid == geteuid() && (status.st_mode & 022) == 0 &&
               readAll(file, &header, sizeof header) &&
               header.size <= kMaxSize &&
               uint64_t(status.st_size) == sizeof header + header.size &&
               data.allocateRaw(context->allocator, header.size) &&
               readAll(file, data.data(), header.size);
  close(file);
  if (!sound)
    return false;
  FileHeader expected = makeHeader(properties, data.data(), data.size());
  return std::memcmp(&header, &expected, sizeof header) == 0 &&
         isOfDevice(properties, data.data(), data.size());
}

void PipelineCache::open(Context &owner) {
  context = &owner;
  Array<unsigned char> data;
  VkPipelineCacheCreateInfo info = {};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  if (owner.uses(Option::PipelineCache) &&
      findPath(owner.adapter->properties, path, sizeof path) && read(data)) {
    info.initialDataSize = stored = data.size();
    info.pInitialData = data.data();
  } else if (!owner.uses(Option::PipelineCache)) {
    path[0] = 0;
  }
  VkResult result =
      owner.vk.CreatePipelineCache(owner.device, &info, nullptr, &handle);
  if (result != VK_SUCCESS && info.initialDataSize != 0) {
    info.initialDataSize = stored = 0;
    result =
        owner.vk.CreatePipelineCache(owner.device, &info, nullptr, &handle);
  }
  if (result != VK_SUCCESS) {
    handle = VK_NULL_HANDLE;
    return;
  }
  // Some drivers return more data than they were given, without new pipelines.
  if (owner.vk.GetPipelineCacheData(owner.device, handle, &opened, nullptr) !=
      VK_SUCCESS)
    opened = 0;
}

void PipelineCache::store() {
  size_t size = 0;
  if (!handle || !path[0] || context->lost ||
      context->vk.GetPipelineCacheData(context->device, handle, &size,
                                       nullptr) != VK_SUCCESS ||
      (stored != 0 && size <= opened) || size > kMaxSize)
    return;
  Array<unsigned char> data;
  if (!data.allocateRaw(context->allocator, size) ||
      context->vk.GetPipelineCacheData(context->device, handle, &size,
                                       data.data()) != VK_SUCCESS)
    return;
  FileHeader header =
      makeHeader(context->adapter->properties, data.data(), size);
  makeFolders(path);
  // A link is replaced and not followed.
  struct stat status;
  if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
    unlink(path);
  AtomicFile file;
  // Readable by its owner alone: see `read`.
  if (file.open(path, nullptr, 0600) == VIT_OK &&
      file.write(&header, sizeof header, nullptr) == VIT_OK &&
      file.write(data.data(), size, nullptr) == VIT_OK &&
      file.commit(nullptr) == VIT_OK)
    stored = opened = size;
}

} // namespace vit::runtime::vulkan
