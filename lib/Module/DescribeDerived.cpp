//===- DescribeDerived.cpp - Derived forms and constants ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "format/Form.h"
#include "vit/Kernel/Layout.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cstring>
#include <set>

using namespace mlir;
using namespace mlir::vit;
namespace format = ::vit::format;

/// A derived form of the schema in the terms of format/Form.h. It points to the
/// migration of `derived`.
static format::Form formOf(const schema::DerivedT &derived) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::Derived::Pack(builder, &derived));
  format::Form form = format::formOf(
      *flatbuffers::GetRoot<schema::Derived>(builder.GetBufferPointer()));
  form.migration =
      derived.migration.empty() ? nullptr : derived.migration.data();
  return form;
}

/// The factors of `migration`, none if that is null.
static std::vector<float> migrationOf(DenseElementsAttr migration) {
  if (!migration)
    return {};
  auto factors = migration.getValues<float>();
  return std::vector<float>(factors.begin(), factors.end());
}

/// Sets the fields of `derived` that follow from the encoding of `type`.
static LogicalResult setForm(RankedTensorType type, schema::DerivedT &derived) {
  derived.dims = dimsOf(type);
  derived.element_type = dtypeOf(type);
  Attribute encoding = type.getEncoding();
  if (!encoding) {
    derived.kind = schema::DerivedKind::RowMajor;
  } else if (auto panels = dyn_cast<kernel::PanelsAttr>(encoding);
             panels && !panels.getTransposed()) {
    derived.kind = schema::DerivedKind::Panels;
    derived.cols = panels.getCols();
    derived.out_group = panels.getOutGroup();
    derived.in_group = panels.getInGroup();
    derived.interleave = panels.getInterleave();
  } else if (auto channels = dyn_cast<kernel::ChannelsAttr>(encoding)) {
    derived.kind = schema::DerivedKind::Channels;
    derived.in_group = channels.getGroup();
  } else {
    return failure();
  }
  return success();
}

/// Equal for forms that are derived in the same way, so that levels share them.
static std::string keyOf(const schema::DerivedT &derived) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  auto list = [&](const auto &values) {
    stream << '[';
    for (auto value : values)
      stream << value << ' ';
    stream << ']';
  };
  stream << static_cast<int>(derived.kind) << ' '
         << static_cast<int>(derived.element_type) << ' ' << derived.cols << ' '
         << derived.interleave << ' ' << derived.out_group << ' '
         << derived.in_group << ' ' << derived.prefix << ' ' << derived.tables
         << ' ' << derived.antialias << derived.splat << ' ' << derived.suffix
         << ' ' << static_cast<int>(derived.filter) << ' ' << derived.depth;
  list(derived.sources);
  list(derived.dims);
  list(derived.from);
  list(derived.to);
  // The factors by their bits.
  key.append(reinterpret_cast<const char *>(derived.migration.data()),
             derived.migration.size() * sizeof(float));
  return key;
}

/// "fc1.weight.3"
static std::string nameOf(ReadOp read) {
  std::optional<uint64_t> layer = read.getLayer();
  return kernel::getVariableName(read.getParameter(),
                                 layer ? static_cast<int64_t>(*layer) : -1);
}

void StoredValues::listParameters(ModuleOp module,
                                  ArrayRef<func::FuncOp> entries,
                                  const kernel::Variables &variables) {
  isTrained = !variables.empty();
  std::set<std::pair<StringRef, int64_t>> used;
  for (func::FuncOp entry : entries)
    entry.walk([&](ReadOp read) {
      used.insert({read.getParameter(), read.getLayer().value_or(0)});
    });
  for (kernel::ArenaAttr arena : variables.getArenas())
    for (kernel::PlacedAttr placed : arena.getVariables())
      used.insert({placed.getSymbol().getValue(),
                   std::max<int64_t>(placed.getLayer(), 0)});
  for (auto parameter : module.getOps<ParameterOp>()) {
    for (int64_t layer = 0, n = parameter.getLayers().value_or(1); layer < n;
         ++layer)
      if (used.count({parameter.getSymName(), layer})) {
        parameterIndex[parameterName(parameter, layer)] = parameters.size();
        parameters.push_back(
            {parameter, layer, parameter.getTensorType().getNumElements()});
      }
  }
}

