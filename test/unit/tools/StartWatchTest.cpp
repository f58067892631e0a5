//===- StartWatchTest.cpp - Ranks that MPI does not connect ---------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../../../tools/vit-run/Launcher.h"

#include <gtest/gtest.h>

#include <chrono>
#include <sys/wait.h>
#include <unistd.h>

using namespace vit::tools;

namespace {

constexpr Launcher kLauncher = {"mpirun", "", 1, 2};

TEST(StartWatch, EndsAStartThatTakesTooLong) {
  EXPECT_EXIT(
      {
        StartWatch watch(kLauncher, 0.1);
        sleep(30);
      },
      testing::ExitedWithCode(1),
      "error: rank 1: MPI has not connected the ranks within 0 seconds");
}

TEST(StartWatch, EndsWithItsLauncher) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t launcher = fork();
  ASSERT_GE(launcher, 0);
  if (launcher == 0) {
    if (fork() != 0) {
      usleep(300000); // The rank has begun to watch it.
      _exit(0);
    }
    StartWatch watch(kLauncher, 60);
    sleep(30);
    // The test waits until nobody has the end of the pipe.
    _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
  }
  close(ends[1]);
  waitpid(launcher, nullptr, 0);
  auto begin = std::chrono::steady_clock::now();
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  close(ends[0]);
}

TEST(StartWatch, LeavesAStartAlone) {
  {
    StartWatch watch(kLauncher, 0.2);
  }
  usleep(1200000);
  SUCCEED(); // or the process would have ended
}

} // namespace
