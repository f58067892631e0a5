//===- Warpgroup.cpp - Matrix products of warpgroups ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// wgmma and setmaxnreg. The sums are computed when the last thread issues the
// product; the operands in shared memory count as read until a thread has
// waited for the group. Until then the sums in registers are marks, NaNs that
// name the product; another product may add to them, any other use is an error.
//
// A thread must fence its accesses of registers before products of them. It
// accesses sums when it takes them apart, and registers of the left operand
// when it computes them; a product that neither has words nor replaces sums nor
// adds to sums that are not those of another product needs no fence.
//
//===----------------------------------------------------------------------===//

#include "Block.h"
#include "Element.h"

#include <algorithm>
#include <cstring>

using namespace vit::sim;

namespace {
/// A matrix in shared memory in rows of 128 bytes with the swizzle of 128
/// bytes, as its descriptor says.
struct Operand {
  uint64_t base, start, leading, stride;
  uint32_t swizzle, baseOffset;
  bool transposed;

  Operand(uint64_t descriptor, const void *shared, bool isTransposed)
      : base(reinterpret_cast<uint64_t>(shared)),
        start((descriptor & 0x3fff) << 4),
        leading((descriptor >> 16 & 0x3fff) << 4),
        stride((descriptor >> 32 & 0x3fff) << 4),
        swizzle(static_cast<uint32_t>(descriptor >> 62)),
        baseOffset(static_cast<uint32_t>(descriptor >> 49 & 7)),
        transposed(isTransposed) {}

  /// The address of element `i` of the rows of A or columns of B, and `k`.
  const char *getAddress(uint32_t i, uint32_t k) const {
    uint64_t at = transposed ? i / 64 * leading + k / 8 * stride + k % 8 * 128 +
                                   i % 64 * 2
                             : i / 8 * stride + i % 8 * 128 + k * 2;
    return reinterpret_cast<const char *>(
        swizzleAddress(base + start + at, 128));
  }
  double get(uint32_t i, uint32_t k, MatrixType type) const {
    uint16_t half;
    memcpy(&half, getAddress(i, k), 2);
    return widen(half, type);
  }
};
} // namespace

// A mark: a signalling NaN, the number of the product, and that of the sum.
static constexpr uint32_t markMask = 0xffe00000, mark = 0x7fa00000;
static constexpr uint32_t sumBits = 7, kept = 64;

static float makeMark(uint32_t product, uint32_t sum) {
  uint32_t word =
      mark | (product << sumBits & ~markMask) | (sum & ((1u << sumBits) - 1));
  float value;
  memcpy(&value, &word, 4);
  return value;
}

float Block::findSum(float sum, bool mustBeFinished, uint32_t site) {
  uint32_t word;
  memcpy(&word, &sum, 4);
  if ((word & markMask) != mark)
    return sum;
  const Thread &self = threads[current];
  uint32_t number = (word & ~markMask) >> sumBits;
  uint32_t slot = number % kept;
  if (slot >= self.sums.size() || self.sums[slot].empty() ||
      (self.products - 1 - number & ~markMask >> sumBits) >= kept) {
    finding = "sums: of a product too long ago for the simulator";
    check(false, site);
  }
  if (mustBeFinished && self.sumClocks[slot] > self.productsFinished) {
    finding = "pending: uses a sum of a product that it has not waited for";
    check(false, site);
  }
  return self.sums[slot][word & ((1u << sumBits) - 1)];
}

float Block::getSum(float sum, uint32_t site) {
  touchRegisters();
  return findSum(sum, /*mustBeFinished=*/true, site);
}

