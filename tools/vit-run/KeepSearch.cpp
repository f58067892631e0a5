//===- KeepSearch.cpp - Products that stay wide for accuracy --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KeepSearch.h"

#include "format/Level.h"

#include <algorithm>
#include <cstdio>
#include <tuple>

namespace vit::tools {

bool AccuracyBound::holds(const Trial &exact, const Trial &trial) const {
  // A drop of exactly the bound holds, whatever its decimals are in binary.
  constexpr double kRounding = 1e-9;
  double drop = 100 * (exact.score.accuracy() - trial.score.accuracy());
  return (!maxDrop || drop <= *maxDrop + kRounding) &&
         (!minCosine || trial.output.meanCosine() >= *minCosine);
}

size_t findLeast(size_t count, const std::function<bool(size_t)> &holds) {
  size_t fails = 0, good = 1;
  while (good < count && !holds(good)) {
    fails = good;
    good *= 2;
  }
  good = std::min(good, count);
  while (good - fails > 1) {
    size_t middle = fails + (good - fails) / 2;
    (holds(middle) ? good : fails) = middle;
  }
  return good;
}

namespace {

struct Harm {
  std::string product;
  double decibels = 0; ///< Signal-to-noise ratio of the output.
};

class Search {
public:
  Search(PrecisionTrials &trials, std::string precision,
         const AccuracyBound &bound)
      : trials(trials), precision(std::move(precision)), bound(bound) {}

  std::vector<std::string> run();

private:
  /// Noise varies less between pictures than the harm does between products.
  static constexpr int64_t kRankedPictures = 64;

  bool holds(const std::vector<std::string> &keep, const std::string &what);
  std::vector<Harm> rank(const std::string &narrow);
  std::vector<std::string> keep(const std::vector<Harm> &ranking, size_t count,
                                const std::string &wide,
                                const std::string &otherwise) const;
  void print(const std::vector<Harm> &ranking, size_t count,
             const std::string &narrow, const std::string &wide) const;

  PrecisionTrials &trials;
  std::string precision;
  AccuracyBound bound;
};

/// Measures and prints a choice.
bool Search::holds(const std::vector<std::string> &keep,
                   const std::string &what) {
  Trial trial = trials.run(precision, keep, /*sample=*/0, what);
  bool isGood = bound.holds(trials.exact(), trial);
  std::fprintf(stderr, "%s:", what.c_str());
  if (bound.maxDrop)
    std::fprintf(stderr, " accuracy %.2f %%, %.2f in f32",
                 100 * trial.score.accuracy(),
                 100 * trials.exact().score.accuracy());
  if (bound.minCosine)
    std::fprintf(stderr, "%s cosine %.8f", bound.maxDrop ? "," : "",
                 trial.output.meanCosine());
  std::fprintf(stderr, "%s\n", isGood ? "" : ", not enough");
  return isGood;
}

/// The products by the harm that each does alone in `narrow`, the worst first.
std::vector<Harm> Search::rank(const std::string &narrow) {
  std::vector<Harm> ranking;
  const std::vector<std::string> &products = trials.products();
  for (const std::string &product : products) {
    std::string label = "ranking " + std::to_string(ranking.size() + 1) + "/" +
                        std::to_string(products.size());
    Trial trial = trials.runAlone(product, narrow, kRankedPictures, label);
    ranking.push_back({product, trial.output.all.decibels()});
  }
  std::sort(ranking.begin(), ranking.end(), [](const Harm &a, const Harm &b) {
    return std::tie(a.decibels, a.product) < std::tie(b.decibels, b.product);
  });
  return ranking;
}

/// The first `count` of `ranking` in `wide` and the others in `otherwise`.
std::vector<std::string> Search::keep(const std::vector<Harm> &ranking,
                                      size_t count, const std::string &wide,
                                      const std::string &otherwise) const {
  std::vector<std::string> list;
  for (size_t i = 0; i < ranking.size(); ++i)
    if (i < count || otherwise != precision)
      list.push_back(ranking[i].product + "=" + (i < count ? wide : otherwise));
  return list;
}

void Search::print(const std::vector<Harm> &ranking, size_t count,
                   const std::string &narrow, const std::string &wide) const {
  size_t width = sizeof("kept in bf16");
  for (const Harm &harm : ranking)
    width = std::max(width, harm.product.size());
  int column = static_cast<int>(width);
  std::printf("%-*s  output, SNR dB, alone in %s\n", column,
              ("kept in " + wide).c_str(), narrow.c_str());
  for (size_t i = 0; i < count; ++i)
    std::printf("%-*s  %.2f\n", column, ranking[i].product.c_str(),
                ranking[i].decibels);
  std::printf("%zu of %zu products in %s, the others in %s\n", count,
              ranking.size(), wide.c_str(), narrow.c_str());
}

std::vector<std::string> Search::run() {
  if (bound.maxDrop && !trials.whyNoAccuracy().empty())
    throw Error("--max-drop bounds the accuracy, which cannot be measured: " +
                trials.whyNoAccuracy());
  if (holds({}, "all in " + precision))
    return {};
  // From the precision asked for to f32, one step wider at a time.
  std::vector<std::string> ladder = {precision};
  if (precision == "int8")
    ladder.emplace_back("bf16");
  ladder.emplace_back("f32");
  std::vector<Harm> all;
  for (const std::string &product : trials.products())
    all.push_back({product, 0});
  for (size_t step = 1; step < ladder.size(); ++step) {
    const std::string &narrow = ladder[step - 1], &wide = ladder[step];
    if (!holds(keep(all, all.size(), wide, narrow), "all in " + wide))
      continue;
    std::vector<Harm> ranking = rank(narrow);
    auto choose = [&](size_t count) {
      return keep(ranking, count, wide, narrow);
    };
    size_t count = findLeast(ranking.size(), [&](size_t count) {
      return holds(choose(count), std::to_string(count) + " of " +
                                      std::to_string(ranking.size()) + " in " +
                                      wide);
    });
    print(ranking, count, narrow, wide);
    return choose(count);
  }
  throw Error("the bound does not hold even with all products in f32");
}

} // namespace

std::vector<std::string> searchKept(PrecisionTrials &trials,
                                    const std::string &precision,
                                    const AccuracyBound &bound) {
  return Search(trials, precision, bound).run();
}

} // namespace vit::tools
