//===- Training.cpp - Losses, random masks, optimizers --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ops.h"

#include "format/Hash.h"
#include "format/Philox.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::reference;

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

std::optional<int64_t> reference::findBadLabel(const Tensor &targets,
                                               int64_t classes) {
  for (auto [image, label] : llvm::enumerate(targets.data))
    if (!(label >= 0.0 && label < static_cast<double>(classes)))
      return image;
  return std::nullopt;
}

/// One row of targets after smoothing: torch.nn.functional.cross_entropy's.
static std::vector<double> smoothTargets(const Tensor &targets, int64_t row,
                                         int64_t classes, double smoothing) {
  std::vector<double> result(classes, 0.0);
  if (targets.rank() == 1)
    result[static_cast<int64_t>(targets.data[row])] = 1.0;
  else
    std::copy_n(targets.row(row), classes, result.begin());
  for (double &t : result)
    t = (1.0 - smoothing) * t + smoothing / static_cast<double>(classes);
  return result;
}

Tensor reference::crossEntropy(const Tensor &logits, const Tensor &targets,
                               double smoothing) {
  int64_t batch = logits.shape[0], classes = logits.width();
  Tensor result(std::vector<int64_t>{});
  for (int64_t b = 0; b < batch; ++b) {
    const double *x = logits.row(b);
    double largest = *std::max_element(x, x + classes), sum = 0.0;
    for (int64_t i = 0; i < classes; ++i)
      sum += std::exp(x[i] - largest);
    std::vector<double> t = smoothTargets(targets, b, classes, smoothing);
    for (int64_t i = 0; i < classes; ++i)
      result.data[0] += t[i] * (largest + std::log(sum) - x[i]);
  }
  result.data[0] /= static_cast<double>(batch);
  return result;
}

Tensor reference::crossEntropyBackward(double gradient, const Tensor &logits,
                                       const Tensor &targets,
                                       double smoothing) {
  int64_t batch = logits.shape[0], classes = logits.width();
  Tensor result = softmax(logits, /*groups=*/1);
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<double> t = smoothTargets(targets, b, classes, smoothing);
    double sum = 0.0;
    for (double target : t)
      sum += target;
    for (int64_t i = 0; i < classes; ++i)
      result.row(b)[i] = gradient * (sum * result.row(b)[i] - t[i]) /
                         static_cast<double>(batch);
  }
  return result;
}

Tensor reference::mse(const Tensor &input, const Tensor &targets) {
  Tensor result(std::vector<int64_t>{});
  for (auto [x, t] : llvm::zip(input.data, targets.data))
    result.data[0] += (x - t) * (x - t) / static_cast<double>(input.size());
  return result;
}

Tensor reference::mseBackward(double gradient, const Tensor &input,
                              const Tensor &targets) {
  double count = static_cast<double>(input.size());
  return broadcast(input, targets, [&](double x, double t) {
    return 2.0 * gradient * (x - t) / count;
  });
}

/// The index of the first maximum; nullopt if there is a NaN.
static std::optional<int64_t> findLargest(const double *row, int64_t width) {
  if (std::any_of(row, row + width, [](double x) { return std::isnan(x); }))
    return std::nullopt;
  return std::max_element(row, row + width) - row;
}

Tensor reference::accuracy(const Tensor &logits, const Tensor &targets) {
  Tensor correct(std::vector<int64_t>{});
  for (int64_t b = 0; b < logits.shape[0]; ++b) {
    std::optional<int64_t> answer = findLargest(logits.row(b), logits.width());
    std::optional<int64_t> wanted =
        targets.rank() == 1 ? std::optional<int64_t>(targets.data[b])
                            : findLargest(targets.row(b), logits.width());
    correct.data[0] += answer && answer == wanted;
  }
  return correct;
}

//===----------------------------------------------------------------------===//
// Random masks
//===----------------------------------------------------------------------===//

Tensor reference::drop(const Tensor &input, double probability, StringRef name,
                       const Tensor &seed, double step, bool wholeImages) {
  return drop(input, probability,
              ::vit::format::hash64(name.data(), name.size()), seed, step,
              wholeImages);
}

Tensor reference::drop(const Tensor &input, double probability, uint64_t hash,
                       const Tensor &seed, double step, bool wholeImages) {
  auto word = [](double value) {
    return static_cast<uint32_t>(static_cast<int64_t>(value));
  };
  uint32_t key[2] = {word(seed.data[0]), word(seed.data[1])};
  auto threshold = static_cast<uint32_t>(std::ceil(probability * 0x1p24));
  int64_t run = wholeImages ? input.size() / input.shape[0] : 1;
  Tensor result(input.shape);
  for (int64_t i = 0; i < input.size() / run; ++i) {
    uint32_t counter[4] = {static_cast<uint32_t>(i / 4), word(step) + 1,
                           static_cast<uint32_t>(hash),
                           static_cast<uint32_t>(hash >> 32)};
    uint32_t words[4];
    ::vit::format::philox(key, counter, words);
    if (words[i % 4] >> 8 >= threshold)
      for (int64_t j = i * run; j < (i + 1) * run; ++j)
        result.data[j] = input.data[j] / (1.0 - probability);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

double reference::clipFactor(ArrayRef<const Tensor *> gradients,
                             double maxNorm) {
  double squares = 0.0;
  for (const Tensor *gradient : gradients)
    for (double g : gradient->data)
      squares += g * g;
  // Not std::min: a NaN must not become 1.
  double factor = maxNorm / (std::sqrt(squares) + 1e-6);
  return factor >= 1.0 ? 1.0 : factor;
}

void reference::sgd(Tensor &parameter, const Tensor &gradient, Tensor *buffer,
                    double rate, double momentum, bool nesterov, double decay) {
  for (int64_t i = 0; i < parameter.size(); ++i) {
    double g = gradient.data[i] + decay * parameter.data[i];
    if (buffer) {
      buffer->data[i] = momentum * buffer->data[i] + g;
      g = nesterov ? g + momentum * buffer->data[i] : buffer->data[i];
    }
    parameter.data[i] -= rate * g;
  }
}

void reference::adam(Tensor &parameter, const Tensor &gradient, Tensor &first,
                     Tensor &second, const AdamOptions &options) {
  double t = static_cast<double>(options.update);
  double correction1 = 1.0 - std::pow(options.beta1, t);
  double correction2 = 1.0 - std::pow(options.beta2, t);
  for (int64_t i = 0; i < parameter.size(); ++i) {
    double &w = parameter.data[i], &m = first.data[i], &v = second.data[i];
    double g = gradient.data[i];
    if (options.decoupled)
      w *= 1.0 - options.rate * options.decay;
    else
      g += options.decay * w;
    m = options.beta1 * m + (1.0 - options.beta1) * g;
    v = options.beta2 * v + (1.0 - options.beta2) * g * g;
    w -= options.rate * (m / correction1) /
         (std::sqrt(v / correction2) + options.epsilon);
  }
}
