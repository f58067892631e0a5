//===- Executor.h - Calls on a CUDA device ----------------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A session has a stream and an arena for slots, inputs and outputs; weights
// are shared with others (see DeviceParameters.h). A call copies the inputs,
// launches the graph of its commands and copies the outputs. Commands that do
// not depend on each other have no order in the graph. A training step of
// several ranks is several graphs, between which ranks exchange gradients.
// Inputs and outputs in
// device memory are not copied where kernels can use them: their addresses are
// those of the graph's nodes.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_DEVICES_CUDA_EXECUTOR_H
#define VIT_RUNTIME_DEVICES_CUDA_EXECUTOR_H

#include "Verify.h"
#include "devices/cuda/DeviceParameters.h"
#include "devices/cuda/DeviceReduction.h"
#include "devices/cuda/Graphs.h"
#include "devices/cuda/Timer.h"

namespace vit::runtime::cuda {

/// A launch of a kernel, as cuLaunchKernel and the nodes of graphs take it.
struct Launch {
  Launch() = default;
  Launch(const Launch &) = delete;
  Launch &operator=(const Launch &) = delete;

  KernelNode node = {};
  DevicePointer pointers[kMaxGpuArguments];
  int32_t batch, firstUnit;
  TensorMap maps[kMaxTensorMaps];
  void *parameters[kMaxGpuArguments + 2 + kMaxTensorMaps]; ///< their addresses
};

class CudaExecutor : public Executor {
public:
  explicit CudaExecutor(const SessionContext &context) : Executor(context) {}
  ~CudaExecutor() override;

  vit_status build(const char *selector, vit_error *error);

  vit_status requireSchedule(uint32_t entry, vit_error *error) const override;
  bool workspaceBytes(uint32_t entry, int64_t batch, uint64_t slotBytes,
                      void *const *outputs, uint64_t &bytes) const override;
  uint64_t workspaceRoom(uint64_t bytes) override;
  const char *deviceName() const override { return adapter.name; }
  bool takesDeviceMemory() const override { return true; }
  bool reducesOnDevice() const override { return true; }
  vit_status joinRanks(uint64_t mostElements, vit_error *error) override;
  vit_status run(const Call &call, vit_error *error) override;
  vit_status fetchArenas(unsigned char *const *targets,
                         vit_error *error) override;

private:
  /// What belongs to the context and is destroyed before it.
  struct Resources {
    Resources(const Driver &driver, const Reduction &reduction)
        : kernels(driver), weights(driver), arena(driver), staging(driver),
          graphs(driver), timer(driver), ranks(driver, reduction) {}

    Stream stream = nullptr;
    Kernels kernels;
    DeviceParameters weights;
    DeviceMemory arena;
    PinnedMemory staging;
    Graphs graphs;
    Timer timer;
    DeviceReduction ranks;
  };

  int rank(const schema::Schedule &schedule) const override;
  vit_status runInContext(const Call &call, vit_error *error);
  vit_status makeRoom(const Call &call, vit_error *error);
  vit_status bindCaller(const Call &call, vit_error *error);
  vit_status isUsable(const schema::Binding &binding, const char *what,
                      DevicePointer pointer, bool &usable,
                      vit_error *error) const;
  bool isShared(const Call &call, uint32_t output) const;
  vit_status copyOnDevice(DevicePointer target, DevicePointer source,
                          uint64_t bytes, vit_error *error);
  vit_status upload(const Call &call, vit_error *error);
  vit_status download(const Call &call, vit_error *error);
  vit_status makeParts(const schema::Schedule &schedule, RecordedCall &recorded,
                       vit_error *error);
  vit_status record(const Call &call, RecordedCall &recorded, vit_error *error);
  bool rebind(const Call &call, RecordedCall &recorded) const;
  vit_status prepareGraphs(const Call &call, RecordedCall *&recorded,
                           vit_error *error);
  Result addNode(const Call &call, const schema::Command &command, Graph graph,
                 const GraphNode *dependencies, size_t count,
                 GraphNode &node) const;
  Result fill(const Call &call, const schema::Command &command,
              Launch &launch) const;
  vit_status submitEach(const Call &call, uint32_t begin, uint32_t end,
                        vit_error *error);
  vit_status startReduction(const Call &call, const schema::Command &command,
                            vit_error *error);
  vit_status waitForRanks(const Call &call, uint32_t wait, bool &isFinite,
                          vit_error *error);
  vit_status submitAll(const Call &call, bool &isFinite, vit_error *error);
  vit_status readBack(const Call &call, const schema::Argument &argument,
                      void *target, uint64_t bytes, vit_error *error) override;
  vit_status writeTo(const Call &call, const schema::Argument &argument,
                     const void *source, uint64_t bytes,
                     vit_error *error) override;
  vit_status submitCommand(const Call &call, const schema::Command &command,
                           vit_error *error);
  vit_status reportTimes(const Call &call, vit_error *error);
  void handOver(const Call &call);
  DevicePointer resolve(const Call &call,
                        const schema::Argument &argument) const;
  bool changesVariables(const Call &call) const;
  vit_status lostBefore(vit_error *error) const;

  Driver driver;
  Adapter adapter;
  const format::Level *forced = nullptr; ///< that the options name
  Context cudaContext = nullptr;
  Resources *resources = nullptr;
  bool isLost = false;

  // The current call: the offsets of inputs, then of outputs in the arena and,
  // if they are small, in the pinned memory; and their addresses for kernels,
  // there or in memory of the caller.
  Array<uint64_t> places;
  Array<DevicePointer> bindings;
  uint32_t inputCount = 0, outputCount = 0;
  bool isStaged = false;
  bool isSubmitted = false; ///< and may have changed something
};

} // namespace vit::runtime::cuda

#endif // VIT_RUNTIME_DEVICES_CUDA_EXECUTOR_H
