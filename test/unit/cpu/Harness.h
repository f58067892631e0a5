//===- Harness.h - Compiles one kernel from text and runs it ----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TEST_CPU_HARNESS_H
#define VIT_TEST_CPU_HARNESS_H

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace test {

using Floats = std::vector<float>;
using Halves = std::vector<uint16_t>; ///< f16 or bf16
using Bytes = std::vector<int8_t>;

/// The type of the elements of a buffer, or of the operands of products.
enum class Element { F32, F16, Bf16, I8 };
/// How many of them have 64 bytes.
int64_t lineOf(Element element);
/// As in the text of a type: "f32".
std::string nameOf(Element element);
inline bool isNarrowFloat(Element element) {
  return element == Element::F16 || element == Element::Bf16;
}

/// Rounded to nearest even in `element`, f16 or bf16. A NaN in bf16 keeps its
/// upper bits and becomes quiet; what is beyond the range of f16 becomes a NaN.
uint16_t toHalf(float value, Element element);
Halves toHalves(const Floats &values, Element element);
Floats fromHalves(const Halves &values, Element element);
/// `values` as a buffer of `element` holds them: rounded to f16 or bf16.
Floats roundFor(const Floats &values, Element element);

/// Memory that ends at an inaccessible page and begins after another one: an
/// access beyond its end crashes.
class Guarded {
public:
  explicit Guarded(size_t count, float fill = 0);
  explicit Guarded(const Floats &values);
  explicit Guarded(const Halves &values);
  explicit Guarded(const Bytes &values);
  Guarded(Guarded &&other) noexcept;
  ~Guarded();
  float *data() const { return start; } ///< also where they are narrower
  size_t size() const { return count; }
  Floats values() const { return Floats(start, start + count); }
  Halves halves() const;
  Bytes bytes() const;
  /// Whether the bytes before the first element are unchanged.
  bool isIntact() const;

private:
  char *mapping = nullptr;
  void map(size_t bytes);

  size_t mapped = 0, count = 0;
  float *start = nullptr;
};

/// A layout of the kernel dialect. It is independent of the code under test.
struct Layout {
  int64_t rows;      ///< in a row block
  int64_t group = 0; ///< channels in a group
  Element element = Element::F32;
  int64_t line() const { return lineOf(element); } ///< channels side by side
};

/// Channels padded to whole lines, each group alone.
int64_t padded(int64_t channels, int64_t group, int64_t line = 16);
int64_t paddedChannel(int64_t channel, int64_t group, int64_t line = 16);
/// Converts [batch, tokens, width] ([batch, width] if tokens is 0) to blocked
/// form and back. `unblock` fails the test if padding is not zero.
Floats block(const Floats &values, int64_t batch, int64_t tokens, int64_t width,
             Layout layout);
Floats unblock(const Floats &blocked, int64_t batch, int64_t tokens,
               int64_t width, Layout layout);
size_t blockedSize(int64_t batch, int64_t tokens, int64_t width, Layout layout);
/// Converts [out, in] to panels of `cols` columns, whose depths are padded to
/// lines of `line`.
Floats panels(const Floats &weight, int64_t out, int64_t in, int64_t cols,
              int64_t outGroup = 0, int64_t inGroup = 0, int64_t interleave = 1,
              int64_t line = 16);
/// Pads the channels of [rows, width].
Floats channels(const Floats &values, int64_t rows, int64_t width,
                int64_t group = 0);

/// A buffer of `values` as elements of this type; and back.
Guarded store(const Floats &values, Element element);
Floats load(const Guarded &buffer, Element element);

Floats randomFloats(size_t count, unsigned seed, float scale = 1);

/// The text of a type: tensor<?x65x192xf32, #kernel.blocked<...>>.
std::string blockedType(int64_t tokens, int64_t width, Layout layout);
std::string channelsType(int64_t rows, int64_t width, int64_t group = 0);
std::string plainType(const std::vector<int64_t> &shape); ///< -1 is the batch

/// One kernel, compiled for a level and mapped as executable memory.
class Kernel {
public:
  /// `text` is a module with one function that holds one kernel op. Throws the
  /// message of the compiler on failure. `level` is one of levels().
  Kernel(const std::string &text, const std::string &level);
  ~Kernel();
  Kernel(const Kernel &) = delete;

  int64_t units(int64_t batch) const;
  int64_t flop() const { return flopTimes; }
  /// Runs all units in `parts` equal parts, last part first.
  void run(const std::vector<float *> &arguments, int64_t batch,
           int64_t parts = 1) const;
  size_t codeSize() const { return codeBytes; }

private:
  using Entry = void (*)(void *const *, int64_t, int64_t, int64_t, void *);
  Entry entry = nullptr;
  void *mapping = nullptr;
  size_t mapped = 0, codeBytes = 0;
  int64_t times = 0, of = 1, per = 1, flopTimes = 0;
  mutable std::unique_ptr<Guarded> scratch;
};

/// The levels that this processor can run and VIT_CPU_LEVEL allows, of those
/// that are distinct in products of `element`. Those with tiles also as
/// "NAME_expanded": with plain code in place of tile ops, which runs
/// everywhere.
std::vector<std::string> levels(Element element = Element::F32);

/// Fails the test if |actual - expected| > tolerance * max(1, largest / 10).
void expectClose(const Floats &actual, const std::vector<double> &expected,
                 double tolerance, const std::string &what);
/// Fails the test unless each of `actual` is what some value no further than
/// `tolerance` * max(1, largest / 10) from the expected one is rounded to in
/// `element`, f16 or bf16.
void expectRounded(const Floats &actual, Element element,
                   const std::vector<double> &expected, double tolerance,
                   const std::string &what);
/// Fails the test if the bits differ.
void expectSameBits(const Floats &a, const Floats &b, const std::string &what);

} // namespace test

#endif // VIT_TEST_CPU_HARNESS_H
