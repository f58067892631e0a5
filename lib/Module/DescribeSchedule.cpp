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

#include <cmath>
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

/// What a value takes in a slot or an arena, its padding included.
static schema::Extent bytesOf(Value value) {
  return toExtent(kernel::getBytes(cast<RankedTensorType>(value.getType())));
}

/// What a value takes where nothing stands behind it.
static schema::Extent exactBytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getEncoding() || !type.hasStaticShape())
    return bytesOf(value);
  uint64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  return schema::Extent(bytes, /*of=*/0, /*per=*/1);
}

static bool isSame(const schema::Extent &first, const schema::Extent &second) {
  return std::memcmp(&first, &second, sizeof(first)) == 0;
}

schema::Argument Describer::argumentAt(const Place &place, Value value) const {
  bool hasPadding = place.kind == schema::ArgumentKind::Slot ||
                    place.kind == schema::ArgumentKind::Arena;
  return schema::Argument(place.kind, place.index,
                          hasPadding ? bytesOf(value) : exactBytesOf(value),
                          place.offset);
}

/// The functions that a module is compiled for; none, with what is wrong.
static SmallVector<func::FuncOp> findEntries(ModuleOp module,
                                             std::string &problem) {
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (!llvm::hasSingleElement(function.getBody())) {
      problem = ("@" + function.getName() + " is not one block").str();
      return {};
    }
    entries.push_back(function);
  }
  if (entries.empty())
    problem = "the model has no func.func @forward";
  return entries;
}

void Describer::listParameters(ModuleOp module,
                               ArrayRef<func::FuncOp> entries) {
  std::set<std::pair<StringRef, int64_t>> used;
  for (func::FuncOp entry : entries)
    entry.walk([&](ReadOp read) {
      used.insert({read.getParameter(), read.getLayer().value_or(0)});
    });
  for (kernel::ArenaAttr arena : variables->getArenas())
    for (kernel::PlacedAttr placed : arena.getVariables())
      used.insert({placed.getSymbol().getValue(),
                   std::max<int64_t>(placed.getLayer(), 0)});
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
  std::string problem;
  SmallVector<func::FuncOp> entries = findEntries(level.lowered, problem);
  if (entries.empty())
    return fail(nullptr, problem);
  variables.emplace(level.lowered);
  if (isFirst) {
    listParameters(level.lowered, entries);
    for (func::FuncOp entry : entries) {
      result.metadata.entries.push_back(describeEntry(entry));
      if (!result.metadata.entries.back())
        return failure();
    }
  }
  if (failed(describeVariables(level.lowered, isFirst)))
    return failure();
  for (auto [index, function] : llvm::enumerate(entries)) {
    schema::ScheduleT schedule;
    schedule.level = level.level;
    schedule.precision = schema::DType::F32;
    KernelCodes codes = addCode(level, schedule);
    schema::EntryT &entry = *result.metadata.entries[index];
    if (failed(describeSchedule(function, entry, codes, schedule)))
      return failure();
    entry.schedules.push_back(
        std::make_unique<schema::ScheduleT>(std::move(schedule)));
  }
  return success();
}

LogicalResult Describer::describeSchedule(func::FuncOp function,
                                          schema::EntryT &entry,
                                          const KernelCodes &codes,
                                          schema::ScheduleT &schedule) {
  places.clear();
  unordered = {};
  isTraining = kernel::isTrainingEntry(function);
  Block &body = function.getBody().front();
  for (BlockArgument argument : body.getArguments())
    places[argument] = {schema::ArgumentKind::Input, argument.getArgNumber()};
  // What is returned is written where the caller wants it; what has a slot all
  // the same, is returned twice, or no kernel computes, is copied there at the
  // end.
  Operation *terminator = body.getTerminator();
  SmallVector<uint32_t> copies;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto dispatch = value.getDefiningOp<kernel::DispatchOp>();
    bool isNew = dispatch && !places.contains(value);
    if (isNew) {
      unsigned number = cast<OpResult>(value).getResultNumber();
      ArrayRef<int64_t> slots = dispatch.getSlots();
      isNew = number >= slots.size() || slots[number] < 0;
    }
    if (isNew)
      places[value] = {schema::ArgumentKind::Output,
                       static_cast<uint32_t>(index)};
    else
      copies.push_back(index);
  }
  // Made inside the memory of a concat are its operands.
  for (auto concat : body.getOps<kernel::ConcatOp>()) {
    std::optional<uint64_t> slot = concat.getSlot();
    if (!slot)
      return fail(concat, "gradients have no slot; run vit-plan");
    placeInSlot(concat.getResult(), *slot, /*offset=*/0, schedule);
  }
  llvm::StringMap<uint32_t> kernels;
  bool hasUpdated = false;
  for (Operation &op : body) {
    if (auto dispatch = dyn_cast<kernel::DispatchOp>(op)) {
      bool isUpdate = llvm::any_of(dispatch.getOperands(), [](Value operand) {
        return operand.getDefiningOp<kernel::ArenaOp>();
      });
      if (hasUpdated && !isUpdate)
        return fail(&op, "a step must end with its updates, but this follows "
                         "one");
      hasUpdated |= isUpdate;
      if (failed(addDispatch(dispatch, codes, schedule, kernels)))
        return failure();
      continue;
    }
    if (!isa<ReadOp, kernel::DeriveOp, kernel::ResampleOp, kernel::ArenaOp,
             kernel::ConcatOp, arith::ConstantOp>(op) &&
        &op != terminator)
      return fail(&op, "'" + op.getName().getStringRef() +
                           "' has no code at level " + schedule.level);
  }
  for (uint32_t index : copies)
    if (failed(addCopy(terminator->getOperand(index), index, entry, schedule)))
      return failure();
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

