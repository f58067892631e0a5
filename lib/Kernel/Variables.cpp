//===- Variables.cpp - Parameters and states in arenas --------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Kernel/Variables.h"

#include "vit/Kernel/Layout.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OperationSupport.h"

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

Variables::Variables(ModuleOp module) {
  auto list = module->getAttrOfType<ArrayAttr>(kArenasName);
  if (!list)
    return;
  for (ArenaAttr arena : list.getAsRange<ArenaAttr>()) {
    uint32_t index = arenas.size();
    for (PlacedAttr placed : arena.getVariables()) {
      StringAttr symbol = placed.getSymbol().getAttr();
      RankedTensorType type = getVariableType(module, symbol);
      places[{symbol, placed.getLayer()}] = {
          index, arena.getName(), placed.getOffset(),
          type ? occupiedElements(type.getNumElements()) : 0};
    }
    arenas.push_back(arena);
  }
}

std::optional<Variables::Place> Variables::find(StringAttr symbol,
                                                int64_t layer) const {
  auto found = places.find({symbol, layer});
  if (found == places.end())
    return std::nullopt;
  return found->second;
}

std::optional<Variables::Place> Variables::find(ReadOp read) const {
  std::optional<uint64_t> layer = read.getLayer();
  return find(read.getParameterAttr().getAttr(),
              layer ? static_cast<int64_t>(*layer) : -1);
}

RankedTensorType kernel::getVariableType(ModuleOp module, StringAttr symbol) {
  Operation *op = SymbolTable::lookupSymbolIn(module, symbol);
  if (auto parameter = dyn_cast_or_null<ParameterOp>(op))
    return parameter.getTensorType();
  if (auto state = dyn_cast_or_null<StateOp>(op))
    return state.getTensorType();
  return {};
}

std::string kernel::getVariableName(StringRef symbol, int64_t layer) {
  return layer < 0 ? symbol.str() : (symbol + "." + Twine(layer)).str();
}

int64_t kernel::getUpdatedElements(UpdateOp update) {
  auto module = update->getParentOfType<ModuleOp>();
  int64_t elements = 0;
  for (VariableAttr variable :
       update.getParameters().getAsRange<VariableAttr>())
    if (RankedTensorType type =
            getVariableType(module, variable.getSymbol().getAttr()))
      elements += occupiedElements(type.getNumElements());
  return elements;
}

SmallVector<UpdateMember> kernel::getMembers(UpdateOp update) {
  SmallVector<UpdateMember> members;
  Value gradient = update.getGradient();
  auto concat = gradient ? gradient.getDefiningOp<ConcatOp>() : ConcatOp();
  for (auto [index, parameter] : llvm::enumerate(update.getParameters())) {
    UpdateMember member{update, {cast<VariableAttr>(parameter)}, gradient};
    if (ArrayAttr states = update.getStatesAttr())
      for (Attribute list : states)
        member.variables.push_back(
            cast<VariableAttr>(cast<ArrayAttr>(list)[index]));
    if (concat && index < concat.getGradients().size())
      member.gradient = concat.getGradients()[index];
    members.push_back(std::move(member));
  }
  return members;
}

/// Returns whether two updates differ only in variables, gradients and tiles.
static bool agree(UpdateOp a, UpdateOp b) {
  auto haveSameCode = [](Region &a, Region &b) {
    return OperationEquivalence::isRegionEquivalentTo(
        &a, &b, OperationEquivalence::IgnoreLocations);
  };
  return a.getName() == b.getName() && !a.getGradient() == !b.getGradient() &&
         a.getVariableCount() == b.getVariableCount() &&
         a.getGuard() == b.getGuard() &&
         llvm::equal(a.getScalars(), b.getScalars()) &&
         haveSameCode(a.getPrologue(), b.getPrologue()) &&
         haveSameCode(a.getBody(), b.getBody());
}

SmallVector<SmallVector<UpdateOp>> kernel::getUpdateGroups(func::FuncOp entry) {
  SmallVector<SmallVector<UpdateOp>> groups;
  for (UpdateOp update : entry.getOps<UpdateOp>()) {
    auto group = llvm::find_if(
        groups, [&](auto &group) { return agree(group.front(), update); });
    if (group == groups.end())
      groups.push_back({update});
    else
      group->push_back(update);
  }
  return groups;
}

bool kernel::isTrainingEntry(func::FuncOp entry) {
  // After code generation an update is a dispatch whose last operands are
  // ranges of arenas.
  return entry
      .walk([](Operation *op) {
        return isa<UpdateOp, ArenaOp>(op) ? WalkResult::interrupt()
                                          : WalkResult::advance();
      })
      .wasInterrupted();
}

bool kernel::isView(DeriveOp derive) {
  if (derive.getSources().size() != 1)
    return false;
  RankedTensorType source = tensorOf(derive.getSources()[0]);
  RankedTensorType result = tensorOf(derive.getResult());
  if (source.getEncoding() ||
      source.getElementType() != result.getElementType() ||
      source.getNumElements() != result.getNumElements())
    return false;
  if (!result.getEncoding())
    return true;
  int64_t width = result.getShape().back();
  if (auto panels = dyn_cast<PanelsAttr>(result.getEncoding()))
    return panels.getCols() == 1 && !panels.getTransposed() &&
           result.getRank() == 2 &&
           paddedChannels(width, panels.getInGroup()) == width &&
           paddedChannels(result.getDimSize(0), panels.getOutGroup()) ==
               result.getDimSize(0);
  auto channels = dyn_cast<ChannelsAttr>(result.getEncoding());
  return channels && paddedChannels(width, channels.getGroup()) == width;
}

Value kernel::getViewed(Value value) {
  while (auto derive = value.getDefiningOp<DeriveOp>()) {
    if (!isView(derive))
      break;
    value = derive.getSources()[0];
  }
  return value;
}
