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

#include <csignal>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <link.h>
#include <map>
#include <optional>
#include <pthread.h>
#include <sys/mman.h>
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

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

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
    // The sanitizer's list of threads is that of the parent.
    if (!kIsSanitized)
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
constexpr unsigned kUnusual = 0x1f80 | _MM_FLUSH_ZERO_ON | 0x40 | _MM_ROUND_UP;

TEST(Embedding, HostsThatFlushSubnormals) {
  Bytes bytes = Builder().write();
  ModuleHandle module = load(bytes);
  vit_session_options onHost = {};
  onHost.struct_size = sizeof onHost;
  onHost.threads = 2;
  onHost.parallel_for = [](void *, size_t count, void (*work)(void *, size_t),
                           void *argument) {
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
    vit_status ran = vit_session_run(session, nullptr, call.inputs.data(), 1,
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
  if (kIsSanitized)
    GTEST_SKIP() << "sanitizers need larger stacks";
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

/// Cuts a module to `size` bytes while it is in use.
void expectErrorOnceCut(bool isStored, off_t size, int threads) {
  SCOPED_TRACE(std::to_string(size) + " bytes left, " +
               std::to_string(threads) + " threads");
  Builder builder;
  if (isStored)
    builder.storeForms();
  TemporaryFile file(builder.write());
  ModuleHandle module = load(file.path());
  ParametersHandle parameters = makeParameters(module);
  vit_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = threads;
  options.parameters = parameters.get();
  SessionHandle session = makeSession(module, &options);
  ASSERT_EQ(truncate(file.path().c_str(), size), 0);
  for (int i = 0; i < 2; ++i) {
    Call call(40);
    EXPECT_EQ(call.run(session), VIT_IO_ERROR);
    EXPECT_EQ(std::string(call.error.message),
              "'" + file.path() +
                  "' was cut short while it was in use: replace files by "
                  "renaming a new one, and load it again");
  }
  float values[4];
  EXPECT_EQ(vit_parameters_read(parameters.get(), "scale", values,
                                sizeof values, nullptr),
            VIT_IO_ERROR);
  vit_parameters *more = nullptr;
  EXPECT_EQ(vit_parameters_create(module.get(), &more, nullptr), VIT_IO_ERROR);
  // Other modules are not affected.
  TemporaryFile other(Builder().write());
  EXPECT_TRUE(isRight(makeSession(load(other.path()))));
}

TEST(Embedding, ModuleCutShortInPlace) {
  Bytes bytes = Builder().write();
  for (int threads : {1, 3})
    for (bool isStored : {false, true})
      for (off_t size : {off_t(0), off_t(100), off_t(bytes.size()) - 1})
        expectErrorOnceCut(isStored, size, threads);
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
  for (auto [table, size] :
       {std::pair(DT_JMPREL, DT_PLTRELSZ), std::pair(DT_RELA, DT_RELASZ)}) {
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

/// A copy of the library, loaded beside the one that this program is linked to.
class SecondLibrary {
public:
  SecondLibrary()
      : path(testing::TempDir() + "vit-second-" + std::to_string(getpid()) +
             ".so") {
    fs::copy_file(libraryOf(reinterpret_cast<void *>(&vit_session_run)), path,
                  fs::copy_options::overwrite_existing);
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_TRUE(library) << dlerror();
  }
  ~SecondLibrary() {
    EXPECT_EQ(dlclose(library), 0);
    fs::remove(path);
  }
  SecondLibrary(const SecondLibrary &) = delete;
  void *handle() const { return library; }
  /// The function of this library that corresponds to `function`.
  template <typename Function>
  Function *find(Function *, const char *name) const {
    void *symbol = dlsym(library, name);
    EXPECT_EQ(libraryOf(symbol), path) << name;
    return reinterpret_cast<Function *>(symbol);
  }

private:
  std::string path;
  void *library;
};

TEST(Embedding, TwoLibrariesInOneProcess) {
  std::optional<SecondLibrary> second(std::in_place);
  EXPECT_EQ(functionsLookedUp(second->handle()), std::vector<std::string>());
  auto *loadMemory =
      second->find(&vit_module_load_memory, "vit_module_load_memory");
  auto *create = second->find(&vit_session_create, "vit_session_create");
  auto *run = second->find(&vit_session_run, "vit_session_run");
  auto *release = second->find(&vit_session_release, "vit_session_release");
  auto *releaseModule = second->find(&vit_module_release, "vit_module_release");

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
  second.reset();
  EXPECT_TRUE(isRight(session));
}

TEST(Embedding, OtherBusErrorsReachTheHost) {
  TemporaryFile file(Builder().write());
  // The handler that was there before the library's gets them.
  EXPECT_TRUE(inChild([&] {
    struct sigaction action = {};
    action.sa_handler = [](int) { _exit(0); };
    sigaction(SIGBUS, &action, nullptr);
    SecondLibrary second;
    vit_module *module = nullptr;
    second.find(&vit_module_load, "vit_module_load")(file.path().c_str(),
                                                     nullptr, &module, nullptr);
    raise(SIGBUS);
    return false;
  }));
  // It is there again when the library is unloaded.
  EXPECT_TRUE(inChild([&] {
    struct sigaction action = {};
    action.sa_handler = [](int) { _exit(0); };
    sigaction(SIGBUS, &action, nullptr);
    {
      SecondLibrary second;
      vit_module *module = nullptr;
      second.find(&vit_module_load, "vit_module_load")(
          file.path().c_str(), nullptr, &module, nullptr);
      second.find(&vit_module_release, "vit_module_release")(module);
    }
    sigaction(SIGBUS, nullptr, &action);
    raise(SIGBUS);
    return false;
  }));
  // Without one, the process ends.
  std::fflush(nullptr);
  pid_t child = fork();
  if (child == 0) {
    ModuleHandle module = load(file.path());
    int plain = open(file.path().c_str(), O_RDONLY);
    auto *page = static_cast<volatile char *>(
        mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, plain, 0));
    (void)truncate(file.path().c_str(), 0);
    (void)page[0];
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  // The sanitizer has a handler of its own, which reports the access and exits.
  if (kIsSanitized)
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  else
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

} // namespace