/// D (64 rows) for one thread of the warpgroup: as for mma.sync, in the order
/// of k in double.
static void addProducts(const WarpgroupProduct &product, uint32_t thread,
                        const std::vector<double> &a,
                        const std::vector<double> &b) {
  uint32_t warp = thread / 32, lane = thread % 32;
  double sign = product.negativeA != product.negativeB ? -1 : 1;
  for (uint32_t i = 0; i < product.columns / 2; ++i) {
    uint32_t row = 16 * warp + lane / 4 + 8 * (i / 2 % 2);
    uint32_t column = 8 * (i / 4) + 2 * (lane % 4) + i % 2;
    double sum = product.accumulates ? product.sums[i] : 0.0;
    for (uint32_t k = 0; k < 16; ++k)
      sum += sign * a[row * 16 + k] * b[column * 16 + k];
    product.sums[i] = static_cast<float>(sum);
  }
}

std::vector<double> Block::joinWords(const Thread *group) {
  std::vector<double> values(64 * 16);
  for (uint32_t t = 0; t < 128; ++t)
    for (uint32_t i = 0; i < 4; ++i) {
      const WarpgroupProduct &product = group[t].product;
      uint32_t word = product.words[i];
      uint32_t row = t / 32 * 16 + t % 32 / 4 + i % 2 * 8;
      uint32_t k = t % 4 * 2 + i / 2 * 8;
      for (uint32_t half : {0, 1})
        values[row * 16 + k + half] =
            widen(static_cast<uint16_t>(word >> 16 * half), product.type);
    }
  return values;
}

bool Block::readOperand(uint64_t descriptor, bool transposed, uint32_t extent,
                        MatrixType type, const char *name,
                        const Warpgroup &group, uint32_t site,
                        std::vector<double> &values) {
  Operand operand(descriptor, own->shared.getBase(), transposed);
  if (operand.swizzle != 1 || (operand.start >> 7 & 7) != operand.baseOffset) {
    finding = std::string("descriptor of ") + name +
              ": the simulator knows the swizzle of 128 bytes, of matrices "
              "aligned to 1024, alone";
    return false;
  }
  Access now = getAccess(site);
  values.resize(size_t(extent) * 16);
  for (uint32_t i = 0; i < extent; ++i)
    for (uint32_t k = 0; k < 16; ++k) {
      const char *address = operand.getAddress(i, k);
      bool isPiece = (transposed ? i : k) % 8 == 0; // of 16 bytes
      if (isPiece &&
          !(own->shared.readAsync(address, 16, now, group.unit, group.clock,
                                  finding) &&
            own->shared.isFenced(address, 16, "multiplies", finding)))
        return false;
      values[i * 16 + k] = operand.get(i, k, type);
    }
  return true;
}

bool Block::isSum(float sum) {
  uint32_t word;
  memcpy(&word, &sum, 4);
  return (word & markMask) == mark;
}

void Block::multiplyAsync(const WarpgroupProduct &product, uint32_t site) {
  uint32_t number = current / 128, first = number * 128;
  if (count < first + 128)
    fail("divergence: at " + library->getSite(site) +
         ": needs the 128 threads of a warpgroup");
  bool usesOthers =
      product.hasWords || !product.accumulates ||
      !std::all_of(product.sums, product.sums + product.columns / 2, isSum);
  if (usesOthers && threads[current].touchedRegisters)
    fail("fence: at " + library->getSite(site) +
         ": the thread has used registers since its last wgmma.fence, which "
         "wgmma may use only after one");
  Warpgroup &group = warpgroups[number];
  if (group.arrived && group.site != site)
    fail("divergence: it is at " + library->getSite(site) +
         ", but others of its warpgroup are at " +
         library->getSite(group.site));
  for (uint32_t i = 0; product.accumulates && i < product.columns / 2; ++i)
    product.sums[i] = findSum(product.sums[i], /*mustBeFinished=*/false, site);
  threads[current].product = product;
  group.site = site;
  if (++group.arrived < 128)
    return wait(site);
  group.arrived = 0;
  for (uint32_t t = first; t < first + 128; ++t) {
    const WarpgroupProduct &other = threads[t].product;
    if (other.a != product.a || other.b != product.b ||
        other.accumulates != product.accumulates)
      fail("divergence: at " + library->getSite(site) +
           ": the operands of thread " + std::to_string(t) + " differ");
  }
  if (!group.clock)
    group.unit = ordering.addUnit();
  ++group.clock;
  std::vector<double> a, b;
  if (product.hasWords)
    a = joinWords(&threads[first]);
  check((product.hasWords || readOperand(product.a, product.transposedA, 64,
                                         product.type, "A", group, site, a)) &&
            readOperand(product.b, product.transposedB, product.columns,
                        product.type, "B", group, site, b),
        site);
  for (uint32_t t = 0; t < 128; ++t) {
    Thread &thread = threads[first + t];
    addProducts(thread.product, t, a, b);
    thread.state = State::Ready;
    thread.sums.resize(kept);
    thread.sumClocks.resize(kept);
    uint32_t number = thread.products++;
    float *sums = thread.product.sums;
    thread.sums[number % kept].assign(sums, sums + product.columns / 2);
    thread.sumClocks[number % kept] = group.clock;
    for (uint32_t i = 0; i < product.columns / 2; ++i)
      sums[i] = makeMark(number, i);
  }
  yield();
}

