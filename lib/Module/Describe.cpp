//===- Describe.cpp - A module's metadata from lowered graphs -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "derive.h"
#include "vit/Dialect/Names.h"
#include "vit/Kernel/Layout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

#include <cstring>
#include <filesystem>
#include <set>

using namespace mlir;
using namespace mlir::vit;
namespace runtime = ::vit::runtime;

//===----------------------------------------------------------------------===//
// Small conversions
//===----------------------------------------------------------------------===//

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

static std::vector<int64_t> dimsOf(RankedTensorType type) {
  std::vector<int64_t> dims;
  for (int64_t size : type.getShape())
    dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
  return dims;
}

static uint64_t elementsOf(ArrayRef<int64_t> dims) {
  uint64_t count = 1;
  for (int64_t size : dims)
    count *= size;
  return count;
}

/// A derived form of the schema in the terms of derive.h.
static runtime::Form formOf(const schema::DerivedT &derived) {
  runtime::Form form;
  form.kind = derived.kind == schema::DerivedKind::Panels
                  ? runtime::FormKind::Panels
              : derived.kind == schema::DerivedKind::Channels
                  ? runtime::FormKind::Channels
                  : runtime::FormKind::RowMajor;
  form.width = derived.dims.back();
  form.rows = static_cast<int64_t>(elementsOf(derived.dims)) / form.width;
  form.cols = derived.cols;
  form.outGroup = derived.out_group;
  form.inGroup = derived.in_group;
  form.splat = derived.splat;
  return form;
}

/// Fills in what the encoding of a derived tensor's type says.
static LogicalResult setForm(RankedTensorType type, schema::DerivedT &derived) {
  derived.dims = dimsOf(type);
  Attribute encoding = type.getEncoding();
  if (!encoding) {
    derived.kind = schema::DerivedKind::RowMajor;
  } else if (auto panels = dyn_cast<kernel::PanelsAttr>(encoding)) {
    derived.kind = schema::DerivedKind::Panels;
    derived.cols = panels.getCols();
    derived.out_group = panels.getOutGroup();
    derived.in_group = panels.getInGroup();
  } else if (auto channels = dyn_cast<kernel::ChannelsAttr>(encoding)) {
    derived.kind = schema::DerivedKind::Channels;
    derived.in_group = channels.getGroup();
  } else {
    return failure();
  }
  return success();
}

/// Equal for equal recipes, so that levels share what they derive.
static std::string keyOf(const schema::DerivedT &derived) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  auto list = [&](const auto &values) {
    stream << '[';
    for (auto value : values)
      stream << value << ' ';
    stream << ']';
  };
  stream << static_cast<int>(derived.kind) << ' ' << derived.cols << ' '
         << derived.out_group << ' ' << derived.in_group << ' '
         << derived.prefix << ' ' << derived.antialias << derived.splat;
  list(derived.sources);
  list(derived.dims);
  list(derived.from);
  list(derived.to);
  return key;
}

LogicalResult Describer::fail(Operation *op, const Twine &message) {
  std::string name = op ? getWorkName(op->getLoc()) : "";
  error = (name.empty() ? message : name + ": " + message).str();
  return failure();
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

LogicalResult Describer::describe(ArrayRef<CompiledLevel> levels) {
  result.metadata.producer = llvm::formatv("vit {0}.{1}.{2}", VIT_VERSION_MAJOR,
                                           VIT_VERSION_MINOR, VIT_VERSION_PATCH)
                                 .str();
  for (const CompiledLevel &level : levels)
    if (failed(describeLevel(level, &level == &levels.front())))
      return failure();
  storeParameters();
  describeExtras(levels.front().lowered);
  return success();
}

LogicalResult Describer::describeEntry(func::FuncOp entry) {
  auto described = std::make_unique<schema::EntryT>();
  described->name = entry.getName().str();
  auto bind = [&](RankedTensorType type, std::string name) {
    auto binding = std::make_unique<schema::BindingT>();
    binding->alias = name == "logits" ? "classification_head_logits" : "";
    binding->name = std::move(name);
    binding->dtype = schema::DType::F32;
    binding->dims = dimsOf(type);
    return binding;
  };
  for (auto [index, argument] : llvm::enumerate(entry.getArguments())) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !type.getElementType().isF32() || !type.isDynamicDim(0))
      return fail(entry, "argument " + Twine(index) +
                             " is not a tensor of f32 whose first dimension "
                             "is the batch");
    auto given = entry.getArgAttrOfType<StringAttr>(index, "vit.name");
    std::string name = given ? given.str() : getWorkName(argument.getLoc());
    if (!given && (name.empty() || !isa<NameLoc>(argument.getLoc())))
      name = entry.getNumArguments() == 1 ? "image"
                                          : "input_" + std::to_string(index);
    described->inputs.push_back(bind(type, name));
  }
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes())) {
    auto given = entry.getResultAttrOfType<StringAttr>(index, "vit.name");
    std::string name = given ? given.str() : "output_" + std::to_string(index);
    described->outputs.push_back(bind(cast<RankedTensorType>(type), name));
  }
  result.metadata.entries.push_back(std::move(described));
  return success();
}

