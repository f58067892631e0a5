//===- Harness.cpp - Compiles one kernel from text and runs it ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include "vit/Dialect/Kernel.h"
#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"
#include "vit/Target/CPU.h"

#include "devices/cpu/Cpu.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

using namespace test;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

int64_t test::lineOf(Element element) {
  constexpr int64_t bytes = 64;
  return element == Element::F32  ? bytes / 4
         : isNarrowFloat(element) ? bytes / 2
                                  : bytes;
}

std::string test::nameOf(Element element) {
  const char *names[] = {"f32", "f16", "bf16", "i8"};
  return names[int(element)];
}

uint16_t test::toHalf(float value, Element element) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (element == Element::Bf16) {
    if (std::isnan(value))
      return bits >> 16 | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  }
  auto half = static_cast<_Float16>(value); // to nearest even
  if (std::isinf(static_cast<float>(half)))
    half = static_cast<_Float16>(NAN);
  uint16_t result;
  memcpy(&result, &half, sizeof result);
  return result;
}

Halves test::toHalves(const Floats &values, Element element) {
  Halves result;
  for (float value : values)
    result.push_back(toHalf(value, element));
  return result;
}

Floats test::fromHalves(const Halves &values, Element element) {
  Floats result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits = uint32_t(values[i]) << 16;
    memcpy(&result[i], &bits, sizeof bits);
    if (element == Element::Bf16)
      continue;
    _Float16 half;
    memcpy(&half, &values[i], sizeof half);
    result[i] = static_cast<float>(half);
  }
  return result;
}

Floats test::roundFor(const Floats &values, Element element) {
  return isNarrowFloat(element) ? fromHalves(toHalves(values, element), element)
                                : values;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static constexpr unsigned char kCanary = 0x5a;

void Guarded::map(size_t bytes) {
  size_t page = sysconf(_SC_PAGESIZE);
  size_t inner = (bytes + page - 1) / page * page + page;
  mapped = inner + 2 * page;
  mapping = static_cast<char *>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (mapping == MAP_FAILED)
    throw std::bad_alloc();
  mprotect(mapping, page, PROT_NONE);
  mprotect(mapping + mapped - page, page, PROT_NONE);
  start = reinterpret_cast<float *>(mapping + mapped - page - bytes);
  memset(mapping + page, kCanary, inner - bytes);
}

Guarded::Guarded(size_t count, float fill) : count(count) {
  map(count * sizeof(float));
  std::fill_n(start, count, fill);
}

Guarded::Guarded(const Floats &values) : Guarded(values.size()) {
  std::copy(values.begin(), values.end(), start);
}

Guarded::Guarded(const Halves &values) : count(values.size()) {
  map(count * sizeof(uint16_t));
  memcpy(start, values.data(), count * sizeof(uint16_t));
}

Guarded::Guarded(const Bytes &values) : count(values.size()) {
  map(count);
  memcpy(start, values.data(), count);
}

Bytes Guarded::bytes() const {
  Bytes result(count);
  memcpy(result.data(), start, count);
  return result;
}

Halves Guarded::halves() const {
  Halves result(count);
  memcpy(result.data(), start, count * sizeof(uint16_t));
  return result;
}

Guarded::Guarded(Guarded &&other) noexcept
    : mapping(other.mapping), mapped(other.mapped), count(other.count),
      start(other.start) {
  other.mapping = nullptr;
}

Guarded::~Guarded() {
  if (mapping)
    munmap(mapping, mapped);
}

bool Guarded::isIntact() const {
  const char *from = mapping + sysconf(_SC_PAGESIZE);
  for (; from < reinterpret_cast<const char *>(start); ++from)
    if (static_cast<unsigned char>(*from) != kCanary)
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

static int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
int64_t test::padded(int64_t channels, int64_t group, int64_t line) {
  return group == 0 ? roundUp(channels, line)
                    : channels / group * roundUp(group, line);
}
int64_t test::paddedChannel(int64_t channel, int64_t group, int64_t line) {
  return group == 0 ? channel
                    : channel / group * roundUp(group, line) + channel % group;
}

static size_t blockedOffset(int64_t image, int64_t token, int64_t channel,
                            int64_t tokens, int64_t width, Layout layout) {
  int64_t row = tokens ? token : image;
  int64_t block = row / layout.rows;
  if (tokens)
    block += image * ((tokens + layout.rows - 1) / layout.rows);
  int64_t line = layout.line();
  int64_t c = paddedChannel(channel, layout.group, line);
  int64_t lines = padded(width, layout.group, line) / line;
  return ((block * lines + c / line) * layout.rows + row % layout.rows) * line +
         c % line;
}

size_t test::blockedSize(int64_t batch, int64_t tokens, int64_t width,
                         Layout layout) {
  int64_t blocks = tokens ? batch * ((tokens + layout.rows - 1) / layout.rows)
                          : (batch + layout.rows - 1) / layout.rows;
  return blocks * layout.rows * padded(width, layout.group, layout.line());
}

Floats test::block(const Floats &values, int64_t batch, int64_t tokens,
                   int64_t width, Layout layout) {
  Floats result(blockedSize(batch, tokens, width, layout), 0);
  size_t i = 0;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < std::max<int64_t>(tokens, 1); ++t)
      for (int64_t c = 0; c < width; ++c)
        result[blockedOffset(b, t, c, tokens, width, layout)] = values[i++];
  return result;
}

Floats test::unblock(const Floats &blocked, int64_t batch, int64_t tokens,
                     int64_t width, Layout layout) {
  Floats rest = blocked, result;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < std::max<int64_t>(tokens, 1); ++t)
      for (int64_t c = 0; c < width; ++c) {
        size_t at = blockedOffset(b, t, c, tokens, width, layout);
        result.push_back(blocked[at]);
        rest[at] = 0;
      }
  size_t dirty = 0;
  for (float x : rest)
    dirty += x != 0 || std::isnan(x);
  EXPECT_EQ(dirty, 0u) << "elements of padding are not zero";
  return result;
}

