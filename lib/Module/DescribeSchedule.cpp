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

#include <array>
#include <cstring>

using namespace mlir;
using namespace mlir::vit;

static schema::Extent toExtent(kernel::ExtentAttr extent) {
  if (extent.getPer() == kernel::kNoBatch)
    return schema::Extent(extent.getTimes(), /*of=*/0, /*per=*/1);
  return schema::Extent(extent.getTimes(),
                        static_cast<uint32_t>(extent.getOf()),
                        static_cast<uint32_t>(extent.getPer()));
}

/// Bytes of a value in a slot or an arena, including padding.
static schema::Extent bytesOf(Value value) {
  return toExtent(kernel::getBytes(tensorOf(value)));
}

/// Bytes of a value without padding at its end.
static schema::Extent exactBytesOf(Value value) {
  RankedTensorType type = tensorOf(value);
  if (type.getEncoding() || !type.hasStaticShape())
    return bytesOf(value);
  uint64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  return schema::Extent(bytes, /*of=*/0, /*per=*/1);
}

static bool isSame(const schema::Extent &first, const schema::Extent &second) {
  return std::memcmp(&first, &second, sizeof(first)) == 0;
}

namespace {

/// Builds the schedule of one entry at one level.
class ScheduleBuilder {
public:
  ScheduleBuilder(func::FuncOp function, const schema::EntryT &entry,
                  const KernelCodes &codes, const kernel::Variables &variables,
                  StoredValues &stored, ErrorText error,
                  schema::ScheduleT &schedule)
      : function(function), entry(entry), codes(codes), variables(variables),
        stored(stored), error(error), schedule(schedule),
        isTraining(kernel::isTrainingEntry(function)) {}

  LogicalResult build();

private:
  /// How commands since the last barrier use a buffer.
  struct BufferUse {
    bool isUsed = false, isWritten = false;
  };

  SmallVector<uint32_t> placeResults();
  void placeInSlot(Value value, int64_t slot, int64_t offset);
  FailureOr<Place> placeOf(Value value);
  schema::Argument argumentAt(const Place &place, Value value) const;
  FailureOr<uint32_t> addKernel(kernel::DispatchOp dispatch);
  LogicalResult addDispatch(kernel::DispatchOp dispatch);
  LogicalResult addAllReduce(kernel::AllReduceOp op);
  LogicalResult addWait();
  LogicalResult addCopy(Value value, uint32_t output);
  /// `isWritten`: for each argument, whether the command writes it.
  void addCommand(std::unique_ptr<schema::CommandT> command,
                  ArrayRef<bool> isWritten);

  func::FuncOp function;
  const schema::EntryT &entry;
  const KernelCodes &codes;
  const kernel::Variables &variables;
  StoredValues &stored;
  ErrorText error;
  schema::ScheduleT &schedule;
  /// Whether the entry changes variables.
  bool isTraining;
  /// Whether gradients are being reduced that no command has waited for.
  bool isReducing = false;
  DenseMap<Value, Place> places;
  llvm::StringMap<uint32_t> kernels;  ///< Numbers in the schedule, by name.
  std::array<BufferUse, 2> unordered; ///< Of Vulkan's two buffers.
};

} // namespace

schema::Argument ScheduleBuilder::argumentAt(const Place &place,
                                             Value value) const {
  bool hasPadding = place.kind == schema::ArgumentKind::Slot ||
                    place.kind == schema::ArgumentKind::Arena ||
                    place.kind == schema::ArgumentKind::Rounded;
  return schema::Argument(place.kind, place.index,
                          hasPadding ? bytesOf(value) : exactBytesOf(value),
                          place.offset);
}

/// Results are written directly to the output buffers of the caller. Returns
/// the numbers of the results for which this is not possible and that must be
/// copied at the end: those that have a slot, are returned twice, or are not
/// computed by a kernel.
SmallVector<uint32_t> ScheduleBuilder::placeResults() {
  SmallVector<uint32_t> copies;
  Operation *terminator = function.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto dispatch = value.getDefiningOp<kernel::DispatchOp>();
    bool isNew =
        dispatch && !places.contains(value) &&
        dispatch.getSlots()
                .getNumbers()[cast<OpResult>(value).getResultNumber()] < 0;
    if (isNew)
      places[value] = {schema::ArgumentKind::Output,
                       static_cast<uint32_t>(index)};
    else
      copies.push_back(index);
  }
  return copies;
}

