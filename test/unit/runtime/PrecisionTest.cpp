//===- PrecisionTest.cpp - Code in several precisions ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "format/ElementType.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <map>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

vit_session_options withPrecision(const char *precision) {
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = 1;
  options.precision = precision;
  return options;
}

/// "avx2 bf16 widened"
std::string codeOf(const SessionHandle &session) {
  vit_code_info info = {};
  info.struct_size = sizeof info;
  vit_error error = {};
  EXPECT_EQ(vit_session_code(session.get(), nullptr, &info, &error), VIT_OK)
      << error.message;
  return std::string(info.level) + " " + info.precision +
         (info.is_widened ? " widened" : "");
}

void expectRefused(const ModuleHandle &module,
                   const vit_session_options &options, vit_status status,
                   const char *message) {
  vit_session *session = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_session_create(module.get(), &options, &session, &error),
            status);
  EXPECT_STREQ(error.message, message);
  EXPECT_EQ(session, nullptr);
}

std::vector<float> rounded(const std::vector<float> &values) {
  using vit::format::ElementType;
  std::vector<uint16_t> narrow(values.size());
  std::vector<float> result(values.size());
  auto count = int64_t(values.size());
  vit::format::narrow(narrow.data(), values.data(), ElementType::BF16, count);
  vit::format::widen(result.data(), narrow.data(), ElementType::BF16, count);
  return result;
}

void write(const ParametersHandle &parameters, const char *name,
           const std::vector<float> &data) {
  vit_error error = {};
  EXPECT_EQ(vit_parameters_write(parameters.get(), name, data.data(),
                                 data.size() * sizeof(float), &error),
            VIT_OK)
      << error.message;
}

TEST(Precision, OfASession) {
  Builder builder;
  builder.addBf16();
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  EXPECT_STREQ(vit_module_precision(module.get(), nullptr, 0), "f32");
  EXPECT_STREQ(vit_module_precision(module.get(), "forward", 1), "bf16");
  EXPECT_EQ(vit_module_precision(module.get(), nullptr, 2), nullptr);
  EXPECT_EQ(vit_module_precision(module.get(), nullptr, -1), nullptr);
  EXPECT_EQ(vit_module_precision(module.get(), "none", 0), nullptr);
  const std::pair<const char *, const char *> cases[] = {
      {nullptr, "avx2 f32"},
      {"f32", "avx2 f32"},
      {"bf16", "avx2 bf16 widened"}};
  for (auto [precision, code] : cases) {
    vit_session_options options = withPrecision(precision);
    SessionHandle session = makeSession(module, &options);
    EXPECT_EQ(codeOf(session), code);
    Call call(3);
    ASSERT_EQ(call.run(session), VIT_OK);
    call.expectReference(); // All weights are exact in bf16.
  }
  // Options of a version without the field.
  vit_session_options old = withPrecision("bf16");
  old.struct_size = offsetof(vit_session_options, precision);
  EXPECT_EQ(codeOf(makeSession(module, &old)), "avx2 f32");
}

TEST(Precision, OfTheFirstScheduleIsTheDefault) {
  Builder builder;
  builder.addBf16();
  std::swap(builder.entry().schedules[0], builder.entry().schedules[1]);
  // A level that not every machine has.
  builder.schedule().level = "amx";
  builder.addBf16();
  builder.entry().schedules[2]->level = "avx2";
  Bytes bytes = builder.write();
  vit_module_options limit = {};
  limit.struct_size = sizeof limit;
  limit.level = "avx2";
  ModuleHandle module = load(bytes, &limit);
  EXPECT_STREQ(vit_module_precision(module.get(), nullptr, 0), "bf16");
  EXPECT_STREQ(vit_module_precision(module.get(), nullptr, 1), "f32");
  EXPECT_EQ(codeOf(makeSession(module)), "avx2 bf16 widened");
  vit_session_options options = withPrecision("f32");
  EXPECT_EQ(codeOf(makeSession(module, &options)), "avx2 f32");
  char *text = nullptr;
  ASSERT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json entry = nlohmann::json::parse(text)["entries"][0];
  vit_module_free_text(module.get(), text);
  EXPECT_EQ(entry["precisions"], nlohmann::json({"bf16", "f32"}));
  EXPECT_EQ(entry["schedules"][0]["chosen"], false);
  EXPECT_EQ(entry["schedules"][1]["chosen"], true);
  EXPECT_EQ(entry["schedules"][2]["chosen"], true);
}

