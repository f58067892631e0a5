//===- Embed.cpp - vit-run embed ------------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Command.h"
#include "Model.h"
#include "Options.h"
#include "Pictures.h"
#include "Progress.h"
#include "Runner.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace vit::tools {

namespace {

struct EmbedOptions : CommonOptions {
  std::vector<std::string> images;
  std::string output, name, index;
  int64_t batch = 8;
  int nearest = 0;
  bool normalize = false;
};

/// Pictures and one vector for each.
struct Embeddings {
  std::vector<std::string> paths;
  int64_t width = 0;
  std::vector<float> values; ///< [paths][width]

  int64_t count() const { return static_cast<int64_t>(paths.size()); }
  float *row(size_t i) { return values.data() + i * width; }
  const float *row(size_t i) const { return values.data() + i * width; }
};

bool isNpy(const std::string &path) {
  return path.size() > 4 && path.compare(path.size() - 4, 4, ".npy") == 0;
}

/// The list of pictures beside the array `path`.
std::string listPath(const std::string &path) {
  return path.substr(0, path.size() - 4) + ".txt";
}

/// Throws if a name cannot be a line of the list beside `output`.
void requireListable(const std::vector<std::string> &paths,
                     const std::string &output) {
  for (const std::string &path : paths)
    if (path.find('\n') != std::string::npos)
      throw Error("the name of a picture has a line break, and " +
                  listPath(output) + " would list one name per line: rename '" +
                  path + "', or write E.jsonl");
}

//===----------------------------------------------------------------------===//
// The output to take
//===----------------------------------------------------------------------===//

/// The model with the output that embeds; `name` becomes its name.
std::unique_ptr<Model> openModel(const EmbedOptions &options,
                                 std::string &name) {
  name = options.name;
  if (!name.empty())
    return std::make_unique<Model>(options, std::vector<std::string>{name});
  auto model = std::make_unique<Model>(options, std::vector<std::string>());
  name = chooseEmbedding(*model);
  if (model->hasOutput(name))
    return model;
  return std::make_unique<Model>(options, std::vector<std::string>{name});
}

//===----------------------------------------------------------------------===//
// Nearest pictures
//===----------------------------------------------------------------------===//

/// Reads an array that embed wrote, with its list, and normalises its rows.
Embeddings readIndex(const std::string &path) {
  Tensor array = readNpy(path);
  if (array.dims.size() != 2 || array.dims[1] == 0)
    throw Error(path + " holds an array " + shapeText(array.dims) +
                "; an index is [pictures, width], as embed --output writes it");
  Embeddings index;
  index.width = array.dims[1];
  index.values.resize(array.count());
  for (int64_t i = 0; i < array.count(); ++i)
    index.values[i] = static_cast<float>(array.at(i));
  index.paths = split(readFile(listPath(path)), '\n');
  if (!index.paths.empty() && index.paths.back().empty())
    index.paths.pop_back();
  if (index.count() != array.dims[0])
    throw Error(listPath(path) + " names " + std::to_string(index.count()) +
                " pictures, and " + path + " has " +
                std::to_string(array.dims[0]) + " rows");
  for (size_t i = 0; i < index.paths.size(); ++i)
    normalizeRow(index.row(i), index.width);
  return index;
}

/// The `most` rows of `index` that are nearest to `row` by their cosine, the
/// nearest first; rows of the same cosine in their order.
nlohmann::ordered_json findNearest(const Embeddings &index, const float *row,
                                   int most) {
  std::vector<float> query(row, row + index.width);
  normalizeRow(query.data(), index.width);
  std::vector<double> cosines(index.paths.size());
  for (size_t i = 0; i < cosines.size(); ++i)
    cosines[i] =
        std::inner_product(query.begin(), query.end(), index.row(i), 0.0);
  std::vector<size_t> order(cosines.size());
  std::iota(order.begin(), order.end(), 0);
  size_t count = std::min<size_t>(most, order.size());
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](size_t a, size_t b) {
                      return cosines[a] != cosines[b] ? cosines[a] > cosines[b]
                                                      : a < b;
                    });
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (size_t k = 0; k < count; ++k)
    list.push_back(
        {{"image", index.paths[order[k]]}, {"cosine", cosines[order[k]]}});
  return list;
}

