//===- Describe.cpp - A module's metadata from lowered graphs -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "vit/Compiler.h"
#include "vit/Dialect/Names.h"
#include "vit/Dialect/Products.h"

#include "format/Level.h"
#include "format/Meaning.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::vit;
namespace format = ::vit::format;

std::vector<int64_t> mlir::vit::dimsOf(RankedTensorType type) {
  std::vector<int64_t> dims;
  for (int64_t size : type.getShape())
    dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
  return dims;
}

std::string mlir::vit::parameterName(ParameterOp op, int64_t layer) {
  std::string name = op.getSymName().str();
  return op.getLayers() ? name + "." + std::to_string(layer) : name;
}

schema::DType mlir::vit::dtypeOf(RankedTensorType type) {
  Type element = type.getElementType();
  return element.isBF16()       ? schema::DType::BF16
         : element.isF16()      ? schema::DType::F16
         : element.isF32()      ? schema::DType::F32
         : element.isInteger(8) ? schema::DType::I8
                                : schema::DType::I32;
}

LogicalResult ErrorText::fail(Operation *op, const Twine &message) const {
  std::string name = op ? getWorkName(op->getLoc()) : "";
  text = (name.empty() ? message : name + ": " + message).str();
  return failure();
}

/// The entries of a module; empty, with `problem` set, on failure.
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

/// Whether the variables of both have the same places.
static bool isSameLayout(const schema::ModuleT &first,
                         const schema::ModuleT &second) {
  auto isSameArena = [](const auto &one, const auto &other) {
    return one->name == other->name && one->bytes == other->bytes;
  };
  auto isSamePlace = [](const auto &one, const auto &other) {
    return one->name == other->name && one->arena == other->arena &&
           one->offset == other->offset;
  };
  return llvm::equal(first.arenas, second.arenas, isSameArena) &&
         llvm::equal(first.variables, second.variables, isSamePlace);
}

LogicalResult Describer::describe(ArrayRef<CompiledLevel> levels,
                                  ParameterStorage storage,
                                  StringRef moduleFolder) {
  result.metadata.producer = llvm::formatv("vit {0}.{1}.{2}", VIT_VERSION_MAJOR,
                                           VIT_VERSION_MINOR, VIT_VERSION_PATCH)
                                 .str();
  if (failed(describeModel(levels.front().lowered)))
    return failure();
  for (const CompiledLevel &level : levels)
    if (failed(describeLevel(level)))
      return failure();
  stored.store(storage, moduleFolder);
  describeExtras(levels.front().lowered, result.metadata);
  return success();
}

/// Describes what all levels have in common, taken from the first one.
LogicalResult Describer::describeModel(ModuleOp module) {
  std::string problem;
  SmallVector<func::FuncOp> entries = findEntries(module, problem);
  if (entries.empty())
    return error.fail(nullptr, problem);
  kernel::Variables variables(module);
  stored.listParameters(module, entries, variables);
  for (func::FuncOp entry : entries) {
    result.metadata.entries.push_back(describeEntry(entry, error));
    if (!result.metadata.entries.back())
      return failure();
  }
  return describeVariables(module, variables, stored, error, result.metadata);
}

/// Lists the products that keep a precision of their own: see vit-narrow.
static void describeKept(func::FuncOp entry, schema::ScheduleT &schedule) {
  auto list = entry->getAttrOfType<ArrayAttr>(kKeptAttribute);
  if (!list)
    return;
  for (auto pair : list.getAsRange<ArrayAttr>()) {
    auto kept = std::make_unique<schema::KeptProductT>();
    kept->name = cast<StringAttr>(pair[0]).str();
    auto precision = format::ElementType::F32;
    format::parsePrecision(
        stringifyPrecision(cast<PrecisionAttr>(pair[1]).getValue()), precision);
    kept->precision = static_cast<schema::DType>(precision);
    schedule.kept.push_back(std::move(kept));
  }
}