TEST(Precision, FormsOfI8MayBeMigrated) {
  Builder builder;
  builder.addMigrated({1, 2, 3, 4, 5, 6, 7, 0x1p-60f});
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  char *text = nullptr;
  ASSERT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json forms = nlohmann::json::parse(text)["derived"];
  vit_module_free_text(module.get(), text);
  EXPECT_FALSE(forms[1].contains("migrated"));
  EXPECT_EQ(forms[2]["migrated"], true);
}

TEST(Precision, OfTf32IsF32OnTheCpu) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session_options options = withPrecision("tf32");
  vit_session *session = nullptr;
  vit_error error = {};
  ASSERT_EQ(vit_session_create(module.get(), &options, &session, &error),
            VIT_OK)
      << error.message;
  EXPECT_EQ(codeOf(SessionHandle(session)), "avx2 f32");
  // CUDA has products of tf32, and this module has none for it.
  Builder builder;
  builder.addGpu(schema::Target::Cuda);
  Bytes withGpu = builder.write();
  options.device = "cuda";
  expectRefused(load(withGpu), options, VIT_UNSUPPORTED,
                "entry 'forward' of 'module in memory' has no Cuda code in "
                "tf32, but in f32; leave the precision out, or compile the "
                "model again with --precision");
}

TEST(Precision, ThatIsNotThereIsRefused) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  expectRefused(module, withPrecision("fp8"), VIT_INVALID_ARGUMENT,
                "the option precision is 'fp8', which is none; choose one of "
                "f32, tf32, f16, bf16, int8");
  expectRefused(
      module, withPrecision("bf16"), VIT_UNSUPPORTED,
      "entry 'forward' of 'module in memory' has no Cpu code in bf16, "
      "but in f32; leave the precision out, or compile the model "
      "again with --precision");
  // The module's code for GPUs is f32, which is known before a driver is
  // opened.
  Builder builder;
  builder.addBf16();
  builder.addGpu(schema::Target::Vulkan);
  Bytes withGpu = builder.write();
  vit_session_options options = withPrecision("bf16");
  options.device = "vulkan";
  expectRefused(load(withGpu), options, VIT_UNSUPPORTED,
                "entry 'forward' of 'module in memory' has no Vulkan code in "
                "bf16, but in f32; leave the precision out, or compile the "
                "model again with --precision");
}

TEST(Precision, ThatAnotherEntryLacksIsRefusedByItsCalls) {
  Builder builder;
  builder.addTraining();
  builder.addBf16();
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  vit_session_options options = withPrecision("bf16");
  SessionHandle session = makeSession(module, &options);
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  Trainer trainer(2);
  EXPECT_EQ(trainer.run(session), VIT_UNSUPPORTED);
  EXPECT_EQ(std::string(trainer.error.message)
                .rfind("entry 'train_step' of 'module in memory' has no Cpu "
                       "code in bf16, but in f32; ",
                       0),
            0u)
      << trainer.error.message;
}

//===----------------------------------------------------------------------===//
// Forms
//===----------------------------------------------------------------------===//

/// Counts allocations by their size.
struct Counter {
  std::map<size_t, int> sizes;

  vit_allocator callbacks() {
    return {this,
            [](void *context, size_t size, size_t alignment) -> void * {
              ++static_cast<Counter *>(context)->sizes[size];
              return std::aligned_alloc(alignment, (size + alignment - 1) /
                                                       alignment * alignment);
            },
            [](void *, void *memory) { std::free(memory); }};
  }
};

