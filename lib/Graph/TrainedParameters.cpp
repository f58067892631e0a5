//===- TrainedParameters.cpp - What a training step trains ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainedParameters.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace mlir::vit;

FailureOr<NamePatterns> NamePatterns::parse(ArrayRef<std::string> texts,
                                            ModuleOp module) {
  NamePatterns result;
  for (const std::string &text : texts)
    result.patterns.push_back({text, {}});
  // A glob refers to its text, which does not move from here on.
  for (Pattern &pattern : result.patterns) {
    llvm::Expected<llvm::GlobPattern> glob =
        llvm::GlobPattern::create(pattern.text);
    if (!glob)
      return module.emitError("'")
             << pattern.text
             << "' is no pattern: " << llvm::toString(glob.takeError());
    pattern.glob = std::move(*glob);
  }
  return result;
}

bool NamePatterns::match(TrainedParameter &trained) {
  std::string names[] = {
      trained.parameter.getSymName().str(), trained.getName(),
      trained.parameter.getStoredName(trained.read.getLayer().value_or(0))};
  bool found = false;
  for (Pattern &pattern : patterns)
    if (llvm::any_of(names,
                     [&](StringRef name) { return pattern.glob.match(name); }))
      found = pattern.matched = true;
  return found;
}

LogicalResult NamePatterns::checkAllMatched(ModuleOp module) const {
  for (const Pattern &pattern : patterns)
    if (!pattern.matched)
      return module.emitError("no parameter is called '")
             << pattern.text << "'; see the names of vit.parameter";
  return success();
}

SmallVector<TrainedParameter> vit::collectParameters(Block &block) {
  llvm::MapVector<std::pair<Attribute, Attribute>, TrainedParameter> found;
  for (ReadOp read : llvm::make_early_inc_range(block.getOps<ReadOp>())) {
    auto parameter = SymbolTable::lookupNearestSymbolFrom<ParameterOp>(
        read, read.getParameterAttr());
    if (!parameter)
      continue;
    auto [entry, first] = found.insert(
        {{read.getParameterAttr(), read.getLayerAttr()}, {parameter, read}});
    if (first)
      continue;
    read.replaceAllUsesWith(entry->second.read.getResult());
    read.erase();
  }
  SmallVector<TrainedParameter> result;
  for (auto &[key, trained] : found) {
    trained.isWeight =
        llvm::any_of(trained.read->getUses(), [](OpOperand &use) {
          auto linear = dyn_cast<LinearOp>(use.getOwner());
          return linear && linear.getWeight() == use.get();
        });
    result.push_back(trained);
  }
  return result;
}
