//===- ParametersTest.cpp - Sources, reading, writing and sharing ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "format/Form.h"
#include "format/Initializer.h"

#include <cmath>
#include <limits>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

std::vector<float> read(const ParametersHandle &parameters, const char *name,
                        size_t elements) {
  std::vector<float> data(elements, -77);
  vit_error error = {};
  EXPECT_EQ(vit_parameters_read(parameters.get(), name, data.data(),
                                elements * sizeof(float), &error),
            VIT_OK)
      << error.message;
  return data;
}

void write(const ParametersHandle &parameters, const char *name,
           const std::vector<float> &data) {
  vit_error error = {};
  EXPECT_EQ(vit_parameters_write(parameters.get(), name, data.data(),
                                 data.size() * sizeof(float), &error),
            VIT_OK)
      << error.message;
}

SessionHandle makeSession(const ModuleHandle &module,
                          const ParametersHandle &parameters) {
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.parameters = parameters.get();
  options.threads = 1;
  return vit::test::makeSession(module, &options);
}

/// The ways in which a module can hold its weights.
enum class Holding { Inline, Stored, StoredInFile, InlineInFile };

class Parameters : public testing::TestWithParam<Holding> {
protected:
  Parameters() : bytes(make()), file(bytes) {}

  static Bytes make() {
    Builder builder;
    if (GetParam() == Holding::Stored || GetParam() == Holding::StoredInFile)
      builder.storeForms();
    return builder.write();
  }
  ModuleHandle loadIt() {
    bool mapped = GetParam() == Holding::StoredInFile ||
                  GetParam() == Holding::InlineInFile;
    return mapped ? load(file.path()) : load(bytes);
  }

  Bytes bytes;
  TemporaryFile file;
};

TEST_P(Parameters, AreListedAndRead) {
  ModuleHandle module = loadIt();
  ParametersHandle parameters = makeParameters(module);
  ASSERT_EQ(vit_parameters_count(parameters.get()), 3);
  vit_binding_info info = {};
  EXPECT_EQ(vit_parameters_info(parameters.get(), 2, &info, nullptr), VIT_OK);
  EXPECT_STREQ(info.name, "kv");
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.dims[0], 2);
  EXPECT_EQ(info.dims[1], 8);
  EXPECT_EQ(vit_parameters_info(parameters.get(), 3, &info, nullptr),
            VIT_NOT_FOUND);
  EXPECT_EQ(read(parameters, "scale", 4), Builder::scale);
  EXPECT_EQ(read(parameters, "q", 8), Builder::q);
  EXPECT_EQ(read(parameters, "kv", 16), Builder::kv);
  EXPECT_EQ(vit_parameters_find_not_finite(parameters.get()), nullptr);
  vit_error error;
  float one;
  EXPECT_EQ(vit_parameters_read(parameters.get(), "v", &one, 4, &error),
            VIT_NOT_FOUND);
  EXPECT_EQ(vit_parameters_read(parameters.get(), "q", &one, 4, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "parameter 'q' has 32 bytes, given are 4");
}

TEST_P(Parameters, WritesAreSeenByEverySessionOverThem) {
  ModuleHandle module = loadIt();
  ParametersHandle parameters = makeParameters(module);
  SessionHandle first = makeSession(module, parameters);
  SessionHandle second = makeSession(module, parameters);
  SessionHandle alone = vit::test::makeSession(module);
  Call call(3);
  ASSERT_EQ(call.run(first), VIT_OK);
  call.expectReference();
  std::vector<float> scale = {4, -3, 2, 8}, kv(16, 0.75f);
  write(parameters, "scale", scale);
  write(parameters, "kv", kv);
  for (const SessionHandle *session : {&first, &second}) {
    Call after(3);
    ASSERT_EQ(after.run(*session), VIT_OK);
    after.expectReference(scale, Builder::q, kv);
  }
  EXPECT_EQ(read(parameters, "scale", 4), scale);
  EXPECT_EQ(read(parameters, "q", 8), Builder::q);
  EXPECT_EQ(read(parameters, "kv", 16), kv);
  // Other parameters objects of the module, and the file, are unchanged.
  ASSERT_EQ(call.run(alone), VIT_OK);
  call.expectReference();
  ParametersHandle others = makeParameters(module);
  EXPECT_EQ(read(others, "kv", 16), Builder::kv);
}