TEST(Precision, OnlyFormsOfCodeThatRunsAreMade) {
  Builder builder;
  builder.addBf16();
  Bytes bytes = builder.write();
  Counter counter;
  vit_allocator callbacks = counter.callbacks();
  vit_module_options moduleOptions = {};
  moduleOptions.struct_size = sizeof moduleOptions;
  moduleOptions.allocator = &callbacks;
  ModuleHandle module = load(bytes, &moduleOptions);
  // Panels of either type have 1024 bytes, channels 64.
  ParametersHandle parameters = makeParameters(module);
  EXPECT_EQ(counter.sizes[1088], 0);
  vit_session_options options = withPrecision("bf16");
  options.parameters = parameters.get();
  SessionHandle narrow = makeSession(module, &options);
  EXPECT_EQ(counter.sizes[1088], 1);
  EXPECT_EQ(counter.sizes[1024], 0);
  // Another session has them already, and makes only what is missing.
  SessionHandle again = makeSession(module, &options);
  EXPECT_EQ(counter.sizes[1088], 1);
  options.precision = "f32";
  SessionHandle wide = makeSession(module, &options);
  EXPECT_EQ(counter.sizes[1088], 1);
  EXPECT_EQ(counter.sizes[1024], 1);
  for (const SessionHandle *session : {&narrow, &again, &wide}) {
    Call call(2);
    ASSERT_EQ(call.run(*session), VIT_OK);
    call.expectReference();
  }
}

TEST(Precision, FormsHaveThePresentValuesWhenTheyAreMade) {
  Builder builder;
  builder.addTraining();
  builder.addBf16();
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  for (bool trains : {false, true}) {
    ParametersHandle parameters = makeParameters(module);
    // Written before there is any form, and when there are those of f32.
    std::vector<float> kv(16, 0.7F), q(8, -0.3F);
    write(parameters, "kv", kv);
    vit_session_options options = withPrecision("f32");
    options.parameters = parameters.get();
    SessionHandle wide = makeSession(module, &options);
    write(parameters, "q", q);
    Trainer trainer(2);
    if (trains)
      ASSERT_EQ(trainer.run(wide), VIT_OK) << trainer.error.message;
    std::vector<float> values = readParameters(parameters);
    if (!trains) {
      EXPECT_EQ(values[4], -0.3F);
      EXPECT_EQ(values[12], 0.7F);
    }
    std::vector<float> scale(values.begin(), values.begin() + 4);
    q.assign(values.begin() + 4, values.begin() + 12);
    kv.assign(values.begin() + 12, values.end());
    options.precision = "bf16";
    SessionHandle narrow = makeSession(module, &options);
    Call call(2);
    ASSERT_EQ(call.run(narrow), VIT_OK);
    call.expectReference(scale, rounded(q), rounded(kv));
    ASSERT_EQ(call.run(wide), VIT_OK);
    call.expectReference(scale, q, kv);
    // They follow later changes.
    q.assign(8, 0.1F);
    write(parameters, "q", q);
    ASSERT_EQ(call.run(narrow), VIT_OK);
    call.expectReference(scale, rounded(q), rounded(kv));
    EXPECT_EQ(readParameters(parameters)[4], 0.1F);
  }
}

// f16 has a smaller range than the others: a weight is not made an infinity.
TEST(Precision, WeightsBeyondTheRangeOfF16) {
  Builder builder;
  builder.addBf16();
  builder.module.derived.back()->element_type = schema::DType::F16;
  builder.entry().schedules.back()->precision = schema::DType::F16;
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  ParametersHandle parameters = makeParameters(module);
  const char *message =
      "parameter 'q' has values beyond 65504, the largest of f16: run 'module "
      "in memory' in another precision";
  // Before there is a form of f16, values may be any.
  std::vector<float> q(8, -0.3F), beyond = q;
  beyond[5] = -65520;
  write(parameters, "q", beyond);
  vit_session_options options = withPrecision("f16");
  options.parameters = parameters.get();
  expectRefused(module, options, VIT_UNSUPPORTED, message);
  // Later, those that it cannot hold are refused, and nothing changes.
  beyond[5] = 65519; // rounded to 65504
  write(parameters, "q", beyond);
  SessionHandle session = makeSession(module, &options);
  EXPECT_EQ(codeOf(session), "avx2 f16 widened");
  beyond[0] = 1e6;
  vit_error error = {};
  EXPECT_EQ(vit_parameters_write(parameters.get(), "q", beyond.data(),
                                 beyond.size() * sizeof(float), &error),
            VIT_UNSUPPORTED);
  EXPECT_STREQ(error.message, message);
  EXPECT_EQ(readParameters(parameters)[4], -0.3F);
}