LogicalResult Describer::describeLevel(const CompiledLevel &level,
                                       bool isFirst) {
  places.clear();
  ModuleOp module = level.lowered;
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (entry)
      return fail(function, "a module with more than one entry is not "
                            "supported; keep @" +
                                entry.getName());
    entry = function;
  }
  if (!entry || !llvm::hasSingleElement(entry.getBody()))
    return fail(entry, "the model has no func.func @forward");

  if (isFirst) {
    if (failed(describeEntry(entry)))
      return failure();
    // In the order of their declaration, which is the model's own.
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

  auto schedule = std::make_unique<schema::ScheduleT>();
  schedule->target = schema::Target::Cpu;
  schedule->level = level.level;
  schedule->precision = schema::DType::F32;

  uint32_t image = result.metadata.images.size();
  auto described = std::make_unique<schema::ImageT>();
  described->data = std::make_unique<schema::Segment>();
  PendingSegment segment;
  segment.size = level.code.bytes.size();
  segment.alignment = 4096;
  segment.place = described->data.get();
  segment.hash = &described->hash;
  segment.produce = [&level](MutableArrayRef<char> out, std::string &) {
    llvm::copy(level.code.bytes, out.begin());
    return success();
  };
  result.segments.push_back(std::move(segment));
  result.metadata.images.push_back(std::move(described));

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
      if (failed(addDispatch(dispatch, level, image, *schedule, kernels)))
        return failure();
      continue;
    }
    if (!isa<ReadOp, kernel::DeriveOp, kernel::ResampleOp, arith::ConstantOp>(
            op) &&
        &op != terminator)
      return fail(&op, "'" + op.getName().getStringRef() +
                           "' has no code on the cpu");
  }
  for (uint32_t index : copies) {
    Value value = terminator->getOperand(index);
    FailureOr<Place> source = placeOf(value);
    if (failed(source))
      return failure();
    auto copy = std::make_unique<schema::CommandT>();
    copy->kind = schema::CommandKind::Copy;
    copy->name =
        result.metadata.entries.front()->outputs[index]->name + " (copy)";
    copy->arguments = {
        schema::Argument(source->kind, source->index, bytesOf(value)),
        schema::Argument(schema::ArgumentKind::Output, index, bytesOf(value))};
    schedule->commands.push_back(std::move(copy));
  }
  result.metadata.entries.front()->schedules.push_back(std::move(schedule));
  return success();
}

