//===- DescribeVariables.cpp - What training steps change -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

using namespace mlir;
using namespace mlir::vit;

/// All levels must lay variables out alike, for they share them.
LogicalResult Describer::describeVariables(ModuleOp module, bool isFirst) {
  std::vector<std::unique_ptr<schema::ArenaT>> arenas;
  std::vector<std::unique_ptr<schema::VariableT>> described;
  for (kernel::ArenaAttr arena : variables->getArenas()) {
    for (kernel::PlacedAttr placed : arena.getVariables()) {
      StringAttr symbol = placed.getSymbol().getAttr();
      RankedTensorType type = kernel::getVariableType(module, symbol);
      std::string name =
          kernel::getVariableName(symbol.getValue(), placed.getLayer());
      if (!type)
        return fail(nullptr, "variable " + name + " is not declared");
      auto variable = std::make_unique<schema::VariableT>();
      auto parameter = parameterIndex.find(name);
      variable->parameter =
          parameter == parameterIndex.end() ? 0 : parameter->second + 1;
      variable->name = std::move(name);
      variable->dims = dimsOf(type);
      variable->dtype = type.getElementType().isF32() ? schema::DType::F32
                                                      : schema::DType::I32;
      variable->arena = arenas.size();
      variable->offset = placed.getOffset();
      described.push_back(std::move(variable));
    }
    auto buffer = std::make_unique<schema::ArenaT>();
    buffer->name = arena.getName().str();
    buffer->bytes = arena.getBytes();
    arenas.push_back(std::move(buffer));
  }
  auto isSameArena = [](const auto &first, const auto &second) {
    return first->name == second->name && first->bytes == second->bytes;
  };
  auto isSamePlace = [](const auto &first, const auto &second) {
    return first->name == second->name && first->arena == second->arena &&
           first->offset == second->offset;
  };
  if (!isFirst &&
      !(llvm::equal(arenas, result.metadata.arenas, isSameArena) &&
        llvm::equal(described, result.metadata.variables, isSamePlace)))
    return fail(nullptr, "the levels disagree about where variables lie");
  result.metadata.arenas = std::move(arenas);
  result.metadata.variables = std::move(described);
  return success();
}
