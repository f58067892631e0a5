//===- PlaceVariables.cpp - Positions of variables in arenas --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parameters are placed in the order of the groups of updates, groups in
// program order, so that one update can change a group. A state has the offset
// of its parameter, in the arena of its role.
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::vit {
#define GEN_PASS_DEF_PLACEVARIABLES
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
using Name = std::pair<StringAttr, int64_t>;

struct PlaceVariablesPass : vit::impl::PlaceVariablesBase<PlaceVariablesPass> {
  using Base::Base;
  void runOnOperation() override;
};

/// Assigns variables to arenas and offsets.
class ArenaPlanner {
public:
  explicit ArenaPlanner(ModuleOp module) : module(module) {}
  /// Places `variable` if it has no place yet. `user` is for errors.
  LogicalResult place(Operation *user, VariableAttr variable,
                      bool onlyParameters);
  LogicalResult placeState(ReadOp read);
  /// Returns the `kernel.arenas` attribute of the module, or null if there are
  /// no variables.
  ArrayAttr build();
  int64_t getBytes() const;

private:
  struct Arena {
    int64_t end = 0;
    SmallVector<PlacedAttr> variables;
  };
  void add(StringRef arena, int64_t offset, Name name, int64_t elements);
  LogicalResult place(Operation *user, FlatSymbolRefAttr symbol, int64_t layer);

  ModuleOp module;
  llvm::MapVector<StringRef, Arena> arenas;
  DenseMap<Name, int64_t> offsets;
};
} // namespace

static constexpr int64_t kElementBytes = sizeof(float);
static constexpr StringLiteral kParameters = "parameters", kOther = "other";

void ArenaPlanner::add(StringRef arenaName, int64_t offset, Name name,
                       int64_t elements) {
  Arena &arena = arenas[arenaName];
  offsets[name] = offset;
  arena.end =
      std::max(arena.end, offset + occupiedElements(elements) * kElementBytes);
  arena.variables.push_back(PlacedAttr::get(module.getContext(),
                                            FlatSymbolRefAttr::get(name.first),
                                            name.second, offset));
}

LogicalResult ArenaPlanner::place(Operation *user, FlatSymbolRefAttr symbol,
                                  int64_t layer) {
  Name name(symbol.getAttr(), layer);
  if (offsets.contains(name))
    return success();
  Operation *op = SymbolTable::lookupSymbolIn(module, symbol.getAttr());
  RankedTensorType type = getVariableType(module, symbol.getAttr());
  if (!type)
    return user->emitOpError("changes ")
           << symbol << ", which is neither a vit.parameter nor a vit.state";
  auto layers = op->getAttrOfType<IntegerAttr>("layers");
  if (layers ? layer < 0 || layer >= layers.getInt() : layer != -1)
    return user->emitOpError("changes ")
           << symbol << " of layer " << layer << ", but it has "
           << (layers ? layers.getInt() : 0) << " layers";
  int64_t elements = type.getNumElements();
  if (isa<ParameterOp>(op)) {
    add(kParameters, arenas[kParameters].end, name, elements);
    return success();
  }
  auto state = cast<StateOp>(op);
  FlatSymbolRefAttr owner = state.getParameterAttr();
  if (!owner || !type.getElementType().isF32()) {
    add(kOther, arenas[kOther].end, name, elements);
    return success();
  }
  StringRef role = *state.getRole();
  if (role == kParameters || role == kOther)
    return state.emitOpError("has the role '")
           << role << "', which is the name of an arena";
  auto found = offsets.find({owner.getAttr(), layer});
  // A state of a parameter that no entry changes is placed after all states of
  // parameters that change.
  add(role,
      found != offsets.end()
          ? found->second
          : std::max(arenas[role].end, arenas[kParameters].end),
      name, elements);
  return success();
}

LogicalResult ArenaPlanner::place(Operation *user, VariableAttr variable,
                                  bool onlyParameters) {
  StringAttr symbol = variable.getSymbol().getAttr();
  if (onlyParameters &&
      isa_and_nonnull<StateOp>(SymbolTable::lookupSymbolIn(module, symbol)))
    return success();
  return place(user, variable.getSymbol(), variable.getLayer());
}

LogicalResult ArenaPlanner::placeState(ReadOp read) {
  FlatSymbolRefAttr symbol = read.getParameterAttr();
  if (!isa_and_nonnull<StateOp>(
          SymbolTable::lookupSymbolIn(module, symbol.getAttr())))
    return success();
  std::optional<uint64_t> layer = read.getLayer();
  return place(read, symbol, layer ? static_cast<int64_t>(*layer) : -1);
}

int64_t ArenaPlanner::getBytes() const {
  int64_t bytes = 0;
  for (const auto &[name, arena] : arenas)
    bytes += arena.end;
  return bytes;
}

