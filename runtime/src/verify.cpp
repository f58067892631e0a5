//===- verify.cpp - Checks of a module before it is used ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "verify.h"

#include "extent.h"
#include "hash.h"
#include "plan.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace vit::runtime {

//===----------------------------------------------------------------------===//
// The header
//===----------------------------------------------------------------------===//

vit_status verifyHeader(const unsigned char *file, uint64_t size,
                        const char *name, FileHeader &header,
                        vit_error *error) {
  if (size < sizeof header || std::memcmp(file, kMagic, sizeof kMagic) != 0)
    return fail(error, VIT_CORRUPT,
                "'%s' is not a vit module: it does not start with 'VITMODUL'",
                name);
  std::memcpy(&header, file, sizeof header);
  if (header.formatVersion != kFormatVersion)
    return fail(error, VIT_UNSUPPORTED,
                "'%s' has module format version %u, this vit reads version %u: "
                "compile it again with this version's vit-compile",
                name, header.formatVersion, kFormatVersion);
  if (header.flags != 0)
    return fail(error, VIT_UNSUPPORTED,
                "'%s' has flags 0x%x that this version of vit does not know",
                name, header.flags);
  if (header.fileSize != size)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: it has %llu bytes and should have %llu", name,
                static_cast<unsigned long long>(size),
                static_cast<unsigned long long>(header.fileSize));
  uint64_t most = size - sizeof header;
  if (header.metadataOffset != sizeof header || header.metadataSize < 16 ||
      header.metadataSize > most || header.metadataSize > kMaxMetadataSize)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: its header gives impossible metadata", name);
  uint64_t end = sizeof header + header.metadataSize;
  uint64_t segments = alignUp(end, kPageSize);
  if (header.segmentsOffset != segments || segments > size ||
      header.segmentsSize != size - segments)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: its header gives impossible segments", name);
  for (uint64_t i = end; i < segments; ++i)
    if (file[i] != 0)
      return fail(error, VIT_CORRUPT,
                  "'%s' is damaged: bytes after the metadata are not zero",
                  name);
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// What verified metadata says
//===----------------------------------------------------------------------===//

int64_t elements(const Dims &dims, int64_t batch) {
  int64_t product = 1;
  for (int64_t dim : dims)
    product *= dim == -1 ? batch : dim;
  return product;
}

int64_t sourceElements(const schema::Module &module, uint32_t source) {
  uint32_t parameters = count(module.parameters());
  const Dims *dims = source < parameters
                         ? module.parameters()->Get(source)->dims()
                         : module.derived()->Get(source - parameters)->dims();
  if (!dims)
    __builtin_unreachable(); // The schema requires them.
  return elements(*dims);
}

static size_t elementSize(schema::DType dtype) {
  return vit_dtype_size(vit_dtype(dtype));
}

bool bindingBytes(const schema::Binding &binding, int64_t batch,
                  uint64_t &bytes) {
  bool batched = binding.dims()->Get(0) == -1;
  uint64_t one =
      uint64_t(elements(*binding.dims())) * elementSize(binding.dtype());
  return !__builtin_mul_overflow(one, uint64_t(batched ? batch : 1), &bytes) &&
         bytes <= kMaxExtent;
}

Form formOf(const schema::Derived &derived) {
  Form form;
  const Dims &dims = *derived.dims();
  form.outGroup = derived.out_group();
  form.inGroup = derived.in_group();
  switch (derived.kind()) {
  case schema::DerivedKind::Panels:
    form.kind = FormKind::Panels;
    form.cols = derived.cols();
    break;
  case schema::DerivedKind::Channels:
    form.kind = FormKind::Channels;
    form.splat = derived.splat();
    break;
  default:
    form.kind = FormKind::RowMajor;
    break;
  }
  form.width = dims.Get(dims.size() - 1);
  form.rows = elements(dims) / form.width;
  return form;
}

//===----------------------------------------------------------------------===//
// The metadata
//===----------------------------------------------------------------------===//

