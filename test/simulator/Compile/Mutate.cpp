//===- Mutate.cpp - Introduces single bugs into kernels -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"
#include "InlinePtx.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sim = vit::sim; // mlir::vit is another
using namespace mlir;
using sim::MutateOptions;

void sim::keepOnly(ModuleOp module, StringRef kernel) {
  SmallVector<LLVM::LLVMFuncOp> others;
  bool exists = false;
  module.walk([&](LLVM::LLVMFuncOp function) {
    if (function.getName() == kernel)
      exists = true;
    else
      others.push_back(function);
  });
  if (!exists)
    return;
  for (LLVM::LLVMFuncOp function : others)
    function.erase();
}

static bool isShared(Value address) {
  return cast<LLVM::LLVMPointerType>(address.getType()).getAddressSpace() == 3;
}

//===----------------------------------------------------------------------===//
// What an op accesses
//===----------------------------------------------------------------------===//

namespace {
/// The addresses that an op reads or writes; null if it does not.
struct Addresses {
  OpOperand *sharedRead = nullptr, *sharedWrite = nullptr;
  OpOperand *globalRead = nullptr, *globalWrite = nullptr;

  OpOperand *getShared() const { return sharedRead ? sharedRead : sharedWrite; }
};
} // namespace

static Addresses getAddresses(Operation *op) {
  Addresses found;
  TypeSwitch<Operation *>(op)
      .Case([&](LLVM::LoadOp load) {
        (isShared(load.getAddr()) ? found.sharedRead : found.globalRead) =
            &load.getAddrMutable();
      })
      .Case([&](LLVM::StoreOp store) {
        (isShared(store.getAddr()) ? found.sharedWrite : found.globalWrite) =
            &store.getAddrMutable();
      })
      .Case([&](NVVM::LdMatrixOp load) {
        found.sharedRead = &load.getPtrMutable();
      })
      .Case([&](NVVM::StMatrixOp store) {
        found.sharedWrite = &store.getPtrMutable();
      })
      .Case([&](NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp copy) {
        found.sharedWrite = &copy.getDstMemMutable();
      })
      .Case([&](NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp copy) {
        found.sharedRead = &copy.getSrcMemMutable();
      })
      .Case([&](NVVM::CpAsyncOp copy) {
        found.sharedWrite = &copy.getDstMutable();
        found.globalRead = &copy.getSrcMutable();
      });
  return found;
}

//===----------------------------------------------------------------------===//
// Kinds of bugs
//===----------------------------------------------------------------------===//

static void remove(Operation *op, const MutateOptions &) { op->erase(); }

/// Adds bytes to an address.
static void move(OpOperand &address, int32_t bytes) {
  OpBuilder b(address.getOwner());
  address.set(LLVM::GEPOp::create(
      b, address.getOwner()->getLoc(), address.get().getType(), b.getI8Type(),
      address.get(), ArrayRef<LLVM::GEPArg>{bytes}));
}

/// Exchanges neighbouring pieces of 16 bytes.
static void swizzle(Operation *op, const MutateOptions &) {
  OpOperand &address = *getAddresses(op).getShared();
  OpBuilder b(op);
  Location loc = op->getLoc();
  Type i64 = b.getI64Type();
  Value bits = LLVM::PtrToIntOp::create(b, loc, i64, address.get());
  Value piece = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(16));
  bits = LLVM::XOrOp::create(b, loc, bits, piece);
  address.set(LLVM::IntToPtrOp::create(b, loc, address.get().getType(), bits));
}

static void waitForLess(Operation *op, const MutateOptions &) {
  TypeSwitch<Operation *>(op)
      .Case([](NVVM::CpAsyncWaitGroupOp wait) { wait.setN(wait.getN() + 1); })
      .Case([](NVVM::WgmmaWaitGroupSyncOp wait) {
        wait.setGroup(wait.getGroup() + 1);
      })
      .Case([](NVVM::CpAsyncBulkWaitGroupOp wait) {
        wait.setGroup(wait.getGroup() + 1);
      });
}

static void expectMore(Operation *op, const MutateOptions &) {
  auto arrive = cast<NVVM::MBarrierArriveExpectTxOp>(op);
  OpBuilder b(op);
  Value more =
      LLVM::ConstantOp::create(b, op->getLoc(), b.getI32IntegerAttr(16));
  arrive.getTxcountMutable().set(
      LLVM::AddOp::create(b, op->getLoc(), arrive.getTxcount(), more));
}

static void expectHalf(Operation *op, const MutateOptions &) {
  auto arrive = cast<NVVM::MBarrierArriveExpectTxOp>(op);
  OpBuilder b(op);
  Value one = LLVM::ConstantOp::create(b, op->getLoc(), b.getI32IntegerAttr(1));
  arrive.getTxcountMutable().set(
      LLVM::LShrOp::create(b, op->getLoc(), arrive.getTxcount(), one));
}

//===----------------------------------------------------------------------===//
// Bugs of clusters
//===----------------------------------------------------------------------===//

