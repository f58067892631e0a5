//===- ImageTest.cpp - Decoding pictures ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cstring>
#include <random>
#include <zlib.h>

using namespace vit;
using namespace vit::test;
using data::Image;

static vit_image_options makeOptions(int32_t channels, bool orient = false,
                                     uint64_t maxPixels = 0) {
  return {sizeof(vit_image_options), channels, orient, maxPixels};
}

static vit_status loadMemory(const std::string &bytes, vit_error *error,
                             const vit_image_options *options = nullptr) {
  vit_image image = {};
  vit_status status = vit_image_load_memory(bytes.data(), bytes.size(), "FILE",
                                            options, &image, error);
  EXPECT_EQ(status == VIT_OK, image.pixels != nullptr);
  vit_image_release(&image);
  return status;
}

static std::vector<std::string> pictureNames() {
  data::Weights expected(dataPath("images/expected.safetensors"));
  std::vector<std::string> names;
  for (int64_t i = 0; i < expected.count(); ++i) {
    std::string name = expected.info(i).name;
    if (name.find('/') == std::string::npos &&
        name.find(".exif") == std::string::npos)
      names.push_back(name);
  }
  return names;
}

/// The largest difference from Pillow's result.
static int difference(const Image &image, const std::string &name) {
  data::Weights expected(dataPath("images/expected.safetensors"));
  int64_t index = expected.find(name);
  EXPECT_GE(index, 0) << name;
  vit_weight_info info = expected.info(index);
  EXPECT_EQ(image.height(), info.dims[0]) << name;
  EXPECT_EQ(image.width(), info.dims[1]) << name;
  if (image.height() != info.dims[0] || image.width() != info.dims[1])
    return 256;
  const uint8_t *pixels = static_cast<const uint8_t *>(info.data);
  int largest = 0;
  for (size_t i = 0; i < info.size; ++i)
    largest = std::max(largest, std::abs(image.pixels()[i] - pixels[i]));
  return largest;
}

static int tolerance(const std::string &name) {
  return name.find(".jpg") != std::string::npos ? 3 : 0;
}

TEST(Image, EveryFormatAsPillow) {
  std::vector<std::string> names = pictureNames();
  EXPECT_GE(names.size(), 35u);
  for (const std::string &name : names) {
    Image image = Image::load(dataPath("images/" + name));
    EXPECT_EQ(image.channels(), 3);
    EXPECT_LE(difference(image, name), tolerance(name)) << name;
  }
}

TEST(Image, OrientationIsAppliedWhenAskedFor) {
  vit_image_options options = makeOptions(3, true);
  for (const char *name : {"exif6.jpg", "exif8.png"}) {
    Image image = Image::load(dataPath("images/") + name, &options);
    EXPECT_LE(difference(image, std::string(name) + ".exif"), tolerance(name));
  }
}

/// Each orientation, followed by its inverse, gives the original picture.
TEST(Image, OrientationsAreThoseOfExif) {
  std::string jpeg = readAll(dataPath("images/exif6.jpg"));
  size_t tag = jpeg.find(std::string("\x01\x12\0\x03", 4));
  ASSERT_NE(tag, std::string::npos) << "Pillow writes EXIF big endian";
  Image stored = Image::load(dataPath("images/exif6.jpg"));
  int32_t w = stored.width(), h = stored.height();
  auto at = [&](int32_t x, int32_t y) {
    return stored.pixels() + 3 * (size_t(y) * w + x);
  };
  for (int orientation = 0; orientation <= 9; ++orientation) {
    std::string turned = jpeg;
    turned[tag + 9] = char(orientation);
    vit_image_options options = makeOptions(3, true);
    vit_image raw = {};
    data::call(vit_image_load_memory, turned.data(), turned.size(), "FILE",
               &options, &raw);
    Image image(raw);
    // The stored pixel that must be in the upper left corner.
    const uint8_t *corner = nullptr;
    switch (orientation) {
    case 2:
      corner = at(w - 1, 0);
      break;
    case 3:
      corner = at(w - 1, h - 1);
      break;
    case 4:
      corner = at(0, h - 1);
      break;
    case 6:
      corner = at(0, h - 1);
      break;
    case 7:
      corner = at(w - 1, h - 1);
      break;
    case 8:
      corner = at(w - 1, 0);
      break;
    default:
      corner = at(0, 0);
      break;
    }
    EXPECT_EQ(std::memcmp(image.pixels(), corner, 3), 0) << orientation;
    bool transposed = orientation >= 5 && orientation <= 8;
    EXPECT_EQ(image.width(), transposed ? h : w) << orientation;
    EXPECT_EQ(image.height(), transposed ? w : h) << orientation;
  }
}