namespace {

struct Range {
  uint64_t begin, end;
};

class Checker {
public:
  Checker(const schema::Module &module, const unsigned char *segments,
          uint64_t segmentsSize, bool hashWeights, const char *name,
          const Allocator &allocator, vit_error *error)
      : module(module), segments(segments), segmentsSize(segmentsSize),
        hashWeights(hashWeights), name(name), allocator(allocator),
        error(error) {}

  vit_status run();

private:
  __attribute__((format(printf, 2, 3))) vit_status corrupt(const char *format,
                                                           ...);
  vit_status text(const flatbuffers::String *text, const char *what,
                  bool mayBeEmpty = false);
  vit_status dims(const Dims &dims, const char *what, bool batched);
  template <typename T>
  vit_status aligned(const flatbuffers::Vector<T> *vector, const char *what);
  vit_status segment(const schema::Segment *segment, uint64_t size,
                     uint64_t alignment, const char *what);
  vit_status hash(const schema::Segment &segment, uint64_t expected,
                  const char *what);
  vit_status unique(const char **names, size_t size, const char *what);

  vit_status parameters();
  vit_status parameter(uint32_t index);
  vit_status parameterHasForm(uint32_t index);
  vit_status derivedForms();
  vit_status derived(uint32_t index);
  vit_status resample(const schema::Derived &derived, int64_t sourceElements,
                      const char *what);
  vit_status constants();
  vit_status images();
  vit_status entries();
  vit_status bindings(
      const flatbuffers::Vector<flatbuffers::Offset<schema::Binding>> &list,
      const char *what, bool aliases);
  vit_status schedule(const schema::Entry &entry,
                      const schema::Schedule &schedule);
  vit_status command(const schema::Entry &entry,
                     const schema::Schedule &schedule, uint32_t index,
                     const uint64_t *slotSizes);
  vit_status preprocessing();
  vit_status overlaps();

  const schema::Module &module;
  const unsigned char *segments;
  uint64_t segmentsSize;
  bool hashWeights;
  const char *name;
  const Allocator &allocator;
  vit_error *error;
  Array<Range> ranges;
  size_t rangeCount = 0;
};

} // namespace

vit_status Checker::corrupt(const char *format, ...) {
  char reason[768];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return fail(error, VIT_CORRUPT, "'%s' is damaged: %s", name, reason);
}

/// Text is valid UTF-8 without control characters, so that it may go into
/// messages, paths and JSON.
static bool isText(const unsigned char *s, size_t size) {
  for (size_t i = 0; i < size;) {
    unsigned char lead = s[i];
    if (lead < 0x20 || lead == 0x7f)
      return false;
    int length = lead < 0x80             ? 1
                 : (lead & 0xe0) == 0xc0 ? 2
                 : (lead & 0xf0) == 0xe0 ? 3
                 : (lead & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (length == 0 || size - i < size_t(length))
      return false;
    uint32_t point = length == 1 ? lead : lead & (0x7f >> length);
    for (int k = 1; k < length; ++k) {
      if ((s[i + k] & 0xc0) != 0x80)
        return false;
      point = point << 6 | (s[i + k] & 0x3f);
    }
    constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[length] || point > 0x10ffff ||
        (point >= 0xd800 && point < 0xe000))
      return false;
    i += length;
  }
  return true;
}

vit_status Checker::text(const flatbuffers::String *text, const char *what,
                         bool mayBeEmpty) {
  if (!text)
    return mayBeEmpty ? VIT_OK : corrupt("%s is missing", what);
  if (text->size() == 0 && !mayBeEmpty)
    return corrupt("%s is empty", what);
  if (text->size() > 4096 ||
      !isText(reinterpret_cast<const unsigned char *>(text->data()),
              text->size()))
    return corrupt("%s is not readable text", what);
  return VIT_OK;
}

/// FlatBuffers' verifier looks at the alignment of fields, not of vectors'
/// elements.
template <typename T>
vit_status Checker::aligned(const flatbuffers::Vector<T> *vector,
                            const char *what) {
  if (vector && vector->size() != 0 &&
      reinterpret_cast<uintptr_t>(vector->Data()) % 8 != 0)
    return corrupt("numbers of %s are not aligned", what);
  return VIT_OK;
}

