//===- PictureReport.cpp - Which pictures a model gets wrong --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PictureReport.h"

#include "Attention.h"
#include "Evaluation.h"
#include "PictureSet.h"
#include "Pictures.h"
#include "Runner.h"
#include "TemporaryFolder.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace vit::tools {

using Json = nlohmann::ordered_json;

namespace {

/// A picture that is classified wrong.
struct WrongPicture {
  int64_t number = 0; ///< In the data.
  int32_t label = 0;  ///< A class of the model.
  PictureScore score;
  double predictedProbability = 0;
};

/// What a pass over the data finds.
struct PictureResults {
  Score score;
  std::map<std::pair<int64_t, int64_t>, int64_t> confusion;
  std::vector<WrongPicture> wrong; ///< By falling loss.
};

} // namespace

static std::string base64(const std::string &bytes) {
  const char *digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k)
      group = group << 8 |
              (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k])
                                    : 0u);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

/// Keeps the `most` pictures with the largest loss.
static void keepWorst(std::vector<WrongPicture> &wrong, size_t most) {
  std::sort(wrong.begin(), wrong.end(),
            [](const WrongPicture &a, const WrongPicture &b) {
              return a.score.loss != b.score.loss ? a.score.loss > b.score.loss
                                                  : a.number < b.number;
            });
  wrong.resize(std::min(wrong.size(), most));
}

static void addBatch(const Tensor &logits, const int32_t *labels,
                     const std::vector<int64_t> &numbers, size_t most,
                     PictureResults &results) {
  if (logits.dims.size() != 2)
    throw Error("the model has no logits [batch, classes] to evaluate");
  results.score.classes = logits.dims[1];
  for (int64_t i = 0; i < logits.dims[0]; ++i) {
    WrongPicture picture;
    picture.number = numbers.at(i);
    picture.label = labels[i];
    picture.score = scorePicture(logits, i, labels[i], picture.number);
    results.score.add(picture.score);
    ++results.confusion[{labels[i], picture.score.predicted}];
    if (picture.score.predicted == labels[i])
      continue;
    double difference =
        logits.at(i * logits.dims[1] + picture.score.predicted) -
        logits.at(i * logits.dims[1] + labels[i]);
    picture.predictedProbability =
        picture.score.probability() * std::exp(difference);
    results.wrong.push_back(picture);
  }
  keepWorst(results.wrong, most);
}

static std::string itemName(const vit_dataset *dataset, int64_t number) {
  std::string name(vit_dataset_item_name(dataset, number, nullptr, 0), '\0');
  vit_dataset_item_name(dataset, number, name.data(), name.size() + 1);
  return name;
}

/// The picture as a page shows it: its shorter side has `kSide` pixels.
static Json describePicture(const vit_dataset *dataset, int64_t number,
                            const vit_preprocessing &preprocessing,
                            const std::string &folder) {
  constexpr double kSide = 96;
  constexpr int32_t kNearest = 0, kBilinear = 2;
  vit_error error;
  ImageOwner whole, small;
  check(vit_dataset_get(dataset, number, &whole.image, nullptr, &error), error);
  vit_image part = cropVisiblePart(whole.image, preprocessing);
  double scale = kSide / std::min(part.width, part.height);
  auto scaled = [&](int32_t length) {
    return static_cast<int32_t>(
        std::clamp(std::round(length * scale), 1.0, 4 * kSide));
  };
  check(vit_image_resize(&part, scaled(part.height), scaled(part.width),
                         scale > 1 ? kNearest : kBilinear, &small.image,
                         &error),
        error);
  std::string path = folder + "/picture.png";
  check(vit_image_save_png(&small.image, path.c_str(), &error), error);
  return {{"width", small.image.width},
          {"height", small.image.height},
          {"png", base64(readFile(path))}};
}

namespace {

/// Computes attention maps one picture at a time.
class AttentionMaps {
public:
  explicit AttentionMaps(CommonOptions options) : options(std::move(options)) {}

  /// The map of one prepared picture; null if the model gives none, and then
  /// `note` says why.
  Json describe(const Tensor &input);
  std::string note;

private:
  void open();

