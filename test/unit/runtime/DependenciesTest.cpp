//===- DependenciesTest.cpp - Which commands wait for which ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Dependencies.h"

#include <gtest/gtest.h>

#include <vector>

using namespace vit;
using namespace vit::runtime;
using Kind = schema::ArgumentKind;

namespace {

schema::Argument slot(uint32_t index, uint64_t offset = 0,
                      uint64_t perImage = 64) {
  return {Kind::Slot, index, {perImage, 1, 1}, offset};
}
schema::Argument arena(uint64_t offset, uint64_t bytes) {
  return {Kind::Arena, 0, {bytes, 0, 1}, offset};
}

class Commands : public testing::Test {
protected:
  /// A dispatch with arguments of which the last ones are results.
  schema::CommandT &add(std::vector<schema::Argument> arguments,
                        uint8_t results, uint64_t unitsPerImage = 1) {
    auto command = std::make_unique<schema::CommandT>();
    command->arguments = std::move(arguments);
    command->results = results;
    command->units =
        std::make_unique<schema::Extent>(unitsPerImage, uint32_t(1), 1u);
    schedule.commands.push_back(std::move(command));
    return *schedule.commands.back();
  }

  /// What each command waits for.
  std::vector<std::vector<uint32_t>> find(int64_t batch = 2) {
    flatbuffers::FlatBufferBuilder builder;
    schedule.level = "sm_80";
    builder.Finish(schema::Schedule::Pack(builder, &schedule));
    const auto *packed =
        flatbuffers::GetRoot<schema::Schedule>(builder.GetBufferPointer());
    Dependencies dependencies;
    vit_error error = {};
    EXPECT_EQ(dependencies.find(format::Allocator(), *packed, batch, &error),
              VIT_OK);
    std::vector<std::vector<uint32_t>> result;
    for (uint32_t i = 0; i < schedule.commands.size(); ++i)
      result.emplace_back(dependencies.of(i),
                          dependencies.of(i) + dependencies.size(i));
    return result;
  }

  using Lists = std::vector<std::vector<uint32_t>>;
  schema::ScheduleT schedule;
};

TEST_F(Commands, ReadAfterWriteAndTheOtherWayRound) {
  add({slot(0), slot(1)}, 1); // 0 -> 1
  add({slot(0), slot(2)}, 1); // reads what 0 reads
  add({slot(1), slot(3)}, 1); // reads what 0 writes
  add({slot(4), slot(0)}, 1); // writes what 0 and 1 read
  add({slot(4), slot(1)}, 1); // writes what 0 writes and 2 reads
  EXPECT_EQ(find(), (Lists{{}, {}, {0}, {1, 0}, {2}}));
}

TEST_F(Commands, NothingIsListedTwice) {
  add({slot(0), slot(1)}, 1);
  add({slot(1), slot(2)}, 1);
  add({slot(1), slot(2), slot(3)}, 1); // waits for 0 through 1
  EXPECT_EQ(find(), (Lists{{}, {0}, {1}}));
}

TEST_F(Commands, RangesDecide) {
  // Two images: 128 bytes from 0, from 128, and from 64.
  add({slot(1), slot(0, 0)}, 1);
  add({slot(1), slot(0, 128)}, 1);
  add({slot(1), slot(0, 64)}, 1);
  EXPECT_EQ(find(2), (Lists{{}, {}, {1, 0}}));
  EXPECT_EQ(find(1), (Lists{{}, {}, {}}));
}

TEST_F(Commands, UpdatesWriteTheirArenas) {
  add({slot(0), arena(0, 64)}, 0).is_update = true;
  add({slot(0), arena(64, 64)}, 0).is_update = true;
  add({arena(0, 64), slot(1)}, 1);
  add({arena(64, 64), slot(2)}, 1);
  EXPECT_EQ(find(), (Lists{{}, {}, {0}, {1}}));
  // Without that mark, nothing is known of them.
  schedule.commands[1]->is_update = false;
  EXPECT_EQ(find(), (Lists{{}, {0}, {0}, {1}}));
}

TEST_F(Commands, RoundedCopiesAreOtherBytes) {
  schema::Argument low(Kind::Rounded, 0, {32, 0, 1}, 0);
  schema::Argument high(Kind::Rounded, 0, {32, 0, 1}, 32);
  add({low, slot(1)}, 1);
  add({high, slot(2)}, 1);
  add({arena(0, 64), slot(3)}, 1);
  add({slot(0), arena(0, 64), low}, 0).is_update = true;
  add({slot(0), arena(64, 64), high}, 0).is_update = true;
  EXPECT_EQ(find(), (Lists{{}, {}, {}, {2, 0}, {1}}));
}

TEST_F(Commands, WithoutWorkAndBarriers) {
  add({slot(0), slot(1)}, 1);
  add({slot(1), slot(2)}, 1, 0);
  auto barrier = std::make_unique<schema::CommandT>();
  barrier->kind = schema::CommandKind::Barrier;
  schedule.commands.push_back(std::move(barrier));
  auto fill = std::make_unique<schema::CommandT>();
  fill->kind = schema::CommandKind::Fill;
  fill->arguments = {slot(2)};
  schedule.commands.push_back(std::move(fill));
  auto copy = std::make_unique<schema::CommandT>();
  copy->kind = schema::CommandKind::Copy;
  copy->arguments = {slot(1), slot(2)};
  schedule.commands.push_back(std::move(copy));
  EXPECT_EQ(find(), (Lists{{}, {}, {}, {}, {3, 0}}));
}

TEST_F(Commands, ManyOfThem) {
  // A chain of more commands than a word has bits, beside independent ones.
  for (uint32_t i = 0; i < 200; ++i)
    add({slot(i % 2 ? 1000 + i : i), slot(i + 2)}, 1);
  Lists found = find();
  for (uint32_t i = 2; i < 200; i += 2)
    EXPECT_EQ(found[i], std::vector<uint32_t>{i - 2});
  for (uint32_t i = 1; i < 200; i += 2)
    EXPECT_EQ(found[i], std::vector<uint32_t>{});
}

} // namespace