vit_status Checker::dims(const Dims &dims, const char *what, bool batched) {
  VIT_TRY(aligned(&dims, what));
  if (dims.size() < 1 || dims.size() > VIT_MAX_RANK)
    return corrupt("%s has rank %u, expected 1 to %d", what, dims.size(),
                   VIT_MAX_RANK);
  int64_t product = 1;
  for (uint32_t i = 0; i < dims.size(); ++i) {
    int64_t dim = dims.Get(i);
    if (batched && i == 0 && dim == -1)
      continue;
    if (dim < 1 || dim > kMaxElements / product)
      return corrupt("%s has an impossible dimension %lld", what,
                     static_cast<long long>(dim));
    product *= dim;
  }
  return VIT_OK;
}

vit_status Checker::segment(const schema::Segment *segment, uint64_t size,
                            uint64_t alignment, const char *what) {
  if (!segment || segment->size() != size)
    return corrupt(
        "%s is stored in %llu bytes, expected %llu", what,
        static_cast<unsigned long long>(segment ? segment->size() : 0),
        static_cast<unsigned long long>(size));
  if (segment->offset() % alignment != 0)
    return corrupt("%s is not stored at a multiple of %llu bytes", what,
                   static_cast<unsigned long long>(alignment));
  if (segment->offset() > segmentsSize ||
      size > segmentsSize - segment->offset())
    return corrupt("%s lies beyond the end of the file", what);
  ranges[rangeCount++] = {segment->offset(), segment->offset() + size};
  return VIT_OK;
}

vit_status Checker::hash(const schema::Segment &segment, uint64_t expected,
                         const char *what) {
  if (hash64(segments + segment.offset(), segment.size()) != expected)
    return corrupt("the hash of %s does not match its bytes", what);
  return VIT_OK;
}

vit_status Checker::unique(const char **names, size_t size, const char *what) {
  std::sort(names, names + size,
            [](const char *a, const char *b) { return std::strcmp(a, b) < 0; });
  for (size_t i = 1; i < size; ++i)
    if (std::strcmp(names[i - 1], names[i]) == 0)
      return corrupt("two %s are called '%s'", what, names[i]);
  return VIT_OK;
}

vit_status Checker::run() {
  size_t segmentsMost = size_t(count(module.parameters())) +
                        count(module.derived()) + count(module.constants()) +
                        count(module.images());
  if (!ranges.allocate(allocator, segmentsMost))
    return outOfMemory(error, segmentsMost * sizeof(Range), "checks");
  VIT_TRY(text(module.producer(), "the producer's name"));
  VIT_TRY(text(module.name(), "the module's name", true));
  for (uint32_t i = 0; i < count(module.labels()); ++i)
    VIT_TRY(text(module.labels()->Get(i), "a label", true));
  for (uint32_t i = 0; i < count(module.files()); ++i)
    VIT_TRY(text(module.files()->Get(i)->path(), "the path of a weight file"));
  VIT_TRY(preprocessing());
  VIT_TRY(parameters());
  VIT_TRY(derivedForms());
  for (uint32_t i = 0; i < count(module.parameters()); ++i)
    VIT_TRY(parameterHasForm(i));
  VIT_TRY(constants());
  VIT_TRY(images());
  VIT_TRY(entries());
  return overlaps();
}

vit_status Checker::overlaps() {
  std::sort(ranges.begin(), ranges.begin() + rangeCount,
            [](const Range &a, const Range &b) { return a.begin < b.begin; });
  for (size_t i = 1; i < rangeCount; ++i)
    if (ranges[i].begin < ranges[i - 1].end)
      return corrupt("segments overlap at offset %llu",
                     static_cast<unsigned long long>(ranges[i].begin));
  return VIT_OK;
}

