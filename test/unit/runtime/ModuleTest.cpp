//===- ModuleTest.cpp - Loading a module and reading its metadata ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <nlohmann/json.hpp>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

TEST(Module, SaysWhatItIs) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  EXPECT_EQ(vit_module_entry_count(module.get()), 1);
  vit_entry_info entry = {};
  EXPECT_EQ(vit_module_entry(module.get(), 0, &entry, nullptr), VIT_OK);
  EXPECT_STREQ(entry.name, "forward");
  EXPECT_EQ(entry.input_count, 1);
  EXPECT_EQ(entry.output_count, 2);
  EXPECT_EQ(vit_module_entry(module.get(), 1, &entry, nullptr), VIT_NOT_FOUND);
  vit_binding_info info = {};
  EXPECT_EQ(vit_module_input(module.get(), nullptr, 0, &info, nullptr), VIT_OK);
  EXPECT_STREQ(info.name, "image");
  EXPECT_EQ(info.rank, 3);
  EXPECT_EQ(info.dims[0], -1);
  EXPECT_EQ(info.dims[2], 4);
  EXPECT_EQ(vit_module_output(module.get(), "forward", 0, &info, nullptr),
            VIT_OK);
  EXPECT_STREQ(info.alias, "classification_head_logits");
  EXPECT_EQ(vit_module_output(module.get(), nullptr, 2, &info, nullptr),
            VIT_NOT_FOUND);
  EXPECT_EQ(vit_module_label_count(module.get()), 3);
  EXPECT_STREQ(vit_module_label(module.get(), 1), "dog");
  EXPECT_EQ(vit_module_label(module.get(), 3), nullptr);
  EXPECT_EQ(vit_module_label(module.get(), -1), nullptr);
  vit_preprocessing preprocessing = {};
  EXPECT_EQ(vit_module_preprocessing(module.get(), &preprocessing, nullptr),
            VIT_INVALID_ARGUMENT);
  preprocessing.struct_size = sizeof preprocessing;
  EXPECT_EQ(vit_module_preprocessing(module.get(), &preprocessing, nullptr),
            VIT_OK);
  EXPECT_EQ(preprocessing.height, 32);
  EXPECT_EQ(preprocessing.mean[2], 0.75f);
}

TEST(Module, SaysWhatLogitsMean) {
  Builder builder;
  ModuleHandle module = load(builder.write());
  EXPECT_EQ(vit_module_problem_type(module.get()), nullptr);
  EXPECT_EQ(vit_module_score_function(module.get()), VIT_SOFTMAX);
  const std::pair<schema::ProblemType, vit_score_function> types[] = {
      {schema::ProblemType::single_label_classification, VIT_SOFTMAX},
      {schema::ProblemType::multi_label_classification, VIT_SIGMOID},
      {schema::ProblemType::regression, VIT_NO_FUNCTION}};
  for (auto [type, function] : types) {
    builder.module.problem_type = type;
    module = load(builder.write());
    EXPECT_STREQ(vit_module_problem_type(module.get()),
                 schema::EnumNameProblemType(type));
    EXPECT_EQ(vit_module_score_function(module.get()), function);
  }
}

