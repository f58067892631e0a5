//===- DeviceTest.cpp - Selection of Vulkan devices and levels ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VulkanSupport.h"

#include <algorithm>
#include <fstream>

using namespace vit::test;
namespace fs = std::filesystem;

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

/// Whether code on the device of a description uses a feature.
static bool uses(const nlohmann::json &device, const char *feature) {
  const auto &list = device["uses"];
  return std::find(list.begin(), list.end(), feature) != list.end();
}

TEST_F(Vulkan, DescribesDevices) {
  nlohmann::json devices = vulkanDevices();
  ASSERT_FALSE(devices.empty());
  for (size_t i = 0; i < devices.size(); ++i) {
    const auto &device = devices[i];
    EXPECT_EQ(device["device"], "vulkan:" + std::to_string(i));
    EXPECT_FALSE(device["name"].get<std::string>().empty());
    if (device.contains("unavailable"))
      continue;
    EXPECT_GE(device["workgroup_threads"], 128);
    EXPECT_GE(device["workgroup_memory"], 16384);
    EXPECT_GE(device["max_binding"], 1 << 27);
    EXPECT_GE(device["max_allocation"], 1 << 30);
    if (device["type"] == "CPU")
      EXPECT_EQ(device["level"],
                uses(device, "integer_dot_product") ? "direct_dot" : "direct");
  }
}

TEST_F(Vulkan, ChosenByIndexAndName) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  std::string name = vulkanDevices()[0]["name"];
  std::string part = name.substr(1, 6);
  for (char &c : part)
    c = char(std::toupper(c));
  for (const std::string &device :
       {std::string("vulkan"), std::string("vulkan:0"), "vulkan:" + name,
        "vulkan:" + part}) {
    vit_session_options options = vulkanOptions(device.c_str());
    SessionHandle session = makeSession(module, &options);
    ASSERT_TRUE(session) << device;
    Call call(2);
    EXPECT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
  }
}

TEST_F(Vulkan, UnknownDevicesAreListed) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  std::string name = vulkanDevices()[0]["name"];
  struct {
    const char *device;
    vit_status status;
  } const cases[] = {{"vulkan:99", VIT_NOT_FOUND},
                     {"vulkan:18446744073709551616", VIT_NOT_FOUND},
                     {"vulkan:no such thing", VIT_NOT_FOUND}};
  for (const auto &c : cases) {
    std::string message;
    EXPECT_EQ(failToMake(module, vulkanOptions(c.device), message), c.status);
    EXPECT_NE(message.find(name), std::string::npos) << message;
  }
}

//===----------------------------------------------------------------------===//
// Levels
//===----------------------------------------------------------------------===//

namespace {

/// Finds the schedule that runs: all schedules but one have no work units, so
/// that only this one computes anything. `wanted` is the level of the session's
/// options.
std::string levelThatRuns(const std::vector<std::string> &levels,
                          std::string &message, const char *wanted = nullptr) {
  for (const std::string &only : levels) {
    Builder builder;
    for (const std::string &level : levels) {
      auto &schedule = addVulkanSchedule(builder, level.c_str());
      if (level == "tiled_256")
        schedule.features = {"subgroup_arithmetic"};
      if (level == "direct_dot")
        schedule.features = {"integer_dot_product"};
      if (level != only)
        for (auto &command : schedule.commands)
          if (command->name == "encoder.scale")
            command->units = std::make_unique<vit::schema::Extent>(0, 0, 0);
    }
    Bytes bytes = builder.write();
    ModuleHandle module = load(bytes);
    vit_session_options options = {};
    options.struct_size = sizeof options;
    options.device = "vulkan";
    options.level = wanted;
    vit_session *session = nullptr;
    vit_error error = {};
    if (vit_session_create(module.get(), &options, &session, &error) !=
        VIT_OK) {
      message = error.message;
      return "none";
    }
    SessionHandle handle(session);
    Call call(1);
    // Results must differ from those that a previous call left in memory.
    static int calls = 0;
    ++calls;
    for (float &value : call.image)
      value += float(calls);
    EXPECT_EQ(call.run(handle), VIT_OK) << call.error.message;
    std::vector<float> hidden, logits;
    evaluateReference(call.image, 1, Builder::scale, Builder::q, Builder::kv,
                      hidden, logits);
    if (call.hidden == hidden)
      return only;
  }
  return "unclear";
}

} // namespace

