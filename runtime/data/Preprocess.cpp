//===- Preprocess.cpp - From picture to input tensor ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Image.h"
#include "format/PictureSizes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace vit::data;
namespace format = vit::format;

void vit::data::checkPreprocessing(const vit_preprocessing *preprocessing) {
  if (!preprocessing)
    invalid("the preprocessing is NULL");
  const vit_preprocessing &p = *preprocessing;
  if (p.struct_size < sizeof(vit_preprocessing))
    invalid("set struct_size to sizeof(vit_preprocessing)");
  if (p.channels != 1 && p.channels != 3)
    invalid("preprocessing to " + std::to_string(p.channels) +
            " channels is not possible: use 1 (grey) or 3 (RGB)");
  if (p.height <= 0 || p.width <= 0 ||
      uint64_t(p.height) * uint64_t(p.width) > VIT_IMAGE_MAX_PIXELS)
    invalid("preprocessing to " + sizeText(p.width, p.height) +
            " pixels is not possible");
  if (!format::isResize(p.resize_height, p.resize_width))
    invalid("preprocessing has resize_height " +
            std::to_string(p.resize_height) + " and resize_width " +
            std::to_string(p.resize_width));
  if (p.center_crop < 0 || p.center_crop > 2)
    invalid("preprocessing has center_crop " + std::to_string(p.center_crop) +
            ": use 0, 1 or 2");
  for (int32_t c = 0; c < p.channels; ++c)
    if (!std::isfinite(p.scale) || !std::isfinite(p.mean[c]) ||
        !std::isfinite(p.std[c]) || p.std[c] == 0)
      invalid("preprocessing has a scale, mean or std that is no number, or a "
              "std of zero");
}

//===----------------------------------------------------------------------===//
// Geometry
//===----------------------------------------------------------------------===//

namespace {
struct Size {
  int32_t width, height;
};

/// Where the output begins on one axis of the resized picture; negative if the
/// picture is smaller than the output.
int32_t cropOffset(int32_t size, int32_t crop, int32_t mode) {
  int32_t difference = size - crop;
  constexpr int32_t torchvision = 1;
  if (difference >= 0)
    return mode == torchvision ? int32_t(std::nearbyint(difference / 2.0))
                               : difference / 2;
  int32_t missing = -difference;
  return mode == torchvision ? -(missing / 2) : -((missing + 1) / 2);
}
} // namespace

static Size resizedSize(const vit_image &image, const vit_preprocessing &p) {
  auto checked = [](double value) {
    if (!(value < INT32_MAX))
      unsupported("the picture is too elongated to be resized");
    return std::max(1, int32_t(value));
  };
  if (p.resize_height == 0)
    return {image.width, image.height};
  if (p.resize_width > 0)
    return {p.resize_width, p.resize_height};
  double width = image.width, height = image.height;
  if (p.resize_width == -1) {
    double shorter = std::min(width, height), longer = std::max(width, height);
    int32_t other = checked(p.resize_height * longer / shorter);
    return width <= height ? Size{p.resize_height, other}
                           : Size{other, p.resize_height};
  }
  double down = height / std::fabs(p.resize_height),
         across = width / std::fabs(p.resize_width);
  double ratio =
      p.resize_height > 0 ? std::min(down, across) : std::max(down, across);
  return {checked(std::nearbyint(width / ratio)),
          checked(std::nearbyint(height / ratio))};
}

//===----------------------------------------------------------------------===//
// From picture to tensor
//===----------------------------------------------------------------------===//