LogicalResult Describer::addDispatch(kernel::DispatchOp dispatch,
                                     const CompiledLevel &level, uint32_t image,
                                     schema::ScheduleT &schedule,
                                     llvm::StringMap<uint32_t> &kernels) {
  StringRef name = dispatch.getKernel().getLeafReference().getValue();
  auto [known, isNew] = kernels.try_emplace(name, schedule.kernels.size());
  if (isNew) {
    auto code = llvm::find_if(level.code.entries, [&](const auto &entry) {
      return entry.first == name;
    });
    if (code == level.code.entries.end())
      return fail(dispatch, "no code was generated for kernel " + name);
    auto kernel = std::make_unique<schema::KernelT>();
    kernel->name = name.str();
    kernel->family = dispatch.getFamily().str();
    kernel->image = image;
    kernel->entry = code->second;
    kernel->argument_count =
        dispatch->getNumOperands() + dispatch->getNumResults();
    kernel->scratch = dispatch.getScratch();
    if (auto tile = dispatch->getAttrOfType<StringAttr>("tile"))
      kernel->tile = tile.str();
    else if (auto tile = dispatch->getAttrOfType<kernel::TileAttr>("tile"))
      kernel->tile = "rows " + std::to_string(tile.getRows()) + ", cols " +
                     std::to_string(tile.getCols()) + ", chunk " +
                     std::to_string(tile.getChunk());
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
        schema::Argument(place->kind, place->index, bytesOf(operand)));
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
        schema::Argument(place.kind, place.index, bytes));
  }
  schedule.commands.push_back(std::move(command));
  auto barrier = std::make_unique<schema::CommandT>();
  barrier->kind = schema::CommandKind::Barrier;
  schedule.commands.push_back(std::move(barrier));
  return success();
}

//===----------------------------------------------------------------------===//
// Values that are there before a run: parameters, derived forms, constants
//===----------------------------------------------------------------------===//

