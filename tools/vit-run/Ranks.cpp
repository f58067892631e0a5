//===- Ranks.cpp - The processes that train together ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ranks.h"

#include "Checkpoint.h"
#include "JsonText.h"
#include "Launcher.h"
#include "format/ControlGroup.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <sched.h>
#include <unistd.h>

namespace vit::tools {

//===----------------------------------------------------------------------===//
// Opening and closing
//===----------------------------------------------------------------------===//

Ranks &Ranks::current() {
  // MPI can be initialised once in a process.
  static Ranks ranks;
  return ranks;
}

Ranks &Ranks::open(const RankOptions &options) {
  Ranks &ranks = current();
  if (!ranks.mpi && options.mpi != "off")
    ranks.openMpi(options);
  return ranks;
}

void Ranks::openMpi(const RankOptions &options) {
  std::optional<Launcher> launcher = findLauncher();
  if (!launcher)
    return;
  timeout = options.rankTimeout;
  // Until all know each other. Starting takes its time.
  StartWatch start(*launcher, 3 * timeout);
  mpi = std::make_unique<vit_mpi>(tools::openMpi(*launcher));
  watch = std::make_unique<RankWatch>(*mpi, timeout);
  collectiveOfRun = watch->counted();
  std::vector<std::string> hosts = gather(std::string(mpi->host));
  names.clear();
  for (int32_t r = 0; r < count(); ++r)
    names.push_back("rank " + std::to_string(r) + " (" + hosts[r] + ")");
  watch->start(gather(RankWatch::self()), names);
  std::atexit([] { current().close(); });
}

void Ranks::close() {
  if (!watch)
    return;
  // After a failure not all ranks come to MPI_Finalize. The one that prints it
  // does so first.
  if (hasFailed || watch->hasFailed()) {
    if (!isSpeaker)
      sleep(1);
    mpi->abort(mpi->context, 1);
  }
  if (!watch->leave())
    mpi->abort(mpi->context, 1);
  watch.reset();
  mpi->close(mpi->context);
}

//===----------------------------------------------------------------------===//
// Exchanges
//===----------------------------------------------------------------------===//

void Ranks::gatherBytes(void *data, const std::vector<size_t> &sizes) {
  if (!mpi)
    return;
  vit_error error;
  check(collectiveOfRun.all_gather(collectiveOfRun.context, data, sizes.data(),
                                   &error),
        error);
}

std::vector<std::string> Ranks::gather(const std::string &text) {
  if (!mpi)
    return {text};
  // Exchanges are of whole words; a text has no NUL.
  std::vector<uint32_t> words((text.size() + 4) / 4, 0);
  std::memcpy(words.data(), text.data(), text.size());
  std::vector<uint32_t> all = gatherLists(words);
  std::vector<std::string> texts;
  const char *at = reinterpret_cast<const char *>(all.data());
  for (int32_t r = 0; r < count(); ++r) {
    texts.emplace_back(at);
    at += (texts.back().size() + 4) / 4 * 4;
  }
  return texts;
}

void Ranks::sum(std::vector<float> &data) {
  if (!mpi)
    return;
  vit_error error;
  check(collectiveOfRun.all_reduce(collectiveOfRun.context, data.data(),
                                   data.size(), &error),
        error);
}

//===----------------------------------------------------------------------===//
// Agreement
//===----------------------------------------------------------------------===//

void Ranks::throwKnown(int32_t speaker, const std::string &text,
                       vit_status status) const {
  if (rank() != speaker)
    throw PeerError(text, status);
  throw KnownError(text, status);
}

void Ranks::together(const std::function<void()> &work, bool namesRank) {
  std::optional<Error> failure;
  try {
    work();
  } catch (const KnownError &) {
    throw;
  } catch (const Error &error) {
    failure = error;
  } catch (const std::bad_alloc &) {
    failure = Error("not enough memory", VIT_OUT_OF_MEMORY);
  } catch (const std::exception &error) {
    failure = Error(error.what(), VIT_INTERNAL);
  }
  if (!mpi) {
    if (failure)
      throw *failure;
    return;
  }
  std::vector<std::string> all =
      gather(failure ? "!" + std::string(failure->what()) : std::string());
  auto isFailure = [](const std::string &text) { return !text.empty(); };
  auto first = std::find_if(all.begin(), all.end(), isFailure);
  if (first == all.end())
    return;
  auto speaker = static_cast<int32_t>(first - all.begin());
  namesRank &= std::count(all.begin(), all.end(), *first) < count();
  std::string text = (namesRank ? name(speaker) + ": " : "") + first->substr(1);
  throwKnown(speaker, text, failure ? failure->status : VIT_INVALID_ARGUMENT);
}

void Ranks::firstThenOthers(const std::function<void()> &work) {
  together(
      [&] {
        if (isFirst())
          work();
      },
      /*namesRank=*/false);
  together([&] {
    if (!isFirst())
      work();
  });
}

void Ranks::requireSame(const nlohmann::ordered_json &description,
                        const std::string &remedy) {
  if (!mpi)
    return;
  std::vector<std::string> all = gather(jsonText(description));
  auto other = std::find_if(all.begin(), all.end(), [&](const auto &text) {
    return text != all.front();
  });
  if (other == all.end())
    return;
  using Json = nlohmann::ordered_json;
  Json here = Json::parse(all.front(), nullptr, false),
       there = Json::parse(*other, nullptr, false);
  std::string difference = "it has members that rank 0 does not have";
  for (const auto &[key, value] : here.items())
    if (Json its = there.value(key, Json()); its != value) {
      difference = key + " is " + jsonText(value) + " here and " +
                   jsonText(its) + " there";
      break;
    }
  throwKnown(0,
             names[other - all.begin()] + " does not do the same as rank 0: " +
                 difference + "; " + remedy,
             VIT_INVALID_ARGUMENT);
}

//===----------------------------------------------------------------------===//
// What ranks of one machine share
//===----------------------------------------------------------------------===//

int Ranks::shareThreads() {
  struct Cores {
    uint64_t machine;
    cpu_set_t set;
  } own = {RankWatch::self().machine, {}};
  if (sched_getaffinity(0, sizeof(own.set), &own.set) != 0)
    return 0;
  // Each core counts for as many ranks as may use it.
  std::vector<Cores> all = gather(own);
  double share = 0;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &own.set))
      continue;
    auto uses = [&](const Cores &other) {
      return other.machine == own.machine && CPU_ISSET(core, &other.set);
    };
    share += 1.0 / double(std::count_if(all.begin(), all.end(), uses));
  }
  if (std::optional<double> quota = format::cpuQuota(""))
    share = std::min(share, std::ceil(*quota));
  return std::max(1, static_cast<int>(share + 1e-6));
}