TEST(Module, SaysWhichTokensThereAre) {
  Builder builder;
  ModuleHandle module = load(builder.write());
  vit_token_info info = {};
  EXPECT_EQ(vit_module_tokens(module.get(), &info, nullptr),
            VIT_INVALID_ARGUMENT);
  info.struct_size = sizeof info;
  EXPECT_EQ(vit_module_tokens(module.get(), &info, nullptr), VIT_NOT_FOUND);
  using Kind = schema::TokenKind;
  builder.module.tokens = std::make_unique<schema::TokensT>();
  builder.module.tokens->rows = 3;
  builder.module.tokens->columns = 5;
  builder.module.tokens->before_patches = {
      Kind::ClassToken, Kind::DistillationToken, Kind::RegisterToken};
  module = load(builder.write());
  ASSERT_EQ(vit_module_tokens(module.get(), &info, nullptr), VIT_OK);
  EXPECT_EQ(info.before_patches, 3);
  EXPECT_EQ(info.rows, 3);
  EXPECT_EQ(info.columns, 5);
  EXPECT_EQ(info.class_token, 0);
  EXPECT_EQ(info.distillation_token, 1);
  builder.module.tokens->before_patches = {Kind::RegisterToken};
  module = load(builder.write());
  ASSERT_EQ(vit_module_tokens(module.get(), &info, nullptr), VIT_OK);
  EXPECT_EQ(info.class_token, -1);
  EXPECT_EQ(info.distillation_token, -1);
  char *text = nullptr;
  ASSERT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  vit_module_free_text(module.get(), text);
  EXPECT_EQ(json["tokens"]["before_patches"],
            nlohmann::json({"RegisterToken"}));
  EXPECT_EQ(json["tokens"]["columns"], 5);
}

TEST(Module, SaysWhatEntriesForOtherSizesAre) {
  Builder builder;
  builder.module.tokens = std::make_unique<schema::TokensT>();
  builder.module.tokens->rows = builder.module.tokens->columns = 2;
  // Without a description of its own an entry has the module's.
  schema::EntryT &entry = *builder.module.entries[0];
  ModuleHandle module = load(builder.write());
  vit_token_info tokens = {};
  tokens.struct_size = sizeof tokens;
  vit_preprocessing p = {};
  p.struct_size = sizeof p;
  ASSERT_EQ(vit_module_entry_tokens(module.get(), "forward", &tokens, nullptr),
            VIT_OK);
  EXPECT_EQ(tokens.rows, 2);
  ASSERT_EQ(vit_module_entry_preprocessing(module.get(), nullptr, &p, nullptr),
            VIT_OK);
  EXPECT_EQ(p.height, 32);
  entry.tokens = std::make_unique<schema::TokensT>(*builder.module.tokens);
  entry.tokens->rows = 5;
  entry.preprocessing =
      std::make_unique<schema::PreprocessingT>(*builder.module.preprocessing);
  entry.preprocessing->height = 80;
  module = load(builder.write());
  ASSERT_EQ(vit_module_entry_tokens(module.get(), "forward", &tokens, nullptr),
            VIT_OK);
  EXPECT_EQ(tokens.rows, 5);
  ASSERT_EQ(vit_module_tokens(module.get(), &tokens, nullptr), VIT_OK);
  EXPECT_EQ(tokens.rows, 5);
  ASSERT_EQ(
      vit_module_entry_preprocessing(module.get(), "forward", &p, nullptr),
      VIT_OK);
  EXPECT_EQ(p.height, 80);
  EXPECT_EQ(vit_module_entry_tokens(module.get(), "no", &tokens, nullptr),
            VIT_NOT_FOUND);
  EXPECT_EQ(vit_module_entry_preprocessing(module.get(), "no", &p, nullptr),
            VIT_NOT_FOUND);
  char *text = nullptr;
  ASSERT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  vit_module_free_text(module.get(), text);
  EXPECT_EQ(json["entries"][0]["tokens"]["rows"], 5);
  // They are checked as the module's.
  entry.preprocessing->std[0] = 0;
  Bytes bytes = builder.write();
  vit_module *damaged = nullptr;
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr, nullptr,
                                   &damaged, nullptr),
            VIT_CORRUPT);
}

TEST(Module, DescribesItself) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  char *text = nullptr;
  ASSERT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  vit_module_free_text(module.get(), text);
  EXPECT_EQ(json["entries"][0]["name"], "forward");
  EXPECT_EQ(json["entries"][0]["inputs"][0]["dims"],
            nlohmann::json({-1, 2, 4}));
  const nlohmann::json &schedule = json["entries"][0]["schedules"][0];
  EXPECT_EQ(schedule["commands"].size(), 6u);
  EXPECT_EQ(schedule["commands"][4]["kernel"], "gemm_0");
  EXPECT_EQ(schedule["slots"][0]["bytes_at_batch_1"], 32);
  EXPECT_EQ(json["derived"][1]["sources"], nlohmann::json({"q", "kv"}));
  EXPECT_EQ(json["labels"][2], "h\u00e9ron \"grand\"");
  EXPECT_NEAR(double(json["preprocessing"]["scale"]), 1 / 255.0, 1e-8);
}

