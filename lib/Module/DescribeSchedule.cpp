//===- DescribeSchedule.cpp - Commands and kernels of one level -----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "vit/Dialect/Names.h"
#include "vit/Kernel/Layout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

#include <cstring>
#include <set>

using namespace mlir;
using namespace mlir::vit;

static schema::Extent toExtent(kernel::ExtentAttr extent) {
  if (extent.getPer() == kernel::kNoBatch)
    return schema::Extent(extent.getTimes(), /*of=*/0, /*per=*/1);
  return schema::Extent(extent.getTimes(),
                        static_cast<uint32_t>(extent.getOf()),
                        static_cast<uint32_t>(extent.getPer()));
}

static schema::Extent bytesOf(Value value) {
  return toExtent(kernel::getBytes(cast<RankedTensorType>(value.getType())));
}

/// The function that a module is compiled for, or null, with what is wrong.
static func::FuncOp findEntry(ModuleOp module, std::string &problem) {
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (entry) {
      problem = ("a module with more than one entry is not supported; keep @" +
                 entry.getName())
                    .str();
      return nullptr;
    }
    entry = function;
  }
  if (entry && llvm::hasSingleElement(entry.getBody()))
    return entry;
  problem = "the model has no func.func @forward";
  return nullptr;
}

void Describer::listParameters(ModuleOp module, func::FuncOp entry) {
  std::set<std::pair<StringRef, int64_t>> used;
  entry.walk([&](ReadOp read) {
    used.insert({read.getParameter(), read.getLayer().value_or(0)});
  });
  for (auto parameter : module.getOps<ParameterOp>()) {
    for (int64_t layer = 0, n = parameter.getLayers().value_or(1); layer < n;
         ++layer)
      if (used.count({parameter.getSymName(), layer})) {
        std::string name = parameter.getSymName().str();
        if (parameter.getLayers())
          name += "." + std::to_string(layer);
        parameterIndex[name] = parameters.size();
        parameters.push_back(
            {parameter, layer, parameter.getTensorType().getNumElements()});
      }
  }
}

LogicalResult Describer::describeLevel(const CompiledLevel &level,
                                       bool isFirst) {
  places.clear();
  unordered.clear();
  std::string problem;
  func::FuncOp entry = findEntry(level.lowered, problem);
  if (!entry)
    return fail(nullptr, problem);
  if (isFirst) {
    if (failed(describeEntry(entry)))
      return failure();
    listParameters(level.lowered, entry);
  }

  schema::ScheduleT schedule;
  schedule.level = level.level;
  schedule.precision = schema::DType::F32;
  KernelCodes codes = addCode(level, schedule);

  Block &body = entry.getBody().front();
  for (BlockArgument argument : body.getArguments())
    places[argument] = {schema::ArgumentKind::Input, argument.getArgNumber()};
  // What is returned is written where the caller wants it; what is returned
  // twice, or no kernel computes, is copied there at the end.
  Operation *terminator = body.getTerminator();
  SmallVector<uint32_t> copies;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    bool isNew = isa_and_nonnull<kernel::DispatchOp>(value.getDefiningOp()) &&
                 !places.contains(value);
    if (isNew)
      places[value] = {schema::ArgumentKind::Output,
                       static_cast<uint32_t>(index)};
    else
      copies.push_back(index);
  }
  llvm::StringMap<uint32_t> kernels;
  for (Operation &op : body) {
    if (auto dispatch = dyn_cast<kernel::DispatchOp>(op)) {
      if (failed(addDispatch(dispatch, codes, schedule, kernels)))
        return failure();
      continue;
    }
    if (!isa<ReadOp, kernel::DeriveOp, kernel::ResampleOp, arith::ConstantOp>(
            op) &&
        &op != terminator)
      return fail(&op, "'" + op.getName().getStringRef() +
                           "' has no code at level " + level.level);
  }
  for (uint32_t index : copies)
    if (failed(addCopy(terminator->getOperand(index), index, schedule)))
      return failure();
  result.metadata.entries.front()->schedules.push_back(
      std::make_unique<schema::ScheduleT>(std::move(schedule)));
  return success();
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