LogicalResult Describer::describeLevel(const CompiledLevel &level) {
  std::string problem;
  SmallVector<func::FuncOp> entries = findEntries(level.lowered, problem);
  if (entries.empty())
    return error.fail(nullptr, problem);
  // All levels use the same memory for variables.
  kernel::Variables variables(level.lowered);
  schema::ModuleT own;
  if (failed(describeVariables(level.lowered, variables, stored, error, own)))
    return failure();
  if (!isSameLayout(own, result.metadata))
    return error.fail(nullptr, "the levels disagree about where variables lie");
  for (auto [index, function] : llvm::enumerate(entries)) {
    schema::EntryT &entry = *result.metadata.entries[index];
    auto schedule = std::make_unique<schema::ScheduleT>();
    schedule->level = level.level;
    schedule->precision = static_cast<schema::DType>(level.precision);
    describeKept(function, *schedule);
    KernelCodes codes = images.addCode(level, *schedule);
    if (failed(describeSchedule(function, entry, codes, variables, stored,
                                error, *schedule)))
      return failure();
    entry.schedules.push_back(std::move(schedule));
  }
  return success();
}

/// The name of an input: its `vit.name`, else the name of its location, else
/// its number. The only input without a name is called "image".
static std::string inputName(func::FuncOp entry, unsigned index) {
  auto nameOf = [&](unsigned i) -> std::string {
    if (auto given = entry.getArgAttrOfType<StringAttr>(i, "vit.name"))
      return given.str();
    Location location = entry.getArgument(i).getLoc();
    return isa<NameLoc>(location) ? getWorkName(location) : "";
  };
  if (std::string name = nameOf(index); !name.empty())
    return name;
  auto inputs = llvm::seq<unsigned>(0, entry.getNumArguments());
  bool isOnly = llvm::all_of(
      inputs, [&](unsigned i) { return i == index || !nameOf(i).empty(); });
  return isOnly ? "image" : "input_" + std::to_string(index);
}

static schema::Role roleOf(RoleAttr role) {
  if (!role)
    return schema::Role::None;
  switch (role.getValue()) {
  case Role::targets:
    return schema::Role::Targets;
  case Role::learning_rate:
    return schema::Role::LearningRate;
  case Role::step:
    return schema::Role::Step;
  case Role::loss:
    return schema::Role::Loss;
  case Role::correct:
    return schema::Role::Correct;
  }
}

std::unique_ptr<schema::EntryT> mlir::vit::describeEntry(func::FuncOp entry,
                                                         ErrorText error) {
  auto described = std::make_unique<schema::EntryT>();
  described->name = entry.getName().str();
  /// Null, after an error about `what`, if values of this type cannot be
  /// passed.
  auto bind = [&](const Twine &what, Type type, std::string name,
                  Attribute role) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getEncoding() ||
        !(tensor.getElementType().isF32() ||
          tensor.getElementType().isInteger(32)) ||
        llvm::any_of(
            llvm::seq<int64_t>(1, std::max<int64_t>(tensor.getRank(), 1)),
            [&](int64_t i) { return tensor.isDynamicDim(i); })) {
      (void)error.fail(entry,
                       what + " is not a tensor of f32 or i32 of which at most "
                              "the first dimension is not known");
      return std::unique_ptr<schema::BindingT>();
    }
    auto binding = std::make_unique<schema::BindingT>();
    binding->alias = name == "logits" ? VIT_COMPILER_LOGITS_ALIAS : "";
    binding->name = std::move(name);
    binding->dtype = dtypeOf(tensor);
    binding->dims = dimsOf(tensor);
    binding->role = roleOf(dyn_cast_or_null<RoleAttr>(role));
    return binding;
  };
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    described->inputs.push_back(bind("argument " + Twine(index), type,
                                     inputName(entry, index),
                                     entry.getArgAttr(index, "vit.role")));
    if (!described->inputs.back())
      return nullptr;
    if (auto classes =
            entry.getArgAttrOfType<IntegerAttr>(index, "vit.classes"))
      described->inputs.back()->classes = classes.getInt();
  }
  // The batch is taken from the first input.
  if (described->inputs.empty() || described->inputs[0]->dims.empty() ||
      described->inputs[0]->dims[0] != -1) {
    (void)error.fail(entry, "argument 0 of '" + entry.getName() +
                                "' has no batch as its first dimension");
    return nullptr;
  }
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes())) {
    auto given = entry.getResultAttrOfType<StringAttr>(index, "vit.name");
    described->outputs.push_back(
        bind("result " + Twine(index), type,
             given ? given.str() : "output_" + std::to_string(index),
             entry.getResultAttr(index, "vit.role")));
    if (!described->outputs.back())
      return nullptr;
  }
  return described;
}