TEST(Module, DescribesDevices) {
  // The result must not depend on the drivers of the machine.
  Environment vulkan("VIT_VULKAN_LIBRARY", "libno-such-vulkan.so");
  Environment cuda("VIT_CUDA_LIBRARY", "libno-such-cuda.so");
  char *text = nullptr;
  ASSERT_EQ(vit_devices_describe(nullptr, &text, nullptr), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  std::free(text);
  ASSERT_EQ(json.size(), 3u);
  EXPECT_EQ(json[0]["device"], "cpu");
  EXPECT_GE(json[0]["cores"], 1);
  EXPECT_TRUE(json[0].contains("level"));
  EXPECT_EQ(json[1]["device"], "vulkan");
  EXPECT_EQ(json[2]["device"], "cuda");
  for (int i : {1, 2})
    EXPECT_NE(std::string(json[i]["unavailable"]), "");

  ASSERT_EQ(vit_devices_describe("cpu", &text, nullptr), VIT_OK);
  json = nlohmann::json::parse(text);
  std::free(text);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["device"], "cpu");

  vit_error error;
  EXPECT_EQ(vit_devices_describe("tpu", &text, &error), VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message,
               "'tpu' is no kind of device: cpu, vulkan and cuda are");
  EXPECT_EQ(text, nullptr);
}

TEST(Module, RefusesNonsense) {
  vit_error error;
  vit_module *module = nullptr;
  EXPECT_EQ(vit_module_load("no/such/file.vitm", nullptr, &module, &error),
            VIT_NOT_FOUND);
  EXPECT_STREQ(error.message, "cannot open module 'no/such/file.vitm': No such "
                              "file or directory");
  EXPECT_EQ(vit_module_load("/dev/null", nullptr, &module, &error),
            VIT_IO_ERROR);
  EXPECT_EQ(vit_module_load(".", nullptr, &module, &error), VIT_IO_ERROR);
  EXPECT_EQ(vit_module_load(nullptr, nullptr, &module, &error),
            VIT_INVALID_ARGUMENT);
  Bytes bytes = Builder().write();
  EXPECT_EQ(vit_module_load_memory(bytes.data() + 8, bytes.size() - 8, nullptr,
                                   nullptr, &module, &error),
            VIT_INVALID_ARGUMENT);
  vit_module_options options = {};
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr,
                                   &options, &module, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message,
               "struct_size of the options is 0: set it to their sizeof");
  vit_module_release(nullptr);
  vit_session_release(nullptr);
  vit_parameters_release(nullptr);
  EXPECT_STREQ(vit_version(), "0.1.0");
  EXPECT_STREQ(vit_status_name(VIT_CORRUPT), "VIT_CORRUPT");
}

/// Loads the builder's module as written by each supported format version.
TEST(Module, FormatsStayLoadable) {
  for (const char *name : {"format-2", "format-3"}) {
    ModuleHandle module =
        load(std::string(VIT_TEST_DATA "/golden/") + name + ".vitm");
    ASSERT_TRUE(module) << name;
    SessionHandle session = makeSession(module);
    Call call(3);
    EXPECT_EQ(call.run(session), VIT_OK) << name << call.error.message;
    call.expectReference();
  }
}

TEST(Module, OtherFormatsAreRefused) {
  vit_module *module = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_module_load(VIT_TEST_DATA "/golden/format-1.vitm", nullptr,
                            &module, &error),
            VIT_UNSUPPORTED);
  EXPECT_NE(std::string(error.message)
                .find("has module format version 1, this vit reads versions 2 "
                      "to 4: compile it again"),
            std::string::npos)
      << error.message;
}

} // namespace
