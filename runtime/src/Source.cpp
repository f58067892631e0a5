//===- Source.cpp - Where parameters come from ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Source.h"

#include "format/Initializer.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

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
  entry.header = create<WeightFile>(module.allocator);
  if (!entry.file || !entry.header)
    return outOfMemory(error, sizeof(MappedFile), "weight files");
  vit_status status = entry.file->open(path, "weight file", error);
  entry.file->guard();
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
  return files[p.file()].header->stored().find(p.stored_name()->c_str());
}

/// Whether both shapes are those of the same elements: leading ones, as in
/// [1, 65, 192] and [65, 192], make no difference, as in the compiler.
static bool sameElements(const StoredTensor &tensor, const Dims &dims) {
  int32_t i = 0, rank = tensor.rank;
  uint32_t j = 0, wanted = dims.size();
  while (i < rank && tensor.dims[i] == 1)
    ++i;
  while (j < wanted && dims.Get(j) == 1)
    ++j;
  if (rank - i != int32_t(wanted - j))
    return false;
  for (; i < rank; ++i, ++j)
    if (tensor.dims[i] != dims.Get(j))
      return false;
  return true;
}

/// Appends formatted text; what does not fit is cut.
__attribute__((format(printf, 3, 4))) static void
append(char *text, size_t size, const char *format, ...) {
  size_t used = std::strlen(text);
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text + used, size - used, format, arguments);
  va_end(arguments);
}

template <typename Get>
static void appendShape(char *text, size_t size, uint32_t rank, Get get) {
  append(text, size, "[");
  for (uint32_t i = 0; i < rank; ++i)
    append(text, size, i ? ", %lld" : "%lld", lld(get(i)));
  append(text, size, "]");
}

bool Sources::describeProblem(const schema::Parameter &p, char *text,
                              size_t size) const {
  const StoredTensor *tensor = find(p);
  bool isOther = tensor && tensor->type != ElementType(p.dtype());
  if (tensor && !isOther && sameElements(*tensor, *p.stored_dims()))
    return false;
  append(text, size, "'%.200s' is ", p.stored_name()->c_str());
  if (!tensor) {
    append(text, size, "missing");
  } else if (isOther) {
    append(text, size, "of another type");
  } else {
    appendShape(text, size, uint32_t(tensor->rank),
                [&](uint32_t i) { return tensor->dims[i]; });
    append(text, size, " and should be ");
    appendShape(text, size, p.stored_dims()->size(),
                [&](uint32_t i) { return p.stored_dims()->Get(i); });
  }
  return true;
}

vit_status Sources::openAll(vit_error *error) {
  constexpr size_t most = 10;
  char list[800] = "";
  const char *file = "";
  size_t wrong = 0;
  for (uint32_t i = 0; i < count(module.root->parameters()); ++i) {
    const schema::Parameter &p = *module.root->parameters()->Get(i);
    if (p.source() != schema::Source::File)
      continue;
    VIT_TRY(open(p.file(), error));
    char item[400] = "";
    if (!describeProblem(p, item, sizeof item))
      continue;
    if (wrong == 0)
      file = module.root->files()->Get(p.file())->path()->c_str();
    if (wrong < most)
      append(list, sizeof list, "%s%s", wrong ? ", " : "", item);
    ++wrong;
  }
  if (wrong == 0)
    return VIT_OK;
  if (wrong > most)
    append(list, sizeof list, " and %zu more", wrong - most);
  return fail(error, VIT_CORRUPT,
              "the weights in '%s' do not fit the model (%zu tensors): %s",
              file, wrong, list);
}

vit_status Sources::openFor(const schema::Parameter &p, vit_error *error) {
  if (p.source() != schema::Source::File)
    return VIT_OK;
  VIT_TRY(open(p.file(), error));
  char text[400] = "";
  if (describeProblem(p, text, sizeof text))
    return fail(error, VIT_CORRUPT, "stored tensor %s", text);
  return VIT_OK;
}

vit_status Sources::requireWhole(vit_error *error) const {
  VIT_TRY(module.file.requireWhole(module.name.data(), false, error));
  for (uint32_t i = 0; i < files.size(); ++i)
    if (files[i].file)
      VIT_TRY(files[i].file->requireWhole(
          module.root->files()->Get(i)->path()->c_str(), false, error));
  return VIT_OK;
}

const void *Sources::view(const schema::Parameter &p, ElementType &type) const {
  type = ElementType(p.dtype());
  if (p.source() == schema::Source::Inline)
    return module.segments + p.data()->offset();
  if (p.source() != schema::Source::File)
    return nullptr;
  const StoredTensor *tensor = find(p);
  uint64_t rows = p.stored_end() - p.stored_begin(); // Not 0: it is checked.
  uint64_t row = rows ? uint64_t(elements(*p.dims())) * sizeOf(type) / rows : 0;
  return tensor->data(files[p.file()].file->data()) + row * p.stored_begin();
}

void Sources::forget(const schema::Parameter &p) const {
  bool isMapped = p.source() == schema::Source::Inline
                      ? module.file.isOpen()
                      : p.source() == schema::Source::File && !find(p)->copy;
  ElementType type;
  if (!isMapped)
    return;
  const void *data = view(p, type);
  forgetPages(data, uint64_t(elements(*p.dims())) * sizeOf(type));
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
