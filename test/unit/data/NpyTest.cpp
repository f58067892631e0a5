//===- NpyTest.cpp - numpy's array files ----------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace vit;
using namespace vit::test;

static std::string makeNpy(const std::string &dictionary,
                           const std::string &elements, int version = 1) {
  std::string header = dictionary + "\n";
  return "\x93NUMPY" + std::string(1, char(version)) + std::string(1, '\0') +
         little(header.size(), version == 1 ? 2 : 4) + header + elements;
}

static std::string describe(const std::string &descr, const std::string &shape,
                            const std::string &order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + ", }";
}

static void expectRefused(vit_status status, const std::string &text,
                          const std::string &file) {
  vit_tensor tensor = {};
  expectFailure(status, text, [&](vit_error *error) {
    return vit_npy_read_memory(file.data(), file.size(), "FILE", &tensor,
                               error);
  });
  EXPECT_EQ(tensor.data, nullptr);
}

TEST(Npy, RoundTripOfEveryType) {
  TemporaryFolder folder;
  std::string path = folder.path + "/x.npy";
  uint8_t bytes[48];
  for (size_t i = 0; i < sizeof(bytes); ++i)
    bytes[i] = uint8_t(i * 7);
  const std::pair<vit_dtype, size_t> types[] = {{VIT_F32, 4}, {VIT_F64, 8},
                                                {VIT_F16, 2}, {VIT_I32, 4},
                                                {VIT_I64, 8}, {VIT_U8, 1}};
  for (auto [dtype, size] : types) {
    vit_tensor tensor = {nullptr, bytes, sizeof(bytes), dtype, 3, {1, 2, 3}};
    data::call(vit_npy_write, path.c_str(), &tensor);
    EXPECT_EQ(readAll(path).find('\n') % 64, 63u) << "elements are aligned";
    data::Tensor again = data::Tensor::readNpy(path);
    EXPECT_EQ(again.dtype(), dtype);
    EXPECT_EQ(again.dims(), (std::vector<int64_t>{1, 2, 3}));
    EXPECT_EQ(std::memcmp(again.data<void>(), bytes, 6 * size), 0);
  }
  EXPECT_EQ(folder.list(), std::vector<std::string>{"x.npy"});
}

TEST(Npy, RanksAndEmptyArrays) {
  TemporaryFolder folder;
  std::string path = folder.path + "/x.npy";
  float value = 1.5f;
  vit_tensor scalar = {nullptr, &value, 4, VIT_F32, 0, {}, VIT_HOST};
  data::call(vit_npy_write, path.c_str(), &scalar);
  EXPECT_NE(readAll(path).find("'shape': ()"), std::string::npos);
  data::Tensor again = data::Tensor::readNpy(path);
  EXPECT_TRUE(again.dims().empty());
  EXPECT_EQ(*again.data<float>(), 1.5f);
  vit_tensor vector = {nullptr, &value, 4, VIT_F32, 1, {1}, VIT_HOST};
  data::call(vit_npy_write, path.c_str(), &vector);
  EXPECT_NE(readAll(path).find("'shape': (1,)"), std::string::npos);
  vit_tensor empty = {nullptr, nullptr, 0, VIT_F32, 2, {0, 5}, VIT_HOST};
  data::call(vit_npy_write, path.c_str(), &empty);
  EXPECT_EQ(data::Tensor::readNpy(path).dims(), (std::vector<int64_t>{0, 5}));
}

TEST(Npy, Bf16IsWrittenAsF32) {
  TemporaryFolder folder;
  std::string path = folder.path + "/x.npy";
  uint16_t halves[] = {0x3f80, 0xc040};
  vit_tensor tensor = {nullptr, halves, 4, VIT_BF16, 1, {2}, VIT_HOST};
  data::call(vit_npy_write, path.c_str(), &tensor);
  data::Tensor again = data::Tensor::readNpy(path);
  EXPECT_EQ(again.dtype(), VIT_F32);
  EXPECT_EQ(again.data<float>()[0], 1.0f);
  EXPECT_EQ(again.data<float>()[1], -3.0f);
}

TEST(Npy, VersionsAndSpellings) {
  std::string ok[] = {
      makeNpy(describe("<f4", "(2,)"), std::string(8, 'x'), 1),
      makeNpy(describe("<f4", "(2,)"), std::string(8, 'x'), 2),
      makeNpy(describe("<f4", "(2,)"), std::string(8, 'x'), 3),
      makeNpy("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"=f4\"}",
              std::string(8, 'x')),
      makeNpy(describe("<f4", "(2,)", "True"), std::string(8, 'x'))};
  for (const std::string &file : ok) {
    vit_tensor tensor = {};
    data::call(vit_npy_read_memory, file.data(), file.size(), "FILE", &tensor);
    EXPECT_EQ(tensor.rank, 1);
    EXPECT_EQ(tensor.dims[0], 2);
    vit_tensor_release(&tensor);
  }
}

