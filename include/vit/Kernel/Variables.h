//===- Variables.h - Parameters and states in arenas ------------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `vit-place-variables` has written in a module's `kernel.arenas`.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_KERNEL_VARIABLES_H
#define VIT_KERNEL_VARIABLES_H

#include "vit/Dialect/Vit.h"
#include "vit/Kernel/Layout.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>

namespace mlir::vit::kernel {

/// The module's attribute with its arenas.
inline constexpr StringLiteral kArenasName = "kernel.arenas";

/// The variables of a module by name.
class Variables {
public:
  struct Place {
    uint32_t arena;   ///< index in getArenas()
    StringAttr name;  ///< of the arena
    int64_t offset;   ///< bytes
    int64_t elements; ///< that it takes, those behind its last included
  };

  explicit Variables(ModuleOp module);

  ArrayRef<ArenaAttr> getArenas() const { return arenas; }
  bool empty() const { return arenas.empty(); }
  /// Where a parameter or state (of layer `layer`, -1: there are none) lies;
  /// nothing where no entry changes it.
  std::optional<Place> find(StringAttr symbol, int64_t layer) const;
  std::optional<Place> find(VariableAttr variable) const {
    return find(variable.getSymbol().getAttr(), variable.getLayer());
  }
  std::optional<Place> find(ReadOp read) const;

  /// A range of an arena or of its rounded copy.
  struct View {
    uint32_t arena; ///< index in getArenas()
    int64_t first;  ///< the first element
    bool isRounded;
  };
  /// The range that `value`, a variable as it was read or a form of such, has
  /// the elements of in their order; nothing where it needs memory of its own.
  /// Whether the arena has a rounded copy does not matter.
  std::optional<View> findView(Value value) const;
  /// Whether that range exists.
  bool hasView(Value value) const {
    std::optional<View> view = findView(value);
    return view && (!view->isRounded || arenas[view->arena].getRounded());
  }

  /// The lists of variables of `update` (0: the parameters, then each state)
  /// whose arena has a rounded copy. The update must be of placed variables.
  SmallVector<unsigned> getRoundedLists(UpdateOp update) const;

private:
  SmallVector<ArenaAttr> arenas;
  DenseMap<std::pair<StringAttr, int64_t>, Place> places;
};

/// The type of what `symbol` names in `module`; null where it names neither a
/// parameter nor a state.
RankedTensorType getVariableType(ModuleOp module, StringAttr symbol);

/// "fc1.weight", or "fc1.weight.3" for layer 3.
std::string getVariableName(StringRef symbol, int64_t layer);

/// Elements of the range that `update`, grouped, changes in each arena: those
/// behind the variables' last ones included.
int64_t getUpdatedElements(UpdateOp update);

/// A parameter that an update changes, with its states and its gradient.
struct UpdateMember {
  UpdateOp update;
  SmallVector<VariableAttr> variables; ///< The parameter, then its states.
  Value gradient;                      ///< Null if the update has none.
};

/// The members of `update`. The gradient of an update of several parameters is
/// a concat.
SmallVector<UpdateMember> getMembers(UpdateOp update);

/// The updates of `entry` in groups that differ only in variables, gradients
/// and tiles, ordered by the first update of each.
SmallVector<SmallVector<UpdateOp>> getUpdateGroups(func::FuncOp entry);

/// Whether running `entry` changes variables.
bool isTrainingEntry(func::FuncOp entry);

/// Set on a training entry by vit-rematerialize if the budget cannot be met: no
/// smaller budget changes the entry further. A discardable attribute.
constexpr llvm::StringLiteral kLeastMemoryAttr = "least_memory";

} // namespace mlir::vit::kernel

#endif // VIT_KERNEL_VARIABLES_H