/// What a kernel's iterations grow by with the batch, rounded up.
static schema::Extent batchIterations(const SimtKernel &kernel) {
  constexpr uint32_t per = 1 << 10;
  double of = std::ceil(kernel.iterationsPerImage * per);
  if (of == 0)
    return schema::Extent();
  // Beyond what is possible anyway.
  of = std::min<double>(of, UINT32_MAX);
  return schema::Extent(/*times=*/1, static_cast<uint32_t>(of), per);
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
          addImage(kernel.binary, schema::ImageFormat::SpirV, ""),
          0,
          kernel.threads,
          kernel.sharedBytes,
          kernel.iterations,
          batchIterations(kernel)};
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

/// Adds `command`. On Vulkan commands between two barriers run at once and in
/// any order; on the others each waits for the one before it anyway.
void Describer::addCommand(std::unique_ptr<schema::CommandT> command,
                           ArrayRef<bool> isWritten,
                           schema::ScheduleT &schedule) {
  if (schedule.target == schema::Target::Vulkan) {
    // Validation layers take a kernel to touch the whole of a buffer, of which
    // there are two: workspace and weights. Nearly every command follows from
    // the one before it, so what is independent may as well wait.
    BufferUse uses[2];
    for (auto [argument, writes] : llvm::zip(command->arguments, isWritten)) {
      bool isWorkspace = argument.kind() == schema::ArgumentKind::Input ||
                         argument.kind() == schema::ArgumentKind::Output ||
                         argument.kind() == schema::ArgumentKind::Slot;
      uses[isWorkspace].isUsed = true;
      uses[isWorkspace].isWritten |= writes;
    }
    bool mustWait = llvm::any_of(llvm::zip(unordered, uses), [](auto pair) {
      const auto &[before, now] = pair;
      return (before.isWritten && now.isUsed) ||
             (before.isUsed && now.isWritten);
    });
    if (mustWait) {
      auto barrier = std::make_unique<schema::CommandT>();
      barrier->kind = schema::CommandKind::Barrier;
      schedule.commands.push_back(std::move(barrier));
    }
    for (auto [before, now] : llvm::zip(unordered, uses)) {
      before.isUsed = now.isUsed || (before.isUsed && !mustWait);
      before.isWritten = now.isWritten || (before.isWritten && !mustWait);
    }
  }
  schedule.commands.push_back(std::move(command));
}

LogicalResult Describer::addCopy(Value value, uint32_t output,
                                 const schema::EntryT &entry,
                                 schema::ScheduleT &schedule) {
  FailureOr<Place> source = placeOf(value);
  if (failed(source))
    return failure();
  schema::Extent bytes = exactBytesOf(value);
  auto copy = std::make_unique<schema::CommandT>();
  copy->kind = schema::CommandKind::Copy;
  copy->name = entry.outputs[output]->name + " (copy)";
  copy->arguments = {
      schema::Argument(source->kind, source->index, bytes, source->offset),
      schema::Argument(schema::ArgumentKind::Output, output, bytes, 0)};
  addCommand(std::move(copy), {false, true}, schedule);
  return success();
}

/// Notes that `value` lies in a slot, which is large enough for it.
void Describer::placeInSlot(Value value, int64_t slot, int64_t offset,
                            schema::ScheduleT &schedule) {
  while (static_cast<int64_t>(schedule.slots.size()) <= slot)
    schedule.slots.push_back(std::make_unique<schema::SlotT>());
  schema::Extent bytes = bytesOf(value);
  std::vector<schema::Extent> &values = schedule.slots[slot]->values;
  // Inside of a concat, which takes more.
  bool isKnown = offset != 0 || llvm::any_of(values, [&](const auto &other) {
                   return isSame(other, bytes);
                 });
  if (!isKnown)
    values.push_back(bytes);
  places[value] = {schema::ArgumentKind::Slot, static_cast<uint32_t>(slot),
                   static_cast<uint64_t>(offset)};
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
    kernel->iterations = code->second.iterations;
    if (code->second.batchIterations.times() != 0)
      kernel->batch_iterations =
          std::make_unique<schema::Extent>(code->second.batchIterations);
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
  SmallVector<bool> isWritten;
  for (Value operand : dispatch.getOperands()) {
    FailureOr<Place> place = placeOf(operand);
    if (failed(place))
      return failure();
    command->arguments.push_back(argumentAt(*place, operand));
    // An update's ranges.
    isWritten.push_back(operand.getDefiningOp<kernel::ArenaOp>() != nullptr);
  }
  ArrayRef<int64_t> slots = dispatch.getSlots();
  ArrayRef<int64_t> offsets =
      dispatch.getOffsets().value_or(ArrayRef<int64_t>());
  for (auto [index, value] : llvm::enumerate(dispatch.getResults())) {
    if (!places.contains(value)) {
      int64_t slot = index < slots.size() ? slots[index] : -1;
      if (slot < 0 || slot > 1 << 20)
        return fail(dispatch,
                    "result " + Twine(index) + " has no slot; run vit-plan");
      placeInSlot(value, slot, index < offsets.size() ? offsets[index] : 0,
                  schedule);
    }
    command->arguments.push_back(argumentAt(places[value], value));
    isWritten.push_back(true);
  }
  addCommand(std::move(command), isWritten, schedule);
  return success();
}
