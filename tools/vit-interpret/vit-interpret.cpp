//===- vit-interpret.cpp - Evaluate text with the reference interpreter ---===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tests: fills inputs and parameters with pseudo-random numbers that depend
// only on the seed and on names, evaluates an entry, and prints the results,
// compares them with those of another text, or compares gradients by the
// adjoints of ops with finite differences.
//
//===----------------------------------------------------------------------===//

#include "Inputs.h"

#include "vit/Dialect/Registration.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"

#include <cmath>
#include <csignal>
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
    against("against", cl::desc("Compare with the results of this text instead "
                                "of printing; exit status 1 if they differ"));
static cl::opt<int64_t> classes("classes", cl::init(3),
                                cl::desc("Draw integers from [0, N)"));
static cl::list<std::string>
    constants("set", cl::desc("INPUT=NUMBER: set all elements of an input"));
static cl::list<std::string>
    starts("start", cl::desc("NAME=NUMBER,NUMBER,...: initial value of a "
                             "vector parameter or a layer of one (w.3)"));
static cl::opt<int64_t>
    steps("steps", cl::init(1),
          cl::desc("Evaluate N times, keeping changed variables; a single "
                   "integer input is incremented"));
static cl::opt<bool>
    showChanged("show-changed",
                cl::desc("Also return parameters and states that changed"));
static cl::opt<bool>
    check("check-gradients",
          cl::desc("Compare the adjoints of all functions, or of --entry, with "
                   "finite differences; exit status 1 if they differ"));
static cl::opt<int64_t>
    samples("samples", cl::init(0),
            cl::desc("About how many gradients of each tensor to check; 0: "
                     "all"));
static cl::opt<double>
    tolerance("tolerance", cl::init(1e-6),
              cl::desc("Largest difference, times max(1, largest value / 10)"));

static std::nullopt_t fail(const Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return std::nullopt;
}

static InputOptions getInputOptions() { return {seed, batch, classes}; }

/// The inputs of `entry`, with the values of --set.
static LogicalResult makeAllInputs(func::FuncOp entry,
                                   std::vector<Tensor> &inputs,
                                   std::string &error) {
  if (failed(makeInputs(entry, getInputOptions(), inputs, error)))
    return failure();
  for (StringRef text : constants) {
    auto [index, number] = text.split('=');
    size_t which;
    double value;
    if (index.getAsInteger(10, which) || which >= inputs.size() ||
        number.getAsDouble(value)) {
      error = "--set takes INPUT=NUMBER, not " + text.str();
      return failure();
    }
    llvm::fill(inputs[which].data, value);
  }
  return success();
}

/// The values of --start.
static LogicalResult makeStore(Store &store, std::string &error) {
  for (StringRef text : starts) {
    auto [name, numbers] = text.split('=');
    Tensor &value = store[name.str()];
    for (StringRef number : llvm::split(numbers, ','))
      if (number.getAsDouble(value.data.emplace_back())) {
        error = "--start takes NAME=NUMBER,NUMBER,..., not " + text.str();
        return failure();
      }
    value.shape = {value.size()};
  }
  return success();
}

/// The results of the entry of `file`; nullopt, after an error message, on
/// failure.
static std::optional<std::vector<NamedTensor>> interpret(MLIRContext &context,
                                                         StringRef file) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file, &context);
  if (!module)
    return std::nullopt;
  auto entry = module->lookupSymbol<func::FuncOp>(entryName);
  if (!entry)
    return fail(file + " has no function @" + entryName);
  std::vector<Tensor> inputs;
  std::string error;
  Store store;
  if (failed(makeAllInputs(entry, inputs, error)) ||
      failed(makeStore(store, error)))
    return fail(error);
  std::vector<NamedTensor> results;
  std::vector<std::string> names(outputs.begin(), outputs.end());
  for (int64_t step = 0; step < steps; ++step) {
    // A single integer is the step.
    for (auto [input, type] : llvm::zip(inputs, entry.getArgumentTypes()))
      if (input.rank() == 0 &&
          cast<RankedTensorType>(type).getElementType().isInteger())
        input.data[0] += step > 0;
    if (failed(evaluate(entry, inputs, makeParameterReader(seed), names,
                        results, error, &store)))
      return fail(error);
  }
  if (showChanged)
    for (const auto &[name, value] : store)
      results.push_back({name, value});
  return results;
}

/// Checks the gradients of all functions of `file`, or of the one given.
static bool checkAll(MLIRContext &context, StringRef file) {
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(file, &context);
  if (!module)
    return false;
  bool good = true, any = false;
  SmallVector<func::FuncOp> entries(module->getOps<func::FuncOp>());
  for (func::FuncOp entry : entries) {
    if (entryName.getNumOccurrences() > 0 && entry.getName() != entryName)
      continue;
    any = true;
    std::vector<Tensor> inputs;
    std::string error;
    if (failed(makeAllInputs(entry, inputs, error)))
      return fail(error), false;
    good &=
        checkGradients(entry, inputs, getInputOptions(), samples, tolerance);
  }
  if (!any)
    fail(file + " has no such function");
  return good && any;
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

/// Whether `actual` equals `expected` within the tolerance; prints a message if
/// not.
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
    // Not std::max: a NaN on one side must count as a difference.
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
  // The reader of a pipe that ends first, such as `head`, is no error to
  // report.
  std::signal(SIGPIPE, SIG_DFL);
  // Not InitLLVM, which makes running out of memory fatal.
  registerAsmPrinterCLOptions();
  registerMLIRContextCLOptions();
  cl::ParseCommandLineOptions(argc, argv, "Evaluate text in double, slowly\n");
  DialectRegistry registry;
  registerVitDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  if (check)
    return checkAll(context, inputFile) ? 0 : 1;
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