/// The threads of each block wait for each other alone.
static void separateBlocks(Operation *op, const MutateOptions &) {
  OpBuilder b(op);
  NVVM::Barrier0Op::create(b, op->getLoc());
  Operation *wait = op->getNextNode();
  while (wait && !isa<NVVM::ClusterWaitOp>(wait))
    wait = wait->getNextNode();
  if (wait)
    wait->erase();
  op->erase();
}

/// The address stays that of the own block.
static void stayInBlock(Operation *op, const MutateOptions &) {
  OpBuilder b(op);
  cast<NVVM::MapaOp>(op).getBMutable().set(
      NVVM::ClusterId::create(b, op->getLoc(), b.getI32Type()));
}

static bool isMulticast(Operation *op) {
  auto copy = dyn_cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op);
  return copy && copy.getMulticastMask();
}

/// Combines the mask of a multicast with `mask`.
template <typename Change> static void setMask(Operation *op, int mask) {
  auto copy = cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op);
  OpBuilder b(op);
  Value other =
      LLVM::ConstantOp::create(b, op->getLoc(), b.getI16IntegerAttr(mask));
  copy.getMulticastMaskMutable().assign(
      Change::create(b, op->getLoc(), copy.getMulticastMask(), other));
}

/// A descriptor of an operand of wgmma, the left one if there are two; null if
/// `op` is none.
static OpOperand *getDescriptor(Operation *op) {
  if (auto product = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op))
    return &product.getDescriptorAMutable();
  if (std::optional<sim::RegisterProduct> product =
          sim::RegisterProduct::get(op))
    return &op->getOpOperand(product->descriptor);
  return nullptr;
}

static bool isProduct(Operation *op) { return getDescriptor(op); }

static void moveOperand(Operation *op, const MutateOptions &options) {
  OpOperand &descriptor = *getDescriptor(op);
  OpBuilder b(op);
  Value pieces = LLVM::ConstantOp::create(
      b, op->getLoc(), b.getI64IntegerAttr(options.stageBytes / 16));
  descriptor.set(
      LLVM::AddOp::create(b, op->getLoc(), descriptor.get(), pieces));
}

static bool isTransposedProduct(Operation *op) {
  auto product = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op);
  return product && product.getLayoutB() == NVVM::MMALayout::row;
}

/// The distance is in units of 16 bytes in bits 16 to 29 (PTX ISA, "Matrix
/// descriptor format").
static void moveBoxes(Operation *op, const MutateOptions &) {
  OpOperand &descriptor =
      cast<NVVM::WgmmaMmaAsyncOp>(op).getDescriptorBMutable();
  OpBuilder b(op);
  Value distance =
      LLVM::ConstantOp::create(b, op->getLoc(), b.getI64IntegerAttr(8 << 16));
  descriptor.set(
      LLVM::AddOp::create(b, op->getLoc(), descriptor.get(), distance));
}

static bool isRegisterProduct(Operation *op) {
  return sim::RegisterProduct::get(op).has_value();
}

/// The words of two halves of the depth are exchanged.
static void exchangeWords(Operation *op, const MutateOptions &) {
  Value first = op->getOperand(0);
  op->setOperand(0, op->getOperand(2));
  op->setOperand(2, first);
}

static void flipParity(Operation *op, const MutateOptions &) {
  auto wait = cast<NVVM::MBarrierTryWaitParityOp>(op);
  OpBuilder b(op);
  Value one = LLVM::ConstantOp::create(b, op->getLoc(), b.getI32IntegerAttr(1));
  wait.getPhaseMutable().set(
      LLVM::XOrOp::create(b, op->getLoc(), wait.getPhase(), one));
}

static void doNotRound(Operation *op, const MutateOptions &) {
  auto convert = cast<NVVM::ConvertFloatToTF32Op>(op);
  OpBuilder b(op);
  convert.getResult().replaceAllUsesWith(LLVM::BitcastOp::create(
      b, op->getLoc(), b.getI32Type(), convert.getSrc()));
  op->erase();
}

/// The bytes of the first operand of a dp4a are one place further.
static void rotateBytes(Operation *op, const MutateOptions &) {
  OpOperand &operand = cast<NVVM::DotAccumulate4WayOp>(op).getAMutable();
  OpBuilder b(op);
  Value bytes = operand.get();
  operand.set(LLVM::ShuffleVectorOp::create(b, op->getLoc(), bytes, bytes,
                                            ArrayRef<int32_t>{1, 2, 3, 0}));
}

static void dropSign(Operation *op, const MutateOptions &) {
  cast<NVVM::DotAccumulate4WayOp>(op).setAType(
      NVVM::DotAccumulateType::UNSIGNED);
}

static void dropFactor(Operation *op, const MutateOptions &) {
  op->getResult(0).replaceAllUsesWith(op->getOperand(0));
  op->erase();
}

/// fma of f16, by zero, which makes infinities NaNs.
static bool isRangeCheck(Operation *op) {
  return isa<LLVM::FMAOp>(op) && getElementTypeOrSelf(op->getResult(0)).isF16();
}