TEST(Image, GreyIsPillowsLuma) {
  vit_image_options grey = makeOptions(1);
  Image colored = Image::load(dataPath("images/rgb8.png"));
  Image image = Image::load(dataPath("images/rgb8.png"), &grey);
  ASSERT_EQ(image.channels(), 1);
  for (int i = 0; i < image.width() * image.height(); ++i) {
    const uint8_t *c = colored.pixels() + 3 * i;
    EXPECT_EQ(image.pixels()[i],
              (c[0] * 19595 + c[1] * 38470 + c[2] * 7471 + 32768) / 65536);
  }
}

TEST(Image, EveryTruncationIsAnError) {
  for (const std::string &name : pictureNames()) {
    std::string whole = readAll(dataPath("images/" + name));
    for (size_t length = 0; length < whole.size();
         length += length < 200 ? 1 : 7) {
      vit_error error = {};
      vit_status status = loadMemory(whole.substr(0, length), &error);
      EXPECT_TRUE(status == VIT_CORRUPT || status == VIT_UNSUPPORTED)
          << name << " cut to " << length << ": " << vit_status(status);
      EXPECT_NE(std::string(error.message).find("FILE"), std::string::npos)
          << error.message;
    }
  }
}

TEST(Image, FlippedBitsInPngAreFound) {
  // Checksums cover every bit of the critical chunks of a PNG.
  std::string whole = readAll(dataPath("images/rgb8.png"));
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = char(flipped[at] ^ (1 << at % 8));
    vit_error error = {};
    EXPECT_NE(loadMemory(flipped, &error), VIT_OK) << at;
  }
}

TEST(Image, FlippedBitsNeverDoHarm) {
  std::mt19937 random(7);
  for (const std::string &name : pictureNames()) {
    std::string whole = readAll(dataPath("images/" + name));
    for (int round = 0; round < 100; ++round) {
      std::string flipped = whole;
      for (int flips = 0; flips < 3; ++flips)
        flipped[random() % flipped.size()] ^= char(1 << random() % 8);
      vit_image_options options = makeOptions(3, true, 1 << 20);
      vit_error error = {};
      vit_status status = loadMemory(flipped, &error, &options);
      EXPECT_NE(status, VIT_INTERNAL) << name << ": " << error.message;
    }
  }
}

TEST(Image, BombsAreRefusedBeforeAllocation) {
  // 60000 x 60000 pixels in a few bytes.
  std::string ppm = "P6 60000 60000 255\n";
  expectFailure(VIT_UNSUPPORTED, "60000 x 60000",
                [&](vit_error *error) { return loadMemory(ppm, error); });
  // Within the limit on pixels, but too large for the file.
  for (const char *name : {"rgb.ppm", "rgb24.bmp"}) {
    std::string file = readAll(dataPath(std::string("images/") + name));
    if (file[0] == 'P')
      file = "P6 10000 10000 255\n" + file;
    else
      file.replace(18, 8, little(10000, 4) + little(10000, 4));
    expectFailure(VIT_CORRUPT, "truncated",
                  [&](vit_error *error) { return loadMemory(file, error); });
  }
  // The height in a JPEG's frame header, and the limit in the options.
  std::string jpeg = readAll(dataPath("images/420.jpg"));
  size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  std::string tall = jpeg;
  tall.replace(frame + 5, 4, "\x2e\xe0\x2e\xe0"); // 12000 x 12000
  expectFailure(VIT_CORRUPT, "truncated",
                [&](vit_error *error) { return loadMemory(tall, error); });
  vit_image_options limited = makeOptions(3, false, 50);
  expectFailure(VIT_UNSUPPORTED, "limit of 50", [&](vit_error *error) {
    return loadMemory(jpeg, error, &limited);
  });
}

