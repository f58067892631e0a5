//===- GroupUpdates.cpp - One update for all that agree -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Updates that differ only in their variables and gradients form a group.
// Members of a group that are contiguous in every arena are updated by one
// launch.
//
//===----------------------------------------------------------------------===//

#include "KernelUtils.h"
#include "vit/Kernel/Variables.h"
#include "vit/Passes.h"

namespace mlir::vit {
#define GEN_PASS_DEF_GROUPUPDATES
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;
using namespace mlir::vit::kernel;

namespace {
struct GroupUpdatesPass : vit::impl::GroupUpdatesBase<GroupUpdatesPass> {
  using Base::Base;
  void runOnOperation() override;
};

/// Rewrites the updates of one entry.
class UpdateGrouper {
public:
  UpdateGrouper(func::FuncOp entry, const Variables &variables)
      : entry(entry), builder(entry), variables(variables) {}
  void run();
  int64_t before = 0, after = 0;

private:
  void addGroup(MutableArrayRef<UpdateMember> members);
  bool follows(const UpdateMember &first, const UpdateMember &second) const;
  void addRun(ArrayRef<UpdateMember> members);
  Value copy(Value gradient);
  Value getConcatOperand(Value gradient);
  Value concat(ArrayRef<UpdateMember> members);
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

/// Returns whether `second` begins where `first` ends, in every arena.
bool UpdateGrouper::follows(const UpdateMember &first,
                            const UpdateMember &second) const {
  return llvm::all_of(
      llvm::zip(first.variables, second.variables), [&](auto pair) {
        Variables::Place one = *variables.find(std::get<0>(pair)),
                         two = *variables.find(std::get<1>(pair));
        return one.arena == two.arena &&
               one.offset + one.elements * kElementBytes == two.offset;
      });
}

/// Splits a group into runs of members that are contiguous in every arena.
void UpdateGrouper::addGroup(MutableArrayRef<UpdateMember> members) {
  llvm::sort(members, [&](const UpdateMember &first,
                          const UpdateMember &second) {
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

Value UpdateGrouper::copy(Value gradient) {
  builder.setInsertionPointAfterValue(gradient);
  auto copy = MapOp::create(builder, gradient.getLoc(), gradient.getType(),
                            gradient, ValueRange(), tile);
  addIdentity(copy);
  return copy.getResult();
}

/// Returns `gradient`, or a copy of it if it cannot be computed in the memory
/// of a concat because no kernel computes it, the entry returns it, or another
/// concat contains it.
Value UpdateGrouper::getConcatOperand(Value gradient) {
  OpOperand *reduced = getReduced(gradient);
  if (reduced && placed.insert(gradient).second) {
    if (!isa_and_nonnull<KernelOpInterface>(reduced->get().getDefiningOp()) ||
        !reduced->get().hasOneUse())
      reduced->set(copy(reduced->get()));
    return gradient;
  }
  bool isOwn =
      !reduced && isa_and_nonnull<KernelOpInterface>(gradient.getDefiningOp());
  bool isReturned = llvm::any_of(gradient.getUsers(), [](Operation *user) {
    return user->hasTrait<OpTrait::IsTerminator>();
  });
  if (isOwn && !isReturned && placed.insert(gradient).second)
    return gradient;
  Value copied = copy(gradient);
  placed.insert(copied);
  return copied;
}

Value UpdateGrouper::concat(ArrayRef<UpdateMember> members) {
  SmallVector<Value> gradients, operands;
  int64_t elements = 0;
  Operation *last = nullptr;
  for (const UpdateMember &member : members) {
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
void UpdateGrouper::addRun(ArrayRef<UpdateMember> members) {
  UpdateOp first = members.front().update;
  Value gradient = members.front().gradient ? concat(members) : Value();
  SmallVector<SmallVector<Attribute>> lists(members[0].variables.size());
  for (const UpdateMember &member : members)
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
  for (ArrayRef<UpdateOp> group : getUpdateGroups(entry)) {
    SmallVector<UpdateMember> members;
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

static LogicalResult verifyPlaced(UpdateOp update, const Variables &variables) {
  for (const UpdateMember &member : getMembers(update))
    for (VariableAttr variable : member.variables)
      if (!variables.find(variable))
        return update.emitOpError("changes ")
               << variable.getSymbol()
               << ", which has no place in an arena; run vit-place-variables";
  return success();
}

void GroupUpdatesPass::runOnOperation() {
  Variables variables(getOperation());
  for (auto entry : getOperation().getOps<func::FuncOp>()) {
    if (entry.getOps<UpdateOp>().empty())
      continue;
    for (UpdateOp update : entry.getOps<UpdateOp>())
      if (failed(verifyPlaced(update, variables)))
        return signalPassFailure();
    UpdateGrouper grouper(entry, variables);
    grouper.run();
    updatesBefore += grouper.before;
    updatesAfter += grouper.after;
  }
}
