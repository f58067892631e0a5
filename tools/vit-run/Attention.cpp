//===- Attention.cpp - Attention maps -------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace vit::tools {

TokenGrid guessTokenGrid(int64_t tokens, int64_t height, int64_t width) {
  constexpr int64_t kMaxPrefix = 32;
  for (bool square : {true, false})
    for (int64_t prefix = 0; prefix < tokens && prefix <= kMaxPrefix; ++prefix)
      for (int64_t rows = 1, patches = tokens - prefix; rows <= patches; ++rows)
        if (patches % rows == 0 && height % rows == 0 &&
            width % (patches / rows) == 0 &&
            (!square || height / rows == width / (patches / rows)))
          return {prefix, rows, patches / rows, prefix > 0 ? 0 : -1};
  throw Error("cannot tell how " + std::to_string(tokens) +
              " tokens lie on an input of " + std::to_string(width) + " x " +
              std::to_string(height) +
              " pixels; write the attention with infer");
}

TokenGrid findTokens(Model &model, int64_t tokens) {
  vit_error error;
  vit_token_info info = {};
  info.struct_size = sizeof(info);
  vit_status status =
      vit_module_entry_tokens(model.module(), model.entry(), &info, &error);
  if (status != VIT_NOT_FOUND) {
    check(status, error);
    TokenGrid grid = {info.before_patches, info.rows, info.columns,
                      info.class_token};
    if (grid.prefix + grid.rows * grid.columns != tokens)
      throw Error("the model says that it has " + std::to_string(grid.prefix) +
                  " tokens before " + std::to_string(grid.rows) + " rows of " +
                  std::to_string(grid.columns) +
                  " patches, but its attention is over " +
                  std::to_string(tokens) + " tokens");
    return grid;
  }
  vit_binding_info input = model.inputInfo();
  if (input.rank != 4)
    throw Error("the model's input is no picture [batch, channels, height, "
                "width]");
  TokenGrid grid = guessTokenGrid(tokens, input.dims[2], input.dims[3]);
  std::fprintf(stderr,
               "note: %s does not say which of its tokens are patches "
               "(vit.prefix_tokens): %s\n",
               model.getOptions().model.c_str(),
               grid.prefix == 0 ? "all are taken for patches"
               : grid.prefix == 1
                   ? "the first is taken for the class token, the others for "
                     "patches"
                   : ("the first is taken for the class token, and " +
                      std::to_string(grid.prefix - 1) + " more for registers")
                         .c_str());
  return grid;
}

/// Throws unless `attention` is [1, heads, tokens, tokens].
static void checkAttention(const Tensor &attention) {
  if (attention.dims.size() != 4 || attention.dims[0] != 1 ||
      attention.dims[2] != attention.dims[3])
    throw Error(attention.name + " is " + shapeText(attention.dims) +
                ", not attention of all tokens to all tokens; write it with "
                "infer");
}

std::vector<double> headAttention(const Tensor &attention, int64_t head) {
  checkAttention(attention);
  int64_t heads = attention.dims[1], count = attention.dims[2];
  if (head >= heads)
    throw Error("--head " + std::to_string(head) + ": the model has heads 0.." +
                std::to_string(heads - 1));
  std::vector<double> result(count * count, 0.0);
  int64_t first = head < 0 ? 0 : head, last = head < 0 ? heads : head + 1;
  for (int64_t h = first; h < last; ++h)
    for (int64_t i = 0; i < count * count; ++i)
      result[i] += attention.at(h * count * count + i) / (last - first);
  return result;
}

std::vector<double> attentionRollout(const std::vector<Tensor> &layers) {
  std::vector<double> rollout;
  for (const Tensor &layer : layers) {
    std::vector<double> mixed = headAttention(layer, -1);
    int64_t count = layer.dims[2];
    if (!rollout.empty() && rollout.size() != mixed.size())
      throw Error("--rollout needs the same tokens in all layers");
    for (int64_t i = 0; i < count; ++i)
      for (int64_t j = 0; j < count; ++j)
        mixed[i * count + j] = 0.5 * mixed[i * count + j] + (i == j ? 0.5 : 0);
    if (rollout.empty()) {
      rollout = std::move(mixed);
      continue;
    }
    std::vector<double> product(count * count, 0.0);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t k = 0; k < count; ++k)
        for (int64_t j = 0; j < count; ++j)
          product[i * count + j] +=
              mixed[i * count + k] * rollout[k * count + j];
    rollout = std::move(product);
  }
  return rollout;
}