static bool isBarrier(Operation *op) {
  auto intrinsic = dyn_cast<LLVM::CallIntrinsicOp>(op);
  return isa<NVVM::Barrier0Op, NVVM::BarrierOp, NVVM::SyncWarpOp>(op) ||
         (intrinsic && sim::isNamedBarrier(intrinsic));
}

namespace {
struct Kind {
  StringRef name;
  bool (*fits)(Operation *);
  void (*apply)(Operation *, const MutateOptions &);
};
} // namespace

/// Kinds that move one of the addresses of an op by 16 bytes.
template <OpOperand *Addresses::*member> struct Moved {
  static bool fits(Operation *op) { return getAddresses(op).*member; }
  static void apply(Operation *op, const MutateOptions &) {
    move(*(getAddresses(op).*member), 16);
  }
};

static bool hasShared(Operation *op) { return getAddresses(op).getShared(); }

template <typename... Ops> static bool is(Operation *op) {
  return isa<Ops...>(op);
}

static const Kind kinds[] = {
    {"barrier", isBarrier, remove},
    {"shared-read", Moved<&Addresses::sharedRead>::fits,
     Moved<&Addresses::sharedRead>::apply},
    {"shared-write", Moved<&Addresses::sharedWrite>::fits,
     Moved<&Addresses::sharedWrite>::apply},
    {"global-read", Moved<&Addresses::globalRead>::fits,
     Moved<&Addresses::globalRead>::apply},
    {"global-write", Moved<&Addresses::globalWrite>::fits,
     Moved<&Addresses::globalWrite>::apply},
    {"swizzle", hasShared, swizzle},
    {"stage", hasShared,
     [](Operation *op, const MutateOptions &options) {
       move(*getAddresses(op).getShared(), options.stageBytes);
     }},
    {"commit",
     is<NVVM::CpAsyncCommitGroupOp, NVVM::WgmmaGroupSyncAlignedOp,
        NVVM::CpAsyncBulkCommitGroupOp>,
     remove},
    {"wait",
     is<NVVM::CpAsyncWaitGroupOp, NVVM::WgmmaWaitGroupSyncOp,
        NVVM::CpAsyncBulkWaitGroupOp, NVVM::MBarrierTryWaitParityOp>,
     remove},
    {"wait-less",
     is<NVVM::CpAsyncWaitGroupOp, NVVM::WgmmaWaitGroupSyncOp,
        NVVM::CpAsyncBulkWaitGroupOp>,
     waitForLess},
    {"fence",
     is<NVVM::FenceMbarrierInitOp, NVVM::FenceProxyOp,
        NVVM::WgmmaFenceAlignedOp>,
     remove},
    {"arrive", is<NVVM::MBarrierArriveOp, NVVM::MBarrierArriveExpectTxOp>,
     remove},
    {"expect", is<NVVM::MBarrierArriveExpectTxOp>, expectMore},
    {"expect-half", is<NVVM::MBarrierArriveExpectTxOp>, expectHalf},
    {"cluster", is<NVVM::ClusterArriveOp, NVVM::ClusterArriveRelaxedOp>,
     separateBlocks},
    {"rank", is<NVVM::MapaOp>, stayInBlock},
    {"mask-less", isMulticast,
     [](Operation *op, const MutateOptions &) { setMask<LLVM::AndOp>(op, 1); }},
    {"mask-more", isMulticast,
     [](Operation *op, const MutateOptions &) { setMask<LLVM::OrOp>(op, 4); }},
    {"operand", isProduct, moveOperand},
    {"stride", isTransposedProduct, moveBoxes},
    {"words", isRegisterProduct, exchangeWords},
    {"parity", is<NVVM::MBarrierTryWaitParityOp>, flipParity},
    {"rounding", is<NVVM::ConvertFloatToTF32Op>, doNotRound},
    {"bytes", is<NVVM::DotAccumulate4WayOp>, rotateBytes},
    {"sign", is<NVVM::DotAccumulate4WayOp>, dropSign},
    {"factor", is<LLVM::FMulOp>, dropFactor},
    {"range", isRangeCheck, dropFactor},
};

static const Kind *findKind(StringRef name) {
  for (const Kind &kind : kinds)
    if (kind.name == name)
      return &kind;
  return nullptr;
}

std::string sim::listMutations() {
  return llvm::join(
      llvm::map_range(kinds, [](auto &kind) { return kind.name; }), ", ");
}

static SmallVector<Operation *> findPlaces(ModuleOp module, const Kind &kind) {
  SmallVector<Operation *> places;
  module.walk([&](Operation *op) {
    if (kind.fits(op))
      places.push_back(op);
  });
  return places;
}

std::optional<unsigned> sim::countPlaces(ModuleOp module, StringRef kind) {
  const Kind *found = findKind(kind);
  if (!found)
    return std::nullopt;
  return findPlaces(module, *found).size();
}

std::string sim::mutate(ModuleOp module, StringRef kind, unsigned number,
                        const MutateOptions &options) {
  const Kind &found = *findKind(kind);
  Operation *op = findPlaces(module, found)[number];
  std::string text;
  llvm::raw_string_ostream(text) << op->getName() << " " << number;
  found.apply(op, options);
  return text;
}
