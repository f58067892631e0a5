//===- UnrollLayers.cpp - Write out each layer ----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Names.h"
#include "vit/Passes.h"

#include "mlir/IR/IRMapping.h"

namespace mlir::vit {
#define GEN_PASS_DEF_UNROLLLAYERS
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct UnrollLayersPass : vit::impl::UnrollLayersBase<UnrollLayersPass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult unroll(LayersOp layers);
};
} // namespace

static std::string withNumber(StringRef name, int64_t number) {
  auto [before, after] = name.split("{}");
  return (before + Twine(number) + after).str();
}

/// Returns the probability of the layer, interpolated linearly between those of
/// the first and the last.
template <typename Op>
static void setProbability(Op op, Value index, int64_t layer, int64_t count) {
  if (op.getLayer() != index)
    return;
  double first = op.getProbability().convertToDouble();
  double last = op.getLast()->convertToDouble();
  double share = count > 1 ? double(layer) / double(count - 1) : 0.0;
  op.setProbability(llvm::APFloat(first + (last - first) * share));
  op.removeLastAttr();
  op.getLayerMutable().clear();
}

/// Replaces the index of the layer, which only these ops can use.
static void setLayer(Operation *op, Value index, int64_t layer, int64_t count) {
  Builder builder(op->getContext());
  if (auto read = dyn_cast<ReadOp>(op); read && read.getIndex() == index) {
    read.getIndexMutable().clear();
    read.setLayer(layer);
  } else if (auto output = dyn_cast<OutputOp>(op);
             output && output.getIndex() == index) {
    output.getIndexMutable().clear();
    output.setName(withNumber(output.getName(), layer));
  } else if (auto drop = dyn_cast<DropoutOp>(op)) {
    setProbability(drop, index, layer, count);
  } else if (auto drop = dyn_cast<DropPathOp>(op)) {
    setProbability(drop, index, layer, count);
  }
}

LogicalResult UnrollLayersPass::unroll(LayersOp layers) {
  Block &body = layers.getBody().front();
  Value index = body.getArgument(0);
  for (Operation *user : index.getUsers())
    if (!isa<ReadOp, OutputOp, DropoutOp, DropPathOp>(user))
      return user->emitOpError("uses the layer's number, which only vit.read, "
                               "vit.output, vit.dropout and vit.drop_path can");

  OpBuilder builder(layers);
  SmallVector<Value> carried(layers.getInits());
  for (int64_t layer = 0, count = layers.getCount(); layer < count; ++layer) {
    IRMapping mapping;
    mapping.map(body.getArguments().drop_front(), carried);
    for (Operation &op : body.without_terminator()) {
      // The clone still uses the index of the original until setLayer replaces
      // it.
      Operation *clone = builder.clone(op, mapping);
      clone->walk([&](Operation *inner) {
        inner->setLoc(withLayer(inner->getLoc(), layer));
        setLayer(inner, index, layer, count);
      });
    }
    for (auto [next, yielded] :
         llvm::zip(carried, body.getTerminator()->getOperands()))
      next = mapping.lookupOrDefault(yielded);
    ++layersUnrolled;
  }
  layers.replaceAllUsesWith(carried);
  layers.erase();
  return success();
}

void UnrollLayersPass::runOnOperation() {
  // Inner layers come first, so that each `{}` is replaced by the number of its
  // own layer.
  WalkResult result = getOperation().walk([&](LayersOp layers) {
    return failed(unroll(layers)) ? WalkResult::interrupt()
                                  : WalkResult::advance();
  });
  if (result.wasInterrupted())
    signalPassFailure();
}
