//===- Interface.h - Functions that simulated kernels call ------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A shared object of kernels (written by vit-simulate) exports
//   const char sim_manifest[];            text, read by Library.cpp
//   void sim_entry_KERNEL(void **arguments);   one thread of the kernel
// and imports the functions below from the program that opens it. `site` is an
// index of a location in the manifest. A call with a finding does not return.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_SIMULATOR_INTERFACE_H
#define VIT_SIMULATOR_INTERFACE_H

#include <cstdint>

namespace vit::sim {
enum class Register : uint32_t {
  ThreadX,
  ThreadY,
  ThreadZ,
  BlockX,
  BlockY,
  BlockZ,
  BlockSizeX,
  BlockSizeY,
  BlockSizeZ,
  GridX,
  GridY,
  GridZ,
  Lane,
  WarpSize,
  ClusterRank,
  ClusterSize
};
enum class Shuffle : uint32_t { Butterfly, Up, Down, Index };
/// Leader (elect.sync): whether this is the first lane.
enum class Vote : uint32_t { Any, All, Ballot, Uniform, Leader };
/// The classes of ops that counters tell apart; see opClassNames.
enum class OpClass : uint32_t {
  Fma,     ///< in float; a vector counts each element
  Float,   ///< other arithmetic, comparisons and conversions
  Special, ///< transcendental functions, divisions and square roots
  Integer,
  Mma,
  LoadMatrix, ///< and stmatrix
  CopyAsync,
  Load,
  Store,
  Shuffle, ///< and votes
  Barrier, ///< and waits
  Branch
};
constexpr uint32_t opClasses = 12;
extern const char *const opClassNames[opClasses];

/// The type of the operands of a matrix product; sums are floats.
enum class MatrixType : uint32_t { Bf16, F16, Tf32 };

/// wgmma.mma_async m64k16 of bf16 or f16: D += A B, or D = A B.
struct WarpgroupProduct {
  float *sums = nullptr; ///< columns / 2 of them, replaced
  uint64_t a = 0, b = 0; ///< descriptors of matrices in shared memory
  MatrixType type = MatrixType::Bf16;
  /// A in registers instead: what this thread has, as for mma.sync.
  bool hasWords = false;
  uint32_t words[4] = {};
  uint32_t columns = 0;
  bool transposedA = false, transposedB = false; ///< not contiguous along k
  bool accumulates = true, negativeA = false, negativeB = false;
};

/// What a lane holds of the operands of mma.sync m16n8 with a depth of `depth`:
/// registers of A, of B, then 4 sums.
struct MatrixFragment {
  uint32_t perRegister; ///< elements
  uint32_t a, b;        ///< registers
  MatrixFragment(MatrixType type, uint32_t depth)
      : perRegister(type == MatrixType::Tf32 ? 1 : 2),
        a(depth / 2 / perRegister), b(a / 2) {}
};
} // namespace vit::sim

extern "C" {
/// Called directly before each access. The first two are for shared memory; the
/// others for global memory, or shared memory by a generic address.
void sim_read_shared(const void *address, uint32_t bytes, uint32_t alignment,
                     uint32_t site);
void sim_write_shared(void *address, uint32_t bytes, uint32_t alignment,
                      uint32_t site);
void sim_read(const void *address, uint32_t bytes, uint32_t alignment,
              uint32_t site);
void sim_write(void *address, uint32_t bytes, uint32_t alignment,
               uint32_t site);
/// The address of a shared variable.
void *sim_shared(uint32_t variable);
uint32_t sim_register(uint32_t which);
void sim_barrier(uint32_t site);
void sim_warp_barrier(uint32_t mask, uint32_t site);
/// shfl.sync: the value is in the low half, the predicate in bit 32.
uint64_t sim_shuffle(uint32_t mask, uint32_t value, uint32_t offset,
                     uint32_t clamp, uint32_t kind, uint32_t site);
uint32_t sim_vote(uint32_t mask, uint32_t predicate, uint32_t kind,
                  uint32_t site);
/// Called at the start of each basic block, if counters are wanted.
void sim_execute(uint32_t basicBlock);
/// cp.async.shared.global: copies `filled` bytes and sets the rest of `bytes`
/// to zero.
void sim_copy_async(void *to, const void *from, uint32_t bytes, uint32_t filled,
                    uint32_t site);
void sim_commit_copies();
/// Waits until at most `most` committed groups of this thread are pending.
void sim_wait_copies(uint32_t most);
/// Barriers of `threads` threads (0: all of the block).
void sim_named_barrier(uint32_t number, uint32_t threads, uint32_t waits,
                       uint32_t site);
void sim_mbarrier_init(void *mbarrier, uint32_t arrivals, uint32_t site);
void sim_mbarrier_arrive(void *mbarrier, uint32_t arrivals, uint32_t bytes,
                         uint32_t site);
void sim_mbarrier_wait(void *mbarrier, uint32_t parity, uint32_t site);
void sim_fence_async();
void sim_fence_init(); ///< of mbarriers
/// Clusters: mapa, and barrier.cluster.
void *sim_map_shared(void *address, uint32_t rank, uint32_t site);
void sim_cluster_arrive(uint32_t relaxed, uint32_t site);
void sim_cluster_wait(uint32_t site);
/// cp.async.bulk.tensor: between shared memory and the box of `map` at the
/// `rank` coordinates. `mask`: the blocks of the cluster that receive it; 0:
/// without multicast.
void sim_load_tensor(void *to, const void *map, const int32_t *coordinates,
                     uint32_t rank, void *mbarrier, uint32_t mask,
                     uint32_t site);
void sim_store_tensor(const void *from, const void *map,
                      const int32_t *coordinates, uint32_t rank, uint32_t site);
void sim_commit_stores();
void sim_wait_stores(uint32_t most);
/// wgmma; `flags`: the booleans of WarpgroupProduct in order, from bit 0.
void sim_fence_products();
void sim_multiply_async(float *sums, uint64_t a, uint64_t b, uint32_t type,
                        uint32_t columns, uint32_t flags, uint32_t site);
/// The same with A in registers; adds to the sums if `accumulates` is not 0.
void sim_multiply_words_async(float *sums, uint32_t word0, uint32_t word1,
                              uint32_t word2, uint32_t word3, uint64_t b,
                              uint32_t accumulates, uint32_t type,
                              uint32_t columns, uint32_t flags, uint32_t site);
/// The thread has written registers that a product may use.
void sim_touch_registers();
/// A sum that may come from such a product: its value.
float sim_sum(float sum, uint32_t site);
void sim_commit_products();
void sim_wait_products(uint32_t most);
void sim_set_registers(uint32_t number, uint32_t site);
/// ldmatrix of `number` matrices of 8 x 8 elements of 16 bits: sets as many
/// results.
void sim_load_matrices(const void *row, uint32_t number, uint32_t transposed,
                       uint32_t *results, uint32_t site);
/// stmatrix, with as many words.
void sim_store_matrices(void *row, uint32_t number, uint32_t transposed,
                        uint32_t *words, uint32_t site);
/// mma.sync m16n8: replaces the sums among `registers` (see MatrixFragment).
void sim_multiply(uint32_t *registers, uint32_t type, uint32_t depth,
                  uint32_t site);
}

#endif // VIT_SIMULATOR_INTERFACE_H
