//===- Graph.cpp - libcuda: graphs ----------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <algorithm>
#include <cstring>

using namespace vit::sim;

namespace {
/// CUDA_KERNEL_NODE_PARAMS_v1
struct KernelParameters {
  Function *function;
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **parameters, **extra;
};
/// CUDA_MEMCPY3D_v2
struct CopyParameters {
  struct Side {
    size_t x, y, z, level;
    int memoryType;
    void *host;
    uint64_t device;
    void *array, *reserved;
    size_t pitch, height;
  };
  Side from, to;
  size_t bytes, height, depth;
};
/// CUDA_MEMSET_NODE_PARAMS_v1
struct FillParameters {
  uint64_t to;
  size_t pitch;
  unsigned value, elementBytes;
  size_t elements, rows;
};
} // namespace

static Range makeRange(uint64_t begin, size_t bytes, bool written) {
  return {begin, begin + bytes, written};
}

static void *toPointer(uint64_t address) {
  return reinterpret_cast<void *>(address);
}

static Result addNode(Driver &driver, GraphNode **node, Graph *graph,
                      GraphNode *const *before, size_t count,
                      std::unique_ptr<GraphNode> made) {
  if (!driver.graphs.count(graph))
    return InvalidValue;
  for (size_t i = 0; i < count; ++i) {
    if (!before[i] || before[i]->graph != graph)
      return InvalidValue;
    if (++driver.dependencies != driver.droppedDependency)
      made->before.push_back(before[i]);
  }
  made->graph = graph;
  made->number = graph->nodes.size();
  *node = made.get();
  graph->nodes.push_back(std::move(made));
  return Success;
}

/// Finds two nodes that may run at the same time although one writes what the
/// other uses.
static bool isOrdered(const Executable &executable, std::string &finding) {
  const auto &nodes = executable.graph->nodes;
  std::vector<std::vector<bool>> ancestors;
  for (const auto &node : nodes) {
    std::vector<bool> mine(nodes.size());
    for (GraphNode *before : node->before) {
      for (size_t i = 0; i < before->number; ++i)
        mine[i] = mine[i] || ancestors[before->number][i];
      mine[before->number] = true;
    }
    for (size_t i = 0; i < node->number; ++i) {
      if (mine[i])
        continue;
      for (const Range &a : executable.parts[i].ranges)
        for (const Range &b : executable.parts[node->number].ranges)
          if ((a.written || b.written) && a.begin < b.end && b.begin < a.end) {
            finding = "unordered: nodes " + std::to_string(i) + " (" +
                      nodes[i]->name + ") and " + std::to_string(node->number) +
                      " (" + node->name +
                      ") of a graph may run at the same time, and one writes "
                      "what the other uses";
            return false;
          }
    }
    ancestors.push_back(std::move(mine));
  }
  return true;
}

/// Says how much of a graph may run at the same time.
static void describe(const Graph &graph) {
  std::vector<size_t> depths;
  size_t dependencies = 0, longest = 0;
  for (const auto &node : graph.nodes) {
    size_t depth = 1;
    for (GraphNode *before : node->before)
      depth = std::max(depth, depths[before->number] + 1);
    depths.push_back(depth);
    longest = std::max(longest, depth);
    dependencies += node->before.size();
  }
  fprintf(stderr,
          "simulator: a graph of %zu nodes and %zu dependencies; the longest "
          "chain has %zu nodes\n",
          graph.nodes.size(), dependencies, longest);
}

/// The nodes in an order that their dependencies allow: of those that are
/// ready, what comes first in the schedule.
static std::vector<size_t> chooseOrder(const Graph &graph, Schedule schedule) {
  std::vector<uint32_t> preferred;
  schedule.restart();
  schedule.order(preferred, static_cast<uint32_t>(graph.nodes.size()));
  std::vector<size_t> order;
  std::vector<bool> done(graph.nodes.size());
  auto isReady = [&](uint32_t i) {
    const auto &before = graph.nodes[i]->before;
    return !done[i] &&
           std::all_of(before.begin(), before.end(),
                       [&](GraphNode *node) { return done[node->number]; });
  };
  while (order.size() < graph.nodes.size()) {
    uint32_t next = *std::find_if(preferred.begin(), preferred.end(), isReady);
    done[next] = true;
    order.push_back(next);
  }
  return order;
}