ArrayAttr ArenaPlanner::build() {
  MLIRContext *context = module.getContext();
  SmallVector<Attribute> list;
  for (const auto &[name, arena] : arenas) {
    if (arena.variables.empty())
      continue;
    SmallVector<PlacedAttr> sorted(arena.variables);
    llvm::sort(sorted, [](PlacedAttr first, PlacedAttr second) {
      return first.getOffset() < second.getOffset();
    });
    list.push_back(ArenaAttr::get(context, StringAttr::get(context, name),
                                  arena.end, /*rounded=*/Type(), sorted));
  }
  return list.empty() ? ArrayAttr() : ArrayAttr::get(context, list);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// Checks that gradients and states have the types of their parameters.
static LogicalResult verifyTypes(UpdateOp update, ModuleOp module) {
  auto typeOf = [&](VariableAttr variable) {
    return getVariableType(module, variable.getSymbol().getAttr());
  };
  for (const UpdateMember &member : getMembers(update)) {
    VariableAttr parameter = member.variables.front();
    RankedTensorType type = typeOf(parameter);
    for (VariableAttr variable : member.variables) {
      if (!typeOf(variable))
        return update.emitOpError("changes ")
               << variable.getSymbol()
               << ", which is neither a vit.parameter nor a vit.state";
      if (typeOf(variable) != type || !type.getElementType().isF32())
        return update.emitOpError("changes ")
               << variable.getSymbol() << ", a " << typeOf(variable)
               << ", with " << parameter.getSymbol() << ", a " << type
               << "; both must be of one type of f32";
    }
    if (!member.gradient)
      continue;
    auto gradient = cast<RankedTensorType>(member.gradient.getType());
    if (!gradient.hasStaticShape() || gradient.getEncoding() ||
        gradient.getNumElements() != type.getNumElements())
      return update.emitOpError("has the gradient ")
             << gradient << " for " << parameter.getSymbol() << ", a " << type;
  }
  return success();
}

/// Checks that an entry neither reads nor changes a variable after its update.
static LogicalResult verifyOrder(func::FuncOp entry) {
  llvm::DenseSet<Name> changed;
  for (Operation &op : entry.getBody().front()) {
    if (auto read = dyn_cast<ReadOp>(op)) {
      std::optional<uint64_t> layer = read.getLayer();
      if (changed.contains({read.getParameterAttr().getAttr(),
                            layer ? static_cast<int64_t>(*layer) : -1}))
        return read.emitOpError("reads ")
               << read.getParameterAttr()
               << " after its update, which takes effect at the entry's end";
    }
    auto update = dyn_cast<UpdateOp>(op);
    if (!update)
      continue;
    for (const UpdateMember &member : getMembers(update))
      for (VariableAttr variable : member.variables)
        if (!changed
                 .insert({variable.getSymbol().getAttr(), variable.getLayer()})
                 .second)
          return update.emitOpError("changes ")
                 << variable.getSymbol() << ", which has been changed before";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static LogicalResult verifyEntry(func::FuncOp entry, ModuleOp module) {
  if (!entry.getBody().hasOneBlock())
    return entry.emitError("cannot be laid out: it must be one block");
  for (UpdateOp update : entry.getOps<UpdateOp>())
    if (failed(verifyTypes(update, module)))
      return failure();
  return verifyOrder(entry);
}

/// Gives the arenas rounded copies in which training entries find forms of
/// variables.
static void roundArenas(ModuleOp module) {
  Variables variables(module);
  auto type = BFloat16Type::get(module.getContext());
  SmallVector<Attribute> arenas(variables.getArenas());
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (!isTrainingEntry(entry))
      continue;
    for (DeriveOp derive : entry.getOps<DeriveOp>()) {
      std::optional<Variables::View> view = variables.findView(derive);
      if (!view || !view->isRounded)
        continue;
      auto arena = cast<ArenaAttr>(arenas[view->arena]);
      arenas[view->arena] =
          ArenaAttr::get(module.getContext(), arena.getName(), arena.getBytes(),
                         type, arena.getVariables());
    }
  }
  if (!arenas.empty())
    module->setAttr(kArenasName, ArrayAttr::get(module.getContext(), arenas));
}

void PlaceVariablesPass::runOnOperation() {
  ModuleOp module = getOperation();
  ArenaPlanner planner(module);
  SmallVector<func::FuncOp> entries;
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (entry.isExternal())
      continue;
    if (failed(verifyEntry(entry, module)))
      return signalPassFailure();
    entries.push_back(entry);
  }
  // Parameters come first because the offset of a state is that of its
  // parameter.
  for (bool onlyParameters : {true, false})
    for (func::FuncOp entry : entries)
      for (ArrayRef<UpdateOp> group : getUpdateGroups(entry))
        for (UpdateOp update : group)
          for (const UpdateMember &member : getMembers(update))
            for (VariableAttr variable : member.variables)
              if (failed(planner.place(update, variable, onlyParameters)))
                return signalPassFailure();
  for (func::FuncOp entry : entries)
    for (ReadOp read : entry.getOps<ReadOp>())
      if (failed(planner.placeState(read)))
        return signalPassFailure();
  if (ArrayAttr arenas = planner.build())
    module->setAttr(kArenasName, arenas);
  roundArenas(module);
  arenaBytes = planner.getBytes();
}