void Block::commitProducts() {
  threads[current].productGroups.push_back(warpgroups[current / 128].clock);
}

void Block::waitForProducts(uint32_t most) {
  Thread &self = threads[current];
  const std::vector<uint32_t> &groups = self.productGroups;
  const Warpgroup &group = warpgroups[current / 128];
  if (groups.size() <= most || !group.clock)
    return;
  self.productsFinished = groups[groups.size() - 1 - most];
  ordering.acquireUnit(current, group.unit, self.productsFinished);
}

void Block::setRegisters(uint32_t number, uint32_t site) {
  meetAll(site, [&](Thread *warp, uint32_t) {
    for (uint32_t lane = 0; lane < 32; ++lane)
      warp[lane].maxRegisters = number;
    uint64_t all = 0;
    for (uint32_t i = getFirst(); i < getFirst() + perBlock; ++i)
      all += threads[i].maxRegisters;
    if (all > 65536) {
      finding = "registers: the block asks for " + std::to_string(all) +
                " of the 65536 of a multiprocessor";
      check(false, site);
    }
  });
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void sim_fence_products() { running->fenceProducts(); }
static WarpgroupProduct getProduct(float *sums, uint64_t b, uint32_t type,
                                   uint32_t columns, uint32_t flags) {
  WarpgroupProduct product;
  product.sums = sums;
  product.b = b;
  product.type = static_cast<MatrixType>(type);
  product.columns = columns;
  product.transposedA = flags & 1;
  product.transposedB = flags & 2;
  product.accumulates = flags & 4;
  product.negativeA = flags & 8;
  product.negativeB = flags & 16;
  return product;
}
void sim_multiply_async(float *sums, uint64_t a, uint64_t b, uint32_t type,
                        uint32_t columns, uint32_t flags, uint32_t site) {
  WarpgroupProduct product = getProduct(sums, b, type, columns, flags);
  product.a = a;
  running->multiplyAsync(product, site);
}
void sim_multiply_words_async(float *sums, uint32_t word0, uint32_t word1,
                              uint32_t word2, uint32_t word3, uint64_t b,
                              uint32_t accumulates, uint32_t type,
                              uint32_t columns, uint32_t flags, uint32_t site) {
  WarpgroupProduct product = getProduct(sums, b, type, columns, flags);
  product.hasWords = true;
  const uint32_t words[] = {word0, word1, word2, word3};
  std::copy_n(words, 4, product.words);
  product.accumulates = accumulates != 0;
  running->multiplyAsync(product, site);
}
void sim_touch_registers() { running->touchRegisters(); }
float sim_sum(float sum, uint32_t site) { return running->getSum(sum, site); }
void sim_commit_products() { running->commitProducts(); }
void sim_wait_products(uint32_t most) { running->waitForProducts(most); }
void sim_set_registers(uint32_t number, uint32_t site) {
  running->setRegisters(number, site);
}
