//===- Transport.cpp - Bytes between ranks of one machine -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transport.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace vit::sim;

static constexpr size_t capacity = 1 << 16;

/// Of one writer and one reader.
struct Transport::Ring {
  std::atomic<uint64_t> written, read;
  char data[capacity];

  /// Copies at most `size` bytes in, or out; returns how many.
  size_t write(const char *from, size_t size) {
    uint64_t at = written.load(std::memory_order_relaxed);
    size_t room = capacity - size_t(at - read.load(std::memory_order_acquire));
    size_t count = std::min(size, room);
    for (size_t i = 0; i < count; ++i)
      data[(at + i) % capacity] = from[i];
    written.store(at + count, std::memory_order_release);
    return count;
  }
  size_t take(char *to, size_t size) {
    uint64_t at = read.load(std::memory_order_relaxed);
    size_t there = size_t(written.load(std::memory_order_acquire) - at);
    size_t count = std::min(size, there);
    for (size_t i = 0; i < count; ++i)
      to[i] = data[(at + i) % capacity];
    read.store(at + count, std::memory_order_release);
    return count;
  }
  /// Copies the next bytes out, and leaves them there.
  bool peek(char *to, size_t size) const {
    uint64_t at = read.load(std::memory_order_relaxed);
    if (written.load(std::memory_order_acquire) - at < size)
      return false;
    for (size_t i = 0; i < size; ++i)
      to[i] = data[(at + i) % capacity];
    return true;
  }
};

// The file begins with zeros, which is the initial state.
struct Transport::Memory {
  std::atomic<int> there;
  Ring rings[1]; ///< ranks * ranks
};

std::unique_ptr<Transport> Transport::open(const std::string &name, int rank,
                                           int ranks) {
  std::unique_ptr<Transport> made(new Transport);
  made->rank = rank;
  made->ranks = ranks;
  made->bytes = sizeof(Memory) + size_t(ranks * ranks - 1) * sizeof(Ring);
  int file = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0)
    return nullptr;
  void *memory = MAP_FAILED;
  if (ftruncate(file, off_t(made->bytes)) == 0)
    memory =
        mmap(nullptr, made->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED)
    return nullptr;
  made->memory = static_cast<Memory *>(memory);
  if (++made->memory->there == ranks)
    shm_unlink(name.c_str());
  return made;
}

Transport::~Transport() {
  if (memory)
    munmap(memory, bytes);
}

bool Transport::areAllThere() const { return memory->there >= ranks; }

Transport::Ring &Transport::ring(int from, int to) const {
  return memory->rings[from * ranks + to];
}

bool Transport::send(int to, const Message &message, const void *data,
                     size_t &done) {
  Ring &way = ring(rank, to);
  // The whole message or nothing of it.
  if (done == 0 && way.written - way.read + sizeof message > capacity)
    return true;
  if (done == 0)
    done += way.write(reinterpret_cast<const char *>(&message), sizeof message);
  size_t sent = done - sizeof message;
  done +=
      way.write(static_cast<const char *>(data) + sent, message.bytes - sent);
  return true;
}

bool Transport::receive(int from, const Message &message, void *data,
                        size_t &done, std::string &finding) {
  Ring &way = ring(from, rank);
  if (done == 0) {
    Message arrived;
    if (!way.peek(reinterpret_cast<char *>(&arrived), sizeof arrived))
      return true;
    auto describe = [](const Message &one) {
      return std::string(one.kind) + " of " + std::to_string(one.bytes) +
             " bytes in operation " + std::to_string(one.operation);
    };
    if (std::memcmp(&arrived, &message, sizeof message) != 0) {
      finding = "rank " + std::to_string(from) + " takes part in a " +
                describe(arrived) + ", this one in a " + describe(message);
      return false;
    }
    done += way.take(reinterpret_cast<char *>(&arrived), sizeof arrived);
  }
  size_t received = done - sizeof message;
  done +=
      way.take(static_cast<char *>(data) + received, message.bytes - received);
  return true;
}
