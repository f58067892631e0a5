//===- Cubin.h - What a cubin says of its kernels ---------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_FORMAT_CUBIN_H
#define VIT_FORMAT_CUBIN_H

#include <cstdint>
#include <string_view>

namespace vit::format {

/// The registers of a thread of `kernel` in the cubin of `size` bytes at
/// `data`, which is not trusted: an ELF file whose section `.nv.info` has a
/// record EIATTR_REGCOUNT for each kernel, as `cuobjdump -elf` shows it. 0
/// where there is no such record, or the file is not as expected.
uint32_t findRegisters(const unsigned char *data, uint64_t size,
                       std::string_view kernel);

} // namespace vit::format

#endif // VIT_FORMAT_CUBIN_H