static std::string pngChunk(const std::string &type, const std::string &data) {
  std::string body = type + data;
  auto *bytes = reinterpret_cast<const Bytef *>(body.data());
  return big(uint32_t(data.size())) + body +
         big(uint32_t(crc32(0, bytes, uInt(body.size()))));
}

static std::string deflated(const std::string &data) {
  std::string result(compressBound(data.size()), 0);
  uLongf size = result.size();
  EXPECT_EQ(compress(reinterpret_cast<Bytef *>(result.data()), &size,
                     reinterpret_cast<const Bytef *>(data.data()), data.size()),
            Z_OK);
  result.resize(size);
  return result;
}

/// A picture of one row of samples of 16 bits, grey or colour.
static std::string deepPng(const std::vector<uint16_t> &samples,
                           bool isColour = false) {
  std::string row(1, '\0');
  for (uint16_t sample : samples)
    row += {char(sample >> 8), char(sample)};
  return "\x89PNG\r\n\x1a\n" +
         pngChunk("IHDR",
                  big(uint32_t(samples.size() / (isColour ? 3 : 1))) + big(1) +
                      std::string{16, char(isColour ? 2 : 0), 0, 0, 0}) +
         pngChunk("IDAT", deflated(row)) + pngChunk("IEND", "");
}

static std::string deepPgm(const std::string &samples, int largest) {
  return "P5 2 1 " + std::to_string(largest) + "\n" + samples;
}

TEST(Image, TwelveBitsInSixteenAreReported) {
  const std::string dark("\x0f\xff\0\0", 4), light("\x10\0\0\0", 4);
  const std::string twelve = "FILE: a picture of 16 bits whose largest value "
                             "is 4095: 65535 is white, so that it is nearly "
                             "black; if its values have 12 bits, multiply "
                             "them by 16 in the file";
  const std::pair<std::string, std::string> cases[] = {
      {deepPng({4095, 7}), twelve},
      {deepPng({4095, 0, 9}, /*isColour=*/true), twelve},
      {deepPgm(dark, 65535), twelve},
      {deepPng({4096, 7}), ""},
      {deepPgm(light, 65535), ""},
      {deepPng({0, 0}), ""},
      {deepPgm(dark, 4095), ""}};
  std::string told;
  vit_image_set_warning(
      [](void *context, const char *text) {
        *static_cast<std::string *>(context) += text;
      },
      &told);
  for (const auto &[file, expected] : cases) {
    told.clear();
    EXPECT_EQ(loadMemory(file, nullptr), VIT_OK);
    EXPECT_EQ(told, expected);
  }
  vit_image_set_warning(nullptr, nullptr);
  EXPECT_EQ(loadMemory(cases[0].first, nullptr), VIT_OK);
}