uint32_t Describer::addImage(ArrayRef<char> bytes, schema::ImageFormat format,
                             StringRef arch) {
  // Levels often share a kernel to the byte.
  std::string key = llvm::formatv("{0} {1} ", static_cast<int>(format), arch);
  key.append(bytes.data(), bytes.size());
  auto [known, isNew] =
      imageIndex.try_emplace(key, result.metadata.images.size());
  if (!isNew)
    return known->second;
  auto image = std::make_unique<schema::ImageT>();
  image->data = std::make_unique<schema::Segment>();
  image->format = format;
  image->arch = arch.str();
  PendingSegment segment;
  segment.size = bytes.size();
  // Machine code is copied to pages of its own.
  if (format == schema::ImageFormat::MachineCode)
    segment.alignment = 4096;
  segment.place = image->data.get();
  segment.hash = &image->hash;
  segment.produce = [bytes](MutableArrayRef<char> out, std::string &) {
    llvm::copy(bytes, out.begin());
    return success();
  };
  result.segments.push_back(std::move(segment));
  result.metadata.images.push_back(std::move(image));
  return known->second;
}

/// The features that any of `kernels` needs, sorted.
static std::vector<std::string> featuresOf(ArrayRef<SimtKernel> kernels) {
  std::set<std::string> features;
  for (const SimtKernel &kernel : kernels)
    features.insert(kernel.features.begin(), kernel.features.end());
  return {features.begin(), features.end()};
}

Describer::KernelCodes Describer::addCode(const CompiledLevel &level,
                                          schema::ScheduleT &schedule) {
  KernelCodes codes;
  if (auto *code = std::get_if<CodeImage>(&level.code)) {
    schedule.target = schema::Target::Cpu;
    uint32_t image =
        addImage(code->bytes, schema::ImageFormat::MachineCode, "");
    for (const auto &[name, offset] : code->entries)
      codes[name] = {image, offset, 0, 0};
  } else if (auto *code = std::get_if<VulkanCode>(&level.code)) {
    schedule.target = schema::Target::Vulkan;
    schedule.features = featuresOf(code->kernels);
    for (const SimtKernel &kernel : code->kernels)
      codes[kernel.name] = {
          addImage(kernel.binary, schema::ImageFormat::SpirV, ""), 0,
          kernel.threads, kernel.sharedBytes};
  } else {
    const CudaCode &cuda = std::get<CudaCode>(level.code);
    schedule.target = schema::Target::Cuda;
    schedule.features = featuresOf(cuda.kernels);
    // The driver wants a closing zero.
    uint32_t ptx = addImage(ArrayRef(cuda.ptx.c_str(), cuda.ptx.size() + 1),
                            schema::ImageFormat::Ptx, "");
    for (const CudaImage &image : cuda.cubins)
      schedule.cubins.push_back(
          addImage(image.bytes, schema::ImageFormat::Cubin, image.arch));
    for (const SimtKernel &kernel : cuda.kernels)
      codes[kernel.name] = {ptx, 0, kernel.threads, kernel.sharedBytes};
  }
  return codes;
}

/// What the tile pass chose, for people.
static std::string tileText(kernel::DispatchOp dispatch) {
  if (auto text = dispatch->getAttrOfType<StringAttr>("tile"))
    return text.str();
  auto tile = dispatch->getAttrOfType<kernel::TileAttr>("tile");
  if (!tile)
    return "";
  std::string text =
      llvm::formatv("rows {0}, cols {1}, chunk {2}", tile.getRows(),
                    tile.getCols(), tile.getChunk());
  if (tile.isGpu())
    text += llvm::formatv(", thread {0} x {1}", tile.getThreadRows(),
                          tile.getThreadCols());
  return text;
}

//===----------------------------------------------------------------------===//
// Commands
//===----------------------------------------------------------------------===//

/// Adds `command`, whose last `results` arguments are written and the others
/// read, and the barrier that it needs.
void Describer::addCommand(std::unique_ptr<schema::CommandT> command,
                           unsigned results, schema::ScheduleT &schedule) {
  auto addBarrier = [&] {
    auto barrier = std::make_unique<schema::CommandT>();
    barrier->kind = schema::CommandKind::Barrier;
    schedule.commands.push_back(std::move(barrier));
  };
  if (schedule.target == schema::Target::Cpu) {
    bool isDispatch = command->kind == schema::CommandKind::Dispatch;
    schedule.commands.push_back(std::move(command));
    if (isDispatch)
      addBarrier();
    return;
  }
  // On a GPU commands between two barriers run at once and in any order.
  unsigned reads = command->arguments.size() - results;
  bool isVulkan = schedule.target == schema::Target::Vulkan;
  auto key = [isVulkan](const schema::Argument &argument) {
    // Validation layers take a kernel to touch the whole of a binding, and all
    // of the workspace is one. Nearly every command follows from the one before
    // it anyway, so what is independent waits too.
    bool isWorkspace = argument.kind() != schema::ArgumentKind::Derived &&
                       argument.kind() != schema::ArgumentKind::Constant;
    if (isVulkan && isWorkspace)
      return std::pair(static_cast<int>(schema::ArgumentKind::Slot), 0u);
    return std::pair(static_cast<int>(argument.kind()), argument.index());
  };
  bool mustWait = false;
  for (auto [index, argument] : llvm::enumerate(command->arguments)) {
    auto other = unordered.find(key(argument));
    // The value says whether it is written there, or only read.
    if (other != unordered.end() && (other->second || index >= reads))
      mustWait = true;
  }
  if (mustWait) {
    addBarrier();
    unordered.clear();
  }
  for (auto [index, argument] : llvm::enumerate(command->arguments))
    unordered[key(argument)] |= index >= reads;
  schedule.commands.push_back(std::move(command));
}