TEST_F(Vulkan, LevelByDeviceAndByForce) {
  const std::vector<std::string> all = {"direct", "direct_dot", "tiled",
                                        "tiled_256"};
  nlohmann::json device = vulkanDevices()[0];
  std::string message;
  EXPECT_EQ(levelThatRuns(all, message), device["level"]) << message;
  EXPECT_EQ(levelThatRuns({"tiled"}, message), "tiled") << message;
  for (const char *level : {"direct", "tiled"}) {
    EXPECT_EQ(levelThatRuns(all, message, level), level) << message;
    Environment force("VIT_VULKAN_LEVEL", level);
    EXPECT_EQ(levelThatRuns(all, message), level) << message;
    // The options take precedence.
    EXPECT_EQ(levelThatRuns(all, message, "direct"), "direct") << message;
  }
  EXPECT_EQ(levelThatRuns(all, message, "avx2"), "none");
  EXPECT_NE(message.find("the option level"), std::string::npos) << message;
  // All software devices support it; GPUs if they report it.
  if (device["type"] == "CPU" || uses(device, "subgroup_arithmetic")) {
    Environment force("VIT_VULKAN_LEVEL", "tiled_256");
    EXPECT_EQ(levelThatRuns(all, message), "tiled_256") << message;
    Environment disable("VIT_VULKAN_DISABLE", "subgroup");
    EXPECT_EQ(levelThatRuns(all, message), "none");
    EXPECT_NE(message.find("VIT_VULKAN_DISABLE"), std::string::npos) << message;
  }
  if (uses(device, "integer_dot_product")) {
    Environment force("VIT_VULKAN_LEVEL", "direct_dot");
    EXPECT_EQ(levelThatRuns(all, message), "direct_dot") << message;
    Environment disable("VIT_VULKAN_DISABLE", "integer-dot-product");
    EXPECT_FALSE(uses(vulkanDevices()[0], "integer_dot_product"));
    EXPECT_EQ(levelThatRuns(all, message), "none");
    EXPECT_NE(message.find("VIT_VULKAN_DISABLE switches dot products of "
                           "integers off"),
              std::string::npos)
        << message;
  }
  {
    Environment force("VIT_VULKAN_LEVEL", "tiled");
    EXPECT_EQ(levelThatRuns({"direct"}, message), "none");
    EXPECT_NE(message.find("tiled"), std::string::npos) << message;
  }
  Environment force("VIT_VULKAN_LEVEL", "fast");
  EXPECT_EQ(levelThatRuns(all, message), "none");
  EXPECT_NE(message.find("VIT_VULKAN_LEVEL"), std::string::npos) << message;
}

TEST_F(Vulkan, KernelsBeyondTheDevice) {
  const uint32_t shared = vulkanDevices()[0]["workgroup_memory"];
  const uint32_t most = 227 << 10; // The limit for a module.
  struct {
    const char *what; ///< a part of the message, or NULL
    void (*change)(vit::schema::ScheduleT &, uint32_t);
  } const cases[] = {{"bytes of workgroup memory",
                      [](vit::schema::ScheduleT &schedule, uint32_t shared) {
                        schedule.kernels[0]->shared = shared + 16;
                      }},
                     {"flux_capacitor",
                      [](vit::schema::ScheduleT &schedule, uint32_t) {
                        schedule.features = {"flux_capacitor"};
                      }},
                     {nullptr, [](vit::schema::ScheduleT &schedule, uint32_t) {
                        schedule.precision = vit::schema::DType::U8;
                      }}};
  for (const auto &c : cases) {
    if (&c == &cases[0] && shared + 16 > most)
      continue;
    Builder builder;
    c.change(addVulkanSchedule(builder, "tiled"), shared);
    Bytes bytes = builder.write();
    ModuleHandle module = load(bytes);
    std::string message;
    EXPECT_EQ(failToMake(module, vulkanOptions(), message), VIT_UNSUPPORTED);
    if (c.what)
      EXPECT_NE(message.find(c.what), std::string::npos) << message;
  }
}

TEST_F(Vulkan, NoCodeForVulkan) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  std::string message;
  EXPECT_EQ(failToMake(module, vulkanOptions(), message), VIT_UNSUPPORTED);
  EXPECT_NE(message.find("--target vulkan"), std::string::npos) << message;
}