TEST_P(Parameters, NamesWhatIsNotFinite) {
  ModuleHandle module = loadIt();
  ParametersHandle parameters = makeParameters(module);
  std::vector<float> kv = Builder::kv;
  kv[15] = std::numeric_limits<float>::quiet_NaN();
  write(parameters, "kv", kv);
  EXPECT_STREQ(vit_parameters_find_not_finite(parameters.get()), "kv");
  std::vector<float> scale = Builder::scale;
  scale[0] = -std::numeric_limits<float>::infinity();
  write(parameters, "scale", scale);
  EXPECT_STREQ(vit_parameters_find_not_finite(parameters.get()), "scale");
  write(parameters, "scale", Builder::scale);
  write(parameters, "kv", Builder::kv);
  EXPECT_EQ(vit_parameters_find_not_finite(parameters.get()), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Holdings, Parameters,
                         testing::Values(Holding::Inline, Holding::Stored,
                                         Holding::StoredInFile,
                                         Holding::InlineInFile));

TEST(ParametersOf, AnotherModuleAreRefused) {
  Bytes bytes = Builder().write();
  ModuleHandle one = load(bytes), two = load(bytes);
  ParametersHandle parameters = makeParameters(one);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.parameters = parameters.get();
  vit_session *session = nullptr;
  vit_error error;
  EXPECT_EQ(vit_session_create(two.get(), &options, &session, &error),
            VIT_INVALID_ARGUMENT);
}

TEST(ParametersOf, ModulesOutliveTheirUsers) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  SessionHandle session = makeSession(module, parameters);
  module.reset();
  parameters.reset();
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_OK);
  call.expectReference();
}

//===----------------------------------------------------------------------===//
// Initialisers
//===----------------------------------------------------------------------===//

TEST(ParametersFrom, InitializersDependOnSeedAndName) {
  Builder builder;
  builder.useInitializers();
  Bytes bytes = builder.write();
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.seed = 42;
  ModuleHandle module = load(bytes, &options);
  ParametersHandle parameters = makeParameters(module);
  std::vector<float> kv = read(parameters, "kv", 16);
  std::vector<float> expected(16);
  int64_t dims[] = {2, 8};
  vit::format::initialize(expected.data(), 0, 16,
                          vit::format::Initializer::TruncNormal, 0.02, dims, 2,
                          42, "kv");
  EXPECT_EQ(kv, expected);
  options.seed = 43;
  ModuleHandle other = load(bytes, &options);
  EXPECT_NE(read(makeParameters(other), "kv", 16), kv);
}

//===----------------------------------------------------------------------===//
// Weight files
//===----------------------------------------------------------------------===//

/// A safetensors file of one header and data.
std::string safetensors(const std::string &header, const std::string &data) {
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i)
    file[i] = char(header.size() >> (8 * i));
  return file + header + data;
}

std::string floats(const std::vector<float> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()),
                     values.size() * sizeof(float));
}

/// The builder's module with q and kv as rows of one tensor and all parameters
/// in a file.
struct Referring {
  explicit Referring(const std::string &file) : file(file.data(), file.size()) {
    auto listed = std::make_unique<schema::FileT>();
    listed->path = this->file.path();
    listed->size = file.size();
    builder.module.files.push_back(std::move(listed));
    for (auto &p : builder.module.parameters) {
      p->source = schema::Source::File;
      p->data.reset();
    }
    schema::ParameterT &q = *builder.module.parameters[1];
    schema::ParameterT &kv = *builder.module.parameters[2];
    q.stored_name = kv.stored_name = "attention.qkv \"x\"";
    q.stored_dims = kv.stored_dims = {3, 2, 4};
    q.stored_begin = 0;
    q.stored_end = kv.stored_begin = 1;
    kv.stored_end = 3;
  }

  vit_status create(vit_error &error) {
    Bytes bytes = builder.write();
    ModuleHandle module = load(bytes);
    vit_parameters *parameters = nullptr;
    vit_status status =
        vit_parameters_create(module.get(), &parameters, &error);
    vit_parameters_release(parameters);
    return status;
  }

  TemporaryFile file;
  Builder builder;
};

const char *const goodHeader =
    R"({"__metadata__":{"format":"pt"},)"
    R"("attention.qkv \"x\"":{"dtype":"F32","shape":[3,2,4],"data_offsets":[16,112]},)"
    R"( "model.scale" : {"shape":[4],"data_offsets":[0, 16],"dtype":"F32"}} )";

std::string goodFile() {
  return safetensors(goodHeader, floats(Builder::scale) + floats(Builder::q) +
                                     floats(Builder::kv));
}

TEST(ParametersFrom, Files) {
  Referring referring(goodFile());
  Bytes bytes = referring.builder.write();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  EXPECT_EQ(read(parameters, "scale", 4), Builder::scale);
  EXPECT_EQ(read(parameters, "kv", 16), Builder::kv);
  SessionHandle session = makeSession(module, parameters);
  Call call(2);
  ASSERT_EQ(call.run(session), VIT_OK);
  call.expectReference();
}

