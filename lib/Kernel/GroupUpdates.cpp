//===- GroupUpdates.cpp - Arenas, and one update for all that agree -------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pass first assigns each variable a position in an arena, then merges
// updates. Updates that differ only in their variables and gradients form a
// group. Parameters are placed in the order of the groups, groups in program
// order. A state has the offset of its parameter, in the arena of its role.
// Members of a group that are contiguous in every arena are updated by one
// launch.
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::vit {
#define GEN_PASS_DEF_GROUPUPDATES
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
using Name = std::pair<StringAttr, int64_t>;

struct GroupUpdatesPass : vit::impl::GroupUpdatesBase<GroupUpdatesPass> {
  using Base::Base;
  void runOnOperation() override;
};

/// One element of each list of an update: a parameter, its states, and its
/// gradient.
struct Member {
  UpdateOp update;
  SmallVector<VariableAttr> variables;
  Value gradient; ///< null: the update zeroes
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

/// Rewrites the updates of one entry.
class UpdateGrouper {
public:
  UpdateGrouper(func::FuncOp entry, const Variables &variables)
      : entry(entry), builder(entry), variables(variables) {}
  void run();
  int64_t before = 0, after = 0;

private:
  void addGroup(MutableArrayRef<Member> members);
  bool follows(const Member &first, const Member &second) const;
  void addRun(ArrayRef<Member> members);
  Value getConcatOperand(Value gradient);
  Value concat(ArrayRef<Member> members);
  void widenNorms();

  func::FuncOp entry;
  OpBuilder builder;
  const Variables &variables;
  TileAttr tile; ///< of copies
  /// Values that already are operands of a concat.
  llvm::SmallDenseSet<Value> placed;
  /// The concats, each with its gradients.
  struct Concat {
    Value value;
    SmallVector<Value> gradients;
  };
  SmallVector<Concat> concats;
};
} // namespace

static constexpr int64_t kElementBytes = sizeof(float);
static constexpr StringLiteral kParameters = "parameters", kOther = "other";

//===----------------------------------------------------------------------===//
// Where variables lie
//===----------------------------------------------------------------------===//

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
  // The symbol @exp_avg.fc1.weight means the state of @fc1.weight with the role
  // exp_avg.
  auto [role, rest] = symbol.getValue().split('.');
  auto owner =
      rest.empty() ? StringAttr() : StringAttr::get(module.getContext(), rest);
  if (!owner || role == kParameters || role == kOther ||
      getVariableType(module, owner) != type ||
      !type.getElementType().isF32()) {
    add(kOther, arenas[kOther].end, name, elements);
    return success();
  }
  auto found = offsets.find({owner, layer});
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
                                  arena.end, sorted));
  }
  return list.empty() ? ArrayAttr() : ArrayAttr::get(context, list);
}

//===----------------------------------------------------------------------===//
// Grouping
//===----------------------------------------------------------------------===//