extern "C" {

int cuGraphCreate(Graph **graph, unsigned flags) {
  VIT_DRIVER("cuGraphCreate")
  if (flags)
    return InvalidValue;
  *graph = *driver.graphs.insert(new Graph).first;
  return Success;
}

int cuGraphAddKernelNode(GraphNode **node, Graph *graph,
                         GraphNode *const *before, size_t count,
                         const KernelParameters *given) {
  VIT_DRIVER("cuGraphAddKernelNode")
  auto made = std::make_unique<GraphNode>();
  if (given->extra)
    return InvalidValue;
  if (Result result = driver.prepare(
          given->function, {given->gridX, given->gridY, given->gridZ},
          {given->blockX, given->blockY, given->blockZ}, given->sharedBytes,
          given->parameters, made->work, made->ranges))
    return result;
  made->name = given->function->kernel ? given->function->kernel->name : "none";
  return addNode(driver, node, graph, before, count, std::move(made));
}

int cuGraphAddMemcpyNode(GraphNode **node, Graph *graph,
                         GraphNode *const *before, size_t count,
                         const CopyParameters *given, void *) {
  VIT_DRIVER("cuGraphAddMemcpyNode")
  CopyParameters copy = *given;
  GlobalMemory &memory = driver.simulator.getMemory();
  if (copy.from.memoryType != 2 || copy.to.memoryType != 2 ||
      copy.height != 1 || copy.depth != 1 || !copy.bytes ||
      !memory.contains(toPointer(copy.from.device), copy.bytes) ||
      !memory.contains(toPointer(copy.to.device), copy.bytes))
    return InvalidValue;
  auto made = std::make_unique<GraphNode>();
  made->name = "copy";
  made->ranges = {makeRange(copy.from.device, copy.bytes, false),
                  makeRange(copy.to.device, copy.bytes, true)};
  made->work = [=] {
    memmove(toPointer(copy.to.device), toPointer(copy.from.device), copy.bytes);
    return Success;
  };
  return addNode(driver, node, graph, before, count, std::move(made));
}

int cuGraphAddMemsetNode(GraphNode **node, Graph *graph,
                         GraphNode *const *before, size_t count,
                         const FillParameters *given, void *) {
  VIT_DRIVER("cuGraphAddMemsetNode")
  FillParameters fill = *given;
  if (fill.elementBytes != 1 || fill.rows != 1 || !fill.elements ||
      !driver.simulator.getMemory().contains(toPointer(fill.to), fill.elements))
    return InvalidValue;
  auto made = std::make_unique<GraphNode>();
  made->name = "fill";
  made->ranges = {makeRange(fill.to, fill.elements, true)};
  made->work = [=] {
    memset(toPointer(fill.to), static_cast<int>(fill.value), fill.elements);
    return Success;
  };
  return addNode(driver, node, graph, before, count, std::move(made));
}

int cuGraphInstantiateWithFlags(Executable **executable, Graph *graph,
                                unsigned long long) {
  VIT_DRIVER("cuGraphInstantiateWithFlags")
  if (!driver.graphs.count(graph))
    return InvalidValue;
  auto *made = new Executable;
  made->graph = graph;
  for (const auto &node : graph->nodes)
    made->parts.push_back({node->work, node->ranges});
  *executable = *driver.executables.insert(made).first;
  return Success;
}

int cuGraphExecKernelNodeSetParams(Executable *executable, GraphNode *node,
                                   const KernelParameters *given) {
  VIT_DRIVER("cuGraphExecKernelNodeSetParams")
  if (!driver.executables.count(executable) || !node ||
      node->graph != executable->graph || given->extra)
    return InvalidValue;
  Executable::Part &part = executable->parts[node->number];
  executable->checked = false;
  return driver.prepare(
      given->function, {given->gridX, given->gridY, given->gridZ},
      {given->blockX, given->blockY, given->blockZ}, given->sharedBytes,
      given->parameters, part.work, part.ranges);
}

int cuGraphLaunch(Executable *executable, Stream *stream) {
  VIT_DRIVER("cuGraphLaunch")
  if (!driver.executables.count(executable))
    return InvalidValue;
  std::string finding;
  if (!executable->checked && driver.describesGraphs)
    describe(*executable->graph);
  if (!executable->checked && !isOrdered(*executable, finding)) {
    fprintf(stderr, "simulator: %s\n", finding.c_str());
    return driver.enqueue(stream, [] { return LaunchFailed; });
  }
  executable->checked = true;
  // Each kernel runs under all schedules; the graph under the last one, which
  // by default is a random one.
  std::vector<Range> ranges;
  for (const Executable::Part &part : executable->parts)
    ranges.insert(ranges.end(), part.ranges.begin(), part.ranges.end());
  for (size_t i :
       chooseOrder(*executable->graph, driver.simulator.schedules.back())) {
    if (Result result = driver.enqueue(stream, executable->parts[i].work,
                                       "a graph", ranges))
      return result;
    ranges.clear(); // The first stands for all.
  }
  return Success;
}

int cuGraphExecDestroy(Executable *executable) {
  VIT_DRIVER("cuGraphExecDestroy")
  if (!driver.executables.erase(executable))
    return InvalidValue;
  delete executable;
  return Success;
}

int cuGraphDestroy(Graph *graph) {
  VIT_DRIVER("cuGraphDestroy")
  if (!driver.graphs.erase(graph))
    return InvalidValue;
  delete graph;
  return Success;
}
}
