//===- Mutate.cpp - Introduces single bugs into kernels -------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Builders.h"

namespace sim = vit::sim; // mlir::vit is another
using namespace mlir;

void sim::keepOnly(ModuleOp module, StringRef kernel) {
  SmallVector<LLVM::LLVMFuncOp> others;
  module.walk([&](LLVM::LLVMFuncOp function) {
    if (function.getName() != kernel)
      others.push_back(function);
  });
  for (LLVM::LLVMFuncOp function : others)
    function.erase();
}

static bool isShared(Value address) {
  return cast<LLVM::LLVMPointerType>(address.getType()).getAddressSpace() == 3;
}

static SmallVector<Operation *> findPlaces(ModuleOp module, StringRef kind) {
  SmallVector<Operation *> places;
  module.walk([&](Operation *op) {
    bool fits = false;
    if (kind == "barrier")
      fits = isa<NVVM::Barrier0Op, NVVM::BarrierOp, NVVM::SyncWarpOp>(op);
    else if (auto load = dyn_cast<LLVM::LoadOp>(op))
      fits = kind == "shared-read" && isShared(load.getAddr());
    else if (auto store = dyn_cast<LLVM::StoreOp>(op))
      fits =
          kind == (isShared(store.getAddr()) ? "shared-write" : "global-write");
    if (fits)
      places.push_back(op);
  });
  return places;
}

unsigned sim::countPlaces(ModuleOp module, StringRef kind) {
  return findPlaces(module, kind).size();
}

std::string sim::mutate(ModuleOp module, StringRef kind, unsigned number) {
  Operation *op = findPlaces(module, kind)[number];
  std::string text;
  llvm::raw_string_ostream(text) << op->getName() << " " << number;
  if (kind == "barrier") {
    op->erase();
    return text;
  }
  OpBuilder b(op);
  OpOperand &address =
      isa<LLVM::LoadOp>(op) ? op->getOpOperand(0) : op->getOpOperand(1);
  address.set(LLVM::GEPOp::create(b, op->getLoc(), address.get().getType(),
                                  b.getI8Type(), address.get(),
                                  ArrayRef<LLVM::GEPArg>{16}));
  return text;
}