std::optional<uint32_t> StoredValues::findParameter(StringRef name) const {
  auto known = parameterIndex.find(name);
  if (known == parameterIndex.end())
    return std::nullopt;
  return known->second;
}

bool StoredValues::isParameter(ReadOp read) const {
  return parameterIndex.contains(nameOf(read));
}

FailureOr<Place> StoredValues::placeOf(Value value) {
  // A constant, or a form derived from a constant.
  Operation *op = value.getDefiningOp();
  bool isConstant = false;
  if (op)
    isConstant = isa<arith::ConstantOp>(op) ||
                 (isa<kernel::DeriveOp>(op) && op->getNumOperands() == 1 &&
                  op->getOperand(0).getDefiningOp<arith::ConstantOp>());
  FailureOr<uint32_t> index =
      isConstant ? addConstant(value) : addDerived(value);
  if (failed(index))
    return failure();
  return Place{isConstant ? schema::ArgumentKind::Constant
                          : schema::ArgumentKind::Derived,
               *index};
}

FailureOr<uint32_t> StoredValues::addParameter(ReadOp read) {
  std::string name = nameOf(read);
  std::optional<uint32_t> known = findParameter(name);
  if (!known)
    return error.fail(read, "parameter " + Twine(name) + " is not declared");
  return *known;
}

