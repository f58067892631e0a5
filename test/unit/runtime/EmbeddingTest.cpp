//===- EmbeddingTest.cpp - Inside other programs --------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What programs that embed the runtime do: fork, compute with flushed
// subnormals, use small stacks, replace files, load a second version.
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <link.h>
#include <map>
#include <pthread.h>
#include <sys/wait.h>
#include <thread>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace vit::test;
namespace fs = std::filesystem;

namespace {

SessionHandle makeSessionOf(const ModuleHandle &module, int threads) {
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = threads;
  return makeSession(module, &options);
}

//===----------------------------------------------------------------------===//
// fork
//===----------------------------------------------------------------------===//

/// Runs `body` in a child process; true if it returned true. A child that
/// hangs is ended.
template <typename Body> bool inChild(Body body) {
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body() ? 0 : 1);
  }
  int status = -1;
  return child > 0 && waitpid(child, &status, 0) == child &&
         WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool isRight(const SessionHandle &session) {
  Call call(40);
  if (call.run(session) != VIT_OK)
    return false;
  std::vector<float> hidden, logits;
  evaluateReference(call.image, call.batch, Builder::scale, Builder::q,
                    Builder::kv, hidden, logits);
  return call.hidden == hidden && call.logits == logits;
}

TEST(Embedding, ForkAfterASessionWasUsed) {
  Bytes bytes = Builder().write();
  for (int threads : {1, 4}) {
    ModuleHandle module = load(bytes);
    SessionHandle session = makeSessionOf(module, threads);
    ASSERT_TRUE(isRight(session));
    // The child has no worker threads: its calls run on the calling thread.
    EXPECT_TRUE(inChild([&] { return isRight(session) && isRight(session); }));
    EXPECT_TRUE(inChild([&] {
      session.reset();
      module.reset();
      return true;
    }));
    EXPECT_TRUE(inChild([&] {
      bool right = isRight(makeSessionOf(module, threads));
      session.reset();
      return right;
    }));
    // Returns from main, so that destructors of libraries run.
    EXPECT_TRUE(inChild([&]() -> bool { std::exit(0); }));
    EXPECT_TRUE(isRight(session));
  }
}

//===----------------------------------------------------------------------===//
// Floating-point control
//===----------------------------------------------------------------------===//

#if defined(__x86_64__)

/// Flushes subnormal results and inputs to zero, and rounds up.
constexpr unsigned kUnusual =
    0x1f80 | _MM_FLUSH_ZERO_ON | 0x40 | _MM_ROUND_UP;

TEST(Embedding, HostsThatFlushSubnormals) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session_options onHost = {};
  onHost.struct_size = sizeof onHost;
  onHost.threads = 2;
  onHost.parallel_for = [](void *, size_t count,
                           void (*work)(void *, size_t), void *argument) {
    for (size_t i = 0; i < count; ++i)
      std::thread([=] { work(argument, i); }).join();
  };
  for (int threads : {1, 3, 0}) {
    Call call(40);
    // Some products are subnormal, and some sums are inexact.
    for (size_t i = 0; i < call.image.size(); i += 2)
      call.image[i] *= 1e-40f;
    for (size_t i = 1; i < call.image.size(); i += 2)
      call.image[i] /= 3;
    unsigned before = _mm_getcsr();
    _mm_setcsr(kUnusual);
    vit_error error = {};
    vit_session_options own = {};
    own.struct_size = sizeof own;
    own.threads = threads;
    vit_session *session = nullptr;
    vit_status created = vit_session_create(
        module.get(), threads ? &own : &onHost, &session, &error);
    vit_status ran =
        vit_session_run(session, nullptr, call.inputs.data(), 1,
                        call.outputs.data(), 2, &call.error);
    vit_session_release(session);
    unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_EQ(after, kUnusual);
    EXPECT_EQ(created, VIT_OK) << error.message;
    EXPECT_EQ(ran, VIT_OK) << call.error.message;
    call.expectReference();
  }
}

#endif

//===----------------------------------------------------------------------===//
// Small stacks
//===----------------------------------------------------------------------===//

TEST(Embedding, StacksOf24KiB) {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
  GTEST_SKIP() << "sanitizers need larger stacks";
#endif
  Builder builder;
  builder.addTraining();
  Bytes bytes = builder.write();
  TemporaryFile file(bytes);
  struct Work {
    const char *path;
    Call call{3};
    Trainer trainer{3};
    bool isDone = false;

    void run() {
      vit_module *module = nullptr;
      vit_session *session = nullptr;
      char *text = nullptr;
      vit_error error = {};
      isDone =
          vit_module_load(path, nullptr, &module, &error) == VIT_OK &&
          vit_module_describe(module, &text, &error) == VIT_OK &&
          vit_session_create(module, nullptr, &session, &error) == VIT_OK &&
          vit_session_run(session, nullptr, call.inputs.data(), 1,
                          call.outputs.data(), 2, &error) == VIT_OK &&
          vit_session_step(session, &trainer.step, &error) == VIT_OK;
      vit_module_free_text(module, text);
      vit_session_release(session);
      vit_module_release(module);
    }
  } work;
  work.path = file.path().c_str();
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, size_t(24) << 10), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void *self) -> void * {
                  static_cast<Work *>(self)->run();
                  return nullptr;
                },
                &work),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_TRUE(work.isDone);
  work.call.expectReference();
}

