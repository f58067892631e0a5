//===- SelectOutputs.cpp - Return the outputs that are asked for ----------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Compiler.h"
#include "vit/Dialect/Names.h"
#include "vit/Dialect/Vit.h"
#include "vit/Graph/OutputNames.h"
#include "vit/Passes.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::vit {
#define GEN_PASS_DEF_SELECTOUTPUTS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct SelectOutputsPass : vit::impl::SelectOutputsBase<SelectOutputsPass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult select(func::FuncOp entry);
};

/// Values that an entry can return, by name, in the order they are offered.
using OutputMap = llvm::MapVector<StringRef, Value>;
} // namespace

static FailureOr<Value> findOutput(func::FuncOp entry, const OutputMap &outputs,
                                   StringRef name) {
  if (auto found = outputs.find(name); found != outputs.end())
    return found->second;
  if (name == VIT_COMPILER_LOGITS_ALIAS)
    if (auto found = outputs.find("logits"); found != outputs.end())
      return found->second;
  std::vector<std::string> names;
  for (const auto &output : outputs)
    names.push_back(output.first.str());
  return entry.emitError() << "'" << entry.getSymName() << "' has no output '"
                           << name << "'; it has "
                           << listOutputs(names, name.str());
}

/// Erases dead ops, users before producers.
static int64_t eraseDeadOps(Block &block) {
  int64_t erased = 0;
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op)) {
      op.erase();
      ++erased;
    }
  return erased;
}

LogicalResult SelectOutputsPass::select(func::FuncOp entry) {
  Block &block = entry.getBody().front();
  auto *terminator = block.getTerminator();
  for (LayersOp layers : block.getOps<LayersOp>()) {
    WalkResult found =
        layers.walk([](OutputOp) { return WalkResult::interrupt(); });
    if (found.wasInterrupted())
      return layers.emitOpError("still holds vit.output; run "
                                "vit-unroll-layers first");
  }

  OutputMap available;
  SmallVector<StringRef> own;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    own.push_back(getResultName(entry, index).getValue());
    if (!available.insert({own.back(), value}).second)
      return entry.emitError() << "'" << entry.getSymName()
                               << "' has two outputs '" << own.back() << "'";
  }
  SmallVector<OutputOp> outputOps(block.getOps<OutputOp>());
  for (OutputOp output : outputOps)
    if (!available.insert({output.getName(), output.getValue()}).second)
      return output.emitOpError()
             << "names a second output '" << output.getName() << "'";

  SmallVector<StringRef> wanted(own);
  if (!outputs.empty())
    wanted.assign(outputs.begin(), outputs.end());
  SmallVector<Value> values;
  SmallVector<DictionaryAttr> attributes;
  llvm::StringSet<> seen;
  Builder builder(entry.getContext());
  for (StringRef name : wanted) {
    if (!seen.insert(name).second)
      return entry.emitError() << "output '" << name << "' is asked for twice";
    FailureOr<Value> value = findOutput(entry, available, name);
    if (failed(value))
      return failure();
    values.push_back(*value);
    attributes.push_back(builder.getDictionaryAttr(builder.getNamedAttr(
        kResultNameAttribute, builder.getStringAttr(name))));
  }

  terminator->setOperands(values);
  entry.setFunctionType(builder.getFunctionType(entry.getArgumentTypes(),
                                                ValueRange(values).getTypes()));
  entry.setAllResultAttrs(attributes);
  outputsOffered += available.size();
  outputsReturned += values.size();
  for (OutputOp output : outputOps)
    output.erase();
  opsErased += eraseDeadOps(block);
  return success();
}

void SelectOutputsPass::runOnOperation() {
  func::FuncOp entry = getOperation();
  if (!entry.isExternal() && failed(select(entry)))
    signalPassFailure();
}
