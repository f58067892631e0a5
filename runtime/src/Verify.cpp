//===- Verify.cpp - Checks of a module before it is used ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verify.h"

#include "format/Diagnose.h"
#include "format/Extent.h"

namespace vit::runtime {

//===----------------------------------------------------------------------===//
// The header
//===----------------------------------------------------------------------===//

vit_status verifyHeader(const unsigned char *file, uint64_t size,
                        const char *name, FileHeader &header,
                        vit_error *error) {
  bool isModule =
      size >= sizeof header && std::memcmp(file, kMagic, sizeof kMagic) == 0;
  if (const char *contents =
          isModule ? nullptr : format::recognise(file, size).text)
    return fail(error, VIT_CORRUPT, "'%s' is not a vit module: %s", name,
                contents);
  if (!isModule)
    return fail(error, VIT_CORRUPT,
                "'%s' is not a vit module: it does not start with 'VITMODUL'",
                name);
  std::memcpy(&header, file, sizeof header);
  if (header.formatVersion < kOldestVersion ||
      header.formatVersion > kFormatVersion)
    return fail(error, VIT_UNSUPPORTED,
                "'%s' has module format version %u, this vit reads versions %u "
                "to %u: compile it again with this version's vit-compile",
                name, header.formatVersion, kOldestVersion, kFormatVersion);
  if (header.flags != 0)
    return fail(error, VIT_UNSUPPORTED,
                "'%s' has flags 0x%x that this version of vit does not know",
                name, header.flags);
  if (header.fileSize != size)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: it has %llu bytes and should have %llu", name,
                llu(size), llu(header.fileSize));
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

void findKnownForms(const schema::Module &module, Array<uint8_t> &known) {
  uint32_t parameters = count(module.parameters());
  for (uint32_t i = 0; i < count(module.derived()); ++i) {
    const schema::Derived &form = *module.derived()->Get(i);
    known[i] = isKnown(form.kind()) && isKnown(form.element_type()) &&
               isKnown(form.filter());
    for (uint32_t source : sourcesOf(form))
      if (source >= parameters && !known[source - parameters])
        known[i] = 0;
  }
}

bool bindingBytes(const schema::Binding &binding, int64_t batch,
                  uint64_t &bytes) {
  const Dims &dims = *binding.dims();
  bool batched = dims.size() != 0 && dims.Get(0) == -1;
  uint64_t one = uint64_t(elements(dims)) * elementSize(binding.dtype());
  return !__builtin_mul_overflow(one, uint64_t(batched ? batch : 1), &bytes) &&
         bytes <= kMaxExtent;
}

} // namespace vit::runtime
