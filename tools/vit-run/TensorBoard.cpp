//===- TensorBoard.cpp - TensorBoard's event files ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorBoard.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace fs = std::filesystem;

namespace vit::tools {

static constexpr const char *kPrefix = "events.out.tfevents.";

//===----------------------------------------------------------------------===//
// TFRecord
//===----------------------------------------------------------------------===//

/// CRC-32C (Castagnoli; RFC 3720, B.4): the polynomial 0x1EDC6F41, reflected.
static uint32_t crc32c(const char *data, size_t size) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < size; ++i) {
    crc ^= static_cast<unsigned char>(data[i]);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

/// Checksums of data that contains checksums are weak, hence the mask
/// (tensorflow/core/lib/hash/crc32c.h).
static uint32_t maskedCrc(const char *data, size_t size) {
  uint32_t crc = crc32c(data, size);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static void appendLittle(std::string &out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    out += static_cast<char>(value >> (8 * i));
}

static uint64_t readLittle(const char *data, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value |= uint64_t(static_cast<unsigned char>(data[i])) << (8 * i);
  return value;
}

static std::string frame(const std::string &data) {
  std::string record;
  appendLittle(record, data.size(), 8);
  appendLittle(record, maskedCrc(record.data(), 8), 4);
  record += data;
  appendLittle(record, maskedCrc(data.data(), data.size()), 4);
  return record;
}

//===----------------------------------------------------------------------===//
// Protocol buffers (protobuf.dev/programming-guides/encoding)
//===----------------------------------------------------------------------===//

enum WireType { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

static void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

static void appendKey(std::string &out, int field, WireType type) {
  appendVarint(out, uint64_t(field) << 3 | type);
}

static void appendBytes(std::string &out, int field, const std::string &value) {
  appendKey(out, field, Bytes);
  appendVarint(out, value.size());
  out += value;
}

template <typename Integer, typename Float>
static void appendFloat(std::string &out, int field, Float value) {
  static_assert(sizeof(Integer) == sizeof(Float), "the bits of the number");
  Integer bits;
  std::memcpy(&bits, &value, sizeof(bits));
  appendKey(out, field, sizeof(bits) == 8 ? Fixed64 : Fixed32);
  appendLittle(out, bits, sizeof(bits));
}

/// Event { double wall_time = 1; int64 step = 2; ... }
static std::string beginEvent(uint64_t step) {
  using namespace std::chrono;
  double time =
      duration<double>(system_clock::now().time_since_epoch()).count();
  std::string event;
  appendFloat<uint64_t>(event, 1, time);
  appendKey(event, 2, Varint);
  appendVarint(event, step);
  return event;
}

/// The step of an event written by `beginEvent`.
static uint64_t stepOf(const char *event, size_t size) {
  uint64_t step = 0;
  for (size_t i = 10, shift = 0; i < size && shift < 64; ++i, shift += 7) {
    auto byte = static_cast<unsigned char>(event[i]);
    step |= uint64_t(byte & 0x7f) << shift;
    if (byte < 0x80)
      break;
  }
  return step;
}

//===----------------------------------------------------------------------===//
// The file
//===----------------------------------------------------------------------===//

/// Truncates a file to its complete events up to `lastStep`. Steps only
/// increase, so nothing is kept from the first later event on.
static void cutBack(const std::string &path, uint64_t lastStep) {
  std::string text = readFile(path);
  size_t kept = 0;
  while (text.size() - kept >= 16) {
    uint64_t size = readLittle(text.data() + kept, 8);
    if (size > text.size() - kept - 16)
      break;
    const char *event = text.data() + kept + 12;
    if (readLittle(event + size, 4) != maskedCrc(event, size) ||
        stepOf(event, size) > lastStep)
      break;
    kept += 16 + size;
  }
  if (kept < text.size() && truncate(path.c_str(), off_t(kept)) != 0)
    throw Error("cannot write " + path + ": " + std::strerror(errno));
}

EventFile::EventFile(const std::string &folder, uint64_t resumedStep) {
  std::string path;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().rfind(kPrefix, 0) != 0)
      continue;
    cutBack(entry.path().string(), resumedStep);
    path = std::max(path, entry.path().string());
  }
  if (path.empty()) {
    char host[256] = "";
    if (gethostname(host, sizeof(host) - 1) != 0 || !*host)
      std::strcpy(host, "localhost");
    using namespace std::chrono;
    char time[32];
    std::snprintf(
        time, sizeof(time), "%010lld",
        static_cast<long long>(
            duration_cast<seconds>(system_clock::now().time_since_epoch())
                .count()));
    path = folder + "/" + kPrefix + time + "." + host;
  }
  file.open(path, O_CREAT);
  if (file.isEmpty()) {
    std::string event = beginEvent(0);
    appendBytes(event, 3, "brain.Event:2"); // file_version
    file.write(frame(event));
  }
}

void EventFile::add(uint64_t step, const std::vector<Scalar> &scalars) {
  // Summary { repeated Value value = 1 }, Value { tag = 1; simple_value = 2 }
  std::string summary;
  for (const Scalar &scalar : scalars) {
    if (std::isnan(scalar.value))
      continue;
    std::string value;
    appendBytes(value, 1, scalar.tag);
    appendFloat<uint32_t>(value, 2, static_cast<float>(scalar.value));
    appendBytes(summary, 1, value);
  }
  if (summary.empty())
    return;
  std::string event = beginEvent(step);
  appendBytes(event, 5, summary);
  file.write(frame(event));
}

} // namespace vit::tools
