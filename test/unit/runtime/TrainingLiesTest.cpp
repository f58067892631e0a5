//===- TrainingLiesTest.cpp - Invalid arenas and variables ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CorruptSupport.h"

using namespace vit::test;
namespace schema = vit::schema;

namespace {

class TrainingLies : public testing::TestWithParam<Lie> {};

TEST_P(TrainingLies, AreFound) {
  Builder builder;
  builder.addTraining();
  vit_error error;
  EXPECT_EQ(tryLoad(builder.write(), error), VIT_OK) << error.message;
  GetParam().tell(builder);
  expectCorrupt(builder, GetParam().message);
}

/// An argument of train_step's update: gradient, loss, rate, two arenas.
schema::Argument &updated(Builder &b, size_t index) {
  return b.module.entries[1]->schedules[0]->commands.back()->arguments[index];
}

INSTANTIATE_TEST_SUITE_P(
    Metadata, TrainingLies,
    testing::Values(
        Lie{"two arenas are called 'momentum'",
            [](Builder &b) { b.module.arenas[0]->name = "momentum"; }},
        Lie{"arena 'parameters' has an impossible size",
            [](Builder &b) { b.module.arenas[0]->bytes = 100; }},
        Lie{"arena 'momentum' has an impossible size",
            [](Builder &b) { b.module.arenas[1]->bytes = 0; }},
        Lie{"arena 'momentum' has an impossible size",
            [](Builder &b) {
              b.module.arenas[0]->bytes = uint64_t(1) << 56;
              b.module.arenas[1]->bytes = uint64_t(1) << 56;
            }},
        Lie{"two variables are called 'momentum.q'",
            [](Builder &b) { b.module.variables[6]->name = "momentum.q"; }},
        Lie{"variable 'q' lies in arena 3 of 3",
            [](Builder &b) { b.module.variables[2]->arena = 3; }},
        Lie{"variable 'q' does not lie in its arena",
            [](Builder &b) { b.module.variables[2]->offset = 192; }},
        Lie{"variable 'q' does not lie in its arena",
            [](Builder &b) { b.module.variables[2]->offset = 60; }},
        Lie{"variable 'q' does not lie in its arena",
            [](Builder &b) {
              b.module.variables[2]->offset = uint64_t(0) - 64;
            }},
        Lie{"variables overlap at offset 64 of arena 'momentum'",
            [](Builder &b) { b.module.variables[5]->offset = 64; }},
        Lie{"variable 'momentum.q' has an impossible dimension 0",
            [](Builder &b) { b.module.variables[3]->dims = {0}; }},
        Lie{"variable 'momentum.q' has rank 0",
            [](Builder &b) { b.module.variables[3]->dims = {}; }},
        Lie{"variable 'momentum.q' is of a type that is not f32 or i32",
            [](Builder &b) {
              b.module.variables[3]->dtype = schema::DType::BF16;
            }},
        Lie{"variable 'q' is parameter 3 of 3",
            [](Builder &b) { b.module.variables[2]->parameter = 4; }},
        Lie{"variable 'q' is not as its parameter 'kv'",
            [](Builder &b) { b.module.variables[2]->parameter = 3; }},
        Lie{"variable 'q' is not as its parameter 'q'",
            [](Builder &b) { b.module.variables[2]->dims = {8, 1}; }},
        Lie{"variable 'q' is not as its parameter 'q'",
            [](Builder &b) {
              b.module.variables[2]->dtype = schema::DType::I32;
            }},
        Lie{"parameter 'q' is two variables",
            [](Builder &b) {
              auto &v = *b.module.variables[3];
              v.name = "q";
              v.parameter = 2;
            }},
        Lie{"command 5 of entry 'train_step' goes beyond its argument 3 at "
            "batch 1: 192 of 128 bytes",
            [](Builder &b) {
              updated(b, 3) = {schema::ArgumentKind::Arena, 0, {192, 0, 1}, 64};
            }},
        Lie{"command 5 of entry 'train_step' goes beyond its argument 0 at "
            "batch 1: 192 of 0 bytes",
            [](Builder &b) {
              updated(b, 0) = {schema::ArgumentKind::Slot, 0, {192, 0, 1}, 256};
            }},
        Lie{"command 5 of entry 'train_step' begins argument 4 at an "
            "impossible offset",
            [](Builder &b) {
              updated(b, 4) = {schema::ArgumentKind::Arena, 1, {64, 0, 1}, 8};
            }},
        Lie{"argument 4 of command 5 of entry 'train_step' is number 3 of 3",
            [](Builder &b) {
              updated(b, 4) = {schema::ArgumentKind::Arena, 3, {64, 0, 1}, 0};
            }},
        Lie{"command 5 of entry 'train_step' is an update that changes no "
            "arena",
            [](Builder &b) {
              updated(b, 4) = {schema::ArgumentKind::Slot, 0, {64, 0, 1}, 0};
            }},
        Lie{"command 3 of entry 'train_step' is an update that changes no "
            "arena",
            [](Builder &b) {
              b.module.entries[1]->schedules[0]->commands[3]->is_update = true;
            }},
        Lie{"command 3 of entry 'train_step' writes to what is read only",
            [](Builder &b) {
              auto &command = *b.module.entries[1]->schedules[0]->commands[3];
              command.kind = schema::CommandKind::Fill;
              command.arguments = {
                  {schema::ArgumentKind::Arena, 0, {64, 0, 1}, 0}};
            }}));

class RoundedLies : public testing::TestWithParam<Lie> {};

TEST_P(RoundedLies, AreFound) {
  for (schema::Target target : {schema::Target::Vulkan, schema::Target::Cuda}) {
    Builder builder;
    builder.addTraining();
    builder.addGpu(target);
    builder.addRounded();
    vit_error error;
    EXPECT_EQ(tryLoad(builder.write(), error), VIT_OK) << error.message;
    GetParam().tell(builder);
    expectCorrupt(builder, GetParam().message);
  }
}

/// The commands of a GPU's train_step: 2 reads the copy, 5 changes it.
std::vector<schema::Argument> &onGpu(Builder &b, size_t command) {
  return b.module.entries[1]->schedules[1]->commands[command]->arguments;
}
schema::Argument rounded(uint32_t arena, uint64_t bytes, uint64_t offset) {
  return {schema::ArgumentKind::Rounded, arena, {bytes, 0, 1}, offset};
}

INSTANTIATE_TEST_SUITE_P(
    Metadata, RoundedLies,
    testing::Values(
        Lie{"argument 3 of command 2 of entry 'train_step' is number 3 of 3",
            [](Builder &b) { onGpu(b, 2)[3] = rounded(3, 8, 0); }},
        Lie{"command 2 of entry 'train_step' begins argument 3 at an "
            "impossible offset",
            [](Builder &b) { onGpu(b, 2)[3] = rounded(0, 8, 16); }},
        Lie{"command 2 of entry 'train_step' goes beyond its argument 3 at "
            "batch 1: 8 of 0 bytes",
            [](Builder &b) { onGpu(b, 2)[3] = rounded(0, 8, 96); }},
        Lie{"command 5 of entry 'train_step' goes beyond its argument 5 at "
            "batch 1: 96 of 64 bytes",
            [](Builder &b) { onGpu(b, 5)[5] = rounded(0, 96, 32); }},
        Lie{"update 'update' of entry 'train_step' changes variables and not "
            "their rounded copy",
            [](Builder &b) { onGpu(b, 5)[5] = rounded(0, 32, 0); }},
        Lie{"update 'update' of entry 'train_step' changes variables and not "
            "their rounded copy",
            [](Builder &b) { onGpu(b, 5)[5] = rounded(1, 96, 0); }},
        Lie{"update 'update' of entry 'train_step' changes variables and not "
            "their rounded copy",
            [](Builder &b) {
              onGpu(b, 5).pop_back();
              --b.module.entries[1]->schedules[1]->kernels[4]->argument_count;
            }},
        Lie{"command 5 of entry 'train_step' is an update that changes no "
            "arena",
            [](Builder &b) { onGpu(b, 5)[4] = onGpu(b, 5)[0]; }},
        Lie{"command 3 of entry 'train_step' writes to what is read only",
            [](Builder &b) {
              auto &command = *b.module.entries[1]->schedules[1]->commands[3];
              command.kind = schema::CommandKind::Fill;
              command.arguments = {rounded(0, 64, 0)};
            }},
        Lie{"argument 3 of command 2 of entry 'train_step' is of a rounded "
            "copy of variables, which the CPU has not",
            [](Builder &b) {
              auto &schedule = *b.module.entries[1]->schedules[0];
              auto &arguments = schedule.commands[2]->arguments;
              arguments.insert(arguments.end() - 1, rounded(0, 8, 0));
              ++schedule.kernels[2]->argument_count;
            }}));

class RanksLies : public testing::TestWithParam<Lie> {};

TEST_P(RanksLies, AreFound) {
  Builder builder;
  builder.addTraining();
  builder.addRanks();
  vit_error error;
  EXPECT_EQ(tryLoad(builder.write(), error), VIT_OK) << error.message;
  GetParam().tell(builder);
  expectCorrupt(builder, GetParam().message);
}

/// The commands of train_step: 5 and 6 reduce, 7 waits, 8 is the update.
std::vector<std::unique_ptr<schema::CommandT>> &commands(Builder &b) {
  return b.module.entries[1]->schedules[0]->commands;
}

INSTANTIATE_TEST_SUITE_P(
    Metadata, RanksLies,
    testing::Values(
        Lie{"command 6 of entry 'train_step' has 3 arguments, expected 4",
            [](Builder &b) { commands(b)[6]->arguments.pop_back(); }},
        Lie{"command 5 of entry 'train_step' reduces nothing",
            [](Builder &b) { commands(b)[5]->arguments.clear(); }},
        Lie{"command 5 of entry 'train_step' reduces argument 1",
            [](Builder &b) {
              commands(b)[5]->arguments[1] = commands(b)[5]->arguments[0];
            }},
        Lie{"command 6 of entry 'train_step' reduces argument 3",
            [](Builder &b) {
              commands(b)[6]->arguments[3] = {
                  schema::ArgumentKind::Arena, 3, {128, 0, 1}, 0};
            }},
        Lie{"command 5 of entry 'train_step' reduces argument 0",
            [](Builder &b) {
              commands(b)[5]->arguments[0] = {
                  schema::ArgumentKind::Slot, 0, {64, 1, 1}, 0};
            }},
        Lie{"command 5 of entry 'train_step' goes beyond its argument 0",
            [](Builder &b) {
              commands(b)[5]->arguments[0] = {
                  schema::ArgumentKind::Slot, 0, {64, 0, 1}, 192};
            }},
        Lie{"command 7 of entry 'train_step' exchanges argument 0",
            [](Builder &b) {
              commands(b)[7]->arguments[0] = {
                  schema::ArgumentKind::Input, 2, {4, 0, 1}, 0};
            }},
        Lie{"command 7 of entry 'train_step' has 0 arguments, expected 1",
            [](Builder &b) { commands(b)[7]->arguments.clear(); }},
        Lie{"command 8 of entry 'train_step' is not where gradients are "
            "reduced",
            [](Builder &b) {
              commands(b)[7]->kind = schema::CommandKind::Barrier;
              commands(b)[7]->arguments.clear();
            }},
        Lie{"command 6 of entry 'train_step' is not where gradients are "
            "reduced",
            [](Builder &b) { std::swap(commands(b)[5], commands(b)[7]); }}));

} // namespace