/// Adds a parameter or a derived form to the sources of `derived`.
LogicalResult StoredValues::addSource(Value source, schema::DerivedT &derived) {
  // A reshape does not move elements: use its source.
  for (auto derive = source.getDefiningOp<kernel::DeriveOp>();
       derive && derive.getSources().size() == 1 &&
       !tensorOf(source).getEncoding() &&
       tensorOf(derive.getSources()[0]).getNumElements() ==
           tensorOf(source).getNumElements();
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
  derived.sources.push_back(*index);
  return success();
}

FailureOr<uint32_t> StoredValues::addDerived(Value value) {
  Operation *op = value.getDefiningOp();
  RankedTensorType type = tensorOf(value);
  auto derived = std::make_unique<schema::DerivedT>();
  if (auto read = dyn_cast_or_null<ReadOp>(op)) {
    if (failed(setForm(type, *derived)) || failed(addSource(value, *derived)))
      return failure();
  } else if (auto derive = dyn_cast_or_null<kernel::DeriveOp>(op)) {
    uint64_t elements = 0;
    for (Value source : derive.getSources()) {
      if (failed(addSource(source, *derived)))
        return failure();
      elements += tensorOf(source).getNumElements();
    }
    if (failed(setForm(type, *derived)))
      return error.fail(op,
                        "a parameter cannot have the layout of an activation");
    derived->splat = elements == 1 && type.getNumElements() > 1;
    derived->migration = migrationOf(derive.getMigrationAttr());
  } else if (auto resample = dyn_cast_or_null<kernel::ResampleOp>(op)) {
    if (failed(addSource(resample.getSource(), *derived)))
      return failure();
    derived->kind = schema::DerivedKind::Resample;
    derived->dims = dimsOf(type);
    derived->element_type = dtypeOf(type);
    derived->from.assign(resample.getFrom().begin(), resample.getFrom().end());
    derived->to.assign(resample.getTo().begin(), resample.getTo().end());
    derived->prefix = resample.getPrefix();
    derived->antialias = resample.getAntialias();
    derived->suffix = resample.getSuffix();
    derived->filter = schema::Filter(resample.getFilter());
  } else if (auto scales = dyn_cast_or_null<kernel::RowScalesOp>(op)) {
    for (Value source : scales.getSources())
      if (failed(addSource(source, *derived)))
        return failure();
    derived->kind = schema::DerivedKind::RowScales;
    derived->dims = dimsOf(type);
    derived->depth = tensorOf(scales.getSources().front()).getDimSize(1);
    derived->migration = migrationOf(scales.getMigrationAttr());
  } else if (auto relative =
                 dyn_cast_or_null<kernel::RelativePositionsOp>(op)) {
    if (failed(addSource(relative.getSource(), *derived)))
      return failure();
    derived->kind = schema::DerivedKind::RelativePositions;
    derived->dims = dimsOf(type);
    derived->element_type = dtypeOf(type);
    derived->to.assign(relative.getGrid().begin(), relative.getGrid().end());
    derived->prefix = relative.getPrefix();
    format::RelativePositions one = formOf(*derived).relative;
    derived->tables =
        tensorOf(relative.getSource()).getDimSize(0) / one.tableRows();
  } else {
    return error.fail(
        op, op ? "'" + op->getName().getStringRef() +
                     "' is neither a parameter nor computed by a kernel"
               : Twine("a value has no place"));
  }
  derived->bytes = format::formBytes(formOf(*derived));
  auto [known, isNew] = derivedIndex.try_emplace(
      keyOf(*derived), description.metadata.derived.size());
  if (isNew)
    description.metadata.derived.push_back(std::move(derived));
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

FailureOr<uint32_t> StoredValues::addConstant(Value value) {
  Operation *op = value.getDefiningOp();
  RankedTensorType type = tensorOf(value);
  auto derive = dyn_cast<kernel::DeriveOp>(op);
  auto constant =
      derive ? derive.getSources()[0].getDefiningOp<arith::ConstantOp>()
             : cast<arith::ConstantOp>(op);
  if (!isa<DenseElementsAttr>(constant.getValue()) ||
      !type.getElementType().isF32())
    return error.fail(op, "only constants of f32 can be stored");
  std::vector<float> values = constantElements(constant);
  bool isLaidOut = derive || type.getEncoding();
  if (isLaidOut) {
    schema::DerivedT shape;
    if (failed(setForm(type, shape)))
      return error.fail(op,
                        "a constant cannot have the layout of an activation");
    shape.splat = values.size() == 1 && type.getNumElements() > 1;
    format::Form form = formOf(shape);
    std::vector<float> laidOut(format::formElements(form), 0.0f);
    format::derive(form, laidOut.data(), values.data(),
                   format::ElementType::F32, 0, form.sourceElements());
    values = std::move(laidOut);
  }
  // Equal constants are stored once.
  std::string key = "constant ";
  key.append(reinterpret_cast<const char *>(values.data()),
             values.size() * sizeof(float));
  auto [known, isNew] =
      derivedIndex.try_emplace(key, description.metadata.constants.size());
  if (!isNew)
    return known->second;
  auto described = std::make_unique<schema::ConstantT>();
  // Stored as kernels read it: a constant with a layout is one-dimensional.
  described->dims =
      isLaidOut ? std::vector<int64_t>{static_cast<int64_t>(values.size())}
                : dimsOf(type);
  size_t size = values.size() * sizeof(float);
  description.addSegment(
      *described, size,
      [values = std::move(values)](MutableArrayRef<char> out, std::string &) {
        std::memcpy(out.data(), values.data(), out.size());
        return success();
      });
  description.metadata.constants.push_back(std::move(described));
  return known->second;
}

LogicalResult StoredValues::readSource(uint32_t source,
                                       MutableArrayRef<float> out,
                                       std::string &message) {
  if (source < parameters.size())
    return weights.read(parameters[source].op, parameters[source].layer, out,
                        message);
  MutableArrayRef<char> bytes(reinterpret_cast<char *>(out.data()),
                              out.size() * sizeof(float));
  return makeDerived(source - parameters.size(), bytes, message);
}

LogicalResult StoredValues::makeDerived(uint32_t index,
                                        MutableArrayRef<char> out,
                                        std::string &message) {
  const schema::DerivedT &derived = *description.metadata.derived[index];
  format::Form form = formOf(derived);
  std::vector<float> source;
  int64_t begin = 0;
  for (uint32_t id : derived.sources) {
    source.resize(
        id < parameters.size()
            ? parameters[id].elements
            : description.metadata.derived[id - parameters.size()]->bytes /
                  sizeof(float));
    if (failed(readSource(id, source, message)))
      return failure();
    if (id < parameters.size() &&
        !format::areInRange(form.type, source.data(), format::ElementType::F32,
                            static_cast<int64_t>(source.size()))) {
      message = "parameter '" +
                parameterName(parameters[id].op, parameters[id].layer) +
                "' has values beyond " +
                std::to_string(static_cast<int>(format::kLargestHalf)) +
                ", the largest of f16; choose another precision";
      return failure();
    }
    if (format::isComputed(form))
      format::compute(form, out.data(), source.data());
    else
      format::derive(form, out.data(), source.data(), format::ElementType::F32,
                     begin, source.size());
    begin += source.size();
  }
  return success();
}