TEST(Image, HugeChunksOfPngAreNotKept) {
  std::string whole = readAll(dataPath("images/rgb8.png"));
  const size_t afterHeader = 8 + 25; // The signature and the chunk IHDR.
  Image expected = Image::load(dataPath("images/rgb8.png"));
  auto with = [&](const std::string &chunk) {
    return whole.substr(0, afterHeader) + chunk + whole.substr(afterHeader);
  };
  // Text and colour profiles do not matter here, whatever their size: 9 MB,
  // as they are and compressed to some kilobytes.
  std::string zeros(9'000'000, 0);
  for (const std::string &chunk :
       {pngChunk("tEXt", "Comment" + zeros),
        pngChunk("zTXt", std::string("Comment\0\0", 9) + deflated(zeros)),
        pngChunk("iCCP", std::string("Profile\0\0", 9) + deflated(zeros))}) {
    std::string file = with(chunk);
    vit_image image = {};
    vit_error error = {};
    ASSERT_EQ(vit_image_load_memory(file.data(), file.size(), "FILE", nullptr,
                                    &image, &error),
              VIT_OK)
        << error.message;
    EXPECT_EQ(std::memcmp(image.pixels, expected.pixels(),
                          size_t(image.width) * image.height * image.channels),
              0);
    vit_image_release(&image);
  }
  // A chunk that says to be larger than its file.
  for (uint32_t length : {0x7fffffffu, 0xffffffffu})
    expectFailure(VIT_CORRUPT, "FILE", [&](vit_error *error) {
      return loadMemory(with(big(length) + "tEXtComment"), error);
    });
}

TEST(Image, OtherFormatsAreNamed) {
  const std::pair<std::string, const char *> formats[] = {
      {"GIF89a......", "GIF"},
      {std::string("II*\0........", 12), "TIFF"},
      {"RIFF....WEBPVP8 ", "WebP"},
      {"P3 1 1 255\n1 2 3\n", "P3"},
      {"hello, world", "not a PNG, JPEG, BMP or PPM"}};
  for (const auto &format : formats)
    expectFailure(VIT_UNSUPPORTED, format.second, [&](vit_error *error) {
      return loadMemory(format.first, error);
    });
  std::string rle = readAll(dataPath("images/grey8.bmp"));
  rle[30] = 1;
  expectFailure(VIT_UNSUPPORTED, "compressed",
                [&](vit_error *error) { return loadMemory(rle, error); });
  expectFailure(VIT_CORRUPT, "empty",
                [&](vit_error *error) { return loadMemory("", error); });
}

TEST(Image, FilesThatAreNotThere) {
  vit_image image = {};
  expectFailure(VIT_NOT_FOUND, "/no/such.png", [&](vit_error *error) {
    return vit_image_load("/no/such.png", nullptr, &image, error);
  });
  expectFailure(VIT_IO_ERROR, "folder", [&](vit_error *error) {
    return vit_image_load("/", nullptr, &image, error);
  });
  expectFailure(VIT_INVALID_ARGUMENT, "path", [&](vit_error *error) {
    return vit_image_load(nullptr, nullptr, &image, error);
  });
  EXPECT_EQ(image.pixels, nullptr);
}

TEST(Image, PngRoundTrip) {
  TemporaryFolder folder;
  std::string path = folder.path + "/out.png";
  vit_image_options grey = makeOptions(1);
  for (const vit_image_options *options :
       {static_cast<const vit_image_options *>(nullptr),
        static_cast<const vit_image_options *>(&grey)}) {
    Image image = Image::load(dataPath("images/rgb8.png"), options);
    image.savePng(path);
    Image again = Image::load(path, options);
    ASSERT_EQ(again.width(), image.width());
    ASSERT_EQ(again.height(), image.height());
    EXPECT_EQ(
        std::memcmp(image.pixels(), again.pixels(),
                    size_t(image.width()) * image.height() * image.channels()),
        0);
  }
  EXPECT_EQ(folder.list(), std::vector<std::string>{"out.png"});
}

TEST(Image, UnwritableOutputLeavesNothing) {
  Image image = Image::load(dataPath("images/rgb8.png"));
  TemporaryFolder folder;
  expectFailure(VIT_IO_ERROR, "cannot write", [&](vit_error *error) {
    return vit_image_save_png(image.get(),
                              (folder.path + "/none/out.png").c_str(), error);
  });
  expectFailure(VIT_IO_ERROR, "cannot write", [&](vit_error *error) {
    return vit_image_save_png(image.get(), folder.path.c_str(), error);
  });
  expectFailure(VIT_IO_ERROR, "/dev/full", [&](vit_error *error) {
    return vit_image_save_png(image.get(), "/dev/full", error);
  });
  EXPECT_TRUE(folder.list().empty());
}
