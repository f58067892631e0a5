//===- Initializer.cpp - How parameters start -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Initializer.h"

#include "format/Hash.h"
#include "format/Philox.h"

#include <cmath>
#include <cstring>
#include <initializer_list>

namespace vit::format {

/// In (0, 1), both ends excluded.
static double openUnit(uint32_t word) { return (double(word) + 0.5) * 0x1p-32; }

/// c[0] + c[1] x + ... + c[7] x^7
static double polynomial(const double (&c)[8], double x) {
  double sum = c[7];
  for (int i = 6; i >= 0; --i)
    sum = sum * x + c[i];
  return sum;
}

/// The quantile function of the standard normal: Wichura, "Algorithm AS 241:
/// the percentage points of the normal distribution", Applied Statistics 37
/// (1988), routine PPND16, whose relative error is about 1e-16. 0 < p < 1.
static double normalQuantile(double p) {
  static constexpr double a[8] = {
      3.3871328727963666080e0,  1.3314166789178437745e+2,
      1.9715909503065514427e+3, 1.3731693765509461125e+4,
      4.5921953931549871457e+4, 6.7265770927008700853e+4,
      3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double b[8] = {1,
                                  4.2313330701600911252e+1,
                                  6.8718700749205790830e+2,
                                  5.3941960214247511077e+3,
                                  2.1213794301586595867e+4,
                                  3.9307895800092710610e+4,
                                  2.8729085735721942674e+4,
                                  5.2264952788528545610e+3};
  static constexpr double c[8] = {
      1.42343711074968357734e0,  4.63033784615654529590e0,
      5.76949722146069140550e0,  3.64784832476320460504e0,
      1.27045825245236838258e0,  2.41780725177450611770e-1,
      2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double d[8] = {1,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
  static constexpr double e[8] = {
      6.65790464350110377720e0,  5.46378491116411436990e0,
      1.78482653991729133580e0,  2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3,
      2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double f[8] = {1,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};
  double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  double x = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                    : polynomial(e, r - 5) / polynomial(f, r - 5);
  return q < 0 ? -x : x;
}

/// A normal with deviation `deviation`, cut at -2 and 2, at quantile `u`;
/// `below` is the share of the whole normal below -2.
static double truncatedNormal(double u, double deviation, double below) {
  if (!(deviation > 0))
    return 0;
  // As torch: the inverse of the cut distribution, then a clamp against
  // rounding.
  double x = normalQuantile(below + u * (1 - 2 * below)) * deviation;
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
  double below = 0.5 * std::erfc(2 / (value * std::sqrt(2.0)));
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
      x = truncatedNormal(openUnit(words[i % 4]), value, below);
    } else {
      // 24 bits, so that rounding to float never reaches the upper bound.
      x = value * (2 * (double(words[i % 4] >> 8) * 0x1p-24) - 1);
    }
    out[i - begin] = float(x);
  }
}

} // namespace vit::format
