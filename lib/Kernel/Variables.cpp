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

/// Whether `type` has the elements of row-major tensors, one above the other,
/// in their order and nothing else.
static bool isInOrder(RankedTensorType type) {
  Attribute layout = type.getEncoding();
  if (!layout)
    return true;
  auto isWhole = [](int64_t width, int64_t group) {
    return paddedChannels(width, group) == width;
  };
  int64_t width = type.getShape().back();
  if (auto panels = dyn_cast<PanelsAttr>(layout))
    return panels.getCols() == 1 && panels.getInterleave() == 1 &&
           type.getRank() == 2 && isWhole(width, panels.getInGroup()) &&
           isWhole(type.getDimSize(0), panels.getOutGroup());
  auto channels = dyn_cast<ChannelsAttr>(layout);
  return channels && isWhole(width, channels.getGroup());
}

std::optional<Variables::View> Variables::findView(Value value) const {
  if (auto read = value.getDefiningOp<ReadOp>()) {
    std::optional<Place> place = find(read);
    if (!place)
      return std::nullopt;
    return View{place->arena,
                place->offset / static_cast<int64_t>(sizeof(float)), false};
  }
  auto derive = value.getDefiningOp<DeriveOp>();
  if (!derive)
    return std::nullopt;
  RankedTensorType type = tensorOf(value);
  std::optional<View> view;
  int64_t elements = 0;
  for (Value source : derive.getSources()) {
    RankedTensorType part = tensorOf(source);
    std::optional<View> next = findView(source);
    bool isRounding =
        part.getElementType().isF32() && type.getElementType().isBF16();
    if (!next || part.getEncoding() ||
        !(isRounding || part.getElementType() == type.getElementType()))
      return std::nullopt;
    if (!view)
      view = View{next->arena, next->first, next->isRounded || isRounding};
    else if (next->arena != view->arena ||
             next->first != view->first + elements)
      return std::nullopt;
    elements += part.getNumElements();
  }
  if (!view || !isInOrder(type) || elements != type.getNumElements())
    return std::nullopt;
  return view;
}

SmallVector<unsigned> Variables::getRoundedLists(UpdateOp update) const {
  SmallVector<unsigned> rounded;
  const UpdateMember first = getMembers(update).front();
  for (auto [list, variable] : llvm::enumerate(first.variables))
    if (std::optional<Place> place = find(variable);
        place && arenas[place->arena].getRounded())
      rounded.push_back(list);
  return rounded;
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
