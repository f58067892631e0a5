//===- Weights.cpp - Opening, reading and writing weights -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FolderParts.h"
#include "Json.h"
#include "Tensor.h"
#include "format/Alignment.h"
#include "format/WeightFile.h"
#include "format/WeightNames.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

using namespace vit;
using namespace vit::data;

struct vit_weights {
  struct File {
    explicit File(const std::string &path) : memory(path) {}
    MappedFile memory;
    format::WeightFile header;
  };
  struct Entry {
    const File *file;
    const format::StoredTensor *tensor;
  };
  std::vector<std::unique_ptr<File>> files;
  std::vector<Entry> entries;
  std::unordered_map<std::string, int64_t> indices;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> notes;
};

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

static void addFile(vit_weights &weights, const std::string &path) {
  auto file = std::make_unique<vit_weights::File>(path);
  Bytes bytes = file->memory.bytes();
  vit_error error;
  check(file->header.read(bytes.data, bytes.size, path.c_str(),
                          format::Allocator(), &error),
        error);
  file->memory.requireWhole();
  const format::StoredTensors &stored = file->header.stored();
  for (const format::StoredTensor &tensor : stored.tensors()) {
    int64_t index = int64_t(weights.entries.size());
    if (!weights.indices.emplace(tensor.name, index).second)
      corrupt("cannot read " + path + ": tensor " + tensor.name +
              " is in another file of the set too");
    weights.entries.push_back({file.get(), &tensor});
  }
  for (const format::StoredText &text : stored.metadata())
    weights.metadata.emplace(text.key, text.value);
  if (const char *note = file->header.note())
    weights.notes.push_back(path + ": " + note);
  else if (std::string key(format::wantedWeightsKey());
           !key.empty() && weights.notes.empty())
    weights.notes.push_back(path + ": it holds one set of weights, so that \"" +
                            key + "\" is not looked for");
  weights.files.push_back(std::move(file));
}

