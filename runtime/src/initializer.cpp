//===- initializer.cpp - How parameters start -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "initializer.h"

#include "hash.h"

#include <cmath>
#include <cstring>
#include <initializer_list>

namespace vit::runtime {

void philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
  uint32_t k0 = key[0], k1 = key[1];
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53) * c0;
    uint64_t b = uint64_t(0xCD9E8D57) * c2;
    c0 = uint32_t(b >> 32) ^ c1 ^ k0;
    c2 = uint32_t(a >> 32) ^ c3 ^ k1;
    c1 = uint32_t(b);
    c3 = uint32_t(a);
    k0 += 0x9E3779B9; // golden ratio
    k1 += 0xBB67AE85; // sqrt(3) - 1
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/// In (0, 1), both ends excluded.
static double openUnit(uint32_t word) { return (double(word) + 0.5) * 0x1p-32; }

/// x with erf(x) = y for |y| < 1: Giles' single precision approximation
/// ("Approximating the erfinv function", GPU Computing Gems 2, 2011), then two
/// steps of Newton to double precision.
static double inverseErf(double y) {
  double w = -std::log((1 - y) * (1 + y));
  double x;
  if (w < 5) {
    w -= 2.5;
    x = 2.81022636e-08;
    for (double c :
         {3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
          -0.00125372503, -0.00417768164, 0.246640727, 1.50140941})
      x = c + x * w;
  } else {
    w = std::sqrt(w) - 3;
    x = -0.000200214257;
    for (double c :
         {0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
          -0.0076224613, 0.00943887047, 1.00167406, 2.83297682})
      x = c + x * w;
  }
  x *= y;
  constexpr double halfSqrtPi = 0.88622692545275801;
  for (int step = 0; step < 2; ++step) {
    // The complement keeps the digits of y where it is close to 1.
    double error = y >= 0 ? (1 - y) - std::erfc(x) : std::erfc(-x) - (1 + y);
    x -= error * halfSqrtPi * std::exp(x * x);
  }
  return x;
}

/// The deviate of a normal with deviation `deviation`, cut at -2 and 2, at
/// quantile `u`.
static double truncatedNormal(double u, double deviation) {
  if (!(deviation > 0))
    return 0;
  double bound = std::erf(2 / (deviation * std::sqrt(2.0)));
  // As torch: inverse of the cut distribution, then a clamp against rounding.
  double y = bound * (2 * u - 1);
  if (y <= -1 || y >= 1)
    return y < 0 ? -2 : 2;
  double x = inverseErf(y) * deviation * std::sqrt(2.0);
  return x < -2 ? -2 : x > 2 ? 2 : x;
}

static double xavierBound(const int64_t *dims, int rank) {
  double elements = 1;
  for (int i = 0; i < rank; ++i)
    elements *= double(dims[i]);
  // [out, in * ...]; a vector is its own fan in and fan out.
  double fanOut = rank > 1 ? double(dims[0]) : elements;
  double fanIn = rank > 1 ? elements / fanOut : elements;
  return std::sqrt(6 / (fanIn + fanOut));
}

void initialize(float *out, int64_t begin, int64_t count,
                Initializer distribution, double value, const int64_t *dims,
                int rank, uint64_t seed, const char *name) {
  if (distribution == Initializer::Constant) {
    for (int64_t i = 0; i < count; ++i)
      out[i] = float(value);
    return;
  }
  if (distribution == Initializer::XavierUniform)
    value = xavierBound(dims, rank);
  uint64_t hash = hash64(name, std::strlen(name));
  uint32_t key[2] = {uint32_t(seed), uint32_t(seed >> 32)};
  uint32_t words[4] = {};
  for (int64_t i = begin; i < begin + count; ++i) {
    if (i == begin || i % 4 == 0) {
      uint32_t counter[4] = {uint32_t(i / 4), 0, uint32_t(hash),
                             uint32_t(hash >> 32)};
      philox(key, counter, words);
    }
    double x;
    if (distribution == Initializer::Normal) {
      // Box and Muller: two words, two normals.
      constexpr double twoPi = 6.283185307179586;
      const uint32_t *pair = words + (i % 4 & 2);
      double radius = std::sqrt(-2 * std::log(openUnit(pair[0])));
      double angle = twoPi * openUnit(pair[1]);
      x = value * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    } else if (distribution == Initializer::TruncNormal) {
      x = truncatedNormal(openUnit(words[i % 4]), value);
    } else {
      // 24 bits, so that rounding to float never reaches the upper bound.
      x = value * (2 * (double(words[i % 4] >> 8) * 0x1p-24) - 1);
    }
    out[i - begin] = float(x);
  }
}

} // namespace vit::runtime