namespace {
/// The normalised values of one channel's samples.
class Normalized {
public:
  Normalized(const vit_preprocessing &p, int32_t c)
      : scale(p.scale), mean(p.mean[c]), std(p.std[c]) {
    for (int v = 0; v < 256; ++v) {
      // Both 1/255 as a factor in double and a division by 255 in float, which
      // is what the two libraries do, round to this.
      float scaled = scale == 1.0f / 255 ? float(v) / 255
                                         : float(double(v) * double(scale));
      table[v] = (scaled - mean) / std;
    }
  }
  float operator()(uint8_t sample) const { return table[sample]; }
  float operator()(float sample) const {
    float scaled = scale == 1.0f / 255 ? sample / 255 : sample * scale;
    return (scaled - mean) / std;
  }

private:
  float scale, mean, std, table[256];
};

/// Where the tensor lies in the resized picture.
struct Crop {
  Size size; ///< Of the resized picture.
  int32_t top = 0, left = 0;
};

/// Writes the tensor of `pixels`, the resized picture row by row.
template <typename Sample>
void fillTensor(const Sample *pixels, const Crop &crop,
                const vit_preprocessing &p, const Placement &placement,
                float *out) {
  size_t channels = size_t(p.channels);
  size_t rowSamples = size_t(crop.size.width) * channels;
  for (int32_t c = 0; c < p.channels; ++c) {
    Normalized normalized(p, c);
    for (int32_t y = 0; y < p.height; ++y) {
      int32_t placedY = y + placement.down, fromY = placedY + crop.top;
      const Sample *row = nullptr;
      if (placedY >= 0 && placedY < p.height && fromY >= 0 &&
          fromY < crop.size.height)
        // checkImage and allocate() make sure that there are pixels.
        // NOLINTNEXTLINE(clang-analyzer-core.NullPointerArithm)
        row = pixels + size_t(fromY) * rowSamples;
      for (int32_t x = 0; x < p.width; ++x) {
        int32_t placedX =
            (placement.mirrored ? p.width - 1 - x : x) + placement.right;
        int32_t fromX = placedX + crop.left;
        bool inside = row && placedX >= 0 && placedX < p.width && fromX >= 0 &&
                      fromX < crop.size.width;
        *out++ = normalized(inside ? row[size_t(fromX) * channels + size_t(c)]
                                   : Sample(0));
      }
    }
  }
}
} // namespace

static Crop findCrop(const vit_image &image, const vit_preprocessing &p,
                     Size size) {
  Crop crop = {size};
  if (p.center_crop) {
    crop.top = cropOffset(size.height, p.height, p.center_crop);
    crop.left = cropOffset(size.width, p.width, p.center_crop);
  } else if (size.height != p.height || size.width != p.width) {
    bool isResized = size.width != image.width || size.height != image.height;
    invalid(
        "the picture is " + sizeText(image.width, image.height) +
        " pixels, the model takes " + sizeText(p.width, p.height) +
        (isResized
             ? ", and its preprocessing resizes to " +
                   sizeText(size.width, size.height) + " without a crop"
             : ", and its preprocessing neither resizes nor crops to that"));
  }
  return crop;
}

/// The part of the resized picture that the tensor is taken from.
static Region visiblePart(const Crop &crop, const vit_preprocessing &p) {
  int32_t left = std::max(crop.left, 0), top = std::max(crop.top, 0);
  return {left, top, std::min(crop.left + p.width, crop.size.width) - left,
          std::min(crop.top + p.height, crop.size.height) - top};
}

void vit::data::preprocess(const vit_image &image, const vit_preprocessing &p,
                           float *out, const Placement &placement) {
  vit_image current = image;
  Picture converted, resized;
  if (current.channels != p.channels) {
    converted = convertChannels(current, p.channels);
    current = converted.view();
  }
  Size size = resizedSize(current, p);
  Crop crop = findCrop(image, p, size);
  bool isSame = size.width == current.width && size.height == current.height;
  if (!isSame && (p.interpolation & format::kUnrounded)) {
    std::vector<float> values = resizeUnrounded(
        current, size.width, size.height, format::filterOf(p.interpolation));
    return fillTensor(values.data(), crop, p, placement, out);
  }
  if (!isSame) {
    Region part = visiblePart(crop, p);
    resized = resize(current, size.width, size.height,
                     format::filterOf(p.interpolation), part);
    current = resized.view();
    crop = {
        {part.width, part.height}, crop.top - part.top, crop.left - part.left};
  }
  fillTensor(current.pixels, crop, p, placement, out);
}

extern "C" vit_status
vit_image_preprocess(const vit_image *image,
                     const vit_preprocessing *preprocessing, float *out,
                     vit_error *error) {
  return guarded(error, [&] {
    checkImage(image);
    checkPreprocessing(preprocessing);
    if (!out)
      invalid("vit_image_preprocess needs somewhere to put the tensor");
    preprocess(*image, *preprocessing, out);
  });
}