/// Whether an operand is a reduced gradient, or contains one.
static bool readsReduced(kernel::DispatchOp dispatch) {
  return llvm::any_of(dispatch.getOperands(), [](Value operand) {
    auto concat = operand.getDefiningOp<kernel::ConcatOp>();
    return kernel::getReduced(operand) ||
           (concat && llvm::any_of(concat.getGradients(), [](Value gradient) {
              return kernel::getReduced(gradient) != nullptr;
            }));
  });
}

LogicalResult ScheduleBuilder::build() {
  Block &body = function.getBody().front();
  for (BlockArgument argument : body.getArguments())
    places[argument] = {schema::ArgumentKind::Input, argument.getArgNumber()};
  Operation *terminator = body.getTerminator();
  SmallVector<uint32_t> copies = placeResults();
  // The operands of a concat are computed inside its memory.
  for (auto concat : body.getOps<kernel::ConcatOp>()) {
    kernel::SlotsAttr slots = concat.getSlots();
    if (!slots)
      return error.fail(concat, "gradients have no slot; run vit-plan");
    placeInSlot(concat.getResult(), slots.getNumbers()[0],
                slots.getOffsets()[0]);
  }
  bool hasUpdated = false;
  for (Operation &op : body) {
    if (auto reduce = dyn_cast<kernel::AllReduceOp>(op)) {
      if (failed(addAllReduce(reduce)))
        return failure();
      continue;
    }
    if (auto dispatch = dyn_cast<kernel::DispatchOp>(op)) {
      bool isUpdate = llvm::any_of(dispatch.getOperands(), [](Value operand) {
        return operand.getDefiningOp<kernel::ArenaOp>();
      });
      if (hasUpdated && !isUpdate)
        return error.fail(&op, "a step must end with its updates, but this "
                               "follows one");
      hasUpdated |= isUpdate;
      if (isReducing && (isUpdate || readsReduced(dispatch)) &&
          failed(addWait()))
        return failure();
      if (failed(addDispatch(dispatch)))
        return failure();
      schedule.commands.back()->is_update = isUpdate;
      continue;
    }
    if (!isa<ReadOp, kernel::DeriveOp, kernel::ResampleOp, kernel::RowScalesOp,
             kernel::RelativePositionsOp, kernel::ArenaOp, kernel::ConcatOp,
             arith::ConstantOp>(op) &&
        &op != terminator)
      return error.fail(&op, "'" + op.getName().getStringRef() +
                                 "' has no code at level " + schedule.level);
  }
  for (uint32_t index : copies)
    if (failed(addCopy(terminator->getOperand(index), index)))
      return failure();
  return success();
}

/// The place of a range of an arena, or of its rounded copy.
static Place placeInArena(uint32_t arena, int64_t first, bool isRounded) {
  if (isRounded)
    return {schema::ArgumentKind::Rounded, arena, first * sizeof(uint16_t)};
  return {schema::ArgumentKind::Arena, arena, first * sizeof(float)};
}

/// Whether a variable, or a form of variables, is one of states.
static bool isOfStates(Value value, const StoredValues &stored) {
  while (auto derive = value.getDefiningOp<kernel::DeriveOp>())
    value = derive.getSources()[0];
  auto read = value.getDefiningOp<ReadOp>();
  return read && !stored.isParameter(read);
}

FailureOr<Place> ScheduleBuilder::placeOf(Value value) {
  if (auto known = places.find(value); known != places.end())
    return known->second;
  if (auto range = value.getDefiningOp<kernel::ArenaOp>()) {
    bool isRounded = tensorOf(range.getResult()).getElementType().isBF16();
    for (auto [index, arena] : llvm::enumerate(variables.getArenas()))
      if (arena.getName() == range.getNameAttr())
        return places[value] = placeInArena(index, range.getAt(), isRounded);
    return error.fail(range, "there is no arena " + range.getName());
  }
  // States, and parameters that this entry changes, are read from their arena.
  if (variables.hasView(value) && (isTraining || isOfStates(value, stored))) {
    kernel::Variables::View view = *variables.findView(value);
    return places[value] = placeInArena(view.arena, view.first, view.isRounded);
  }
  FailureOr<Place> place = stored.placeOf(value);
  if (succeeded(place))
    places[value] = *place;
  return place;
}