//===----------------------------------------------------------------------===//
// Files that change
//===----------------------------------------------------------------------===//

TEST(Embedding, ModuleReplacedByRename) {
  Builder builder;
  builder.storeForms();
  Bytes bytes = builder.write();
  TemporaryFile file(bytes);
  ModuleHandle module = load(file.path());
  std::string other = file.path() + ".new";
  std::ofstream(other) << "no module";
  fs::rename(other, file.path());
  EXPECT_TRUE(isRight(makeSession(module)));
  vit_module *refused = nullptr;
  vit_error error = {};
  EXPECT_NE(vit_module_load(file.path().c_str(), nullptr, &refused, &error),
            VIT_OK);
}

//===----------------------------------------------------------------------===//
// Two versions in one process
//===----------------------------------------------------------------------===//

/// The file that `function` is in.
std::string libraryOf(const void *function) {
  Dl_info info = {};
  return dladdr(function, &info) ? info.dli_fname : "";
}

/// The functions of vit that `library` itself defines but looks up by name, and
/// so may find in another version.
std::vector<std::string> functionsLookedUp(void *library) {
  link_map *map = nullptr;
  EXPECT_EQ(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
  std::map<ElfW(Sxword), ElfW(Addr)> entries;
  for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; ++entry)
    entries[entry->d_tag] = entry->d_un.d_ptr;
  auto *symbols = reinterpret_cast<const ElfW(Sym) *>(entries[DT_SYMTAB]);
  auto *names = reinterpret_cast<const char *>(entries[DT_STRTAB]);
  std::vector<std::string> found;
  for (auto [table, size] : {std::pair(DT_JMPREL, DT_PLTRELSZ),
                             std::pair(DT_RELA, DT_RELASZ)}) {
    auto *relocations = reinterpret_cast<const ElfW(Rela) *>(entries[table]);
    for (size_t i = 0; i < entries[size] / sizeof *relocations; ++i) {
      const ElfW(Sym) &symbol = symbols[ELF64_R_SYM(relocations[i].r_info)];
      std::string name = names + symbol.st_name;
      if (symbol.st_shndx != SHN_UNDEF && name.rfind("vit_", 0) == 0)
        found.push_back(name);
    }
  }
  return found;
}

TEST(Embedding, TwoLibrariesInOneProcess) {
  std::string first = libraryOf(reinterpret_cast<void *>(&vit_session_run));
  std::string path = testing::TempDir() + "vit-second-runtime.so";
  ASSERT_TRUE(
      fs::copy_file(first, path, fs::copy_options::overwrite_existing));
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  EXPECT_EQ(functionsLookedUp(library), std::vector<std::string>());
  auto find = [&](auto *function, const char *name) {
    void *symbol = dlsym(library, name);
    EXPECT_EQ(libraryOf(symbol), path) << name;
    return reinterpret_cast<decltype(function)>(symbol);
  };
  auto *loadMemory = find(&vit_module_load_memory, "vit_module_load_memory");
  auto *create = find(&vit_session_create, "vit_session_create");
  auto *run = find(&vit_session_run, "vit_session_run");
  auto *release = find(&vit_session_release, "vit_session_release");
  auto *releaseModule = find(&vit_module_release, "vit_module_release");

  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  SessionHandle session = makeSession(module);
  vit_module *otherModule = nullptr;
  vit_session *other = nullptr;
  vit_error error = {};
  ASSERT_EQ(loadMemory(bytes.data(), bytes.size(), nullptr, nullptr,
                       &otherModule, &error),
            VIT_OK)
      << error.message;
  ASSERT_EQ(create(otherModule, nullptr, &other, &error), VIT_OK)
      << error.message;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(isRight(session));
    Call call(40);
    EXPECT_EQ(run(other, nullptr, call.inputs.data(), 1, call.outputs.data(), 2,
                  &error),
              VIT_OK)
        << error.message;
    call.expectReference();
  }
  release(other);
  releaseModule(otherModule);
  EXPECT_EQ(dlclose(library), 0);
  fs::remove(path);
  EXPECT_TRUE(isRight(session));
}

} // namespace