TEST(ParametersFrom, FilesBesideTheModule) {
  Referring referring(goodFile());
  std::string path = referring.file.path();
  referring.builder.module.files[0]->path =
      path.substr(path.find_last_of('/') + 1);
  TemporaryFile file(referring.builder.write()); // in the same folder
  ModuleHandle module = load(file.path());
  EXPECT_EQ(read(makeParameters(module), "q", 8), Builder::q);
  // If the module is in memory, the caller passes the folder.
  Bytes bytes = referring.builder.write();
  std::string folder = path.substr(0, path.find_last_of('/'));
  vit_module *raw = nullptr;
  ASSERT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), folder.c_str(),
                                   nullptr, &raw, nullptr),
            VIT_OK);
  ModuleHandle told(raw);
  EXPECT_EQ(read(makeParameters(told), "q", 8), Builder::q);
}

TEST(ParametersFrom, HalfPrecisionIsWidenedExactly) {
  // bf16 is the upper half of a float, and represents these values exactly.
  std::string data;
  for (const std::vector<float> *values :
       {&Builder::scale, &Builder::q, &Builder::kv})
    for (float value : *values) {
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      data += char(bits >> 16 & 0xff);
      data += char(bits >> 24);
    }
  Referring referring(safetensors(
      R"({"attention.qkv \u0022x\"":{"dtype":"BF16","shape":[3,2,4],"data_offsets":[8,56]},)"
      R"("model.scale":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}})",
      data));
  for (auto &p : referring.builder.module.parameters)
    p->dtype = schema::DType::BF16;
  Bytes bytes = referring.builder.write();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  EXPECT_EQ(read(parameters, "scale", 4), Builder::scale);
  EXPECT_EQ(read(parameters, "q", 8), Builder::q);
  EXPECT_EQ(read(parameters, "kv", 16), Builder::kv);
}

TEST(ParametersFrom, FilesThatDoNotFitNameEveryTensor) {
  std::string file = goodFile();
  vit_error error;
  {
    Referring referring(file);
    referring.builder.module.parameters[0]->stored_name = "gone";
    referring.builder.module.parameters[1]->stored_dims = {6, 4};
    referring.builder.module.parameters[1]->stored_end = 2;
    referring.builder.module.parameters[2]->dtype = schema::DType::F16;
    EXPECT_EQ(referring.create(error), VIT_CORRUPT);
    for (const char *part :
         {"the weights in '", "' do not fit the model (3 tensors): ",
          "'gone' is missing, 'attention.qkv \"x\"' is [",
          "and should be [6, 4]", "'attention.qkv \"x\"' is of another type"})
      EXPECT_NE(std::string(error.message).find(part), std::string::npos)
          << error.message << " does not hold " << part;
  }
  {
    Referring referring(file);
    referring.builder.module.files[0]->size += 1;
    EXPECT_EQ(referring.create(error), VIT_CORRUPT);
    EXPECT_NE(std::string(error.message).find("compile the model again"),
              std::string::npos);
  }
  {
    Referring referring(file);
    referring.builder.module.files[0]->path = "/no/such/file";
    EXPECT_EQ(referring.create(error), VIT_NOT_FOUND);
    EXPECT_STREQ(error.message, "cannot open weight file '/no/such/file': No "
                                "such file or directory");
  }
}

TEST(ParametersFrom, DamagedFiles) {
  std::string data =
      floats(Builder::scale) + floats(Builder::q) + floats(Builder::kv);
  std::string good = goodHeader;
  auto replaced = [&](const char *from, const char *to) {
    std::string header = good;
    size_t at = header.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return safetensors(header.replace(at, std::strlen(from), to), data);
  };
  std::string whole = goodFile();
  std::vector<std::string> files = {
      whole.substr(0, 4),
      whole.substr(0, 100),
      whole.substr(0, whole.size() - 1),
      std::string("\xff\xff\xff\xff\xff\xff\xff\xff") + whole.substr(8),
      replaced("[16,112]", "[112,16]"),
      replaced("[16,112]", "[16,99999999999999999999]"),
      replaced("[16,112]", "[16,113]"),
      replaced("[16,112]", "[8,112]"),
      replaced("[3,2,4]", "[3,2,-4]"),
      replaced("[3,2,4]", "[3,2,4"),
      replaced("[3,2,4]", "[03,2,4]"),
      replaced("[3,2,4]", "[1,1,1,1,1,1,3,2,4]"),
      replaced("\"shape\"", "\"shapes\""),
      replaced("\"pt\"", "1"),
      replaced("\"F32\"", "\"F32"),
      replaced("}} ", "}} x"),
      replaced("}} ", "}"),
  };
  for (const std::string &file : files) {
    Referring referring(file);
    vit_error error = {};
    vit_status status = referring.create(error);
    EXPECT_TRUE(status == VIT_CORRUPT || status == VIT_UNSUPPORTED);
    EXPECT_NE(error.message[0], 0);
  }
}

