//===- SessionTest.cpp - Selection of device and level --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <nlohmann/json.hpp>

using namespace vit::test;

namespace {

TEST(Level, NoneCannotRun) {
  Environment none("VIT_CPU_LEVEL", "none");
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  ASSERT_TRUE(module);
  vit_session *session = nullptr;
  vit_error error;
  EXPECT_EQ(vit_session_create(module.get(), nullptr, &session, &error),
            VIT_UNSUPPORTED);
  EXPECT_EQ(session, nullptr);
  EXPECT_STREQ(error.message,
               "'module in memory' cannot run here: it has code for Cpu avx2, "
               "and this machine offers Cpu none (VIT_CPU_LEVEL or the options "
               "forbid all)");
  // The module can still be described.
  char *json = nullptr;
  EXPECT_EQ(vit_module_describe(module.get(), &json, &error), VIT_OK);
  vit_module_free_text(module.get(), json);
}

TEST(Level, UnknownIsAnError) {
  Environment unknown("VIT_CPU_LEVEL", "sse9");
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session *session = nullptr;
  vit_error error;
  EXPECT_EQ(vit_session_create(module.get(), nullptr, &session, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "VIT_CPU_LEVEL is set to no level of the target; "
                              "choose one of amx, avx512_bf16, avx512_vnni, "
                              "avx512, avx_vnni, avx2, none");
}

TEST(Level, OptionsLowerTheChoice) {
  Builder builder;
  builder.schedule().level = "avx512";
  Bytes bytes = builder.write();
  vit_module_options options = {};
  options.struct_size = sizeof options;
  options.level = "avx2";
  ModuleHandle module = load(bytes, &options);
  vit_session *session = nullptr;
  vit_error error;
  EXPECT_EQ(vit_session_create(module.get(), nullptr, &session, &error),
            VIT_UNSUPPORTED);
  options.level = "neon";
  vit_module *refused = nullptr;
  EXPECT_EQ(vit_module_load_memory(bytes.data(), bytes.size(), nullptr,
                                   &options, &refused, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(refused, nullptr);
}

TEST(Level, OfASession) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  ASSERT_TRUE(module);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  // The session copies the text and chooses the level by its own options.
  std::string level = "avx2";
  options.level = level.c_str();
  SessionHandle session = makeSession(module, &options);
  ASSERT_TRUE(session);
  level = "none";
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  vit_session *refused = nullptr;
  vit_error error;
  options.level = "none";
  EXPECT_EQ(vit_session_create(module.get(), &options, &refused, &error),
            VIT_UNSUPPORTED);
  options.level = "tiled";
  EXPECT_EQ(vit_session_create(module.get(), &options, &refused, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "the option level is set to no level of the "
                              "target; choose one of amx, avx512_bf16, "
                              "avx512_vnni, avx512, avx_vnni, avx2, none");
  EXPECT_EQ(refused, nullptr);
  // Options of a version without the field `level`.
  options.struct_size = offsetof(vit_session_options, level);
  EXPECT_TRUE(makeSession(module, &options));
}

TEST(Session, RefusesUnknownDevices) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  ASSERT_TRUE(module);
  vit_error error;
  for (const char *name : {"", "gpu", "cpu:0", "vulkan:", "cudas", "Vulkan"}) {
    vit_session_options options = {};
    options.struct_size = sizeof options;
    options.device = name;
    vit_session *session = nullptr;
    EXPECT_EQ(vit_session_create(module.get(), &options, &session, &error),
              VIT_INVALID_ARGUMENT)
        << name;
    EXPECT_EQ(std::string(error.message),
              "'" + std::string(name) +
                  "' is no device: cpu, vulkan, vulkan:N, vulkan:PART OF NAME, "
                  "cuda and cuda:N are");
  }
}

TEST(Session, NeedsCodeForItsDevice) {
  Builder builder;
  Bytes cpu = builder.write();
  vit_error error;
  vit_session_options options = {};
  options.struct_size = sizeof options;
  vit_session *session = nullptr;
  ModuleHandle module = load(cpu);
  ASSERT_TRUE(module);
  options.device = "vulkan";
  EXPECT_EQ(vit_session_create(module.get(), &options, &session, &error),
            VIT_UNSUPPORTED);
  EXPECT_STREQ(error.message,
               "'module in memory' cannot run here: it has code for Cpu avx2, "
               "and the session is to run on Vulkan; compile it again with "
               "--target vulkan");
  options.device = "cuda:1";
  EXPECT_EQ(vit_session_create(module.get(), &options, &session, &error),
            VIT_UNSUPPORTED);
  EXPECT_STREQ(error.message,
               "'module in memory' cannot run here: it has code for Cpu avx2, "
               "and the session is to run on Cuda; compile it again with "
               "--target cuda");
}

TEST(Session, CodeForGpusAloneIsNoCodeForTheCpu) {
  Builder builder;
  builder.addGpu(vit::schema::Target::Vulkan);
  builder.addGpu(vit::schema::Target::Cuda);
  Builder both;
  both.addGpu(vit::schema::Target::Vulkan);
  Bytes bytesOfBoth = both.write();
  ModuleHandle module = load(bytesOfBoth);
  SessionHandle session = makeSession(module);
  Call call(2);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();

  auto &schedules = builder.entry().schedules;
  schedules.erase(schedules.begin());
  Bytes bytes = builder.write();
  module = load(bytes);
  ASSERT_TRUE(module);
  char *text = nullptr;
  ASSERT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  vit_module_free_text(module.get(), text);
  const nlohmann::json &vulkan = json["entries"][0]["schedules"][0];
  EXPECT_EQ(vulkan["target"], "Vulkan");
  EXPECT_EQ(vulkan["chosen"], false);
  EXPECT_EQ(vulkan["kernels"][1]["threads"], 64);
  EXPECT_EQ(vulkan["kernels"][1]["shared"], 1024);
  EXPECT_EQ(json["entries"][0]["schedules"][1]["cubins"], nlohmann::json({5}));
  EXPECT_EQ(json["images"][1]["format"], "SpirV");
  EXPECT_EQ(json["images"][4]["format"], "Ptx");
  EXPECT_EQ(json["images"][5]["format"], "Cubin");
  EXPECT_EQ(json["images"][5]["arch"], "sm_90a");

  vit_session *none = nullptr;
  vit_error error;
  EXPECT_EQ(vit_session_create(module.get(), nullptr, &none, &error),
            VIT_UNSUPPORTED);
  EXPECT_EQ(std::string(error.message)
                .rfind("'module in memory' cannot run here: it has code for "
                       "Vulkan tiled, Cuda sm_80, and this machine offers Cpu ",
                       0),
            0u)
      << error.message;
  EXPECT_NE(
      std::string(error.message).find("; compile it again with --target cpu"),
      std::string::npos)
      << error.message;
}

TEST(Session, WarmsUp) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  SessionHandle session = makeSession(module, &options);
  vit_error error;
  for (int64_t batch : {1, 5, 5})
    EXPECT_EQ(vit_session_warm_up(session.get(), nullptr, batch, &error),
              VIT_OK)
        << error.message;
  Call call(5);
  EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
  call.expectReference();
  EXPECT_EQ(vit_session_warm_up(session.get(), nullptr, -1, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(vit_session_warm_up(session.get(), nullptr, INT64_MAX, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(vit_session_warm_up(session.get(), "none", 1, &error),
            VIT_NOT_FOUND);
}

TEST(Session, KnowsItsWorkspace) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  ASSERT_TRUE(module);
  SessionHandle session = makeSession(module);
  ASSERT_TRUE(session);
  vit_error error;
  uint64_t slots = 0, one = 0, many = 0;
  ASSERT_EQ(
      vit_module_workspace_size(module.get(), nullptr, 64, &slots, &error),
      VIT_OK);
  ASSERT_EQ(
      vit_session_workspace_size(session.get(), nullptr, 64, &many, &error),
      VIT_OK);
  ASSERT_EQ(
      vit_session_workspace_size(session.get(), "forward", 1, &one, &error),
      VIT_OK);
  EXPECT_GE(many, slots);
  EXPECT_LT(one, many);
  EXPECT_EQ(vit_session_workspace_size(session.get(), nullptr, 0, &one, &error),
            VIT_INVALID_ARGUMENT);
  EXPECT_EQ(vit_session_workspace_size(session.get(), "train", 1, &one, &error),
            VIT_NOT_FOUND);
}

} // namespace