LogicalResult mlir::vit::describeVariables(ModuleOp module,
                                           const kernel::Variables &variables,
                                           const StoredValues &stored,
                                           ErrorText error,
                                           schema::ModuleT &metadata) {
  for (kernel::ArenaAttr arena : variables.getArenas()) {
    for (kernel::PlacedAttr placed : arena.getVariables()) {
      StringAttr symbol = placed.getSymbol().getAttr();
      RankedTensorType type = kernel::getVariableType(module, symbol);
      std::string name =
          kernel::getVariableName(symbol.getValue(), placed.getLayer());
      if (!type)
        return error.fail(nullptr, "variable " + name + " is not declared");
      auto variable = std::make_unique<schema::VariableT>();
      std::optional<uint32_t> parameter = stored.findParameter(name);
      variable->parameter = parameter ? *parameter + 1 : 0;
      variable->name = std::move(name);
      variable->dims = dimsOf(type);
      variable->dtype = dtypeOf(type);
      variable->arena = metadata.arenas.size();
      variable->offset = placed.getOffset();
      if (auto state =
              dyn_cast<StateOp>(SymbolTable::lookupSymbolIn(module, symbol)))
        variable->role = state.getRole().value_or("").str();
      metadata.variables.push_back(std::move(variable));
    }
    auto buffer = std::make_unique<schema::ArenaT>();
    buffer->name = arena.getName().str();
    buffer->bytes = arena.getBytes();
    metadata.arenas.push_back(std::move(buffer));
  }
  return success();
}

/// The tokens of an entry whose `vit.patch_grid` is `grid`; null if it or the
/// module does not say.
static std::unique_ptr<schema::TokensT> describeTokens(ModuleOp module,
                                                       Attribute patchGrid) {
  auto prefix = module->getAttrOfType<ArrayAttr>("vit.prefix_tokens");
  auto grid = dyn_cast_or_null<DenseI64ArrayAttr>(patchGrid);
  if (!prefix || !grid || grid.size() != 2)
    return nullptr;
  auto tokens = std::make_unique<schema::TokensT>();
  for (Attribute token : prefix)
    if (auto name = dyn_cast<StringAttr>(token))
      if (std::optional<int> kind =
              format::findName(format::kTokenKinds, name.getValue()))
        tokens->before_patches.push_back(schema::TokenKind(*kind));
  tokens->rows = grid[0];
  tokens->columns = grid[1];
  return tokens;
}

/// Null if `attribute` is not a `vit.preprocessing`.
static std::unique_ptr<schema::PreprocessingT>
describePreprocessing(Attribute attribute) {
  auto given = dyn_cast_or_null<DictionaryAttr>(attribute);
  if (!given)
    return nullptr;
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
  return preprocessing;
}

void mlir::vit::describeExtras(ModuleOp module, schema::ModuleT &metadata) {
  if (std::optional<StringRef> name = module.getName())
    metadata.name = name->str();
  if (auto labels = module->getAttrOfType<ArrayAttr>("vit.labels"))
    for (Attribute label : labels)
      if (auto text = dyn_cast<StringAttr>(label))
        metadata.labels.push_back(text.str());
  if (auto type = module->getAttrOfType<StringAttr>("vit.problem_type"))
    if (std::optional<int> known =
            format::findName(format::kProblemTypes, type.getValue()))
      metadata.problem_type = schema::ProblemType(*known);
  metadata.tokens = describeTokens(module, module->getAttr("vit.patch_grid"));
  metadata.preprocessing =
      describePreprocessing(module->getAttr("vit.preprocessing"));
  // Entries for further sizes have their own.
  auto entries = module.getOps<func::FuncOp>();
  for (auto &entry : metadata.entries)
    for (func::FuncOp function : entries)
      if (function.getName() == entry->name) {
        entry->tokens =
            describeTokens(module, function->getAttr("vit.patch_grid"));
        entry->preprocessing =
            describePreprocessing(function->getAttr("vit.preprocessing"));
      }
}
