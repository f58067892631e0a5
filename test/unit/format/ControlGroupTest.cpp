//===- ControlGroupTest.cpp - Limits of made-up control groups ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/ControlGroup.h"
#include "format/Threads.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace vit::format;
namespace fs = std::filesystem;

namespace {

/// A folder that stands for "/".
class ControlGroup : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/vit-cgroup-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root = name;
  }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string &path, const std::string &text) {
    fs::create_directories(fs::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  void processIsIn(const std::string &groups) {
    write("/proc/self/cgroup", groups);
  }
  /// Mounts of a usual machine and then `lines`.
  void mounts(const std::string &lines) {
    write("/proc/self/mountinfo",
          "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
          "22 21 0:5 / /proc rw,nosuid - proc proc rw\n"
          "short line\n" +
              lines);
  }
  static std::string v2(const std::string &at) {
    return "30 21 0:26 " + at + " rw shared:4 - cgroup2 cgroup2 rw\n";
  }
  static std::string v1(const std::string &at, const std::string &controllers) {
    return "31 21 0:27 " + at + " rw - cgroup cgroup rw," + controllers + "\n";
  }
  std::optional<double> cpus() { return cpuQuota(root.c_str()); }
  std::optional<uint64_t> bytes() { return memoryLimit(root.c_str()); }

  std::string root;
};

using Quota = std::optional<double>;
using Bytes = std::optional<uint64_t>;

TEST_F(ControlGroup, NothingToRead) {
  EXPECT_EQ(cpus(), Quota());
  EXPECT_EQ(bytes(), Bytes());
  processIsIn("0::/\n");
  EXPECT_EQ(cpus(), Quota());
  mounts(v2("/ /sys/fs/cgroup"));
  EXPECT_EQ(cpus(), Quota());
  EXPECT_EQ(bytes(), Bytes());
}

TEST_F(ControlGroup, LeastOfTheGroupsAbove) {
  processIsIn("0::/user.slice/job/step\n");
  mounts(v2("/ /sys/fs/cgroup"));
  write("/sys/fs/cgroup/user.slice/job/step/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/user.slice/job/cpu.max", "150000 100000\n");
  write("/sys/fs/cgroup/user.slice/cpu.max", "300000 50000\n");
  write("/sys/fs/cgroup/other/cpu.max", "10000 100000\n");
  write("/sys/fs/cgroup/user.slice/job/step/memory.max", "1073741824\n");
  write("/sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  write("/sys/fs/cgroup/user.slice/memory.max", "536870912\n");
  EXPECT_EQ(cpus(), Quota(1.5));
  EXPECT_EQ(bytes(), Bytes(536870912));
}

TEST_F(ControlGroup, ContainerWithItsOwnNamespace) {
  processIsIn("0::/\n");
  mounts(v2("/ /sys/fs/cgroup"));
  write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  write("/sys/fs/cgroup/memory.max", "401408\n");
  EXPECT_EQ(cpus(), Quota(0.5));
  EXPECT_EQ(bytes(), Bytes(401408));
}

TEST_F(ControlGroup, ContainerThatSeesPathsOfItsHost) {
  processIsIn("5:cpu,cpuacct:/docker/abc\n"
              "4:memory:/docker/abc/inner\n"
              "1:name=systemd:/docker/abc\n");
  mounts(v1("/docker/abc /sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct") +
         v1("/docker/abc /sys/fs/cgroup/memory", "memory"));
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes",
        "9223372036854771712\n");
  EXPECT_EQ(cpus(), Quota(2.5));
  EXPECT_EQ(bytes(), Bytes());
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  EXPECT_EQ(bytes(), Bytes(2147483648));
}

TEST_F(ControlGroup, NoQuotaOfVersion1) {
  processIsIn("1:cpu:/\n");
  mounts(v1("/ /sys/fs/cgroup/cpu", "cpu"));
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), Quota());
}

TEST_F(ControlGroup, BothVersions) {
  processIsIn("3:memory:/a\n2:cpuset:/b\n0::/c\n");
  mounts(v1("/ /sys/fs/cgroup/memory", "memory") +
         v1("/ /sys/fs/cgroup/cpuset", "cpuset") +
         v2("/ /sys/fs/cgroup/unified"));
  write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096\n");
  write("/sys/fs/cgroup/unified/c/cpu.max", "100000 100000\n");
  EXPECT_EQ(cpus(), Quota(1));
  EXPECT_EQ(bytes(), Bytes(4096));
}