LogicalResult Describer::addCopy(Value value, uint32_t output,
                                 schema::ScheduleT &schedule) {
  FailureOr<Place> source = placeOf(value);
  if (failed(source))
    return failure();
  auto copy = std::make_unique<schema::CommandT>();
  copy->kind = schema::CommandKind::Copy;
  copy->name =
      result.metadata.entries.front()->outputs[output]->name + " (copy)";
  copy->arguments = {
      schema::Argument(source->kind, source->index, bytesOf(value), 0),
      schema::Argument(schema::ArgumentKind::Output, output, bytesOf(value),
                       0)};
  addCommand(std::move(copy), /*results=*/1, schedule);
  return success();
}

LogicalResult Describer::addDispatch(kernel::DispatchOp dispatch,
                                     const KernelCodes &codes,
                                     schema::ScheduleT &schedule,
                                     llvm::StringMap<uint32_t> &kernels) {
  StringRef name = dispatch.getKernel().getLeafReference().getValue();
  auto [known, isNew] = kernels.try_emplace(name, schedule.kernels.size());
  if (isNew) {
    auto code = codes.find(name);
    if (code == codes.end())
      return fail(dispatch, "no code was generated for kernel " + name);
    auto kernel = std::make_unique<schema::KernelT>();
    kernel->name = name.str();
    kernel->family = dispatch.getFamily().str();
    kernel->image = code->second.image;
    kernel->entry = code->second.entry;
    kernel->threads = code->second.threads;
    kernel->shared = code->second.sharedBytes;
    kernel->argument_count =
        dispatch->getNumOperands() + dispatch->getNumResults();
    kernel->scratch = dispatch.getScratch();
    kernel->tile = tileText(dispatch);
    schedule.kernels.push_back(std::move(kernel));
  }

  auto command = std::make_unique<schema::CommandT>();
  command->kind = schema::CommandKind::Dispatch;
  command->name = getWorkName(dispatch.getLoc());
  command->kernel = known->second;
  command->units =
      std::make_unique<schema::Extent>(toExtent(dispatch.getUnits()));
  command->flop =
      std::make_unique<schema::Extent>(toExtent(dispatch.getFlop()));
  for (Value operand : dispatch.getOperands()) {
    FailureOr<Place> place = placeOf(operand);
    if (failed(place))
      return failure();
    command->arguments.push_back(
        schema::Argument(place->kind, place->index, bytesOf(operand), 0));
  }
  ArrayRef<int64_t> slots = dispatch.getSlots();
  for (auto [index, value] : llvm::enumerate(dispatch.getResults())) {
    schema::Extent bytes = bytesOf(value);
    if (!places.contains(value)) {
      int64_t slot = index < slots.size() ? slots[index] : -1;
      if (slot < 0 || slot > 1 << 20)
        return fail(dispatch,
                    "result " + Twine(index) + " has no slot; run vit-plan");
      while (static_cast<int64_t>(schedule.slots.size()) <= slot)
        schedule.slots.push_back(std::make_unique<schema::SlotT>());
      std::vector<schema::Extent> &values = schedule.slots[slot]->values;
      if (llvm::none_of(values, [&](const schema::Extent &other) {
            return std::memcmp(&other, &bytes, sizeof(bytes)) == 0;
          }))
        values.push_back(bytes);
      places[value] = {schema::ArgumentKind::Slot, static_cast<uint32_t>(slot)};
    }
    Place place = places[value];
    command->arguments.push_back(
        schema::Argument(place.kind, place.index, bytes, 0));
  }
  addCommand(std::move(command), dispatch->getNumResults(), schedule);
  return success();
}
