//===- vit-interpret.cpp - Evaluate text with the reference interpreter ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests: fills inputs and parameters with pseudo-random numbers that depend
// on the seed and on names alone, evaluates an entry, and prints its results or
// compares them with those of another text.
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Registration.h"
#include "vit/Reference/Interpreter.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/xxhash.h"

#include <cmath>
#include <optional>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;
namespace cl = llvm::cl;

static cl::opt<std::string> inputFile(cl::Positional, cl::init("-"),
                                      cl::desc("FILE.mlir"));
static cl::opt<std::string> entryName("entry", cl::init("forward"),
                                      cl::desc("Function to evaluate"));
static cl::opt<uint64_t> seed("seed", cl::init(0),
                              cl::desc("Seed of inputs and parameters"));
static cl::opt<int64_t> batch("batch", cl::init(2),
                              cl::desc("Size of dimensions given as ?"));
static cl::list<std::string>
    outputs("outputs", cl::CommaSeparated,
            cl::desc("Names to return; none: the entry's results"));
static cl::opt<int64_t>
    valueCount("values", cl::init(4),
               cl::desc("How many values of each result to print; -1: all"));
static cl::opt<std::string>
    against("against", cl::desc("Compare with this text's results instead of "
                                "printing; exit status 1 where they differ"));
static cl::opt<double>
    tolerance("tolerance", cl::init(1e-6),
              cl::desc("Largest difference, times max(1, largest value / 10)"));

/// A number in [-1, 1) from SplitMix64 (Steele, Lea, Flood 2014).
static double draw(uint64_t state) {
  state += 0x9e3779b97f4a7c15;
  state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
  state ^= state >> 31;
  return std::ldexp(static_cast<double>(state >> 11), -52) - 1.0;
}

static void fill(MutableArrayRef<double> values, const std::string &name,
                 double scale) {
  uint64_t state = llvm::xxh3_64bits(name) + seed * 0x9e3779b97f4a7c15;
  for (double &value : values)
    value = scale * draw(state++);
}

/// Weights are scaled by their inputs so that activations stay near 1.
static LogicalResult readParameter(ParameterOp parameter, int64_t layer,
                                   MutableArrayRef<double> out, std::string &) {
  RankedTensorType type = parameter.getTensorType();
  double scale =
      type.getRank() < 2
          ? 1.0
          : std::sqrt(3.0 / static_cast<double>(type.getShape().back()));
  std::string name = parameter.getSymName().str();
  if (parameter.getLayers())
    name += "." + std::to_string(layer);
  fill(out, name, scale);
  return success();
}

/// The results of `file`'s entry; nothing, after an error message, on failure.
static std::optional<std::vector<NamedTensor>> interpret(MLIRContext &context,
                                                         StringRef file) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file, &context);
  if (!module)
    return std::nullopt;
  auto fail = [](const Twine &message) {
    llvm::errs() << "error: " << message << "\n";
    return std::nullopt;
  };
  auto entry = module->lookupSymbol<func::FuncOp>(entryName);
  if (!entry)
    return fail(file + " has no function @" + entryName);
  std::vector<Tensor> inputs;
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return fail("argument " + Twine(index) + " is no tensor");
    std::vector<int64_t> shape = tensor.getShape().vec();
    for (int64_t &size : shape)
      if (ShapedType::isDynamic(size))
        size = batch;
    inputs.emplace_back(shape);
    fill(inputs.back().data, "input " + std::to_string(index), 1.0);
  }
  std::vector<NamedTensor> results;
  std::vector<std::string> names(outputs.begin(), outputs.end());
  std::string error;
  if (failed(evaluate(entry, inputs, readParameter, names, results, error)))
    return fail(error);
  return results;
}

static void print(const NamedTensor &result) {
  raw_ostream &out = llvm::outs();
  const Tensor &value = result.value;
  out << result.name << " [";
  llvm::interleaveComma(value.shape, out);
  double sum = 0.0, squares = 0.0;
  for (double element : value.data) {
    sum += element;
    squares += element * element;
  }
  out << "] sum " << llvm::format("%.9g", sum) << " norm "
      << llvm::format("%.9g", std::sqrt(squares)) << ":";
  int64_t count = valueCount < 0 ? value.size() : valueCount;
  for (int64_t i = 0; i < std::min(count, value.size()); ++i)
    out << " " << llvm::format("%.9g", value.data[i]);
  out << (count < value.size() ? " ...\n" : "\n");
}

/// Whether `actual` is `expected` within the tolerance; says so.
static bool compare(const NamedTensor &actual, const NamedTensor &expected) {
  if (actual.name != expected.name ||
      actual.value.shape != expected.value.shape) {
    llvm::errs() << "error: " << actual.name << " is not " << expected.name
                 << " or has another shape\n";
    return false;
  }
  double largest = 0.0, difference = 0.0;
  for (auto [a, b] : llvm::zip(actual.value.data, expected.value.data)) {
    largest = std::max(largest, std::fabs(b));
    // A NaN on one side differs; std::max would hide it.
    double distance = std::isnan(a) && std::isnan(b) ? 0.0 : std::fabs(a - b);
    difference = distance <= difference ? difference : distance;
  }
  if (difference <= tolerance * std::max(1.0, largest / 10.0)) {
    llvm::outs() << actual.name << ": same\n";
    return true;
  }
  llvm::errs() << "error: " << actual.name << " differs by "
               << llvm::format("%.3g", difference) << ", largest value "
               << llvm::format("%.3g", largest) << "\n";
  return false;
}

int main(int argc, char **argv) {
  // Not InitLLVM: it would make running out of memory fatal.
  registerAsmPrinterCLOptions();
  registerMLIRContextCLOptions();
  cl::ParseCommandLineOptions(argc, argv, "Evaluate text in double, slowly\n");
  DialectRegistry registry;
  registerVitDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  std::optional<std::vector<NamedTensor>> results =
      interpret(context, inputFile);
  if (!results)
    return 1;
  if (against.empty()) {
    llvm::for_each(*results, print);
    return 0;
  }
  std::optional<std::vector<NamedTensor>> expected =
      interpret(context, against);
  if (!expected)
    return 1;
  if (results->size() != expected->size()) {
    llvm::errs() << "error: " << results->size() << " results, not "
                 << expected->size() << "\n";
    return 1;
  }
  bool same = true;
  for (auto [actual, wanted] : llvm::zip(*results, *expected))
    same &= compare(actual, wanted);
  return same ? 0 : 1;
}
