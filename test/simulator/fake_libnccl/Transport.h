//===- Transport.h - Bytes between ranks of one machine ---------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_TRANSPORT_H
#define VIT_SIMULATOR_TRANSPORT_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace vit::sim {

/// What comes before the bytes that a rank sends.
struct Message {
  uint64_t bytes = 0;
  uint64_t operation = 0; ///< the number of the call, or group of calls
  char kind[16] = "";     ///< "send", "broadcast", "all_reduce"
};

/// Shared memory with a ring of bytes for each pair of ranks, which are threads
/// or processes. No function waits.
class Transport {
public:
  /// All ranks open the same name, which the last one removes. Null on failure.
  static std::unique_ptr<Transport> open(const std::string &name, int rank,
                                         int ranks);
  ~Transport();

  bool areAllThere() const;

  /// Sends what there is room for, of the message and then the data. `done`:
  /// bytes of both until now. Always true.
  bool send(int to, const Message &message, const void *data, size_t &done);
  /// Receives what has arrived. False if it is another message.
  bool receive(int from, const Message &message, void *data, size_t &done,
               std::string &finding);

private:
  struct Ring;
  struct Memory;

  Transport() = default;
  Ring &ring(int from, int to) const;

  Memory *memory = nullptr;
  size_t bytes = 0;
  int rank = 0, ranks = 0;
};

} // namespace vit::sim

#endif // VIT_SIMULATOR_TRANSPORT_H