std::vector<float> patchWeights(const std::vector<double> &attention,
                                const TokenGrid &grid) {
  int64_t patches = grid.rows * grid.columns, count = grid.prefix + patches;
  bool hasClass = grid.classToken >= 0;
  int64_t first = hasClass ? grid.classToken : grid.prefix;
  int64_t rows = hasClass ? 1 : patches;
  std::vector<float> result(patches);
  for (int64_t patch = 0; patch < patches; ++patch) {
    double sum = 0;
    for (int64_t row = first; row < first + rows; ++row)
      sum += attention[row * count + grid.prefix + patch];
    result[patch] = static_cast<float>(sum / rows);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Maps of pictures
//===----------------------------------------------------------------------===//

std::string attentionToCompile(const AttentionRequest &request) {
  return request.rollout ? "attention_*"
                         : "attention_" + std::to_string(request.layer);
}

std::vector<std::string> attentionOutputs(const AttentionRequest &request,
                                          Model &model) {
  int64_t count = 0;
  std::vector<std::string> names;
  for (; model.hasOutput("attention_" + std::to_string(count)); ++count)
    names.push_back("attention_" + std::to_string(count));
  if (request.rollout && count > 0)
    return names;
  if (request.rollout)
    throw Error("--rollout requires the attention of all layers; compile the "
                "module with --outputs logits,'attention_*'");
  int64_t layer = request.layer;
  if (layer >= 0)
    return {"attention_" + std::to_string(layer)};
  for (const vit_binding_info &info : model.outputInfos())
    if (std::string(info.name).rfind("attention_", 0) == 0)
      names = {info.name};
  if (names.empty())
    throw Error("the module computes no attention probabilities; compile it "
                "with --outputs logits,'attention_*'");
  return {names.back()};
}

std::vector<float> attentionMap(const AttentionRequest &request,
                                const std::vector<Tensor> &layers,
                                const TokenGrid &grid) {
  return patchWeights(request.rollout
                          ? attentionRollout(layers)
                          : headAttention(layers.front(), request.head),
                      grid);
}

/// The part of `image`, whose pixels are moved, that the model sees, enlarged
/// if it is small.
static void cutVisiblePart(vit_image &image,
                           const vit_preprocessing &preprocessing,
                           ImageOwner &result) {
  constexpr int32_t kLeast = 224;
  vit_image part = cropVisiblePart(image, preprocessing);
  int32_t shorter = std::min(part.height, part.width);
  int32_t factor = std::max(1, (kLeast + shorter - 1) / shorter);
  vit_error error;
  check(vit_image_resize(&part, part.height * factor, part.width * factor,
                         /*interpolation=*/0, &result.image, &error),
        error);
}

/// The picture in RGB.
static void loadWhole(const Picture &picture,
                      const vit_preprocessing &preprocessing,
                      ImageOwner &result) {
  vit_error error;
  if (!picture.pixels.pixels) {
    vit_image_options options = {};
    options.struct_size = sizeof(options);
    options.channels = 3;
    options.apply_exif_orientation = preprocessing.apply_exif_orientation;
    return check(
        vit_image_load(picture.path.c_str(), &options, &result.image, &error),
        error);
  }
  // Resizing to the same size copies.
  const vit_image &pixels = picture.pixels;
  std::vector<uint8_t> colours(size_t(pixels.height) * pixels.width * 3);
  for (size_t i = 0; i < colours.size(); ++i)
    colours[i] = pixels.pixels[i / 3 * pixels.channels +
                               (pixels.channels == 3 ? i % 3 : 0)];
  vit_image coloured = {pixels.width, pixels.height, 3, colours.data()};
  check(vit_image_resize(&coloured, pixels.height, pixels.width,
                         /*interpolation=*/0, &result.image, &error),
        error);
}

void saveAttention(const Picture &picture,
                   const vit_preprocessing &preprocessing,
                   const std::vector<float> &map, const TokenGrid &grid,
                   const std::string &out) {
  ImageOwner whole, part;
  loadWhole(picture, preprocessing, whole);
  cutVisiblePart(whole.image, preprocessing, part);
  vit_error error;
  check(vit_image_blend_heatmap(
            &part.image, map.data(), static_cast<int32_t>(grid.rows),
            static_cast<int32_t>(grid.columns), 0.6f, &error),
        error);
  check(vit_image_save_png(&part.image, out.c_str(), &error), error);
}

} // namespace vit::tools