void printNearest(const Embeddings &found, const Embeddings &index, int most) {
  for (size_t i = 0; i < found.paths.size(); ++i) {
    std::printf("%s\n", found.paths[i].c_str());
    for (const auto &near : findNearest(index, found.row(i), most))
      std::printf("%8.4f  %s\n", near.at("cosine").get<double>(),
                  near.at("image").get_ref<const std::string &>().c_str());
  }
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

/// Embeds `paths`; those that cannot be read are reported and left out.
Embeddings embedAll(const std::vector<std::string> &paths, Model &model,
                    const std::string &name, const EmbedOptions &options) {
  vit_preprocessing preprocessing = model.preprocessing();
  std::unique_ptr<Runner> runner = Runner::create(model);
  auto total = static_cast<int64_t>(paths.size());
  Progress progress(total);
  Embeddings found;
  std::vector<Picture> pictures(paths.begin(), paths.end());
  PictureReader reader(pictures, preprocessing, options.batch, options.threads);
  for (int64_t first = 0; first < total; first += options.batch) {
    PictureBatch batch = reader.next();
    for (size_t i = 0; i < batch.errors.size(); ++i)
      if (batch.errors[i].empty())
        found.paths.push_back(paths[first + i]);
      else
        std::fprintf(stderr, "error: %s\n", batch.errors[i].c_str());
    if (batch.count > 0) {
      Tensor rows = runner->run(batch.input, {name}).front();
      if (rows.dims.size() != 2)
        throw Error("the output '" + name + "' is " + shapeText(rows.dims) +
                    "; an embedding is [batch, width]");
      found.width = rows.dims[1];
      for (int64_t i = 0; i < rows.count(); ++i)
        found.values.push_back(static_cast<float>(rows.at(i)));
    }
    progress.update(std::min(first + options.batch, total));
  }
  progress.finish();
  if (found.paths.empty())
    throw Error("none of the pictures can be read");
  if (options.normalize)
    for (size_t i = 0; i < found.paths.size(); ++i)
      normalizeRow(found.row(i), found.width);
  std::fprintf(stderr, "%lld pictures, %lld values each (%s), %.1f images/s\n",
               static_cast<long long>(found.count()),
               static_cast<long long>(found.width), name.c_str(),
               progress.imagesPerSecond());
  return found;
}

std::string jsonLines(const Embeddings &found) {
  std::string text;
  for (size_t i = 0; i < found.paths.size(); ++i) {
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    for (int64_t c = 0; c < found.width; ++c)
      values.push_back(shortestDecimal(found.row(i)[c]));
    nlohmann::ordered_json line = {{"image", found.paths[i]},
                                   {"embedding", std::move(values)}};
    text += line.dump(-1, ' ', false,
                      nlohmann::ordered_json::error_handler_t::replace) +
            "\n";
  }
  return text;
}

void writeEmbeddings(Embeddings &found, const std::string &path) {
  if (!isNpy(path))
    return writeFile(path, jsonLines(found));
  vit_tensor view = {};
  view.dtype = VIT_F32;
  view.rank = 2;
  view.dims[0] = found.count();
  view.dims[1] = found.width;
  view.data = found.values.data();
  view.size = found.values.size() * sizeof(float);
  vit_error error;
  check(vit_npy_write(path.c_str(), &view, &error), error);
  std::string list;
  for (const std::string &picture : found.paths)
    list += picture + "\n";
  writeFile(listPath(path), list);
}

void embed(const EmbedOptions &options) {
  checkCommonOptions(options);
  if (options.nearest > 0 && options.index.empty())
    throw Error("--nearest needs --index E.npy, which embed --output writes");
  std::vector<std::string> paths = listPictures(options.images);
  Embeddings index;
  if (!options.index.empty())
    index = readIndex(options.index);
  if (!options.output.empty()) {
    requireWritable(options.output);
    requireNotRead(options.output, paths);
  }
  if (isNpy(options.output))
    requireListable(paths, options.output);
  std::string name;
  std::unique_ptr<Model> model = openModel(options, name);
  Embeddings found = embedAll(paths, *model, name, options);
  if (!options.output.empty())
    writeEmbeddings(found, options.output);
  if (!options.index.empty() && index.width != found.width)
    throw Error(options.index + " has rows of " + std::to_string(index.width) +
                " values, and the embeddings of this model have " +
                std::to_string(found.width) +
                ": it was written with another model or output");
  if (!options.index.empty())
    printNearest(found, index, std::max(options.nearest, 1));
  else if (options.output.empty())
    std::fputs(jsonLines(found).c_str(), stdout);
  if (found.paths.size() < paths.size())
    throw ExitStatus{1};
}

} // namespace

void addEmbed(CLI::App &app) {
  Command command(app, "embed",
                  "Write a vector for each picture, for search and clustering");
  auto options = std::make_shared<EmbedOptions>();
  addCommonOptions(command, *options);
  command
      .option("image", options->images,
              "PNG, JPEG, BMP or PPM pictures, or folders of them")
      .required()
      .type("IMAGE|FOLDER...");
  command
      .option("--output", options->output,
              "Array f32 [pictures, width], with the list of its pictures in "
              "E.txt; with another extension, a line of JSON for each picture "
              "(default: such lines to standard output)")
      .type("E.npy|E.jsonl");
  command.flag("--normalize", options->normalize,
               "Scale each vector to length 1");
  command
      .option("--name", options->name,
              "The output to take (default: image_embeds, else pooler_output, "
              "else features, which a classifier of the family reads)")
      .type("OUTPUT");
  command.option("--batch", options->batch, "Pictures per run")
      .range(1, 65536)
      .showDefault()
      .type("N");
  command
      .option("--nearest", options->nearest,
              "Print the K pictures of --index that are nearest to each, by "
              "the cosine (default: 1)")
      .range(1, 1000000)
      .type("K");
  command
      .option("--index", options->index,
              "Embeddings that embed --output wrote with the same model")
      .type("E.npy");
  command.action([options] { embed(*options); });
}

} // namespace vit::tools