/// The devices of a kind that can be used.
static std::vector<nlohmann::json> listDevices(const char *kind) {
  char *text = nullptr;
  vit_error error;
  check(vit_devices_describe(kind, &text, &error), error);
  std::unique_ptr<char, decltype(&std::free)> owner(text, &std::free);
  std::vector<nlohmann::json> devices;
  for (nlohmann::json &one : nlohmann::json::parse(text, nullptr, false))
    if (!one.contains("unavailable"))
      devices.push_back(std::move(one));
  return devices;
}

std::string Ranks::shareDevice(const std::string &device) const {
  if (!areSeveral() || (device != "cuda" && device != "vulkan"))
    return device;
  std::vector<std::string> names;
  for (const nlohmann::json &one : listDevices(device.c_str()))
    names.push_back(one.value("device", device));
  return names.size() < 2 ? device : names[localRank() % names.size()];
}

/// The identity of the CUDA device of a rank; empty: it has none.
static std::string findGpu(const std::string &device) {
  if (device.rfind("cuda", 0) != 0)
    return "";
  for (const nlohmann::json &one : listDevices("cuda"))
    if (one.value("device", "") == (device == "cuda" ? "cuda:0" : device))
      return one.value("id", "");
  return "";
}

std::string Ranks::connectDevices(const std::string &device) {
  if (!mpi)
    return "";
  std::string gpu = findGpu(device), fault;
  bool hasNccl = !gpu.empty() && ncclLibrary.open(fault);
  std::vector<std::string> all = gather(gpu);
  if (std::all_of(all.begin(), all.end(),
                  [](const std::string &one) { return one.empty(); }))
    return "";
  // Why a rank cannot; the first rank that has the same GPU as another.
  auto first = std::find(all.begin(), all.end(), gpu) - all.begin();
  if (gpu.empty())
    fault = "no GPU of CUDA";
  else if (hasNccl && first != rank())
    fault = "its GPU is that of " + name(int32_t(first)) + ", too";
  std::vector<std::string> faults = gather(fault);
  std::vector<int> versions = gather(ncclLibrary.version);
  for (int32_t r = 0; r < count(); ++r) {
    if (faults[r].empty() && versions[r] != versions[0])
      faults[r] = "another version of NCCL than that of rank 0";
    if (!faults[r].empty())
      return "gradients go through the host: " + name(r) + ": " + faults[r];
  }
  gpus = std::make_unique<Nccl>(
      ncclLibrary, collectiveOfRun,
      [this](vit_error *error) { return watch->checkOthers(error); }, timeout);
  collectiveOfRun.device = &gpus->collective();
  return "gradients go from GPU to GPU by NCCL " + ncclLibrary.versionText();
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

void Ranks::setStepping(bool isStepping) {
  if (watch)
    watch->setLongWork(!isStepping);
}

void Ranks::setAdvice(const std::string &text) {
  if (watch)
    watch->setAdvice(text);
}

void Ranks::fail(const Error &error) {
  if (!watch)
    throw error;
  hasFailed = true;
  if (watch->hasFailed() && error.status == VIT_CANCELLED)
    throw PeerError(error.what(), error.status);
  bool isCommon = false;
  if (watch->tellFailure(error.what(), isCommon))
    throw PeerError(error.what(), error.status);
  isSpeaker = true;
  std::string text = (isCommon ? "" : name(rank()) + ": ") + error.what();
  std::string advice = watch->getAdvice();
  throw Error(text + (advice.empty() ? "" : "; " + advice), error.status);
}

} // namespace vit::tools