Floats test::panels(const Floats &weight, int64_t out, int64_t in, int64_t cols,
                    int64_t outGroup, int64_t inGroup, int64_t interleave,
                    int64_t line) {
  int64_t paddedOut = padded(out, outGroup),
          paddedIn = padded(in, inGroup, line);
  Floats result(paddedOut * paddedIn, 0);
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i) {
      int64_t q = paddedChannel(o, outGroup), panel = q / cols;
      int64_t width = std::min(cols, paddedOut - panel * cols);
      int64_t depth = paddedChannel(i, inGroup, line);
      result[panel * cols * paddedIn +
             (depth / interleave * width + q % cols) * interleave +
             depth % interleave] = weight[o * in + i];
    }
  return result;
}

Floats test::channels(const Floats &values, int64_t rows, int64_t width,
                      int64_t group) {
  Floats result(rows * padded(width, group), 0);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c)
      result[r * padded(width, group) + paddedChannel(c, group)] =
          values[r * width + c];
  return result;
}

Floats test::randomFloats(size_t count, unsigned seed, float scale) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  Floats values(count);
  for (float &value : values)
    value = normal(generator);
  return values;
}

std::string test::blockedType(int64_t tokens, int64_t width, Layout layout) {
  std::string type = "tensor<?x";
  if (tokens)
    type += std::to_string(tokens) + "x";
  type += std::to_string(width) + "x" + nameOf(layout.element) +
          ", #kernel.blocked<rows = " + std::to_string(layout.rows);
  if (layout.group)
    type += ", group = " + std::to_string(layout.group);
  return type + ">>";
}

std::string test::channelsType(int64_t rows, int64_t width, int64_t group) {
  std::string type = "tensor<";
  if (rows)
    type += std::to_string(rows) + "x";
  return type + std::to_string(width) +
         "xf32, #kernel.channels<group = " + std::to_string(group) + ">>";
}

std::string test::plainType(const std::vector<int64_t> &shape) {
  std::string type = "tensor<";
  for (int64_t dim : shape)
    type += (dim < 0 ? "?" : std::to_string(dim)) + "x";
  return type + "f32>";
}

