//===- Source.cpp - Where parameters come from ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Source.h"

#include "format/Initializer.h"

#include <cstdio>

namespace vit::runtime {

Sources::~Sources() {
  for (File &file : files) {
    destroy(module.allocator, file.header);
    destroy(module.allocator, file.file);
  }
}

vit_status Sources::open(uint32_t index, vit_error *error) {
  if (files.size() == 0 &&
      !files.allocate(module.allocator, count(module.root->files())))
    return outOfMemory(error, count(module.root->files()) * sizeof(File),
                       "weight files");
  File &entry = files[index];
  if (entry.file)
    return VIT_OK;
  const schema::File &described = *module.root->files()->Get(index);
  char path[8192];
  int length = std::snprintf(
      path, sizeof path, "%s%s",
      described.path()->c_str()[0] == '/' ? "" : module.directory.data(),
      described.path()->c_str());
  if (length >= int(sizeof path))
    return fail(error, VIT_INVALID_ARGUMENT,
                "the path of weight file '%s' is "
                "too long",
                described.path()->c_str());
  entry.file = create<MappedFile>(module.allocator);
  entry.header = create<Safetensors>(module.allocator);
  if (!entry.file || !entry.header)
    return outOfMemory(error, sizeof(MappedFile), "weight files");
  vit_status status = entry.file->open(path, "weight file", error);
  if (status == VIT_OK && entry.file->size() != described.size())
    status =
        fail(error, VIT_CORRUPT,
             "weight file '%s' has %llu bytes; the module was made for one "
             "with %llu: compile the model again",
             path, llu(entry.file->size()), llu(described.size()));
  if (status == VIT_OK)
    status = entry.header->read(entry.file->data(), entry.file->size(), path,
                                module.allocator, error);
  return status;
}

const StoredTensor *Sources::find(const schema::Parameter &p) const {
  return files[p.file()].header->find(p.stored_name()->c_str());
}

const char *Sources::problem(const schema::Parameter &p) const {
  const StoredTensor *tensor = find(p);
  if (!tensor)
    return "missing";
  if (tensor->type != ElementType(p.dtype()))
    return "of another type";
  const Dims &dims = *p.stored_dims();
  bool same = tensor->rank == int32_t(dims.size());
  for (uint32_t i = 0; same && i < dims.size(); ++i)
    same = tensor->dims[i] == dims.Get(i);
  return same ? nullptr : "of another shape";
}

vit_status Sources::openAll(vit_error *error) {
  char list[800] = "";
  size_t used = 0, wrong = 0;
  for (uint32_t i = 0; i < count(module.root->parameters()); ++i) {
    const schema::Parameter &p = *module.root->parameters()->Get(i);
    if (p.source() != schema::Source::File)
      continue;
    VIT_TRY(open(p.file(), error));
    const char *reason = problem(p);
    if (!reason)
      continue;
    ++wrong;
    char item[300];
    int length =
        std::snprintf(item, sizeof item, "%s'%.200s' is %s", used ? ", " : "",
                      p.stored_name()->c_str(), reason);
    if (used + size_t(length) < sizeof list - 8) {
      std::memcpy(list + used, item, size_t(length) + 1);
      used += size_t(length);
    } else if (list[used] == 0 && used + 5 < sizeof list &&
               std::strcmp(list + used - 3, "...") != 0) {
      std::memcpy(list + used, ", ...", 6);
      used += 5;
    }
  }
  if (wrong == 0)
    return VIT_OK;
  return fail(error, VIT_CORRUPT,
              "the weights do not fit '%s' (%zu tensors): %s",
              module.name.data(), wrong, list);
}

vit_status Sources::openFor(const schema::Parameter &p, vit_error *error) {
  if (p.source() != schema::Source::File)
    return VIT_OK;
  VIT_TRY(open(p.file(), error));
  if (const char *reason = problem(p))
    return fail(error, VIT_CORRUPT, "stored tensor '%s' is %s",
                p.stored_name()->c_str(), reason);
  return VIT_OK;
}

const void *Sources::view(const schema::Parameter &p, ElementType &type) const {
  type = ElementType(p.dtype());
  if (p.source() == schema::Source::Inline)
    return module.segments + p.data()->offset();
  if (p.source() != schema::Source::File)
    return nullptr;
  const StoredTensor *tensor = find(p);
  uint64_t row =
      (tensor->end - tensor->begin) / uint64_t(p.stored_dims()->Get(0));
  return files[p.file()].file->data() + tensor->begin + row * p.stored_begin();
}

void Sources::read(const schema::Parameter &p, float *target, int64_t begin,
                   int64_t count) const {
  ElementType type;
  if (const void *stored = view(p, type)) {
    widen(target,
          static_cast<const unsigned char *>(stored) +
              uint64_t(begin) * sizeOf(type),
          type, count);
    return;
  }
  int64_t dims[VIT_MAX_RANK];
  for (uint32_t i = 0; i < p.dims()->size(); ++i)
    dims[i] = p.dims()->Get(i);
  initialize(target, begin, count, Initializer(p.distribution()), p.value(),
             dims, int(p.dims()->size()), module.seed, p.name()->c_str());
}

} // namespace vit::runtime