//===----------------------------------------------------------------------===//
// Position tables
//===----------------------------------------------------------------------===//

/// A parameter that can only be read from its source: its one form is
/// resampled.
struct Resampled {
  explicit Resampled(const vit::format::Resampling &how) : how(how) {
    auto position = std::make_unique<schema::ParameterT>();
    position->name = position->stored_name = "position";
    position->dims = position->stored_dims = {5, 3};
    position->source = schema::Source::Inline;
    for (size_t i = 0; i < 15; ++i)
      table.push_back(float(i * i % 7));
    position->data =
        std::make_unique<schema::Segment>(builder.addSegment(table));
    builder.module.parameters.push_back(std::move(position));
    auto resample = std::make_unique<schema::DerivedT>();
    resample->kind = schema::DerivedKind::Resample;
    resample->sources = {3};
    resample->dims = {10, 3};
    resample->bytes = 120;
    resample->from = {uint32_t(how.from[0]), uint32_t(how.from[1])};
    resample->to = {uint32_t(how.to[0]), uint32_t(how.to[1])};
    resample->prefix = uint32_t(how.prefix);
    resample->suffix = uint32_t(how.suffix);
    resample->filter = schema::Filter(how.filter);
    builder.module.derived.push_back(std::move(resample));
    // Then the vector form that a kernel reads, here instead of scale.
    schema::DerivedT &channels = *builder.module.derived[0];
    auto padded = std::make_unique<schema::DerivedT>(channels);
    padded->sources = {4 + 2};
    padded->dims = {10, 3};
    padded->bytes = 10 * 64;
    builder.module.derived.push_back(std::move(padded));
    builder.schedule().commands[0]->arguments[1] = {
        schema::ArgumentKind::Derived, 3, {16, 0, 1}, 0};
  }

  std::vector<float> first() const {
    std::vector<float> out(30);
    vit::format::Form form;
    form.kind = vit::format::FormKind::Resample;
    form.width = 3;
    form.resampling = how;
    vit::format::resample(form, out.data(), table.data());
    out.resize(3);
    out.push_back(0); // padding
    return out;
  }

  vit::format::Resampling how;
  Builder builder;
  std::vector<float> table;
};

/// What only modules of format 4 can say: the last row is copied, the others
/// are interpolated linearly, the entry has a size of its own.
struct OfFormat4 : Resampled {
  OfFormat4()
      : Resampled({0, {2, 2}, {3, 3}, false, 1, vit::format::Filter::Linear}) {
    auto own =
        std::make_unique<schema::PreprocessingT>(*builder.module.preprocessing);
    own->height = own->width = 48;
    builder.entry().preprocessing = std::move(own);
  }
};

TEST(ParametersFrom, ModulesOfFormat4) {
  OfFormat4 expected;
  ModuleHandle module = load(VIT_TEST_DATA "/golden/format-4.vitm");
  ASSERT_TRUE(module);
  SessionHandle session = makeSession(module);
  Call call(1);
  ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference(expected.first());
  vit_preprocessing p = {};
  p.struct_size = sizeof p;
  ASSERT_EQ(
      vit_module_entry_preprocessing(module.get(), "forward", &p, nullptr),
      VIT_OK);
  EXPECT_EQ(p.height, 48);
}

TEST(ParametersFrom, ResampledTables) {
  Resampled resampled({1, {2, 2}, {3, 3}});
  Bytes bytes = resampled.builder.write();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  SessionHandle session = makeSession(module, parameters);
  Call call(1);
  ASSERT_EQ(call.run(session), VIT_OK);
  call.expectReference(resampled.first());
  EXPECT_EQ(read(parameters, "position", 15), resampled.table);
  for (float &value : resampled.table)
    value = 3 - 2 * value;
  write(parameters, "position", resampled.table);
  EXPECT_EQ(read(parameters, "position", 15), resampled.table);
  ASSERT_EQ(call.run(session), VIT_OK);
  call.expectReference(resampled.first());
  resampled.table[14] = NAN;
  write(parameters, "position", resampled.table);
  EXPECT_STREQ(vit_parameters_find_not_finite(parameters.get()), "position");
}

} // namespace