Guarded test::store(const Floats &values, Element element) {
  if (element == Element::I8)
    return Guarded(Bytes(values.begin(), values.end()));
  return isNarrowFloat(element) ? Guarded(toHalves(values, element))
                                : Guarded(values);
}
Floats test::load(const Guarded &buffer, Element element) {
  if (element == Element::I8) {
    Bytes bytes = buffer.bytes();
    return Floats(bytes.begin(), bytes.end());
  }
  return isNarrowFloat(element) ? fromHalves(buffer.halves(), element)
                                : buffer.values();
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static constexpr llvm::StringLiteral kExpanded = "_expanded";

Kernel::Kernel(const std::string &text, const std::string &levelName) {
  using namespace mlir;
  MLIRContext context(MLIRContext::Threading::DISABLED);
  DialectRegistry registry;
  registry.insert<mlir::vit::VitDialect, mlir::vit::kernel::KernelDialect>();
  mlir::vit::registerCpuCodegen(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  std::string messages;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    messages += diagnostic.str() + "\n";
    return success();
  });
  auto module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    throw std::runtime_error(messages + text);
  PassManager passes(&context);
  mlir::vit::EmitCpuOptions options;
  StringRef level = levelName;
  options.expandTiles = level.consume_back(kExpanded);
  options.level = level.str();
  if (options.expandTiles)
    level = mlir::vit::getExpandedLevel().name;
  passes.addPass(mlir::vit::createEmitCpu(options));
  if (failed(passes.run(*module)))
    throw std::runtime_error(messages);
  auto kernels = module->lookupSymbol<ModuleOp>("kernels");
  mlir::vit::CodegenOptions codegen;
  codegen.verify = true;
  codegen.threads = 1;
  if (const char *directory = getenv("VIT_TEST_DUMP"))
    codegen.dumpDirectory = directory;
  auto image = mlir::vit::compileKernels(kernels, level, codegen);
  if (failed(image))
    throw std::runtime_error(messages);
  module->walk([&](mlir::vit::kernel::DispatchOp dispatch) {
    auto units = dispatch.getUnits();
    times = units.getTimes();
    of = units.getOf();
    per = units.getPer();
    flopTimes = dispatch.getFlop().getTimes();
    scratch = std::make_unique<Guarded>((dispatch.getScratch() + 63) / 64 * 16);
  });
  codeBytes = image->bytes.size();
  mapped = (codeBytes + 4095) / 4096 * 4096;
  mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    throw std::bad_alloc();
  memcpy(mapping, image->bytes.data(), codeBytes);
  mprotect(mapping, mapped, PROT_READ | PROT_EXEC);
  entry = reinterpret_cast<Entry>(static_cast<char *>(mapping) +
                                  image->entries.front().second);
}

Kernel::~Kernel() {
  if (mapping)
    munmap(mapping, mapped);
}

int64_t Kernel::units(int64_t batch) const {
  return times * ((batch * of + per - 1) / per);
}

void Kernel::run(const std::vector<float *> &arguments, int64_t batch,
                 int64_t parts) const {
  std::vector<void *> pointers(arguments.begin(), arguments.end());
  int64_t count = units(batch);
  for (int64_t part = parts - 1; part >= 0; --part)
    entry(pointers.data(), batch, count * part / parts,
          count * (part + 1) / parts, scratch->data());
}

std::vector<std::string> test::levels(Element element) {
  using namespace ::vit::format;
  ::vit::runtime::CpuChoice choice;
  if (!::vit::runtime::readCpuChoice(choice))
    throw std::runtime_error("VIT_CPU_LEVEL is not the name of a level");
  constexpr ElementType types[] = {ElementType::F32, ElementType::F16,
                                   ElementType::BF16, ElementType::I8};
  ElementType type = types[int(element)];
  std::vector<std::string> result;
  for (const Level &level : levelsOf(Target::Cpu)) {
    if (!isDistinct(level, type))
      continue;
    if (findProduct(level, type)->m > 1 &&
        choice.allows(mlir::vit::getExpandedLevel()))
      result.push_back(level.name + kExpanded.str());
    if (choice.allows(level))
      result.push_back(level.name);
  }
  return result;
}

void test::expectClose(const Floats &actual,
                       const std::vector<double> &expected, double tolerance,
                       const std::string &what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0, worst = 0;
  size_t at = 0;
  for (double x : expected)
    largest = std::max(largest, std::abs(x));
  for (size_t i = 0; i < actual.size(); ++i) {
    double error = std::abs(actual[i] - expected[i]);
    if (!(error <= worst)) {
      worst = error;
      at = i;
    }
  }
  EXPECT_TRUE(worst <= tolerance * std::max(1.0, largest / 10))
      << what << ": element " << at << " is " << actual[at] << ", not "
      << expected[at] << " (error " << worst << ")";
}

void test::expectRounded(const Floats &actual, Element element,
                         const std::vector<double> &expected, double tolerance,
                         const std::string &what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0;
  for (double x : expected)
    largest = std::max(largest, std::abs(x));
  double error = tolerance * std::max(1.0, largest / 10);
  size_t wrong = 0, at = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    Floats bounds = roundFor(
        {float(expected[i] - error), float(expected[i] + error)}, element);
    if (!(actual[i] >= bounds[0] && actual[i] <= bounds[1]) && wrong++ == 0)
      at = i;
  }
  EXPECT_EQ(wrong, 0u) << what << ": element " << at << " is " << actual[at]
                       << ", not " << expected[at] << " rounded";
}

void test::expectSameBits(const Floats &a, const Floats &b,
                          const std::string &what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  EXPECT_EQ(memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << what;
}
