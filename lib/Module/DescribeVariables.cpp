//===- DescribeVariables.cpp - What training steps change -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

using namespace mlir;
using namespace mlir::vit;

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