/// Shards must be in the folder of their index.
static bool isPlainName(const std::string &name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

static void addIndex(vit_weights &weights, const std::string &path) {
  Json index;
  std::map<std::string, std::string> fileOf;
  std::set<std::string> files;
  named("cannot read " + path, [&] {
    index = parseObject(readTextFile(path));
    const Json *map = JsonObject(index).find("weight_map");
    if (!map || !map->is_object())
      corrupt("weight_map is missing");
    for (const auto &[name, file] : map->items()) {
      if (!file.is_string() || !isPlainName(file.get<std::string>()))
        corrupt("weight_map." + name +
                " must be the name of a file in the same folder");
      fileOf[name] = file.get<std::string>();
      files.insert(fileOf[name]);
    }
  });
  size_t slash = path.rfind('/');
  std::string folder =
      slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::vector<std::string> absent;
  for (const std::string &file : files)
    if (!isFile(folder + file))
      absent.push_back(file);
  if (!absent.empty())
    fail(VIT_NOT_FOUND, "cannot read " + path + ": of the " +
                            std::to_string(files.size()) +
                            " files that it names, these are not beside it: " +
                            listNames(absent) + "; download them");
  for (const std::string &file : files)
    addFile(weights, folder + file);

  std::string missing;
  for (const auto &[name, file] : fileOf) {
    auto found = weights.indices.find(name);
    if (found == weights.indices.end() ||
        weights.entries[size_t(found->second)].file->memory.path() !=
            folder + file)
      missing += (missing.empty() ? "" : ", ") + name;
  }
  if (!missing.empty())
    corrupt("cannot read " + path +
            ": not in the files that weight_map says: " + missing);
}

static std::string findInFolder(const std::string &folder) {
  std::string names;
  for (const char *name : format::kWeightFiles) {
    std::string path = joinPath(folder, name);
    if (isFile(path))
      return path;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  fail(VIT_NOT_FOUND, "the folder " + folder + " holds none of " + names);
}

extern "C" vit_status vit_weights_open(const char *path,
                                       vit_weights **out_weights,
                                       vit_error *error) {
  return guarded(error, [&] {
    if (!path || !out_weights)
      invalid("vit_weights_open needs a path and somewhere to put the weights");
    std::string file = isFolder(path) ? findInFolder(path) : path;
    auto weights = std::make_unique<vit_weights>();
    constexpr std::string_view suffix = ".json";
    if (file.size() > suffix.size() &&
        file.compare(file.size() - suffix.size(), suffix.size(), suffix) == 0)
      addIndex(*weights, file);
    else
      addFile(*weights, file);
    *out_weights = weights.release();
  });
}

extern "C" void vit_weights_release(vit_weights *weights) { delete weights; }

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

extern "C" int64_t vit_weights_count(const vit_weights *weights) {
  return weights ? int64_t(weights->entries.size()) : 0;
}

static const vit_weights::Entry &getEntry(const vit_weights *weights,
                                          int64_t index) {
  if (!weights)
    invalid("the weights are NULL");
  if (index < 0 || index >= int64_t(weights->entries.size()))
    invalid("there is no tensor " + std::to_string(index) + ": there are " +
            std::to_string(weights->entries.size()));
  return weights->entries[size_t(index)];
}

extern "C" vit_status vit_weights_info(const vit_weights *weights,
                                       int64_t index, vit_weight_info *out_info,
                                       vit_error *error) {
  return guarded(error, [&] {
    const vit_weights::Entry &entry = getEntry(weights, index);
    if (!out_info)
      invalid("vit_weights_info needs somewhere to put the description");
    const format::StoredTensor &tensor = *entry.tensor;
    vit_weight_info info = {};
    info.name = tensor.name;
    info.dtype_name = format::safetensorsName(tensor.type);
    info.dtype = format::isReadable(tensor.type) ? vit_dtype(tensor.type) : -1;
    info.rank = tensor.rank;
    std::copy(tensor.dims, tensor.dims + tensor.rank, info.dims);
    info.data = tensor.data(entry.file->memory.bytes().data);
    info.size = tensor.end - tensor.begin;
    info.file = entry.file->memory.path().c_str();
    info.file_offset = tensor.copy ? 0 : tensor.begin;
    *out_info = info;
  });
}

extern "C" int64_t vit_weights_find(const vit_weights *weights,
                                    const char *name) {
  if (!weights || !name)
    return -1;
  try {
    auto found = weights->indices.find(name);
    return found == weights->indices.end() ? -1 : found->second;
  } catch (...) {
    return -1;
  }
}

extern "C" const char *vit_weights_metadata(const vit_weights *weights,
                                            const char *key) {
  if (!weights || !key)
    return nullptr;
  try {
    auto found = weights->metadata.find(key);
    return found == weights->metadata.end() ? nullptr : found->second.c_str();
  } catch (...) {
    return nullptr;
  }
}

extern "C" const char *vit_weights_note(const vit_weights *weights,
                                        int32_t index) {
  if (!weights || index < 0 || size_t(index) >= weights->notes.size())
    return nullptr;
  return weights->notes[size_t(index)].c_str();
}

extern "C" vit_status vit_weights_check_files(const vit_weights *weights,
                                              vit_error *error) {
  return guarded(error, [&] {
    if (!weights)
      invalid("the weights are NULL");
    for (const auto &file : weights->files)
      file->memory.requireWhole();
  });
}

template <typename Result>
static vit_status readElements(const vit_weights *weights, int64_t index,
                               int64_t first, int64_t count, Result *out,
                               vit_error *error) {
  return guarded(error, [&] {
    const vit_weights::Entry &entry = getEntry(weights, index);
    const format::StoredTensor &tensor = *entry.tensor;
    std::string name = tensor.name;
    if (!format::isReadable(tensor.type))
      unsupported("tensor " + name + " is of type " +
                  format::safetensorsName(tensor.type) +
                  ", which vit does not read");
    size_t size = format::sizeOf(tensor.type);
    int64_t total = int64_t((tensor.end - tensor.begin) / size);
    if (first < 0 || count < 0 || first > total || count > total - first)
      invalid("tensor " + name + " has " + std::to_string(total) +
              " elements; asked for " + std::to_string(count) + " from " +
              std::to_string(first) + " on");
    if (count == 0)
      return;
    if (!out)
      invalid("reading tensor " + name +
              " needs somewhere to put the elements");
    format::widen(out,
                  tensor.data(entry.file->memory.bytes().data) +
                      size_t(first) * size,
                  tensor.type, count);
    entry.file->memory.requireWhole();
  });
}

extern "C" vit_status vit_weights_read_f32(const vit_weights *weights,
                                           int64_t index, int64_t first,
                                           int64_t count, float *out,
                                           vit_error *error) {
  return readElements(weights, index, first, count, out, error);
}

extern "C" vit_status vit_weights_read_f64(const vit_weights *weights,
                                           int64_t index, int64_t first,
                                           int64_t count, double *out,
                                           vit_error *error) {
  return readElements(weights, index, first, count, out, error);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Quotes a string for JSON. Fails if it is not UTF-8.
static std::string quote(const char *text) {
  try {
    return Json(text).dump();
  } catch (const Json::exception &) {
    invalid("a name or a metadata string is not UTF-8");
  }
}

extern "C" vit_status
vit_weights_write(const char *path, const vit_tensor *tensors, int64_t count,
                  const char *const *metadata, int32_t metadata_count,
                  vit_error *error) {
  return guarded(error, [&] {
    if (!path || count < 0 || (count > 0 && !tensors) || metadata_count < 0 ||
        (metadata_count > 0 && !metadata))
      invalid("vit_weights_write needs a path and tensors");
    std::string header = "{";
    if (metadata_count > 0) {
      header += "\"__metadata__\":{";
      for (int32_t i = 0; i < metadata_count; ++i) {
        if (!metadata[2 * i] || !metadata[2 * i + 1])
          invalid("a metadata string is NULL");
        header += (i ? "," : "") + quote(metadata[2 * i]) + ":" +
                  quote(metadata[2 * i + 1]);
      }
      header += "}";
    }
    std::set<std::string> names;
    uint64_t offset = 0;
    for (int64_t t = 0; t < count; ++t) {
      const vit_tensor &tensor = tensors[t];
      size_t bytes = checkTensor(tensor);
      if (!tensor.name || !names.insert(tensor.name).second ||
          names.count("__metadata__"))
        invalid("each tensor needs a name of its own, and tensor " +
                std::to_string(t) + " has none");
      header += header.size() > 1 ? "," : "";
      header += quote(tensor.name) + ":{\"dtype\":\"" +
                format::safetensorsName(toElementType(tensor.dtype)) +
                "\",\"shape\":[";
      for (int32_t i = 0; i < tensor.rank; ++i)
        header += (i ? "," : "") + std::to_string(tensor.dims[i]);
      header += "],\"data_offsets\":[" + std::to_string(offset) + "," +
                std::to_string(offset + bytes) + "]}";
      offset += bytes;
    }
    header += "}";
    // The tensors are aligned, so that they may be mapped.
    header.resize(format::alignUp(8 + header.size(), format::kAlignment) - 8,
                  ' ');
    uint8_t length[8];
    for (int i = 0; i < 8; ++i)
      length[i] = uint8_t(uint64_t(header.size()) >> (8 * i));

    AtomicFile file(path);
    file.write(length, sizeof(length));
    file.write(header.data(), header.size());
    for (int64_t t = 0; t < count; ++t)
      file.write(tensors[t].data, checkTensor(tensors[t]));
    file.commit();
  });
}
