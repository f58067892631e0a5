//===- Describe.cpp - A module's metadata from lowered graphs -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "vit/Dialect/Names.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::vit;

std::vector<int64_t> mlir::vit::dimsOf(RankedTensorType type) {
  std::vector<int64_t> dims;
  for (int64_t size : type.getShape())
    dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
  return dims;
}

LogicalResult Describer::fail(Operation *op, const Twine &message) {
  std::string name = op ? getWorkName(op->getLoc()) : "";
  error = (name.empty() ? message : name + ": " + message).str();
  return failure();
}

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

/// The name of an entry's input, in the order: given, of its location, by its
/// number; one that has none is the picture if all others have one.
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

std::unique_ptr<schema::EntryT> Describer::describeEntry(func::FuncOp entry) {
  auto described = std::make_unique<schema::EntryT>();
  described->name = entry.getName().str();
  /// Null for a type that cannot be passed.
  auto bind = [&](Type type, std::string name) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || tensor.getEncoding() ||
        !(tensor.getElementType().isF32() ||
          tensor.getElementType().isInteger(32)) ||
        llvm::any_of(
            llvm::seq<int64_t>(1, std::max<int64_t>(tensor.getRank(), 1)),
            [&](int64_t i) { return tensor.isDynamicDim(i); }))
      return std::unique_ptr<schema::BindingT>();
    auto binding = std::make_unique<schema::BindingT>();
    binding->alias = name == "logits" ? "classification_head_logits" : "";
    binding->name = std::move(name);
    binding->dtype = tensor.getElementType().isF32() ? schema::DType::F32
                                                     : schema::DType::I32;
    binding->dims = dimsOf(tensor);
    return binding;
  };
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    described->inputs.push_back(bind(type, inputName(entry, index)));
    if (!described->inputs.back()) {
      (void)fail(entry, "argument " + Twine(index) +
                            " is not a tensor of f32 or i32 of which at most "
                            "the first dimension is not known");
      return nullptr;
    }
  }
  // The first input says how large the batch is.
  if (described->inputs.empty() || described->inputs[0]->dims.empty() ||
      described->inputs[0]->dims[0] != -1) {
    (void)fail(entry, "argument 0 of '" + entry.getName() +
                          "' has no batch as its first dimension");
    return nullptr;
  }
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes())) {
    auto given = entry.getResultAttrOfType<StringAttr>(index, "vit.name");
    described->outputs.push_back(
        bind(type, given ? given.str() : "output_" + std::to_string(index)));
    if (!described->outputs.back()) {
      (void)fail(entry, "result " + Twine(index) +
                            " is not a tensor of f32 or i32 of which at most "
                            "the first dimension is not known");
      return nullptr;
    }
  }
  return described;
}