TEST_F(ControlGroup, MountedElsewhere) {
  processIsIn("0::/a b\n");
  mounts(v2("/ /run/my\\040groups\\134x"));
  write("/run/my groups\\x/a b/cpu.max", "20000 10000\n");
  EXPECT_EQ(cpus(), Quota(2));
}

TEST_F(ControlGroup, GroupsOutsideTheNamespace) {
  // A mount from before the namespace was made: all that is known of its group
  // is that it is above.
  processIsIn("0::/a\n");
  mounts(v2("/../.. /sys/fs/cgroup"));
  write("/sys/fs/cgroup/cpu.max", "70000 100000\n");
  write("/sys/fs/cgroup/a/cpu.max", "10000 100000\n");
  EXPECT_EQ(cpus(), Quota(0.7));
  // Groups beside the one that is mounted, which do not limit this process.
  for (const char *group : {"0::/../b\n", "0::/ab\n"}) {
    processIsIn(group);
    mounts(v2("/a /sys/fs/cgroup"));
    EXPECT_EQ(cpus(), Quota()) << group;
  }
}

TEST_F(ControlGroup, DamagedFiles) {
  processIsIn("0::/a\nno colons\n:\n\n");
  mounts(v2("/ /sys/fs/cgroup"));
  for (const char *text :
       {"", "\n", "max", "1", "-5 100000", "x y", "100000 0", "1 -1"}) {
    write("/sys/fs/cgroup/a/cpu.max", text);
    EXPECT_EQ(cpus(), Quota()) << text;
  }
  for (const char *text : {"", "\n", "-1", "18446744073709551615"}) {
    write("/sys/fs/cgroup/a/memory.max", text);
    EXPECT_EQ(bytes(), Bytes()) << text;
  }
  processIsIn("0::/" + std::string(5000, 'a') + "\n");
  EXPECT_EQ(cpus(), Quota());
}

TEST_F(ControlGroup, UsableMemoryIsTheLesser) {
  uint64_t machine = uint64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  EXPECT_EQ(usableMemory(root.c_str()), machine);
  processIsIn("0::/job\n");
  mounts(v2("/ /sys/fs/cgroup"));
  write("/sys/fs/cgroup/job/memory.max", "max\n");
  EXPECT_EQ(usableMemory(root.c_str()), machine);
  write("/sys/fs/cgroup/job/memory.max", "104857600\n");
  EXPECT_EQ(usableMemory(root.c_str()), 104857600u);
  // A limit that was set for a larger machine.
  write("/sys/fs/cgroup/job/memory.max", "1000000000000000\n");
  EXPECT_EQ(usableMemory(root.c_str()), machine);
}

//===----------------------------------------------------------------------===//
// The default number of threads
//===----------------------------------------------------------------------===//

TEST_F(ControlGroup, ThreadsAreTheQuotaRoundedUp) {
  unsetenv("VIT_NUM_THREADS");
  processIsIn("0::/job\n");
  mounts(v2("/ /sys/fs/cgroup"));
  int cores = availableCores();
  EXPECT_EQ(defaultThreads(root.c_str()), cores);
  struct Case {
    const char *quota;
    int threads;
  };
  for (const Case &given :
       {Case{"1000", 1}, Case{"100000", 1}, Case{"100001", 2},
        Case{"150000", 2}, Case{"99900000", 1024}, Case{"max", 1024}}) {
    write("/sys/fs/cgroup/job/cpu.max", std::string(given.quota) + " 100000\n");
    EXPECT_EQ(defaultThreads(root.c_str()), std::min(given.threads, cores))
        << given.quota;
  }
}

TEST_F(ControlGroup, ThreadsOfTheEnvironment) {
  processIsIn("0::/job\n");
  mounts(v2("/ /sys/fs/cgroup"));
  write("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  setenv("VIT_NUM_THREADS", "3", 1);
  EXPECT_EQ(defaultThreads(root.c_str()), 3);
  for (const char *wrong : {"0", "-1", "1025", "two", "2x", "99999999999999"}) {
    setenv("VIT_NUM_THREADS", wrong, 1);
    EXPECT_EQ(defaultThreads(root.c_str()), 0) << wrong;
  }
  setenv("VIT_NUM_THREADS", "", 1);
  EXPECT_EQ(defaultThreads(root.c_str()), 1);
  unsetenv("VIT_NUM_THREADS");
}

TEST(ControlGroupHere, AnswersAreUsable) {
  if (Quota quota = cpuQuota())
    EXPECT_GT(*quota, 0);
  if (Bytes limit = memoryLimit())
    EXPECT_GT(*limit, 0u);
}

} // namespace