TEST(Npy, LyingFiles) {
  std::string eight(8, 'x');
  expectRefused(VIT_CORRUPT, "not an npy", "hello");
  expectRefused(VIT_CORRUPT, "the file is empty", "");
  expectRefused(VIT_CORRUPT, "Git LFS pointer",
                "version https://git-lfs.github.com/spec/v1\n");
  expectRefused(VIT_UNSUPPORTED, "version 9",
                makeNpy(describe("<f4", "(2,)"), eight, 9));
  expectRefused(VIT_UNSUPPORTED, "Fortran",
                makeNpy(describe("<f4", "(2, 1)", "True"), eight));
  expectRefused(VIT_UNSUPPORTED, "big endian",
                makeNpy(describe(">f4", "(2,)"), eight));
  expectRefused(VIT_UNSUPPORTED, "<c8",
                makeNpy(describe("<c8", "(1,)"), eight));
  expectRefused(VIT_UNSUPPORTED, "structured",
                makeNpy("{'descr': [('a', '<f4')], 'fortran_order': False, "
                        "'shape': (2,)}",
                        eight));
  expectRefused(VIT_CORRUPT, "truncated",
                makeNpy(describe("<f4", "(3,)"), eight));
  expectRefused(VIT_CORRUPT, "more than its header",
                makeNpy(describe("<f4", "(1,)"), eight));
  // Sizes whose product overflows.
  expectRefused(VIT_CORRUPT, "impossible",
                makeNpy(describe("<f4", "(4294967296, 4294967296)"), eight));
  expectRefused(VIT_CORRUPT, "truncated",
                makeNpy(describe("<f8", "(1152921504606846976,)"), eight));
  expectRefused(VIT_CORRUPT, "damaged",
                makeNpy(describe("<f4", "(99999999999999999999,)"), eight));
  expectRefused(VIT_CORRUPT, "damaged",
                makeNpy(describe("<f4", "(-2,)"), eight));
  expectRefused(VIT_CORRUPT, "damaged", makeNpy("{'descr': '<f4'}", eight));
  expectRefused(VIT_CORRUPT, "damaged",
                makeNpy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': "
                        "False, 'shape': (2,)}",
                        eight));
  expectRefused(VIT_UNSUPPORTED, "9 dimensions",
                makeNpy(describe("<f4", "(1,1,1,1,1,1,1,1,2)"), eight));
}

TEST(Npy, EveryTruncationAndFlipIsSafe) {
  std::string whole = makeNpy(describe("<f4", "(2, 3)"), std::string(24, 'x'));
  for (size_t length = 0; length < whole.size(); ++length)
    expectRefused(VIT_CORRUPT, "FILE", whole.substr(0, length));
  for (size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = char(flipped[at] ^ (1 << bit));
      vit_tensor tensor = {};
      vit_error error = {};
      vit_status status = vit_npy_read_memory(flipped.data(), flipped.size(),
                                              "FILE", &tensor, &error);
      EXPECT_NE(status, VIT_INTERNAL) << error.message;
      vit_tensor_release(&tensor);
    }
}

TEST(Npy, UnwritableOutput) {
  float value = 0;
  vit_tensor tensor = {nullptr, &value, 4, VIT_F32, 0, {}, VIT_HOST};
  expectFailure(VIT_IO_ERROR, "/no/such/x.npy", [&](vit_error *error) {
    return vit_npy_write("/no/such/x.npy", &tensor, error);
  });
  expectFailure(VIT_IO_ERROR, "/dev/full", [&](vit_error *error) {
    return vit_npy_write("/dev/full", &tensor, error);
  });
  tensor.memory = VIT_DEVICE;
  expectFailure(VIT_INVALID_ARGUMENT, "host memory", [&](vit_error *error) {
    return vit_npy_write("/dev/null", &tensor, error);
  });
  tensor.memory = VIT_HOST;
  tensor.size = 3;
  expectFailure(VIT_INVALID_ARGUMENT, "3 bytes", [&](vit_error *error) {
    return vit_npy_write("/dev/null", &tensor, error);
  });
}

TEST(Npy, ALinkStaysALink) {
  TemporaryFolder folder;
  std::string target = folder.write("target.npy", "old");
  std::string link = folder.path + "/link.npy";
  ASSERT_EQ(symlink(target.c_str(), link.c_str()), 0);
  float value = 2;
  vit_tensor tensor = {nullptr, &value, 4, VIT_F32, 0, {}, VIT_HOST};
  data::call(vit_npy_write, link.c_str(), &tensor);
  struct stat info;
  ASSERT_EQ(lstat(link.c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  EXPECT_EQ(*data::Tensor::readNpy(target).data<float>(), 2);
}

TEST(Convert, EveryHalfIsExact) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    uint16_t half = uint16_t(bits);
    float value;
    data::call(vit_data_to_f32, VIT_F16, &half, 1, &value);
    int exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    double expected = exponent == 0
                          ? std::ldexp(fraction, -24)
                          : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) {
      EXPECT_TRUE(fraction ? std::isnan(value) : std::isinf(value)) << bits;
    } else {
      EXPECT_EQ(std::fabs(value), expected) << bits;
      EXPECT_EQ(std::signbit(value), bits >> 15 != 0) << bits;
    }
    double wide;
    data::call(vit_data_to_f64, VIT_BF16, &half, 1, &wide);
    uint32_t wideBits = bits << 16;
    float truncated;
    std::memcpy(&truncated, &wideBits, 4);
    if (!std::isnan(truncated)) {
      EXPECT_EQ(wide, double(truncated)) << bits;
    }
  }
}

TEST(Convert, UnalignedAndInteger) {
  char bytes[1 + 16];
  int64_t values[] = {-5, int64_t(1) << 40};
  std::memcpy(bytes + 1, values, 16);
  double out[2];
  data::call(vit_data_to_f64, VIT_I64, bytes + 1, 2, out);
  EXPECT_EQ(out[0], -5);
  EXPECT_EQ(out[1], 1099511627776.0);
  expectFailure(VIT_INVALID_ARGUMENT, "dtype 7", [&](vit_error *error) {
    return vit_data_to_f64(vit_dtype(7), bytes, 1, out, error);
  });
}