extern "C" vit_status
vit_data_load_pictures(const char *const *paths, int64_t count,
                       const vit_preprocessing *preprocessing,
                       vit_tensor *out_tensor, vit_error *error) {
  return guarded(error, [&] {
    checkPreprocessing(preprocessing);
    if (!paths || count < 1 || !out_tensor)
      invalid("vit_data_load_pictures needs at least one path and somewhere to "
              "put the tensor");
    const vit_preprocessing &p = *preprocessing;
    size_t elements = elementsOf(p);
    size_t bytes = multiply(multiply(elements, sizeof(float), "the batch"),
                            size_t(count), "the batch");
    Buffer<uint8_t> memory = allocate(bytes);
    float *out = reinterpret_cast<float *>(memory.get());
    for (int64_t i = 0; i < count; ++i) {
      if (!paths[i])
        invalid("a path is NULL");
      std::vector<uint8_t> file = readFile(paths[i]);
      Picture picture = decodePicture({file.data(), file.size()}, paths[i],
                                      VIT_IMAGE_MAX_PIXELS);
      if (p.apply_exif_orientation)
        picture = applyOrientation(std::move(picture));
      named(paths[i],
            [&] { preprocess(picture.view(), p, out + size_t(i) * elements); });
    }
    *out_tensor =
        vit_tensor{nullptr, memory.release(), bytes, VIT_F32, 4, {}, VIT_HOST};
    out_tensor->dims[0] = count;
    out_tensor->dims[1] = p.channels;
    out_tensor->dims[2] = p.height;
    out_tensor->dims[3] = p.width;
  });
}

extern "C" vit_status
vit_data_load_picture(const char *path, const vit_preprocessing *preprocessing,
                      vit_tensor *out_tensor, vit_error *error) {
  return vit_data_load_pictures(&path, 1, preprocessing, out_tensor, error);
}

extern "C" void vit_tensor_release(vit_tensor *tensor) {
  if (!tensor)
    return;
  std::free(tensor->data);
  *tensor = vit_tensor{};
}

/// `largest` is the largest logit, `sum` the sum of the exponentials of all
/// less `largest`.
static float score(vit_score_function function, double logit, double largest,
                   double sum) {
  switch (function) {
  case VIT_SOFTMAX:
    return float(std::exp(logit - largest) / sum);
  case VIT_SIGMOID:
    return float(1 / (1 + std::exp(-logit)));
  case VIT_NO_FUNCTION:
    return float(logit);
  }
  invalid("there is no score function " + std::to_string(int(function)));
}

static void findTop(const float *logits, int64_t count, int32_t k,
                    vit_score_function function, int32_t *out_indices,
                    float *out_scores) {
  if (!logits || count < 1 || count > INT32_MAX)
    invalid("the top classes are those of at least one logit");
  if (k < 1 || k > count)
    invalid("cannot take the top " + std::to_string(k) + " of " +
            std::to_string(count) + " classes");
  for (int64_t i = 0; i < count; ++i)
    if (!std::isfinite(logits[i]))
      invalid("logit " + std::to_string(i) +
              " is not a finite number: check the weights and the input");
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(
      order.begin(), order.begin() + k, order.end(), [&](int32_t a, int32_t b) {
        return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
      });
  double largest = logits[order[0]], sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += std::exp(logits[i] - largest);
  for (int32_t i = 0; i < k; ++i) {
    if (out_indices)
      out_indices[i] = order[size_t(i)];
    if (out_scores)
      out_scores[i] = score(function, logits[order[size_t(i)]], largest, sum);
  }
}

extern "C" vit_status vit_data_top_k(const float *logits, int64_t count,
                                     int32_t k, int32_t *out_indices,
                                     float *out_probabilities,
                                     vit_error *error) {
  return guarded(error, [&] {
    findTop(logits, count, k, VIT_SOFTMAX, out_indices, out_probabilities);
  });
}

extern "C" vit_status vit_data_top_scores(const float *logits, int64_t count,
                                          int32_t k,
                                          vit_score_function function,
                                          int32_t *out_indices,
                                          float *out_scores, vit_error *error) {
  return guarded(error, [&] {
    findTop(logits, count, k, function, out_indices, out_scores);
  });
}