  CommonOptions options;
  std::unique_ptr<Model> model;
  std::unique_ptr<Runner> runner;
  AttentionRequest request; ///< The last layer, the mean over the heads.
  std::vector<std::string> names;
  std::optional<TokenGrid> grid;
};

} // namespace

void AttentionMaps::open() {
  model = std::make_unique<Model>(
      options, std::vector<std::string>{"logits", attentionToCompile(request)});
  names = attentionOutputs(request, *model);
  runner = Runner::create(*model);
}

Json AttentionMaps::describe(const Tensor &input) {
  if (!note.empty())
    return nullptr;
  try {
    if (!runner)
      open();
    std::vector<Tensor> layers = runner->run(input, names);
    if (!grid)
      grid = findTokens(*model, layers.front().dims.back());
    Json weights = Json::array();
    for (float weight : attentionMap(request, layers, *grid))
      weights.push_back(shortestDecimal(weight));
    return {{"rows", grid->rows},
            {"columns", grid->columns},
            {"weights", std::move(weights)}};
  } catch (const Error &error) {
    note = error.what();
    return nullptr;
  }
}

/// The classes of the model, by name where it has names.
static Json describeClasses(Model &model, int64_t count) {
  Json names = Json::array();
  for (int64_t c = 0; c < count; ++c)
    names.push_back(model.label(static_cast<int32_t>(c)));
  return names;
}

static Json describeWrong(const std::vector<WrongPicture> &wrong,
                          const PictureSet &pictures, Model &model,
                          AttentionMaps &maps) {
  vit_preprocessing preprocessing = model.preprocessing();
  TemporaryFolder folder;
  Json list = Json::array();
  for (const WrongPicture &one : wrong) {
    Json picture = {{"name", itemName(pictures.dataset(), one.number)},
                    {"class", one.label},
                    {"predicted", one.score.predicted},
                    {"probability", one.score.probability()},
                    {"predicted_probability", one.predictedProbability},
                    {"loss", one.score.loss}};
    picture.update(describePicture(pictures.dataset(), one.number,
                                   preprocessing, folder.path));
    Tensor input;
    input.allocate(VIT_F32, {1, preprocessing.channels, preprocessing.height,
                             preprocessing.width});
    vit_error error;
    check(vit_dataset_read_batch(pictures.dataset(), one.number, 1,
                                 &preprocessing, input.floats(), nullptr,
                                 &error),
          error);
    picture["attention"] = maps.describe(input);
    list.push_back(std::move(picture));
  }
  return list;
}

Json describePictures(const CommonOptions &options, const DataOptions &data,
                      size_t most) {
  Model model(options, {"logits"});
  checkProblem(model);
  PictureSet pictures(model, data, /*limit=*/0, "evaluating");
  pictures.matchClasses(model, /*byPosition=*/false, "");
  std::unique_ptr<Runner> runner = Runner::create(model);
  Progress progress(pictures.count());
  PictureResults results;
  int64_t unreadable =
      pictures.forEach(pictures.batchFor(model), progress,
                       [&](const Tensor &input, const int32_t *labels) {
                         addBatch(runner->run(input, {"logits"}).front(),
                                  labels, pictures.numbers(), most, results);
                       });
  AttentionMaps maps(options);
  Json confusion = Json::array();
  for (const auto &[classes, count] : results.confusion)
    confusion.push_back({classes.first, classes.second, count});
  Json wrong = describeWrong(results.wrong, pictures, model, maps);
  const Score &score = results.score;
  return {{"model", options.model},
          {"data", data.data},
          {"split", vit_dataset_split(pictures.dataset())},
          {"images", score.images},
          {"unreadable", unreadable},
          {"top1_correct", score.top1},
          {"top5_correct", score.top5},
          {"loss", score.loss()},
          {"classes", describeClasses(model, score.classes)},
          {"confusion", std::move(confusion)},
          {"wrong", std::move(wrong)},
          {"attention_note", maps.note}};
}

} // namespace vit::tools
