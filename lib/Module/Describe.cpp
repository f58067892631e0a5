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
