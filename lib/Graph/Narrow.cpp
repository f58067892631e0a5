//===- Narrow.cpp - The precision of products -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Products.h"
#include "vit/Dialect/Vit.h"
#include "vit/Passes.h"

#include "format/Level.h"

#include "llvm/ADT/StringMap.h"

namespace mlir::vit {
#define GEN_PASS_DEF_NARROW
#include "Passes.h.inc"
} // namespace mlir::vit

using namespace mlir;
using namespace mlir::vit;

namespace {
struct NarrowPass : mlir::vit::impl::NarrowBase<NarrowPass> {
  using Base::Base;
  void runOnOperation() override;

private:
  LogicalResult readKeep(llvm::StringMap<Precision> &kept);
  void narrowProducts(Precision wanted, const llvm::StringMap<Precision> &kept);
  void narrowBackward(Precision wanted);
};
} // namespace

/// The largest depth at which a narrow product gains nothing: a row of so many
/// values in f32 takes one cache line of 64 bytes, and so does a narrow one,
/// which is padded (docs/precision.md).
static constexpr int64_t kShallow = 16;

/// Whether a product is computed from `op`.
static bool reachesProduct(Operation *op) {
  SmallVector<Operation *> open{op};
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!open.empty())
    for (Operation *user : open.pop_back_val()->getUsers()) {
      if (isa<LinearOp, AttentionOp>(user))
        return true;
      if (seen.insert(user).second)
        open.push_back(user);
    }
  return false;
}

/// Whether `linear` is a product that loses much in int8 and takes little time:
/// that of the patches, or the last one with a row per image (the head).
static bool isSensitive(LinearOp linear) {
  return linear.getInput().getDefiningOp<PatchifyOp>() ||
         (tensorOf(linear.getInput()).getRank() == 2 &&
          !reachesProduct(linear));
}

static Precision withoutInt8(Precision wanted) {
  return wanted == Precision::int8 ? Precision::bf16 : wanted;
}

/// Whether `operand`, the input or the weight of a layer, has few inputs.
static bool isShallow(Value operand) {
  return tensorOf(operand).getShape().back() <= kShallow;
}

template <typename Op> static int64_t getHeadSize(Op attention) {
  return tensorOf(attention.getValue()).getShape().back() /
         static_cast<int64_t>(attention.getHeads());
}

static Precision choose(LinearOp linear, Precision wanted) {
  if (isShallow(linear.getInput()))
    return Precision::f32;
  return isSensitive(linear) ? withoutInt8(wanted) : wanted;
}

/// A product of the backward pass has the precision of its layer.
static Precision chooseBackward(Value operand, Precision wanted) {
  return isShallow(operand) ? Precision::f32 : withoutInt8(wanted);
}

/// Attention that has no kernel in tf32 is computed in f32.
static Precision choose(AttentionOp attention, Precision wanted) {
  Value probabilities = attention.getProbabilities();
  bool isTaken = (!probabilities || probabilities.use_empty()) &&
                 getHeadSize(attention) <= kMostMatrixHead;
  return wanted == Precision::tf32 && !isTaken ? Precision::f32
                                               : withoutInt8(wanted);
}

static Precision choose(AttentionBackwardOp backward, Precision wanted) {
  bool isTaken =
      getHeadSize(backward) <= kMostMatrixHead &&
      tensorOf(backward.getQuery()).getDimSize(1) <= kMostMatrixQueries;
  return wanted == Precision::tf32 && !isTaken ? Precision::f32
                                               : withoutInt8(wanted);
}

/// Reads the option `keep`.
LogicalResult NarrowPass::readKeep(llvm::StringMap<Precision> &kept) {
  for (StringRef text : keep) {
    auto [name, precision] = text.rsplit('=');
    std::optional<Precision> own = symbolizePrecision(precision);
    if (!own)
      return getOperation().emitError()
             << "'" << text << "' is not the name of a product, '=' and one of "
             << ::vit::format::precisionNames().text;
    auto [found, isNew] = kept.try_emplace(name, *own);
    found->second = std::min(found->second, *own); // The wider one.
  }
  return success();
}

/// The products of the model itself, which have names.
void NarrowPass::narrowProducts(Precision wanted,
                                const llvm::StringMap<Precision> &kept) {
  Builder builder(&getContext());
  SmallVector<Attribute> list;
  auto narrow = [&](auto op, Precision chosen, StringRef name) {
    PrecisionAttr stated = op.getPrecision();
    Precision own = stated ? stated.getValue() : chosen;
    if (auto found = kept.find(name); found != kept.end())
      own = std::min(own, found->second); // Widest first in the enum.
    auto attribute = PrecisionAttr::get(&getContext(), own);
    if (own != chosen)
      list.push_back(
          builder.getArrayAttr({builder.getStringAttr(name), attribute}));
    if (stated == attribute)
      return;
    op.setPrecisionAttr(attribute);
    ++opsNarrowed;
  };
  forEachProduct(getOperation(), [&](Operation *op, StringRef name) {
    auto linear = dyn_cast<LinearOp>(op);
    if (!linear) {
      auto attention = cast<AttentionOp>(op);
      return narrow(attention, choose(attention, wanted), name);
    }
    narrow(linear, choose(linear, wanted), name);
    // Scales of int8 that the text gives.
    if (linear.getPrecision().getValue() == Precision::int8)
      return;
    linear.removeInputScaleAttr();
    linear.removeMigrationAttr();
  });
  if (!list.empty())
    getOperation()->setAttr(kKeptAttribute, builder.getArrayAttr(list));
}

void NarrowPass::narrowBackward(Precision wanted) {
  auto narrow = [&](auto op, Precision own) {
    if (op.getPrecision())
      return;
    op.setPrecisionAttr(PrecisionAttr::get(&getContext(), own));
    ++opsNarrowed;
  };
  getOperation().walk([&](Operation *op) {
    if (auto product = dyn_cast<LinearInputGradientOp>(op))
      narrow(product, chooseBackward(product.getWeight(), wanted));
    else if (auto product = dyn_cast<LinearWeightGradientOp>(op))
      narrow(product, chooseBackward(product.getInput(), wanted));
    else if (auto backward = dyn_cast<AttentionBackwardOp>(op);
             backward && !backward.getBiasGradient())
      narrow(backward, choose(backward, wanted));
  });
  // The gradients of a weight and of its bias read one operand. In tf32 only
  // the kernel of the weight rounds it, which computes one of each.
  getOperation().walk([&](LinearWeightGradientOp gradient) {
    SmallVector<SumToOp> biases;
    size_t weights = 0;
    for (Operation *user : gradient.getGradient().getUsers()) {
      weights += isa<LinearWeightGradientOp>(user) ? 1 : 0;
      if (auto bias = dyn_cast<SumToOp>(user);
          bias && !bias.getPrecision() && bias.getType().getRank() == 1)
        biases.push_back(bias);
    }
    bool isShared = weights + biases.size() > 2;
    if (gradient.getPrecision().getValue() == Precision::tf32 && isShared)
      return;
    for (SumToOp bias : biases)
      bias.setPrecisionAttr(gradient.getPrecision());
  });
}

void NarrowPass::runOnOperation() {
  std::optional<Precision> wanted = symbolizePrecision(precision);
  if (!wanted) {
    getOperation().emitError()
        << "there is no precision '" << precision << "'; choose one of "
        << ::vit::format::precisionNames().text;
    return signalPassFailure();
  }
  llvm::StringMap<Precision> kept;
  if (failed(readKeep(kept)))
    return signalPassFailure();
  narrowProducts(*wanted, kept);
  narrowBackward(*wanted);
}