FailureOr<Describer::Place> Describer::placeOf(Value value) {
  if (auto known = places.find(value); known != places.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  // A constant, or a constant in another layout.
  bool isConstant = false;
  if (op)
    isConstant = isa<arith::ConstantOp>(op) ||
                 (isa<kernel::DeriveOp>(op) && op->getNumOperands() == 1 &&
                  op->getOperand(0).getDefiningOp<arith::ConstantOp>());
  FailureOr<uint32_t> index =
      isConstant ? addConstant(value) : addDerived(value);
  if (failed(index))
    return failure();
  Place place = {isConstant ? schema::ArgumentKind::Constant
                            : schema::ArgumentKind::Derived,
                 *index};
  places[value] = place;
  return place;
}

FailureOr<uint32_t> Describer::addParameter(ReadOp read) {
  std::string name = read.getParameter().str();
  if (read.getLayer())
    name += "." + std::to_string(*read.getLayer());
  auto known = parameterIndex.find(name);
  if (known == parameterIndex.end())
    return fail(read, "parameter " + Twine(name) + " is not declared");
  return known->second;
}

FailureOr<uint32_t> Describer::addDerived(Value value) {
  Operation *op = value.getDefiningOp();
  auto type = cast<RankedTensorType>(value.getType());
  auto derived = std::make_unique<schema::DerivedT>();
  auto addSource = [&](Value source) -> LogicalResult {
    // A reshape changes no element: take what is reshaped.
    for (auto derive = source.getDefiningOp<kernel::DeriveOp>();
         derive && derive.getSources().size() == 1 &&
         !cast<RankedTensorType>(source.getType()).getEncoding() &&
         cast<RankedTensorType>(derive.getSources()[0].getType())
                 .getNumElements() ==
             cast<RankedTensorType>(source.getType()).getNumElements();
         derive = source.getDefiningOp<kernel::DeriveOp>())
      source = derive.getSources()[0];
    FailureOr<uint32_t> index;
    if (auto read = source.getDefiningOp<ReadOp>()) {
      index = addParameter(read);
    } else {
      index = addDerived(source);
      if (succeeded(index))
        index = *index + static_cast<uint32_t>(parameters.size());
    }
    if (failed(index))
      return failure();
    derived->sources.push_back(*index);
    return success();
  };
  if (auto read = dyn_cast_or_null<ReadOp>(op)) {
    if (failed(setForm(type, *derived)) || failed(addSource(value)))
      return failure();
  } else if (auto derive = dyn_cast_or_null<kernel::DeriveOp>(op)) {
    uint64_t elements = 0;
    for (Value source : derive.getSources()) {
      if (failed(addSource(source)))
        return failure();
      elements += cast<RankedTensorType>(source.getType()).getNumElements();
    }
    if (failed(setForm(type, *derived)))
      return fail(op, "a parameter cannot have the layout of an activation");
    derived->splat = elements == 1 && type.getNumElements() > 1;
  } else if (auto resample = dyn_cast_or_null<kernel::ResampleOp>(op)) {
    if (failed(addSource(resample.getSource())))
      return failure();
    derived->kind = schema::DerivedKind::Resample;
    derived->dims = dimsOf(type);
    derived->from.assign(resample.getFrom().begin(), resample.getFrom().end());
    derived->to.assign(resample.getTo().begin(), resample.getTo().end());
    derived->prefix = resample.getPrefix();
    derived->antialias = resample.getAntialias();
  } else {
    return fail(op, op ? "'" + op->getName().getStringRef() +
                             "' is neither a parameter nor computed by a kernel"
                       : Twine("a value has no place"));
  }
  derived->bytes = kernel::getBytes(type).getTimes();
  auto [known, isNew] =
      derivedIndex.try_emplace(keyOf(*derived), result.metadata.derived.size());
  if (isNew)
    result.metadata.derived.push_back(std::move(derived));
  return known->second;
}

/// The elements of a constant, row-major.
static std::vector<float> constantElements(arith::ConstantOp constant) {
  std::vector<float> values;
  auto elements = cast<DenseElementsAttr>(constant.getValue());
  values.reserve(elements.getNumElements());
  for (APFloat value : elements.getValues<APFloat>())
    values.push_back(value.convertToFloat());
  return values;
}

FailureOr<uint32_t> Describer::addConstant(Value value) {
  Operation *op = value.getDefiningOp();
  auto type = cast<RankedTensorType>(value.getType());
  auto derive = dyn_cast<kernel::DeriveOp>(op);
  auto constant =
      derive ? derive.getSources()[0].getDefiningOp<arith::ConstantOp>()
             : cast<arith::ConstantOp>(op);
  if (!isa<DenseElementsAttr>(constant.getValue()) ||
      !type.getElementType().isF32())
    return fail(op, "only constants of f32 can be stored");
  std::vector<float> values = constantElements(constant);
  if (derive) {
    schema::DerivedT shape;
    if (failed(setForm(type, shape)))
      return fail(op, "a constant cannot have the layout of an activation");
    shape.splat = values.size() == 1 && type.getNumElements() > 1;
    runtime::Form form = formOf(shape);
    std::vector<float> laidOut(runtime::formElements(form), 0.0f);
    runtime::deriveElements(form, laidOut.data(), values.data(),
                            runtime::StoredType::F32, 0, form.sourceElements());
    values = std::move(laidOut);
  }
  // Levels share equal constants.
  std::string key = "constant ";
  key.append(reinterpret_cast<const char *>(values.data()),
             values.size() * sizeof(float));
  auto [known, isNew] =
      derivedIndex.try_emplace(key, result.metadata.constants.size());
  if (!isNew)
    return known->second;
  auto described = std::make_unique<schema::ConstantT>();
  // The bytes as kernels read them: one dimension where they are laid out.
  described->dims =
      derive ? std::vector<int64_t>{static_cast<int64_t>(values.size())}
             : dimsOf(type);
  described->data = std::make_unique<schema::Segment>();
  PendingSegment segment;
  segment.size = values.size() * sizeof(float);
  segment.place = described->data.get();
  segment.hash = &described->hash;
  segment.produce = [values = std::move(values)](MutableArrayRef<char> out,
                                                 std::string &) {
    std::memcpy(out.data(), values.data(), out.size());
    return success();
  };
  result.segments.push_back(std::move(segment));
  result.metadata.constants.push_back(std::move(described));
  return known->second;
}

//===----------------------------------------------------------------------===//
// The values of parameters
//===----------------------------------------------------------------------===//

LogicalResult Describer::readSource(uint32_t source, MutableArrayRef<float> out,
                                    std::string &message) {
  if (source < parameters.size())
    return weights.read(parameters[source].op, parameters[source].layer, out,
                        message);
  MutableArrayRef<char> bytes(reinterpret_cast<char *>(out.data()),
                              out.size() * sizeof(float));
  return makeDerived(source - parameters.size(), bytes, message);
}

LogicalResult Describer::makeDerived(uint32_t index, MutableArrayRef<char> out,
                                     std::string &message) {
  const schema::DerivedT &derived = *result.metadata.derived[index];
  std::vector<float> source;
  auto *target = reinterpret_cast<float *>(out.data());
  int64_t begin = 0;
  for (uint32_t id : derived.sources) {
    source.resize(id < parameters.size()
                      ? parameters[id].elements
                      : result.metadata.derived[id - parameters.size()]->bytes /
                            sizeof(float));
    if (failed(readSource(id, source, message)))
      return failure();
    if (derived.kind == schema::DerivedKind::Resample) {
      int64_t from[2] = {derived.from[0], derived.from[1]};
      int64_t to[2] = {derived.to[0], derived.to[1]};
      runtime::resamplePositions(target, source.data(), derived.dims.back(),
                                 derived.prefix, from, to, derived.antialias);
      return success();
    }
    runtime::deriveElements(formOf(derived), target, source.data(),
                            runtime::StoredType::F32, begin, source.size());
    begin += source.size();
  }
  return success();
}

/// A path to `file` from `folder`, both taken as they really lie.
static std::string relativePath(StringRef file, StringRef folder) {
  std::error_code code;
  std::filesystem::path target = std::filesystem::canonical(file.str(), code);
  if (code)
    return file.str();
  std::filesystem::path base =
      std::filesystem::canonical(folder.empty() ? "." : folder.str(), code);
  if (code)
    return target.string();
  return target.lexically_relative(base).string();
}

void Describer::storeParameters() {
  bool isInline = storage == ParameterStorage::Inline;
  // The first form that holds a parameter whole is where it is stored.
  std::vector<bool> isStored(parameters.size(), false);
  for (auto [index, derived] : llvm::enumerate(result.metadata.derived)) {
    derived->data = std::make_unique<schema::Segment>();
    bool canStore = isInline && !derived->splat &&
                    derived->kind != schema::DerivedKind::Resample;
    llvm::SmallDenseSet<uint32_t> seen;
    for (uint32_t source : derived->sources)
      canStore = canStore && source < parameters.size() && !isStored[source] &&
                 seen.insert(source).second;
    if (!canStore)
      continue;
    for (uint32_t source : derived->sources)
      isStored[source] = true;
    PendingSegment segment;
    segment.size = derived->bytes;
    segment.place = derived->data.get();
    segment.hash = &derived->hash;
    segment.produce = [this, index = static_cast<uint32_t>(index)](
                          MutableArrayRef<char> out, std::string &message) {
      return makeDerived(index, out, message);
    };
    result.segments.push_back(std::move(segment));
  }

  for (size_t index = 0; index < parameters.size(); ++index) {
    Parameter parameter = parameters[index];
    ParameterOp op = parameter.op;
    auto described = std::make_unique<schema::ParameterT>();
    described->name = op.getSymName().str();
    if (op.getLayers())
      described->name += "." + std::to_string(parameter.layer);
    described->dims = dimsOf(op.getTensorType());
    described->stored_name = op.getStoredName(parameter.layer);
    described->stored_dims.assign(op.getStoredShape().begin(),
                                  op.getStoredShape().end());
    described->stored_begin = op.getStoredBegin();
    described->stored_end = op.getStoredEnd();
    described->data = std::make_unique<schema::Segment>();
    described->dtype = schema::DType::F32;
    std::optional<StoredRange> range = weights.locate(op, parameter.layer);
    if (range)
      described->stored_name = range->tensor.str();
    if (isStored[index]) {
      described->source = schema::Source::Derived;
    } else if (isInline) {
      described->source = schema::Source::Inline;
      PendingSegment segment;
      segment.place = described->data.get();
      segment.hash = &described->hash;
      if (range) {
        described->dtype = static_cast<schema::DType>(range->dtype);
        segment.size = range->size;
        segment.produce = [range = *range](MutableArrayRef<char> out,
                                           std::string &) {
          std::memcpy(out.data(), range.data, out.size());
          return success();
        };
      } else {
        segment.size = parameter.elements * sizeof(float);
        segment.produce = [this, parameter](MutableArrayRef<char> out,
                                            std::string &message) {
          return weights.read(
              parameter.op, parameter.layer,
              MutableArrayRef<float>(reinterpret_cast<float *>(out.data()),
                                     parameter.elements),
              message);
        };
      }
      result.segments.push_back(std::move(segment));
    } else if (range) {
      described->source = schema::Source::File;
      described->dtype = static_cast<schema::DType>(range->dtype);
      auto [file, isNew] =
          fileIndex.try_emplace(range->file, result.metadata.files.size());
      if (isNew) {
        auto reference = std::make_unique<schema::FileT>();
        reference->path = relativePath(range->file, moduleFolder);
        llvm::sys::fs::file_size(range->file, reference->size);
        result.metadata.files.push_back(std::move(reference));
      }
      described->file = file->second;
    } else {
      described->source = schema::Source::Init;
      if (InitAttr init = op.getInitAttr()) {
        described->distribution =
            static_cast<schema::Distribution>(init.getDistribution());
        described->value = init.getValue().convertToDouble();
      }
    }
    result.metadata.parameters.push_back(std::move(described));
  }
}

//===----------------------------------------------------------------------===//
// Labels and preprocessing
//===----------------------------------------------------------------------===//

void Describer::describeExtras(ModuleOp module) {
  if (std::optional<StringRef> name = module.getName())
    result.metadata.name = name->str();
  if (auto labels = module->getAttrOfType<ArrayAttr>("vit.labels"))
    for (Attribute label : labels)
      if (auto text = dyn_cast<StringAttr>(label))
        result.metadata.labels.push_back(text.str());
  auto given = module->getAttrOfType<DictionaryAttr>("vit.preprocessing");
  if (!given)
    return;
  auto preprocessing = std::make_unique<schema::PreprocessingT>();
  auto integer = [&](StringRef name, int64_t missing) {
    Attribute value = given.get(name);
    if (auto number = dyn_cast_or_null<IntegerAttr>(value))
      return number.getType().isInteger(1) ? int64_t(number.getValue() != 0)
                                           : number.getInt();
    return missing;
  };
  auto number = [](Attribute value, double missing) {
    if (auto real = dyn_cast_or_null<FloatAttr>(value))
      return real.getValueAsDouble();
    if (auto whole = dyn_cast_or_null<IntegerAttr>(value))
      return static_cast<double>(whole.getInt());
    return missing;
  };
  preprocessing->channels = integer("channels", 3);
  preprocessing->height = integer("height", 0);
  preprocessing->width = integer("width", 0);
  preprocessing->resize_height = integer("resize_height", 0);
  preprocessing->resize_width = integer("resize_width", 0);
  preprocessing->center_crop = integer("center_crop", 0);
  preprocessing->interpolation = integer("interpolation", 2);
  preprocessing->apply_exif_orientation = integer("apply_exif_orientation", 0);
  preprocessing->scale =
      static_cast<float>(number(given.get("scale"), 1.0 / 255));
  auto numbers = [&](StringRef name, std::vector<float> &out, float missing) {
    Attribute value = given.get(name);
    if (auto list = dyn_cast_or_null<ArrayAttr>(value)) {
      for (Attribute element : list)
        out.push_back(static_cast<float>(number(element, missing)));
    } else if (auto list = dyn_cast_or_null<DenseF32ArrayAttr>(value)) {
      out.assign(list.asArrayRef().begin(), list.asArrayRef().end());
    } else if (auto list = dyn_cast_or_null<DenseF64ArrayAttr>(value)) {
      out.assign(list.asArrayRef().begin(), list.asArrayRef().end());
    }
    out.resize(preprocessing->channels, missing);
  };
  numbers("mean", preprocessing->mean, 0.0f);
  numbers("std", preprocessing->std, 1.0f);
  result.metadata.preprocessing = std::move(preprocessing);
}
