//===- Diagnose.cpp - What a file is that cannot be read ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Diagnose.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vit::format {

namespace {

struct Signature {
  uint16_t offset;
  const char *bytes; ///< May hold NUL bytes: `length` of them.
  uint16_t length;
  Contents contents;
};

#define VIT_BYTES(literal) literal, uint16_t(sizeof(literal) - 1)

constexpr const char *kPointer =
    "it is a Git LFS pointer, not the file itself: `git lfs pull` fetches the "
    "file";
constexpr const char *kPage =
    "it is a web page (HTML), not the file itself: download the file again "
    "(from a hub, by its \"resolve\" link, logged in if it is private)";
constexpr const char *kAnswer =
    "it is the answer of a server that did not find the file: check the name "
    "and download it again";
constexpr const char *kPickle = "it is a Python pickle, as torch.save writes";
constexpr const char *kZip =
    "it is a zip archive, of a data set (unpack it) or of torch.save";

/// The first that matches counts.
constexpr Signature signatures[] = {
    {0, VIT_BYTES("version https://git-lfs.github.com/"), {kPointer}},
    {0, VIT_BYTES("version https://hawser.github.com/"), {kPointer}},
    {0, VIT_BYTES("Entry not found"), {kAnswer}},
    {0, VIT_BYTES("Repository not found"), {kAnswer}},
    {0, VIT_BYTES("Invalid username or password"), {kAnswer}},
    {0, VIT_BYTES("\x89PNG\r\n\x1a\n"), {"it is a PNG picture", true}},
    {0, VIT_BYTES("\xff\xd8\xff"), {"it is a JPEG picture", true}},
    {0, VIT_BYTES("GIF8"), {"it is a GIF picture", true}},
    {0, VIT_BYTES("II*\0"), {"it is a TIFF picture", true}},
    {0, VIT_BYTES("MM\0*"), {"it is a TIFF picture", true}},
    {8, VIT_BYTES("WEBP"), {"it is a WebP picture", true}},
    {4, VIT_BYTES("ftypavi"), {"it is an AVIF picture", true}},
    {4, VIT_BYTES("ftyphe"), {"it is a HEIC picture", true}},
    {4, VIT_BYTES("ftypmif1"), {"it is a HEIF or AVIF picture", true}},
    {4, VIT_BYTES("ftypmsf1"), {"it is a HEIF picture", true}},
    {4, VIT_BYTES("ftyp"), {"it is a video (MPEG-4)"}},
    {4, VIT_BYTES("JXL \r\n\x87\n"), {"it is a JPEG XL picture", true}},
    {0, VIT_BYTES("\xff\x0a"), {"it is a JPEG XL picture", true}},
    {4, VIT_BYTES("jP  \r\n\x87\n"), {"it is a JPEG 2000 picture", true}},
    {0, VIT_BYTES("8BPS"), {"it is a Photoshop picture", true}},
    {128, VIT_BYTES("DICM"), {"it is a DICOM picture", true}},
    {0, VIT_BYTES("%PDF"), {"it is a PDF document"}},
    {0, VIT_BYTES("PK\3\4"), {kZip}},
    {0, VIT_BYTES("\x1f\x8b"), {"it is gzip data: unpack it"}},
    {0,
     VIT_BYTES("\xfd"
               "7zXZ"),
     {"it is xz data: unpack it"}},
    {0, VIT_BYTES("7z\xbc\xaf"), {"it is a 7z archive: unpack it"}},
    {0, VIT_BYTES("Rar!"), {"it is a rar archive: unpack it"}},
    {0, VIT_BYTES("\x28\xb5\x2f\xfd"), {"it is zstd data: unpack it"}},
    {257, VIT_BYTES("ustar"), {"it is a tar archive: unpack it"}},
    {0, VIT_BYTES("\x80\2"), {kPickle}},
    {0, VIT_BYTES("\x80\3"), {kPickle}},
    {0, VIT_BYTES("\x80\4"), {kPickle}},
    {0, VIT_BYTES("\x80\5"), {kPickle}},
    {0,
     VIT_BYTES("\x89HDF\r\n\x1a\n"),
     {"it is an HDF5 file, as TensorFlow and Keras write weights; save the "
      "model as safetensors with its own library"}},
    {0,
     VIT_BYTES("GGUF"),
     {"it is a GGUF file, of llama.cpp; vit reads the safetensors that it was "
      "made from"}},
    {0, VIT_BYTES("\x93NUMPY"), {"it is an npy array"}},
    {0, VIT_BYTES("VITMODUL"), {"it is a compiled module of vit"}},
    {0,
     VIT_BYTES("\x7f"
               "ELF"),
     {"it is a program or library"}},
    {0,
     VIT_BYTES("\xef\xbb\xbf{"),
     {"it begins with a byte order mark, which JSON does not have: save it as "
      "UTF-8 without one"}},
    {8, VIT_BYTES("{\""), {"it is a safetensors file"}},
    {8, VIT_BYTES("{ \""), {"it is a safetensors file"}}};

#undef VIT_BYTES

/// Whether the text, after spaces and a byte order mark, begins like a page.
bool isPage(const char *text, uint64_t size) {
  if (size >= 3 && std::memcmp(text, "\xef\xbb\xbf", 3) == 0)
    text += 3, size -= 3;
  while (size && std::strchr(" \t\r\n", *text) && *text)
    ++text, --size;
  for (const char *tag : {"<!doctype html", "<html", "<head", "<body"}) {
    size_t length = std::strlen(tag);
    if (size >= length && strncasecmp(text, tag, length) == 0)
      return true;
  }
  return false;
}

} // namespace

Contents recognise(const void *data, uint64_t size) {
  if (size == 0)
    return {"the file is empty"};
  const auto *bytes = static_cast<const char *>(data);
  for (const Signature &known : signatures)
    if (size >= uint64_t(known.offset) + known.length &&
        std::memcmp(bytes + known.offset, known.bytes, known.length) == 0)
      return known.contents;
  if (isPage(bytes, size))
    return {kPage};
  // ModelProto: the field ir_version, then the name of the producer.
  if (size > 4 && bytes[0] == 8 && bytes[1] > 0 && bytes[1] < 32 &&
      bytes[2] == 0x12)
    return {"it is an ONNX model; vit reads the safetensors of the model that "
            "it was exported from"};
  uint64_t first = size < 64 ? size : 64;
  for (uint64_t i = 0; i < first; ++i)
    if (bytes[i])
      return {};
  return {"it holds zeros, as a download that was broken off leaves them: "
          "download it again"};
}

const char *explainNotOpened(const char *path, int code, char *buffer,
                             size_t size) {
  struct stat status;
  char target[4096];
  ssize_t length = -1;
  if (code == ENOENT && lstat(path, &status) == 0 && S_ISLNK(status.st_mode))
    length = readlink(path, target, sizeof target - 1);
  if (length >= 0) {
    target[length] = 0;
    std::snprintf(buffer, size, "it is a link to %s, which does not exist",
                  target);
  } else {
    std::snprintf(buffer, size, "%s", std::strerror(code));
  }
  return buffer;
}

} // namespace vit::format
