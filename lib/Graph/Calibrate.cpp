//===- Calibrate.cpp - Scales of int8 from observed values ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Products.h"
#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

namespace mlir::vit {
#define GEN_PASS_DEF_CALIBRATE
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
/// The products that read one value.
struct Readers {
  std::string first; ///< the name of the first one, of any precision
  SmallVector<std::pair<LinearOp, std::string>> products; ///< to calibrate
};

struct CalibratePass : vit::impl::CalibrateBase<CalibratePass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult readStatistics();
  LogicalResult addMagnitudes(LinearOp op, StringRef name, StringRef what,
                              std::vector<double> &magnitudes);
  LogicalResult calibrate(const Readers &readers);

  llvm::json::Object observed;
};
} // namespace

/// Magnitudes are at most the largest scale; a scale is 1/127 of one, divided
/// by a factor.
static constexpr double kMostMagnitude = 0x1p40, kLeastMagnitude = 0x1p-40;

/// The factors s of SmoothQuant (arXiv 2211.10438, equation 4): |X|^alpha /
/// |W|^(1 - alpha) for the largest magnitudes X of a channel of the input and W
/// of a column of the weights, as powers of two, by which numbers are divided
/// and multiplied exactly. A factor for all channels has no effect: the
/// geometric mean is made 1. A channel that is always zero, in X or W, gets 1.
static SmallVector<float> chooseFactors(ArrayRef<double> input,
                                        ArrayRef<double> weight, double alpha) {
  // Beyond this range a channel is negligible.
  constexpr double kMostExponent = 20;
  SmallVector<double> exponents(input.size(), 0.0);
  double sum = 0;
  int64_t count = 0;
  auto isUsed = [&](size_t i) { return input[i] > 0 && weight[i] > 0; };
  for (size_t i = 0; i < input.size(); ++i)
    if (isUsed(i)) {
      exponents[i] =
          alpha * std::log2(input[i]) - (1 - alpha) * std::log2(weight[i]);
      sum += exponents[i];
      ++count;
    }
  SmallVector<float> factors;
  for (size_t i = 0; i < input.size(); ++i) {
    double exponent = isUsed(i) ? exponents[i] - sum / double(count) : 0;
    factors.push_back(std::exp2f(float(
        std::nearbyint(std::clamp(exponent, -kMostExponent, kMostExponent)))));
  }
  return factors;
}

LogicalResult CalibratePass::readStatistics() {
  std::string contents = text;
  if (contents.empty()) {
    auto file = llvm::MemoryBuffer::getFile(path);
    if (!file)
      return getOperation().emitError() << "the statistics in '" << path
                                        << "': " << file.getError().message();
    contents = (*file)->getBuffer().str();
  }
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(contents);
  if (!value)
    return getOperation().emitError()
           << "the statistics are not JSON: " << toString(value.takeError());
  if (!value->getAsObject())
    return getOperation().emitError()
           << "the statistics are not a JSON object of products";
  observed = std::move(*value->getAsObject());
  return success();
}

/// Raises `magnitudes`, one for each column of the weight of `op`, to those
/// that the statistics of the product `name` have as `what`.
LogicalResult CalibratePass::addMagnitudes(LinearOp op, StringRef name,
                                           StringRef what,
                                           std::vector<double> &magnitudes) {
  const llvm::json::Object *own = observed.getObject(name);
  if (!own)
    return op.emitError() << "there are no statistics of the product '" << name
                          << "'; observe the same model with the same outputs";
  const llvm::json::Array *list = own->getArray(what);
  int64_t width = tensorOf(op.getWeight()).getDimSize(1);
  if (!list || static_cast<int64_t>(list->size()) != width)
    return op.emitError() << "the statistics of '" << name << "' must have "
                          << width << " numbers as '" << what << "', not "
                          << (list ? list->size() : 0);
  magnitudes.resize(width);
  for (auto [value, magnitude] : llvm::zip(*list, magnitudes)) {
    std::optional<double> number = value.getAsNumber();
    if (!number || !(*number >= 0) || *number > kMostMagnitude)
      return op.emitError()
             << "the statistics of '" << name << "' have in '" << what
             << "' what is not a magnitude from 0 to 2^40";
    magnitude = std::max(magnitude, *number);
  }
  return success();
}

/// Sets the attributes of the products of `readers`, which have the same ones
/// because they share the rounded value.
LogicalResult CalibratePass::calibrate(const Readers &readers) {
  std::vector<double> input, weight;
  if (failed(addMagnitudes(readers.products.front().first, readers.first,
                           "input", input)))
    return failure();
  if (alpha > 0)
    for (auto &[op, name] : readers.products)
      if (failed(addMagnitudes(op, name, "weight", weight)))
        return failure();
  Builder builder(&getContext());
  DenseElementsAttr migration;
  if (alpha > 0) {
    SmallVector<float> factors = chooseFactors(input, weight, alpha);
    for (auto [x, factor] : llvm::zip(input, factors))
      x /= factor;
    auto count = static_cast<int64_t>(factors.size());
    if (llvm::any_of(factors, [](float factor) { return factor != 1; }))
      migration = DenseElementsAttr::get(
          RankedTensorType::get(count, builder.getF32Type()),
          ArrayRef<float>(factors));
  }
  // A value that was always zero has no scale.
  double largest = *llvm::max_element(input);
  auto scale = static_cast<float>(
      largest > 0 ? std::max(largest, kLeastMagnitude) / 127 : 1);
  for (auto &[op, name] : readers.products) {
    LinearOp product = op;
    if (migration)
      product.setMigrationAttr(migration);
    if (staticScales)
      product.setInputScaleAttr(builder.getF32FloatAttr(scale));
    ++opsCalibrated;
  }
  return success();
}

void CalibratePass::runOnOperation() {
  if (getOperation().isExternal())
    return;
  if (!(alpha >= 0 && alpha <= 1)) {
    getOperation().emitError()
        << "alpha is " << alpha << "; it must be 0 (no migration) to 1";
    return signalPassFailure();
  }
  if (failed(readStatistics()))
    return signalPassFailure();
  llvm::MapVector<Value, Readers> values;
  forEachProduct(getOperation(), [&](Operation *product, StringRef name) {
    auto op = dyn_cast<LinearOp>(product);
    if (!op)
      return;
    Readers &readers = values[op.getInput()];
    if (readers.first.empty())
      readers.first = name;
    if (op.getPrecision() && op.getPrecision().getValue() == Precision::int8 &&
        !op.getInputScaleAttr() && !op.getMigrationAttr())
      readers.products.emplace_back(op, name.str());
  });
  for (auto &[value, readers] : values)
    if (!readers.products.empty() && failed(calibrate(readers)))
      return signalPassFailure();
}