TEST_F(Vulkan, SettingsThatMeanNothing) {
  Bytes bytes = makeModule();
  ModuleHandle module = load(bytes);
  const char *const settings[][2] = {{"VIT_VULKAN_DISABLE", "subgroup,warp"},
                                     {"VIT_VULKAN_SUBMIT_GFLOP", "many"},
                                     {"VIT_VULKAN_SUBMIT_GFLOP", "-1"},
                                     {"VIT_VULKAN_MAX_BINDING", "12"},
                                     {"VIT_VULKAN_MAX_ALLOCATION", "1 GB"}};
  for (const auto &setting : settings) {
    Environment environment(setting[0], setting[1]);
    std::string message;
    EXPECT_EQ(failToMake(module, vulkanOptions(), message),
              VIT_INVALID_ARGUMENT);
    EXPECT_NE(message.find(setting[0]), std::string::npos) << message;
  }
}

//===----------------------------------------------------------------------===//
// The pipeline cache
//===----------------------------------------------------------------------===//

namespace {

class VulkanCache : public Vulkan {
protected:
  /// Runs a call in a new session.
  void run() {
    Bytes bytes = makeModule();
    ModuleHandle module = load(bytes);
    SessionHandle session = makeVulkanSession(module);
    ASSERT_TRUE(session);
    Call call(2);
    ASSERT_EQ(call.run(session), VIT_OK) << call.error.message;
    call.expectReference();
  }
  /// The one file of the cache; empty if there is none.
  fs::path file() const {
    fs::path found;
    if (fs::exists(cache / "vit"))
      for (const auto &entry : fs::directory_iterator(cache / "vit")) {
        EXPECT_TRUE(found.empty()) << found << " and " << entry.path();
        found = entry.path();
      }
    return found;
  }
  static std::string read(const fs::path &path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void write(const fs::path &path, const std::string &bytes) {
    std::ofstream stream(path, std::ios::binary | std::ios::trunc);
    stream << bytes;
  }
};

} // namespace

TEST_F(VulkanCache, DamageIsRepaired) {
  run();
  fs::path path = file();
  ASSERT_FALSE(path.empty());
  std::string sound = read(path);
  ASSERT_GE(sound.size(), 56u + 32);
  run();
  EXPECT_EQ(read(path).size(), sound.size());
  // Each field of the header, the driver's own header, the data.
  std::vector<size_t> places = {0, 8, 12, 16, 24, 40, 48, 56, 60, 64, 70};
  places.push_back(sound.size() - 1);
  for (size_t place : places) {
    std::string damaged = sound;
    damaged[place] = char(damaged[place] ^ 0x41);
    write(path, damaged);
    run();
    EXPECT_NE(read(path), damaged) << "at byte " << place;
  }
  for (size_t size : {size_t(0), size_t(1), size_t(56), sound.size() - 1}) {
    write(path, sound.substr(0, size));
    run();
    EXPECT_GT(read(path).size(), size);
  }
  write(path, sound + "more");
  run();
  EXPECT_NE(read(path), sound + "more");
}

TEST_F(VulkanCache, NotBelievedWhereOthersMayWrite) {
  run();
  fs::path path = file();
  ASSERT_FALSE(path.empty());
  fs::permissions(path, fs::perms::others_write, fs::perm_options::add);
  run();
  EXPECT_EQ(fs::status(path).permissions() & fs::perms::others_write,
            fs::perms::none);
  // Symbolic links are not followed.
  std::string elsewhere = (cache / "elsewhere").string();
  fs::rename(path, elsewhere);
  fs::create_symlink(elsewhere, path);
  std::string before = read(elsewhere);
  run();
  EXPECT_FALSE(fs::is_symlink(path));
  EXPECT_EQ(read(elsewhere), before);
}

TEST_F(VulkanCache, NeverFatal) {
  {
    Environment disable("VIT_VULKAN_DISABLE", "pipeline-cache");
    run();
    EXPECT_TRUE(file().empty());
  }
  // A file in place of the folder.
  write(cache / "vit", "in the way");
  run();
  Environment none("XDG_CACHE_HOME", nullptr);
  Environment home("HOME", nullptr);
  run();
}