/// The choice of vit-tile as text, for vit-run inspect.
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

/// Adds `command`. On Vulkan, commands between two barriers run at the same
/// time and in any order; on other targets the runtime knows what must wait.
void ScheduleBuilder::addCommand(std::unique_ptr<schema::CommandT> command,
                                 ArrayRef<bool> isWritten) {
  if (schedule.target == schema::Target::Vulkan) {
    // Validation layers assume that a kernel accesses all of a buffer; there
    // are two, workspace and weights. Nearly every command depends on the one
    // before it, so independent commands wait, too.
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

/// Whether `next` begins where `range` ends.
static bool endsAt(const schema::Argument &range,
                   const schema::Argument &next) {
  return range.index() == next.index() &&
         range.offset() + range.bytes().times() == next.offset();
}

/// Adds the command for a bucket. Its arguments are ranges of gradients, each
/// followed by that of its sums; ranges that touch become one.
LogicalResult ScheduleBuilder::addAllReduce(kernel::AllReduceOp op) {
  auto command = std::make_unique<schema::CommandT>();
  command->kind = schema::CommandKind::AllReduce;
  command->name = getWorkName(op.getLoc());
  std::vector<schema::Argument> &ranges = command->arguments;
  for (auto [gradient, sum, result] :
       llvm::zip(op.getGradients(), op.getSums(), op.getResults())) {
    FailureOr<Place> from = placeOf(gradient), onto = placeOf(sum);
    if (failed(from) || failed(onto))
      return failure();
    if (from->kind != schema::ArgumentKind::Slot ||
        onto->kind != schema::ArgumentKind::Arena)
      return error.fail(op, "gradients are reduced in a slot, onto an arena; "
                            "run vit-group-updates and vit-plan");
    places[result] = *from;
    schema::Argument pair[] = {argumentAt(*from, gradient),
                               argumentAt(*onto, sum)};
    // Gradients of different groups of updates alternate, so any range may be
    // the one that this pair continues.
    size_t known = 0;
    while (known < ranges.size() && !(endsAt(ranges[known], pair[0]) &&
                                      endsAt(ranges[known + 1], pair[1])))
      known += 2;
    if (known == ranges.size()) {
      ranges.insert(ranges.end(), std::begin(pair), std::end(pair));
      continue;
    }
    for (schema::Argument &range :
         llvm::MutableArrayRef(ranges).slice(known, 2))
      range = schema::Argument(
          range.kind(), range.index(),
          schema::Extent(range.bytes().times() + pair[0].bytes().times(),
                         /*of=*/0, /*per=*/1),
          range.offset());
  }
  SmallVector<bool> isWritten;
  for (size_t i = 0; i < ranges.size(); ++i)
    isWritten.push_back(i % 2 == 0);
  addCommand(std::move(command), isWritten);
  isReducing = true;
  return success();
}

/// Adds the command that waits for all buckets. Its arguments are the results
/// that describe the step, which the ranks exchange.
LogicalResult ScheduleBuilder::addWait() {
  auto command = std::make_unique<schema::CommandT>();
  command->kind = schema::CommandKind::Wait;
  command->name = "wait";
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<bool> isWritten;
  for (auto [binding, value] :
       llvm::zip(entry.outputs, terminator->getOperands())) {
    if (binding->role != schema::Role::Loss &&
        binding->role != schema::Role::Correct)
      continue;
    FailureOr<Place> place = placeOf(value);
    if (failed(place))
      return failure();
    command->arguments.push_back(schema::Argument(
        place->kind, place->index,
        schema::Extent(sizeof(float), /*of=*/0, /*per=*/1), place->offset));
    isWritten.push_back(true);
  }
  addCommand(std::move(command), isWritten);
  isReducing = false;
  return success();
}

LogicalResult ScheduleBuilder::addCopy(Value value, uint32_t output) {
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
  addCommand(std::move(copy), {false, true});
  return success();
}

/// Places `value` in a slot, which grows to hold it.
void ScheduleBuilder::placeInSlot(Value value, int64_t slot, int64_t offset) {
  while (static_cast<int64_t>(schedule.slots.size()) <= slot)
    schedule.slots.push_back(std::make_unique<schema::SlotT>());
  schema::Extent bytes = bytesOf(value);
  std::vector<schema::Extent> &values = schedule.slots[slot]->values;
  // A value inside a concat, which is larger.
  bool isKnown = offset != 0 || llvm::any_of(values, [&](const auto &other) {
                   return isSame(other, bytes);
                 });
  if (!isKnown)
    values.push_back(bytes);
  places[value] = {schema::ArgumentKind::Slot, static_cast<uint32_t>(slot),
                   static_cast<uint64_t>(offset)};
}

FailureOr<uint32_t> ScheduleBuilder::addKernel(kernel::DispatchOp dispatch) {
  StringRef name = dispatch.getKernel().getLeafReference().getValue();
  auto [known, isNew] = kernels.try_emplace(name, schedule.kernels.size());
  if (!isNew)
    return known->second;
  auto code = codes.find(name);
  if (code == codes.end())
    return error.fail(dispatch, "no code was generated for kernel " + name);
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
  kernel->maps = code->second.maps;
  kernel->is_resident = code->second.isResident;
  kernel->cluster = code->second.cluster;
  kernel->argument_count =
      dispatch->getNumOperands() + dispatch->getNumResults();
  kernel->scratch = dispatch.getScratch();
  kernel->tile = tileText(dispatch);
  if (code->second.cluster)
    kernel->tile +=
        llvm::formatv(", clusters of {0}", code->second.cluster).str();
  schedule.kernels.push_back(std::move(kernel));
  return known->second;
}

/// The element types of the arguments; none if none is narrow.
static std::vector<schema::DType> elementTypesOf(kernel::DispatchOp dispatch) {
  std::vector<schema::DType> types;
  for (Value value :
       llvm::concat<const Value>(SmallVector<Value>(dispatch.getOperands()),
                                 SmallVector<Value>(dispatch.getResults())))
    types.push_back(dtypeOf(tensorOf(value)));
  bool isNarrow = llvm::any_of(types, [](schema::DType type) {
    return type == schema::DType::BF16 || type == schema::DType::F16 ||
           type == schema::DType::I8;
  });
  return isNarrow ? types : std::vector<schema::DType>();
}

LogicalResult ScheduleBuilder::addDispatch(kernel::DispatchOp dispatch) {
  FailureOr<uint32_t> kernel = addKernel(dispatch);
  if (failed(kernel))
    return failure();
  auto command = std::make_unique<schema::CommandT>();
  command->kind = schema::CommandKind::Dispatch;
  command->name = getWorkName(dispatch.getLoc());
  command->kernel = *kernel;
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
    // An update writes its arena ranges.
    isWritten.push_back(operand.getDefiningOp<kernel::ArenaOp>() != nullptr);
  }
  ArrayRef<int64_t> slots = dispatch.getSlots().getNumbers();
  ArrayRef<int64_t> offsets = dispatch.getSlots().getOffsets();
  for (auto [index, value] : llvm::enumerate(dispatch.getResults())) {
    if (!places.contains(value)) {
      int64_t slot = slots[index];
      if (slot < 0 || slot > 1 << 20)
        return error.fail(dispatch, "result " + Twine(index) +
                                        " has no slot; run vit-plan");
      placeInSlot(value, slot, offsets[index]);
    }
    command->arguments.push_back(argumentAt(places[value], value));
    isWritten.push_back(true);
  }
  command->element_types = elementTypesOf(dispatch);
  command->results = dispatch->getNumResults();
  addCommand(std::move(command), isWritten);
  return success();
}

LogicalResult mlir::vit::describeSchedule(func::FuncOp function,
                                          const schema::EntryT &entry,
                                          const KernelCodes &codes,
                                          const kernel::Variables &variables,
                                          StoredValues &stored, ErrorText error,
                                          schema::ScheduleT &schedule) {
  return ScheduleBuilder(function, entry, codes, variables, stored, error,
                         schedule)
      .build();
}
