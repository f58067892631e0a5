//===- Matrix.cpp - Matrix operations of warps
//---------------------------===//!!
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ldmatrix, stmatrix and mma.sync, with the fragments of the PTX manual. A lane
// is 4 * group + quarter: it holds row or column `group` of 8, and every fourth
// piece of that row or column.
//
//===----------------------------------------------------------------------===//

#include "Block.h"
#include "Element.h"

#include <cstring>

using namespace vit::sim;

void Block::loadMatrices(const void *row, uint32_t number, bool transposed,
                         uint32_t *results, uint32_t site) {
  switchSometimes();
  Thread &self = threads[current];
  self.address = row;
  self.registers = results;
  meetAll(site, [&](Thread *warp, uint32_t) {
    // The first 8 * `number` lanes hold the addresses of rows.
    for (uint32_t lane = 0; lane < 8 * number; ++lane) {
      Access now = getAccess(site);
      now.thread = static_cast<uint16_t>(current / 32 * 32 + lane);
      now.kind = Access::Lanes; // every lane gets a part of the row
      if (!own->shared.read(warp[lane].address, 16, 16, now, finding))
        fail("at " + library->getSite(site) + ": the row of lane " +
             std::to_string(lane) + ": " + finding);
    }
    if (counters) {
      uintptr_t rows[32];
      for (uint32_t lane = 0; lane < 8 * number; ++lane)
        rows[lane] = reinterpret_cast<uintptr_t>(warp[lane].address);
      counters->matrices(site, false, rows, 8 * number);
    }
    for (uint32_t lane = 0; lane < 32; ++lane) {
      uint32_t group = lane / 4, quarter = lane % 4;
      for (uint32_t i = 0; i < number; ++i) {
        uint16_t halves[2];
        for (uint32_t half = 0; half < 2; ++half) {
          uint32_t r = group, column = 2 * quarter + half;
          if (transposed)
            std::swap(r, column);
          memcpy(&halves[half],
                 static_cast<const char *>(warp[8 * i + r].address) +
                     2 * column,
                 2);
        }
        warp[lane].registers[i] = halves[0] | uint32_t(halves[1]) << 16;
      }
    }
  });
}

void Block::storeMatrices(void *row, uint32_t number, bool transposed,
                          uint32_t *words, uint32_t site) {
  switchSometimes();
  Thread &self = threads[current];
  self.address = row;
  self.registers = words;
  meetAll(site, [&](Thread *warp, uint32_t) {
    uintptr_t rows[32];
    for (uint32_t lane = 0; lane < 8 * number; ++lane) {
      rows[lane] = reinterpret_cast<uintptr_t>(warp[lane].address);
      Access now = getAccess(site);
      now.thread = static_cast<uint16_t>(current / 32 * 32 + lane);
      now.kind = Access::Lanes; // every lane has a part of the row
      if (!own->shared.write(reinterpret_cast<void *>(rows[lane]), 16, 16, now,
                             finding))
        fail("at " + library->getSite(site) + ": the row of lane " +
             std::to_string(lane) + ": " + finding);
    }
    if (counters)
      counters->matrices(site, true, rows, 8 * number);
    for (uint32_t lane = 0; lane < 32; ++lane)
      for (uint32_t i = 0; i < number; ++i)
        for (uint32_t half = 0; half < 2; ++half) {
          uint32_t r = lane / 4, column = 2 * (lane % 4) + half;
          if (transposed)
            std::swap(r, column);
          auto value =
              static_cast<uint16_t>(warp[lane].registers[i] >> 16 * half);
          memcpy(reinterpret_cast<char *>(rows[8 * i + r]) + 2 * column, &value,
                 2);
        }
  });
}

/// Element `i` of a register, as a number: tensor cores ignore the last 13 bits
/// of a float that is used as tf32.
static double getElement(uint32_t word, MatrixType type, uint32_t i) {
  if (type != MatrixType::Tf32)
    return widen(static_cast<uint16_t>(word >> 16 * i), type);
  word &= ~0x1fffu;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

/// D = A B + C for A: 16 x `depth`, B: `depth` x 8. Each sum starts with C,
/// adds the exact products in the order of k in double, and is rounded to float
/// once.
static void multiply(const MatrixFragment &fragment, MatrixType type,
                     uint32_t depth, uint32_t *const *registers) {
  double a[16][16], b[16][8];
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t group = lane / 4, quarter = lane % 4;
    // Registers of A: rows group and group + 8 of the first half of the depth,
    // then of the second half. Registers of B: both halves.
    for (uint32_t i = 0; i < fragment.a; ++i)
      for (uint32_t j = 0; j < fragment.perRegister; ++j)
        a[group + 8 * (i % 2)][(quarter + 4 * (i / 2)) * fragment.perRegister +
                               j] = getElement(registers[lane][i], type, j);
    for (uint32_t i = 0; i < fragment.b; ++i)
      for (uint32_t j = 0; j < fragment.perRegister; ++j)
        b[(quarter + 4 * i) * fragment.perRegister + j][group] =
            getElement(registers[lane][fragment.a + i], type, j);
  }
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t *sums = registers[lane] + fragment.a + fragment.b;
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
      float sum;
      memcpy(&sum, &sums[i], 4);
      double exact = sum;
      for (uint32_t k = 0; k < depth; ++k)
        exact += a[row][k] * b[k][column];
      sum = static_cast<float>(exact);
      memcpy(&sums[i], &sum, 4);
    }
  }
}

void Block::multiply(uint32_t *registers, MatrixType type, uint32_t depth,
                     uint32_t site) {
  threads[current].registers = registers;
  meetAll(site, [&](Thread *warp, uint32_t) {
    uint32_t *all[32];
    for (uint32_t lane = 0; lane < 32; ++lane)
      all[lane] = warp[lane].registers;
    ::multiply(MatrixFragment(type, depth), type, depth, all);
  });
}

//===----------------------------------------------------------------------===//
// Interface of kernels
//===----------------------------------------------------------------------===//

void sim_load_matrices(const void *row, uint32_t number, uint32_t transposed,
                       uint32_t *results, uint32_t site) {
  running->loadMatrices(row, number, transposed != 0, results, site);
}
void sim_store_matrices(void *row, uint32_t number, uint32_t transposed,
                        uint32_t *words, uint32_t site) {
  running->storeMatrices(row, number, transposed != 0, words, site);
}
void sim_multiply(uint32_t *registers, uint32_t type, uint32_t depth,
                  uint32_t site) {
  running->multiply(registers, static_cast<MatrixType>(type), depth, site);
}