vit_status Checker::preprocessing() {
  const schema::Preprocessing *p = module.preprocessing();
  if (!p)
    return VIT_OK;
  constexpr uint32_t most = 1 << 16;
  constexpr int32_t mostResize = 1 << 16;
  if (p->channels() < 1 || p->channels() > 4 || p->height() < 1 ||
      p->height() > most || p->width() < 1 || p->width() > most ||
      p->resize_height() < 0 || p->resize_height() > mostResize ||
      p->resize_width() < -mostResize || p->resize_width() > mostResize ||
      p->interpolation() > 5 || p->center_crop() > 2)
    return corrupt("the preprocessing has an impossible size or way to resize");
  if (count(p->mean()) != p->channels() || count(p->std()) != p->channels())
    return corrupt("the preprocessing has not one mean and std per channel");
  for (uint32_t i = 0; i < p->channels(); ++i)
    if (!std::isfinite(p->mean()->Get(i)) || !std::isfinite(p->std()->Get(i)) ||
        p->std()->Get(i) == 0)
      return corrupt("the preprocessing has an impossible mean or std");
  if (!std::isfinite(p->scale()))
    return corrupt("the preprocessing has an impossible scale");
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

vit_status Checker::parameters() {
  uint32_t total = count(module.parameters());
  Array<const char *> names;
  if (!names.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(char *), "checks");
  for (uint32_t i = 0; i < total; ++i) {
    VIT_TRY(parameter(i));
    names[i] = module.parameters()->Get(i)->name()->c_str();
  }
  return unique(names.data(), total, "parameters");
}

vit_status Checker::parameter(uint32_t index) {
  const schema::Parameter &p = *module.parameters()->Get(index);
  VIT_TRY(text(p.name(), "a parameter's name"));
  char what[256];
  std::snprintf(what, sizeof what, "parameter '%.200s'", p.name()->c_str());
  VIT_TRY(dims(*p.dims(), what, false));
  VIT_TRY(text(p.stored_name(), "the stored name of a parameter"));
  if (p.source() > schema::Source::MAX || p.dtype() > schema::DType::MAX)
    return corrupt("%s comes from an unknown source or type", what);
  switch (p.source()) {
  case schema::Source::Derived:
    return VIT_OK;
  case schema::Source::Init:
    if (p.distribution() > schema::Distribution::MAX ||
        !std::isfinite(p.value()))
      return corrupt("%s has an unknown initialiser", what);
    return VIT_OK;
  case schema::Source::Inline:
  case schema::Source::File:
    break;
  }
  if (p.dtype() != schema::DType::F32 && p.dtype() != schema::DType::BF16 &&
      p.dtype() != schema::DType::F16)
    return corrupt("%s is stored in a type that is not f32, bf16 or f16", what);
  if (p.source() == schema::Source::Inline) {
    VIT_TRY(segment(p.data(),
                    uint64_t(elements(*p.dims())) * elementSize(p.dtype()),
                    kSegmentAlignment, what));
    return hashWeights ? hash(*p.data(), p.hash(), what) : VIT_OK;
  }
  if (p.file() >= count(module.files()))
    return corrupt("%s lies in a file that is not listed", what);
  VIT_TRY(dims(*p.stored_dims(), what, false));
  uint64_t rows = uint64_t(p.stored_dims()->Get(0));
  if (p.stored_begin() >= p.stored_end() || p.stored_end() > rows)
    return corrupt("%s is rows %llu to %llu of a tensor with %llu", what,
                   static_cast<unsigned long long>(p.stored_begin()),
                   static_cast<unsigned long long>(p.stored_end()),
                   static_cast<unsigned long long>(rows));
  uint64_t stored = uint64_t(elements(*p.stored_dims())) / rows *
                    (p.stored_end() - p.stored_begin());
  if (stored != uint64_t(elements(*p.dims())))
    return corrupt("%s has %llu elements and %llu are stored", what,
                   static_cast<unsigned long long>(elements(*p.dims())),
                   static_cast<unsigned long long>(stored));
  return VIT_OK;
}

/// A parameter without a source of its own is read back from a stored form.
vit_status Checker::parameterHasForm(uint32_t index) {
  const schema::Parameter &p = *module.parameters()->Get(index);
  if (p.source() != schema::Source::Derived)
    return VIT_OK;
  for (uint32_t d = 0; d < count(module.derived()); ++d) {
    const schema::Derived &derived = *module.derived()->Get(d);
    if (!isInvertible(derived) || storedBytes(derived) == 0)
      continue;
    for (uint32_t source : sourcesOf(derived))
      if (source == index)
        return VIT_OK;
  }
  return corrupt("parameter '%.200s' is stored nowhere", p.name()->c_str());
}

vit_status Checker::derivedForms() {
  for (uint32_t i = 0; i < count(module.derived()); ++i)
    VIT_TRY(derived(i));
  return VIT_OK;
}

vit_status Checker::derived(uint32_t index) {
  const schema::Derived &d = *module.derived()->Get(index);
  uint32_t parameterCount = count(module.parameters());
  char what[64];
  std::snprintf(what, sizeof what, "derived form %u", index);
  if (d.kind() > schema::DerivedKind::MAX)
    return corrupt("%s is of an unknown kind", what);
  VIT_TRY(dims(*d.dims(), what, false));
  if (count(d.sources()) == 0)
    return corrupt("%s has no sources", what);
  uint64_t total = 0;
  for (uint32_t source : sourcesOf(d)) {
    // Forms may be sources of later ones.
    if (source >= uint64_t(parameterCount) + index)
      return corrupt("%s has a source %u that is not before it", what, source);
    bool isParameter = source < parameterCount;
    if (!isParameter &&
        module.derived()->Get(source - parameterCount)->kind() !=
            schema::DerivedKind::Resample &&
        module.derived()->Get(source - parameterCount)->kind() !=
            schema::DerivedKind::RowMajor)
      return corrupt("%s is made from a form that is not row-major", what);
    total += uint64_t(sourceElements(module, source));
    if (total > uint64_t(kMaxElements))
      return corrupt("%s is too large", what);
  }
  if (d.kind() == schema::DerivedKind::Resample) {
    VIT_TRY(resample(d, int64_t(total), what));
  } else {
    if (d.kind() == schema::DerivedKind::Panels && d.dims()->size() != 2)
      return corrupt("%s has panels of rank %u, expected 2", what,
                     d.dims()->size());
    Form form = formOf(d);
    if (const char *reason = checkForm(form))
      return corrupt("%s %s", what, reason);
    if (uint64_t(form.sourceElements()) != total)
      return corrupt("%s has %lld elements and its sources %llu", what,
                     static_cast<long long>(form.sourceElements()),
                     static_cast<unsigned long long>(total));
    if (d.bytes() != uint64_t(formElements(form)) * sizeof(float))
      return corrupt("%s has %llu bytes, expected %llu", what,
                     static_cast<unsigned long long>(d.bytes()),
                     static_cast<unsigned long long>(formElements(form)) * 4);
  }
  if (storedBytes(d) == 0)
    return VIT_OK;
  VIT_TRY(segment(d.data(), d.bytes(), kSegmentAlignment, what));
  return hashWeights ? hash(*d.data(), d.hash(), what) : VIT_OK;
}

vit_status Checker::resample(const schema::Derived &d, int64_t sourceElements,
                             const char *what) {
  constexpr uint32_t most = 1 << 14;
  if (d.sources()->size() != 1 || count(d.from()) != 2 || count(d.to()) != 2 ||
      d.dims()->size() != 2)
    return corrupt("%s resamples something that is not one table", what);
  for (int i = 0; i < 2; ++i)
    if (d.from()->Get(i) < 1 || d.from()->Get(i) > most || d.to()->Get(i) < 1 ||
        d.to()->Get(i) > most)
      return corrupt("%s resamples an impossible grid", what);
  int64_t width = d.dims()->Get(1);
  int64_t before = d.prefix() + int64_t(d.from()->Get(0)) * d.from()->Get(1);
  int64_t after = d.prefix() + int64_t(d.to()->Get(0)) * d.to()->Get(1);
  if (sourceElements % width != 0 || sourceElements / width != before ||
      d.dims()->Get(0) != after)
    return corrupt("%s resamples a table of another size", what);
  if (d.bytes() != uint64_t(elements(*d.dims())) * sizeof(float))
    return corrupt("%s has not the bytes of its shape", what);
  return VIT_OK;
}

vit_status Checker::constants() {
  for (uint32_t i = 0; i < count(module.constants()); ++i) {
    const schema::Constant &c = *module.constants()->Get(i);
    char what[64];
    std::snprintf(what, sizeof what, "constant %u", i);
    VIT_TRY(dims(*c.dims(), what, false));
    VIT_TRY(segment(c.data(), uint64_t(elements(*c.dims())) * sizeof(float),
                    kSegmentAlignment, what));
    VIT_TRY(hash(*c.data(), c.hash(), what));
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Code and commands
//===----------------------------------------------------------------------===//

vit_status Checker::images() {
  for (uint32_t i = 0; i < count(module.images()); ++i) {
    const schema::Image &image = *module.images()->Get(i);
    char what[64];
    std::snprintf(what, sizeof what, "code image %u", i);
    uint64_t size = image.data() ? image.data()->size() : 0;
    if (size == 0)
      return corrupt("%s is empty", what);
    if (image.format() > schema::ImageFormat::MAX)
      return corrupt("%s is of an unknown format", what);
    bool isCubin = image.format() == schema::ImageFormat::Cubin;
    VIT_TRY(text(image.arch(), "the architecture of a cubin", !isCubin));
    VIT_TRY(segment(image.data(), size, imageAlignment(image.format()), what));
    VIT_TRY(hash(*image.data(), image.hash(), what));
    if (const char *reason =
            checkImage(image.format(), segments + image.data()->offset(), size))
      return corrupt("%s %s", what, reason);
  }
  return VIT_OK;
}

vit_status Checker::entries() {
  uint32_t total = count(module.entries());
  if (total == 0)
    return corrupt("it has no entry");
  Array<const char *> names;
  if (!names.allocate(allocator, total))
    return outOfMemory(error, total * sizeof(char *), "checks");
  for (uint32_t i = 0; i < total; ++i) {
    const schema::Entry &entry = *module.entries()->Get(i);
    VIT_TRY(text(entry.name(), "an entry's name"));
    names[i] = entry.name()->c_str();
    VIT_TRY(bindings(*entry.inputs(), "input", false));
    VIT_TRY(bindings(*entry.outputs(), "output", true));
    if (entry.schedules()->size() == 0)
      return corrupt("entry '%s' has no code", names[i]);
    for (const schema::Schedule *s : *entry.schedules())
      VIT_TRY(schedule(entry, *s));
  }
  return unique(names.data(), total, "entries");
}

vit_status Checker::bindings(
    const flatbuffers::Vector<flatbuffers::Offset<schema::Binding>> &list,
    const char *what, bool aliases) {
  if (list.size() == 0)
    return corrupt("an entry has no %s", what);
  Array<const char *> names;
  if (!names.allocate(allocator, size_t(list.size()) * 2))
    return outOfMemory(error, list.size() * 2 * sizeof(char *), "checks");
  size_t total = 0;
  for (const schema::Binding *binding : list) {
    VIT_TRY(text(binding->name(), "the name of an input or output"));
    names[total++] = binding->name()->c_str();
    if (binding->alias()) {
      if (!aliases)
        return corrupt("an input has an alias");
      VIT_TRY(text(binding->alias(), "the alias of an output"));
      names[total++] = binding->alias()->c_str();
    }
    char label[256];
    std::snprintf(label, sizeof label, "%s '%.200s'", what,
                  binding->name()->c_str());
    VIT_TRY(dims(*binding->dims(), label, true));
    if (binding->dtype() > schema::DType::MAX)
      return corrupt("%s is of an unknown type", label);
  }
  return unique(names.data(), total, "inputs or outputs of an entry");
}

vit_status Checker::schedule(const schema::Entry &entry,
                             const schema::Schedule &s) {
  VIT_TRY(text(s.level(), "the level of an entry's code"));
  if (s.target() > schema::Target::MAX || s.precision() > schema::DType::MAX)
    return corrupt("code of entry '%s' is for an unknown target",
                   entry.name()->c_str());
  for (uint32_t i = 0; i < count(s.kernels()); ++i) {
    const schema::Kernel &kernel = *s.kernels()->Get(i);
    VIT_TRY(text(kernel.name(), "a kernel's name"));
    VIT_TRY(text(kernel.family(), "a kernel's family"));
    VIT_TRY(text(kernel.tile(), "a kernel's tile", true));
  }
  for (uint32_t i = 0; i < count(s.features()); ++i)
    VIT_TRY(text(s.features()->Get(i), "a feature that code needs"));
  char reason[256];
  if (!checkCode(module, s, reason, sizeof reason))
    return corrupt("%s", reason);
  Array<uint64_t> sizes;
  if (!sizes.allocate(allocator, count(s.slots())))
    return outOfMemory(error, count(s.slots()) * 8ull, "checks");
  for (uint32_t i = 0; i < count(s.slots()); ++i)
    VIT_TRY(aligned(s.slots()->Get(i)->values(), "a slot"));
  uint64_t total;
  if (!planSlots(s, 1, sizes.data(), nullptr, total))
    return corrupt("entry '%s' has a slot of impossible size",
                   entry.name()->c_str());
  for (uint32_t i = 0; i < count(s.commands()); ++i)
    VIT_TRY(command(entry, s, i, sizes.data()));
  return VIT_OK;
}

vit_status Checker::command(const schema::Entry &entry,
                            const schema::Schedule &s, uint32_t index,
                            const uint64_t *slotSizes) {
  const schema::Command &c = *s.commands()->Get(index);
  VIT_TRY(text(c.name(), "a command's name", true));
  char what[256];
  std::snprintf(what, sizeof what, "command %u of entry '%.200s'", index,
                entry.name()->c_str());
  uint32_t expected = 0;
  switch (c.kind()) {
  case schema::CommandKind::Dispatch:
    if (c.kernel() >= count(s.kernels()))
      return corrupt("%s runs kernel %u of %u", what, c.kernel(),
                     count(s.kernels()));
    if (!c.units())
      return corrupt("%s has no work units", what);
    expected = s.kernels()->Get(c.kernel())->argument_count();
    break;
  case schema::CommandKind::Barrier:
    break;
  case schema::CommandKind::Copy:
    expected = 2;
    break;
  case schema::CommandKind::Fill:
    expected = 1;
    break;
  default:
    return corrupt("%s is of an unknown kind", what);
  }
  VIT_TRY(aligned(c.arguments(), what));
  uint32_t given = c.arguments() ? c.arguments()->size() : 0;
  if (given != expected)
    return corrupt("%s has %u arguments, expected %u", what, given, expected);
  for (uint32_t i = 0; i < given; ++i) {
    const schema::Argument &argument = *c.arguments()->Get(i);
    uint32_t limit = 0;
    switch (argument.kind()) {
    case schema::ArgumentKind::Input:
      limit = entry.inputs()->size();
      break;
    case schema::ArgumentKind::Output:
      limit = entry.outputs()->size();
      break;
    case schema::ArgumentKind::Slot:
      limit = count(s.slots());
      break;
    case schema::ArgumentKind::Derived:
      limit = count(module.derived());
      break;
    case schema::ArgumentKind::Constant:
      limit = count(module.constants());
      break;
    default:
      return corrupt("argument %u of %s is of an unknown kind", i, what);
    }
    if (argument.index() >= limit)
      return corrupt("argument %u of %s is number %u of %u", i, what,
                     argument.index(), limit);
  }
  // The same checks run again for each batch that a session sees.
  char reason[256];
  if (!checkCommand(module, entry, c, 1, slotSizes, reason, sizeof reason))
    return corrupt("%s %s", what, reason);
  return VIT_OK;
}

vit_status verifyMetadata(const schema::Module &module,
                          const unsigned char *segments, uint64_t segmentsSize,
                          bool hashWeights, const char *name,
                          const Allocator &allocator, vit_error *error) {
  return Checker(module, segments, segmentsSize, hashWeights, name, allocator,
                 error)
      .run();
}

} // namespace vit::runtime