/// The variables that `update` changes, each with its states and gradient. The
/// gradient of an update of several variables is a concat.
static SmallVector<Member> getMembers(UpdateOp update) {
  SmallVector<Member> members;
  Value gradient = update.getGradient();
  auto concat = gradient ? gradient.getDefiningOp<ConcatOp>() : ConcatOp();
  for (auto [index, parameter] : llvm::enumerate(update.getParameters())) {
    Member member{update, {cast<VariableAttr>(parameter)}, gradient};
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

/// The groups of updates of `entry`, ordered by the first update of each.
static SmallVector<SmallVector<UpdateOp>> getGroups(func::FuncOp entry) {
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

/// Checks that gradients and states have the types of their parameters.
static LogicalResult verifyTypes(UpdateOp update, ModuleOp module) {
  auto typeOf = [&](VariableAttr variable) {
    return getVariableType(module, variable.getSymbol().getAttr());
  };
  for (const Member &member : getMembers(update)) {
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
    for (const Member &member : getMembers(update))
      for (VariableAttr variable : member.variables)
        if (!changed
                 .insert({variable.getSymbol().getAttr(), variable.getLayer()})
                 .second)
          return update.emitOpError("changes ")
                 << variable.getSymbol() << ", which has been changed before";
  }
  return success();
}

/// Returns whether `second` begins where `first` ends, in every arena.
bool UpdateGrouper::follows(const Member &first, const Member &second) const {
  return llvm::all_of(
      llvm::zip(first.variables, second.variables), [&](auto pair) {
        Variables::Place one = *variables.find(std::get<0>(pair)),
                         two = *variables.find(std::get<1>(pair));
        return one.arena == two.arena &&
               one.offset + one.elements * kElementBytes == two.offset;
      });
}

/// Splits a group into runs of members that are contiguous in every arena.
void UpdateGrouper::addGroup(MutableArrayRef<Member> members) {
  llvm::stable_sort(members, [&](const Member &first, const Member &second) {
    Variables::Place one = *variables.find(first.variables[0]),
                     two = *variables.find(second.variables[0]);
    return std::pair(one.arena, one.offset) < std::pair(two.arena, two.offset);
  });
  size_t begin = 0;
  for (size_t end = 1; end <= members.size(); ++end)
    if (end == members.size() || !follows(members[end - 1], members[end])) {
      addRun(members.slice(begin, end - begin));
      begin = end;
    }
}

/// Returns `gradient`, or a copy of it if it cannot be computed in the memory
/// of a concat because no kernel computes it, the entry returns it, or another
/// concat contains it.
Value UpdateGrouper::getConcatOperand(Value gradient) {
  bool isOwn = isa_and_nonnull<KernelOpInterface>(gradient.getDefiningOp());
  bool isReturned = llvm::any_of(gradient.getUsers(), [](Operation *user) {
    return user->hasTrait<OpTrait::IsTerminator>();
  });
  if (isOwn && !isReturned && placed.insert(gradient).second)
    return gradient;
  builder.setInsertionPointAfterValue(gradient);
  auto copy = MapOp::create(builder, gradient.getLoc(), gradient.getType(),
                            gradient, ValueRange(), tile);
  addIdentity(copy);
  placed.insert(copy.getResult());
  return copy.getResult();
}

Value UpdateGrouper::concat(ArrayRef<Member> members) {
  SmallVector<Value> gradients, operands;
  int64_t elements = 0;
  Operation *last = nullptr;
  for (const Member &member : members) {
    Value operand = getConcatOperand(member.gradient);
    Operation *maker = operand.getDefiningOp();
    if (!last || last->isBeforeInBlock(maker))
      last = maker;
    gradients.push_back(member.gradient);
    operands.push_back(operand);
    elements += occupiedElements(
        cast<RankedTensorType>(operand.getType()).getNumElements());
  }
  builder.setInsertionPointAfter(last);
  Value all = ConcatOp::create(
      builder, last->getLoc(),
      RankedTensorType::get({elements}, builder.getF32Type()), operands);
  concats.push_back({all, std::move(gradients)});
  return all;
}

/// Adds one update of all `members` before the terminator of the entry.
void UpdateGrouper::addRun(ArrayRef<Member> members) {
  UpdateOp first = members.front().update;
  Value gradient = members.front().gradient ? concat(members) : Value();
  SmallVector<SmallVector<Attribute>> lists(members[0].variables.size());
  for (const Member &member : members)
    for (auto [list, variable] : llvm::zip(lists, member.variables))
      list.push_back(variable);
  SmallVector<Attribute> states;
  for (ArrayRef<Attribute> list : ArrayRef(lists).drop_front())
    states.push_back(builder.getArrayAttr(list));
  builder.setInsertionPoint(entry.getBody().front().getTerminator());
  auto update = cast<UpdateOp>(builder.clone(*first));
  update.setParametersAttr(builder.getArrayAttr(lists.front()));
  if (!states.empty())
    update.setStatesAttr(builder.getArrayAttr(states));
  if (gradient)
    update.getGradientMutable().assign(gradient);
  std::string name = (update.getName() + "." + Twine(after++)).str();
  update->setLoc(NameLoc::get(builder.getStringAttr(name)));
}

/// Replaces gradients that a norm reads by the concat that contains them.
void UpdateGrouper::widenNorms() {
  for (NormOp norm : entry.getOps<NormOp>()) {
    SmallVector<Value> operands(norm.getGradients());
    for (const Concat &concat : concats) {
      Value all = concat.value;
      ArrayRef<Value> gradients = concat.gradients;
      if (!all.getDefiningOp()->isBeforeInBlock(norm) ||
          !llvm::all_of(gradients, [&](Value gradient) {
            return llvm::count(operands, gradient) == 1;
          }))
        continue;
      *llvm::find(operands, gradients.front()) = all;
      llvm::erase_if(operands, [&](Value operand) {
        return llvm::is_contained(gradients, operand);
      });
    }
    norm.getGradientsMutable().assign(operands);
  }
}

void UpdateGrouper::run() {
  SmallVector<UpdateOp> updates(entry.getOps<UpdateOp>());
  tile = updates.front().getTileAttr();
  for (ArrayRef<UpdateOp> group : getGroups(entry)) {
    SmallVector<Member> members;
    for (UpdateOp update : group)
      llvm::append_range(members, getMembers(update));
    addGroup(members);
  }
  widenNorms();
  for (UpdateOp update : updates) {
    Value gradient = update.getGradient();
    update.erase();
    Operation *maker = gradient ? gradient.getDefiningOp() : nullptr;
    if (isa_and_nonnull<ConcatOp>(maker) && maker->use_empty())
      maker->erase();
  }
  before = updates.size();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

void GroupUpdatesPass::runOnOperation() {
  ModuleOp module = getOperation();
  ArenaPlanner planner(module);
  SmallVector<func::FuncOp> entries;
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (entry.isExternal())
      continue;
    if (!entry.getBody().hasOneBlock()) {
      entry.emitError("cannot be laid out: it must be one block");
      return signalPassFailure();
    }
    for (UpdateOp update : entry.getOps<UpdateOp>())
      if (failed(verifyTypes(update, module)))
        return signalPassFailure();
    if (failed(verifyOrder(entry)))
      return signalPassFailure();
    entries.push_back(entry);
  }

  // Parameters come first because the offset of a state is that of its
  // parameter.
  for (bool onlyParameters : {true, false})
    for (func::FuncOp entry : entries)
      for (ArrayRef<UpdateOp> group : getGroups(entry))
        for (UpdateOp update : group)
          for (const Member &member : getMembers(update))
            for (VariableAttr variable : member.variables)
              if (failed(planner.place(update, variable, onlyParameters)))
                return signalPassFailure();
  for (func::FuncOp entry : entries)
    for (ReadOp read : entry.getOps<ReadOp>())
      if (failed(planner.placeState(read)))
        return signalPassFailure();
  ArrayAttr arenas = planner.build();
  if (!arenas)
    return;
  module->setAttr(kArenasName, arenas);
  arenaBytes = planner.getBytes();

  Variables variables(module);
  for (func::FuncOp entry : entries) {
    if (entry.getOps<UpdateOp>().empty())
      continue;
    UpdateGrouper grouper(entry, variables);
    grouper.run();
    updatesBefore += grouper.before;
    updatesAfter += grouper.after;
  }
}