//===----------------------------------------------------------------------===//
// Parameters that are stored rounded
//===----------------------------------------------------------------------===//

TEST(Precision, RoundedParametersAreWrittenButNotRead) {
  Builder builder;
  builder.keepOnlyBf16();
  Bytes bytes = builder.write();
  TemporaryFile file(bytes);
  for (bool isMapped : {false, true}) {
    ModuleHandle module = isMapped ? load(file.path()) : load(bytes);
    ParametersHandle parameters = makeParameters(module);
    vit_session_options options = withPrecision(nullptr);
    options.parameters = parameters.get();
    SessionHandle session = makeSession(module, &options);
    EXPECT_EQ(codeOf(session), "avx2 bf16 widened");
    Call call(2);
    ASSERT_EQ(call.run(session), VIT_OK);
    call.expectReference();

    vit_binding_info info = {};
    EXPECT_EQ(vit_parameters_info(parameters.get(), 0, &info, nullptr), VIT_OK);
    EXPECT_EQ(info.dtype, VIT_F32);
    EXPECT_EQ(vit_parameters_info(parameters.get(), 1, &info, nullptr), VIT_OK);
    EXPECT_EQ(info.dtype, VIT_BF16);
    float values[8];
    vit_error error = {};
    EXPECT_EQ(vit_parameters_read(parameters.get(), "q", values, sizeof values,
                                  &error),
              VIT_UNSUPPORTED);
    EXPECT_EQ(std::string(error.message),
              "'" + (isMapped ? file.path() : "module in memory") +
                  "' holds parameter 'q' in bf16 only, from which its value "
                  "cannot be read back: use the checkpoint, or a module that "
                  "was compiled with --precision f32");
    EXPECT_EQ(
        vit_parameters_read(parameters.get(), "scale", values, 16, &error),
        VIT_OK);

    std::vector<float> q(8, 0.3F);
    write(parameters, "q", q);
    ASSERT_EQ(call.run(session), VIT_OK);
    call.expectReference(Builder::scale, rounded(q));
    EXPECT_EQ(vit_parameters_find_not_finite(parameters.get()), nullptr);
    q[7] = NAN;
    write(parameters, "q", q);
    EXPECT_STREQ(vit_parameters_find_not_finite(parameters.get()), "q");
  }
}

TEST(Precision, RoundedParametersAreNotTrained) {
  Builder builder;
  builder.addTraining();
  builder.keepOnlyBf16();
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  vit_session *session = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_session_create(module.get(), nullptr, &session, &error),
            VIT_UNSUPPORTED);
  EXPECT_EQ(
      std::string(error.message)
          .rfind("'module in memory' holds parameter 'q' in bf16 only, ", 0),
      0u)
      << error.message;
}

//===----------------------------------------------------------------------===//
// Values in f16 and bf16
//===----------------------------------------------------------------------===//

TEST(Precision, OfArgumentsTellsWhatIsNotFinite) {
  // The lower half of the first element of `hidden` is a NaN in one type.
  struct {
    schema::DType type;
    uint32_t bits;
    const char *found;
  } cases[] = {{schema::DType::F32, 0x3f807fc0, ""},
               {schema::DType::BF16, 0x3f807fc0, "encoder.scale"},
               {schema::DType::BF16, 0x3f807e00, ""},
               {schema::DType::F16, 0x3f807e00, "encoder.scale"},
               {schema::DType::F16, 0x3f807bff, ""}};
  for (auto [type, bits, found] : cases) {
    Builder builder;
    builder.schedule().commands[0]->element_types = {schema::DType::F32,
                                                     schema::DType::F32, type};
    Bytes bytes = builder.write();
    SessionHandle session = makeSession(load(bytes));
    Call call(1);
    std::memcpy(call.image.data(), &bits, sizeof bits);
    char name[64] = "?";
    vit_error error = {};
    EXPECT_EQ(vit_session_find_not_finite(session.get(), nullptr,
                                          call.inputs.data(), 1, name,
                                          sizeof name, &error),
              VIT_OK)
        << error.message;
    EXPECT_STREQ(name, found) << schema::EnumNameDType(type) << " " << bits;
  }
}

} // namespace
