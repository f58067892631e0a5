//===- NewerTest.cpp - Modules of later versions of vit -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A later version may write numbers that this one does not know. Code for
// targets, levels and precisions that are not known is ignored, with what it
// alone reads. Everything else that is not known is an error which says that
// the module is of a newer vit.
//
//===----------------------------------------------------------------------===//

#include "CorruptSupport.h"
#include "TestSupport.h"

#include <nlohmann/json.hpp>

using namespace vit::test;
namespace schema = vit::schema;

namespace {

nlohmann::json describe(const ModuleHandle &module) {
  char *text = nullptr;
  EXPECT_EQ(vit_module_describe(module.get(), &text, nullptr), VIT_OK);
  nlohmann::json json = nlohmann::json::parse(text);
  vit_module_free_text(module.get(), text);
  return json;
}

std::string whyNoSession(const ModuleHandle &module, const char *precision) {
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.precision = precision;
  vit_session *session = nullptr;
  vit_error error = {};
  EXPECT_EQ(vit_session_create(module.get(), &options, &session, &error),
            VIT_UNSUPPORTED);
  return error.message;
}

TEST(Newer, CodeInAnUnknownPrecisionIsIgnored) {
  Builder builder;
  builder.addNewer();
  // The first schedule of a target that is known has its default precision.
  std::swap(builder.entry().schedules[0], builder.entry().schedules[1]);
  Bytes bytes = builder.write();
  for (bool verify : {false, true}) {
    vit_module_options options = {};
    options.struct_size = sizeof options;
    options.verify_weights = verify;
    ModuleHandle module = load(bytes, &options);
    EXPECT_STREQ(vit_module_precision(module.get(), nullptr, 0), "f32");
    EXPECT_EQ(vit_module_precision(module.get(), nullptr, 1), nullptr);
    ParametersHandle parameters = makeParameters(module);
    vit_session_options shared = {};
    shared.struct_size = sizeof shared;
    shared.parameters = parameters.get();
    SessionHandle session = makeSession(module, &shared);
    Call call(3);
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
    // The forms that are not known are made from these, too.
    std::vector<float> q(8, 0.25f);
    vit_error error = {};
    EXPECT_EQ(vit_parameters_write(parameters.get(), "q", q.data(), 32, &error),
              VIT_OK)
        << error.message;
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference(Builder::scale, q);
  }
  ModuleHandle module = load(bytes);
  nlohmann::json entry = describe(module)["entries"][0];
  EXPECT_EQ(entry["schedules"].size(), 1u);
  EXPECT_EQ(entry["ignored"], nlohmann::json({"Cpu avx2 in precision 99"}));
  EXPECT_NE(whyNoSession(module, "bf16")
                .find("has no Cpu code in bf16, but in "
                      "f32"),
            std::string::npos);
}

TEST(Newer, CodeForUnknownTargetsAndLevelsIsIgnored) {
  Builder builder;
  builder.addGpu(schema::Target::Vulkan);
  builder.gpu().target = schema::Target(7);
  builder.addBf16();
  builder.gpu().level = "avx99";
  builder.gpu().kernels[0]->threads = 5;
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  EXPECT_EQ(describe(module)["entries"][0]["ignored"],
            nlohmann::json({"target 7 tiled", "Cpu avx99 in bf16"}));
  EXPECT_EQ(vit_module_precision(module.get(), nullptr, 1), nullptr);
  Call call(2);
  EXPECT_EQ(call.run(makeSession(module)), VIT_OK) << call.error.message;
  call.expectReference();
}

TEST(Newer, ModuleWithoutOtherCode) {
  Builder builder;
  builder.schedule().precision = schema::DType(99);
  Bytes bytes = builder.write();
  ModuleHandle module = load(bytes);
  std::string message = whyNoSession(module, nullptr);
  EXPECT_NE(message.find("it has code for Cpu avx2 in precision 99 (of a newer "
                         "vit), and "),
            std::string::npos)
      << message;
}

class NewerLies : public testing::TestWithParam<Lie> {};

TEST_P(NewerLies, AreNotCalledDamage) {
  Builder builder;
  GetParam().tell(builder);
  expectNewer(builder, GetParam().message);
}

schema::Argument &argument(Builder &b, size_t command, size_t index) {
  return b.schedule().commands[command]->arguments[index];
}

INSTANTIATE_TEST_SUITE_P(
    Metadata, NewerLies,
    testing::Values(
        Lie{"parameter 'q' comes from an unknown source",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source(9);
            }},
        Lie{"parameter 'q' has an unknown initialiser",
            [](Builder &b) {
              b.module.parameters[1]->source = schema::Source::Init;
              b.module.parameters[1]->distribution = schema::Distribution(99);
            }},
        Lie{"argument 2 of command 4 of entry 'forward' is of an unknown type",
            [](Builder &b) {
              auto &types = b.schedule().commands[4]->element_types;
              types.resize(3);
              types[2] = schema::DType(9);
            }},
        Lie{"command 3 of entry 'forward' is of an unknown kind",
            [](Builder &b) {
              b.schedule().commands[3]->kind = schema::CommandKind(6);
            }},
        Lie{"argument 0 of command 0 of entry 'forward' is of an unknown kind",
            [](Builder &b) {
              argument(b, 0, 0) = {schema::ArgumentKind(8), 0, {}, 0};
            }},
        Lie{"input 'image' is of an unknown type",
            [](Builder &b) { b.entry().inputs[0]->dtype = schema::DType(50); }},
        Lie{"problem type 9 is unknown",
            [](Builder &b) { b.module.problem_type = schema::ProblemType(9); }},
        Lie{"kind of token 1 is unknown",
            [](Builder &b) {
              b.module.tokens = std::make_unique<schema::TokensT>();
              b.module.tokens->rows = b.module.tokens->columns = 4;
              b.module.tokens->before_patches = {schema::TokenKind::ClassToken,
                                                 schema::TokenKind(7)};
            }},
        Lie{"parameter 'q' is stored in a form that is unknown",
            [](Builder &b) {
              b.storeForms();
              b.module.derived[1]->kind = schema::DerivedKind(17);
            }},
        Lie{"argument 1 of command 4 of entry 'forward' is derived form 1, "
            "which is made in an unknown way",
            [](Builder &b) {
              b.module.derived[1]->element_type = schema::DType(99);
            }},
        Lie{"argument 1 of command 4 of entry 'forward' is derived form 3",
            [](Builder &b) {
              b.addNewer();
              argument(b, 4, 1) = {schema::ArgumentKind::Derived, 3, {}, 0};
            }},
        Lie{"constant 0 has elements of an unknown type",
            [](Builder &b) {
              b.module.constants[0]->element_type = schema::DType(99);
            }},
        Lie{"kernel 'gemm_0' is in a code image of an unknown format",
            [](Builder &b) {
              b.addNewer();
              b.schedule().kernels[1]->image =
                  uint32_t(b.module.images.size() - 1);
            }}));

} // namespace
