//===- NvvmToHost.cpp - Converts the NVVM dialect to host code ------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Converter.h"

#include "../Runtime/Interface.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

namespace sim = vit::sim; // mlir::vit is another
using namespace mlir;
using namespace sim;

/// The LLVM address space of CUDA's shared memory.
static constexpr unsigned sharedSpace = 3;

//===----------------------------------------------------------------------===//
// Types and locations
//===----------------------------------------------------------------------===//

static uint64_t getBytes(Type type) {
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
    return getBytes(array.getElementType()) * array.getNumElements();
  if (auto vector = dyn_cast<VectorType>(type))
    return getBytes(vector.getElementType()) * vector.getNumElements();
  if (isa<LLVM::LLVMPointerType>(type))
    return 8;
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8)
                             : 0;
}

/// The alignment that NVPTX assumes if the op specifies none.
static uint64_t getNaturalAlignment(Type type) {
  if (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
    return getNaturalAlignment(array.getElementType());
  return llvm::PowerOf2Ceil(std::max<uint64_t>(1, getBytes(type)));
}

static void describe(Location location, std::string &text) {
  TypeSwitch<Attribute>(location)
      .Case([&](NameLoc name) {
        text += "\"" + name.getName().str() + "\"";
        if (!isa<UnknownLoc>(name.getChildLoc())) {
          text += " ";
          describe(name.getChildLoc(), text);
        }
      })
      .Case([&](FileLineColLoc file) {
        text += llvm::sys::path::filename(file.getFilename()).str() + ":" +
                std::to_string(file.getLine()) + ":" +
                std::to_string(file.getColumn());
      })
      .Case([&](CallSiteLoc call) { describe(call.getCallee(), text); })
      .Case([&](FusedLoc fused) {
        for (Location part : fused.getLocations().take_front(1))
          describe(part, text);
      })
      .Default([&](Attribute) { text += "an unknown place"; });
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

LLVM::CallOp Converter::call(StringRef name, Type result, ValueRange operands) {
  if (!result)
    result = LLVM::LLVMVoidType::get(host.getContext());
  auto callee = host.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!callee) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(host.getBody());
    SmallVector<Type> types;
    for (Value operand : operands)
      types.push_back(isa<LLVM::LLVMPointerType>(operand.getType())
                          ? pointer()
                          : operand.getType());
    callee = LLVM::LLVMFuncOp::create(
        builder, UnknownLoc::get(host.getContext()), name,
        LLVM::LLVMFunctionType::get(result, types));
  }
  return LLVM::CallOp::create(builder, location, callee, operands);
}

Value Converter::getSite(Operation *op) {
  std::string text;
  describe(op->getLoc(), text);
  manifestSites += "site " + text + "\n";
  return constant(sites++);
}

LogicalResult Converter::checkAccess(Operation *op, Value address, Type type,
                                     std::optional<uint64_t> alignment,
                                     bool write) {
  uint64_t bytes = getBytes(type);
  if (!bytes)
    return op->emitError("the simulator does not know the size of ") << type;
  uint64_t aligned = alignment.value_or(getNaturalAlignment(type));
  smallest = std::min(smallest, llvm::MinAlign(bytes, aligned));
  bool isShared =
      cast<LLVM::LLVMPointerType>(address.getType()).getAddressSpace() ==
      sharedSpace;
  StringRef name = write ? (isShared ? "sim_write_shared" : "sim_write")
                         : (isShared ? "sim_read_shared" : "sim_read");
  call(name, {}, {address, constant(bytes), constant(aligned), getSite(op)});
  return success();
}

LogicalResult Converter::convertShuffle(NVVM::ShflOp op) {
  Shuffle kind;
  switch (op.getKind()) {
  case NVVM::ShflKind::bfly:
    kind = Shuffle::Butterfly;
    break;
  case NVVM::ShflKind::up:
    kind = Shuffle::Up;
    break;
  case NVVM::ShflKind::down:
    kind = Shuffle::Down;
    break;
  case NVVM::ShflKind::idx:
    kind = Shuffle::Index;
    break;
  }
  Type i32 = builder.getI32Type(), type = op.getVal().getType();
  Value value = op.getVal();
  if (type != i32)
    value = LLVM::BitcastOp::create(builder, location, i32, value);
  Value both =
      call("sim_shuffle", builder.getI64Type(),
           {op.getThreadMask(), value, op.getOffset(), op.getMaskAndClamp(),
            constant(static_cast<uint32_t>(kind)), getSite(op)})
          .getResult();
  Value result = LLVM::TruncOp::create(builder, location, i32, both);
  if (type != i32)
    result = LLVM::BitcastOp::create(builder, location, type, result);
  if (op.getReturnValueAndIsValid()) {
    Value shift = LLVM::ConstantOp::create(builder, location,
                                           builder.getI64IntegerAttr(32));
    Value high = LLVM::LShrOp::create(builder, location, both, shift);
    Value valid =
        LLVM::TruncOp::create(builder, location, builder.getI1Type(), high);
    Value pair = LLVM::UndefOp::create(builder, location, op.getType());
    pair = LLVM::InsertValueOp::create(builder, location, pair, result,
                                       ArrayRef<int64_t>{0});
    result = LLVM::InsertValueOp::create(builder, location, pair, valid,
                                         ArrayRef<int64_t>{1});
  }
  op.getResult().replaceAllUsesWith(result);
  op.erase();
  return success();
}

static std::optional<Register> getRegister(Operation *op) {
  return TypeSwitch<Operation *, std::optional<Register>>(op)
      .Case([](NVVM::ThreadIdXOp) { return Register::ThreadX; })
      .Case([](NVVM::ThreadIdYOp) { return Register::ThreadY; })
      .Case([](NVVM::ThreadIdZOp) { return Register::ThreadZ; })
      .Case([](NVVM::BlockIdXOp) { return Register::BlockX; })
      .Case([](NVVM::BlockIdYOp) { return Register::BlockY; })
      .Case([](NVVM::BlockIdZOp) { return Register::BlockZ; })
      .Case([](NVVM::BlockDimXOp) { return Register::BlockSizeX; })
      .Case([](NVVM::BlockDimYOp) { return Register::BlockSizeY; })
      .Case([](NVVM::BlockDimZOp) { return Register::BlockSizeZ; })
      .Case([](NVVM::GridDimXOp) { return Register::GridX; })
      .Case([](NVVM::GridDimYOp) { return Register::GridY; })
      .Case([](NVVM::GridDimZOp) { return Register::GridZ; })
      .Case([](NVVM::LaneIdOp) { return Register::Lane; })
      .Case([](NVVM::WarpSizeOp) { return Register::WarpSize; })
      .Case([](NVVM::ClusterId) { return Register::ClusterRank; })
      .Case([](NVVM::ClusterDim) { return Register::ClusterSize; })
      .Default([](Operation *) { return std::nullopt; });
}

LogicalResult Converter::convertNvvm(Operation *op) {
  Type i32 = builder.getI32Type();
  if (std::optional<Register> which = getRegister(op)) {
    auto value =
        call("sim_register", i32, {constant(static_cast<uint32_t>(*which))});
    op->replaceAllUsesWith(value.getResults());
    op->erase();
    return success();
  }
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](NVVM::Barrier0Op barrier) {
        call("sim_barrier", {}, {getSite(op)});
        barrier.erase();
        return success();
      })
      .Case([&](NVVM::BarrierOp barrier) { return convertBarrier(barrier); })
      .Case([&](NVVM::SyncWarpOp barrier) {
        call("sim_warp_barrier", {}, {barrier.getMask(), getSite(op)});
        barrier.erase();
        return success();
      })
      .Case([&](NVVM::ShflOp shuffle) { return convertShuffle(shuffle); })
      .Case([&](NVVM::CpAsyncOp copy) { return convertCopy(copy); })
      .Case([&](NVVM::CpAsyncCommitGroupOp commit) {
        call("sim_commit_copies", {}, {});
        commit.erase();
        return success();
      })
      .Case([&](NVVM::CpAsyncWaitGroupOp wait) {
        call("sim_wait_copies", {}, {constant(wait.getN())});
        wait.erase();
        return success();
      })
      .Case([&](NVVM::LdMatrixOp load) { return convertLoadMatrices(load); })
      .Case([&](NVVM::StMatrixOp op) { return convertStoreMatrices(op); })
      .Case([&](NVVM::MmaOp product) { return convertMultiply(product); })
      .Case([&](NVVM::DotAccumulate4WayOp dot) { return convertDot(dot); })
      .Case([&](NVVM::ConvertF32x2ToBF16x2Op op) { return convertToBf16(op); })
      .Case([&](NVVM::ConvertFloatToTF32Op op) { return convertToTf32(op); })
      .Case([&](NVVM::VoteSyncOp vote) {
        Value predicate =
            LLVM::ZExtOp::create(builder, location, i32, vote.getPred());
        Vote kind = vote.getKind() == NVVM::VoteSyncKind::any   ? Vote::Any
                    : vote.getKind() == NVVM::VoteSyncKind::all ? Vote::All
                    : vote.getKind() == NVVM::VoteSyncKind::ballot
                        ? Vote::Ballot
                        : Vote::Uniform;
        Value result =
            call("sim_vote", i32,
                 {vote.getMask(), predicate,
                  constant(static_cast<uint32_t>(kind)), getSite(op)})
                .getResult();
        if (vote.getType() != i32)
          result =
              LLVM::TruncOp::create(builder, location, vote.getType(), result);
        vote.getResult().replaceAllUsesWith(result);
        vote.erase();
        return success();
      })
      .Default([&](Operation *unknown) -> LogicalResult {
        if (std::optional<LogicalResult> converted = convertAsync(unknown))
          return *converted;
        return unknown->emitError("the simulator does not know ")
               << unknown->getName();
      });
}

LogicalResult Converter::convertOp(Operation *op) {
  location = op->getLoc();
  builder.setInsertionPoint(op);
  if (isa<NVVM::NVVMDialect>(op->getDialect()))
    return convertNvvm(op);
  if (!isa<LLVM::LLVMDialect>(op->getDialect()))
    return op->emitError("the simulator does not know ") << op->getName();
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](LLVM::LoadOp load) -> LogicalResult {
        if (load.getOrdering() != LLVM::AtomicOrdering::not_atomic)
          return op->emitError("the simulator does not know atomic loads");
        return checkAccess(op, load.getAddr(), load.getType(),
                           load.getAlignment(), false);
      })
      .Case([&](LLVM::StoreOp store) -> LogicalResult {
        if (store.getOrdering() != LLVM::AtomicOrdering::not_atomic)
          return op->emitError("the simulator does not know atomic stores");
        return checkAccess(op, store.getAddr(), store.getValue().getType(),
                           store.getAlignment(), true);
      })
      .Case([&](LLVM::AddressOfOp address) -> LogicalResult {
        auto found = shared.find(address.getGlobalName().str());
        if (found == shared.end())
          return op->emitError("the simulator does not know the global @")
                 << address.getGlobalName();
        if (!llvm::is_contained(used, found->second))
          used.push_back(found->second);
        // The type keeps its address space until all are removed.
        Value plain = call("sim_shared", pointer(), {constant(found->second)})
                          .getResult();
        Value cast = LLVM::AddrSpaceCastOp::create(builder, location,
                                                   address.getType(), plain);
        address.getResult().replaceAllUsesWith(cast);
        address.erase();
        return success();
      })
      .Case<LLVM::AllocaOp, LLVM::ReturnOp, LLVM::BrOp, LLVM::CondBrOp,
            LLVM::SwitchOp, LLVM::UnreachableOp>(
          [](Operation *) { return success(); })
      .Case([&](LLVM::CallIntrinsicOp op) { return convertIntrinsic(op); })
      .Case([&](LLVM::FPTruncOp op) { return convertTruncation(op); })
      .Case([&](LLVM::FPExtOp op) { return convertExtension(op); })
      .Case([&](LLVM::ConstantOp op) { return convertConstant(op); })
      .Case([&](LLVM::ExtractValueOp op) {
        convertUseOfSums(op);
        return success();
      })
      .Case([&](LLVM::InsertValueOp op) {
        convertMakingOfSums(op);
        return success();
      })
      .Case([&](LLVM::InlineAsmOp op) { return convertInlinePtx(op); })
      .Default([&](Operation *other) -> LogicalResult {
        // The host would round the results otherwise, or call a function that
        // it lacks to do it.
        for (Type type : other->getResultTypes()) {
          Type element = getElementTypeOrSelf(type);
          if (!isa<LLVM::FastmathFlagsInterface>(other) ||
              isa<LLVM::SelectOp>(other) ||
              !(element.isBF16() || element.isF16()))
            continue;
          if (auto fma = dyn_cast<LLVM::FMAOp>(other); fma && element.isF16())
            return convertFma(fma);
          return other->emitError("the simulator does not know arithmetic in ")
                 << element << ": " << other->getName();
        }
        if (isMemoryEffectFree(other))
          return success();
        return other->emitError("the simulator does not know ")
               << other->getName();
      });
}

LogicalResult Converter::convertIntrinsic(LLVM::CallIntrinsicOp op) {
  if (isNamedBarrier(op)) {
    ordered = true;
    return replaceByCall(
        op, "sim_named_barrier",
        {op.getArgs()[0], op.getArgs()[1], constant(1), getSite(op)});
  }
  if (op.getIntrin() == "llvm.nvvm.lg2.approx.ftz.f") {
    op.getResult(0).replaceAllUsesWith(
        LLVM::Log2Op::create(builder, location, op.getArgs().front()));
    op.erase();
    return success();
  }
  if (op.getIntrin() != "llvm.nvvm.ex2.approx.ftz.f32")
    return op.emitError("the simulator does not know ") << op.getIntrin();
  Value exponent = op.getArgs().front();
  Type type = exponent.getType();
  auto number = [&](double value) -> Value {
    return LLVM::ConstantOp::create(builder, location, type,
                                    builder.getF32FloatAttr(value));
  };
  // Subnormal results are flushed to zero.
  Value isSmall = LLVM::FCmpOp::create(
      builder, location, LLVM::FCmpPredicate::olt, exponent, number(-126));
  Value power = LLVM::Exp2Op::create(builder, location, exponent);
  op.getResult(0).replaceAllUsesWith(
      LLVM::SelectOp::create(builder, location, isSmall, number(0), power));
  op.erase();
  return success();
}

LogicalResult Converter::convertGlobal(LLVM::GlobalOp global) {
  if (global.getAddrSpace() != sharedSpace)
    return success(); // uses of it are errors
  // 0: as much as the launch asks for.
  uint64_t bytes = getBytes(global.getGlobalType());
  uint64_t alignment = global.getAlignment().value_or(
      getNaturalAlignment(global.getGlobalType()));
  shared[global.getName().str()] = shared.size();
  manifestShared += "shared " + std::to_string(bytes) + " " +
                    std::to_string(alignment) + " " + global.getName().str() +
                    "\n";
  return success();
}

void Converter::addEntry(LLVM::LLVMFuncOp kernel, StringRef name) {
  location = kernel.getLoc();
  builder.setInsertionPointAfter(kernel);
  auto entry = LLVM::LLVMFuncOp::create(
      builder, location, ("sim_entry_" + name).str(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(host.getContext()),
                                  {pointer()}));
  Block *block = entry.addEntryBlock(builder);
  builder.setInsertionPointToStart(block);
  SmallVector<Value> values;
  for (auto [number, declared] : llvm::enumerate(kernel.getArgumentTypes())) {
    Type type = isa<LLVM::LLVMPointerType>(declared) ? pointer() : declared;
    Value slot = LLVM::GEPOp::create(
        builder, location, pointer(), pointer(), block->getArgument(0),
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(values.size())});
    Value address = LLVM::LoadOp::create(builder, location, pointer(), slot);
    if (byValue[number]) { // a pointer to the argument itself
      values.push_back(address);
      continue;
    }
    values.push_back(LLVM::LoadOp::create(builder, location, type, address));
  }
  LLVM::CallOp::create(builder, location, kernel, values);
  LLVM::ReturnOp::create(builder, location, ValueRange());
}

LogicalResult Converter::convertKernel(LLVM::LLVMFuncOp kernel) {
  used.clear();
  entry = &kernel.getBody().front();
  scratch = {};
  sums.clear();
  ordered = false;
  smallest = 4;
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) {
    if (op != kernel)
      ops.push_back(op);
    if (isa<NVVM::WgmmaMmaAsyncOp>(op) || RegisterProduct::get(op))
      sums.try_emplace(op->getResult(0).getType());
  });
  manifestOps.clear();
  if (options.counters)
    countOps(kernel);
  for (Operation *op : ops)
    if (failed(convertOp(op)))
      return failure();

  std::string name = kernel.getName().str();
  int64_t threads = 0;
  for (StringRef bound : {"nvvm.maxntid", "nvvm.reqntid"})
    if (auto extents = kernel->getAttrOfType<DenseI32ArrayAttr>(bound)) {
      threads = 1;
      for (int32_t extent : extents.asArrayRef())
        threads *= extent;
    }
  manifestKernels += "kernel " + std::to_string(threads) + " " +
                     std::to_string(llvm::Log2_64(smallest)) + " " + name +
                     "\n";
  auto known = options.bytes.find(name);
  size_t pointers = 0, maps = 0;
  auto knownMaps = options.maps.find(name);
  byValue.clear();
  for (auto [number, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    auto held = kernel.getArgAttrOfType<TypeAttr>(
        number, LLVM::LLVMDialect::getByValAttrName());
    byValue.push_back(held != nullptr);
    if (held) {
      manifestKernels +=
          "argument " + std::to_string(getBytes(held.getValue()));
      if (knownMaps != options.maps.end() && maps < knownMaps->second.size()) {
        const MapArgument &map = knownMaps->second[maps++];
        manifestKernels += " map " + std::to_string(map.argument) + " " +
                           std::to_string(map.columns) + " " +
                           std::to_string(map.boxRows) + " " +
                           std::to_string(map.rows) + "\n";
      } else {
        manifestKernels += " value\n";
      }
      continue;
    }
    manifestKernels += "argument " + std::to_string(getBytes(type));
    if (isa<LLVM::LLVMPointerType>(type)) {
      ArgumentBytes bytes;
      if (known != options.bytes.end() && pointers < known->second.size())
        bytes = known->second[pointers++];
      manifestKernels +=
          " pointer " + std::to_string(bytes.times) + " " +
          std::to_string(bytes.of) + " " + std::to_string(bytes.per) +
          (bytes.written ? " write " : " read ") + bytes.element + "\n";
    } else {
      manifestKernels += " value\n";
    }
  }
  if (auto units = options.units.find(name); units != options.units.end())
    manifestKernels += "units " + std::to_string(units->second.times) + " " +
                       std::to_string(units->second.of) + " " +
                       std::to_string(units->second.per) + "\n";
  for (uint32_t variable : used)
    manifestKernels += "uses " + std::to_string(variable) + "\n";
  if (auto asked = options.dynamicShared.find(name);
      asked != options.dynamicShared.end())
    manifestKernels += "dynamic " + std::to_string(asked->second) + "\n";
  if (ordered)
    manifestKernels += "ordered\n";
  if (auto cluster =
          kernel->getAttrOfType<DenseI32ArrayAttr>("nvvm.cluster_dim")) {
    if (llvm::any_of(cluster.asArrayRef().drop_front(),
                     [](int32_t extent) { return extent != 1; }))
      return kernel.emitError("the simulator knows clusters along x alone");
    manifestKernels += "cluster " + std::to_string(cluster[0]) + "\n";
  }
  manifestKernels += manifestOps;

  // Attributes for the GPU have another meaning on the host, and the alignment
  // of arguments is to be checked, not assumed.
  kernel->setDiscardableAttrs(DictionaryAttr::get(host.getContext()));
  kernel.removeArgAttrsAttr();
  kernel.setCConv(LLVM::CConv::C);
  kernel.setLinkage(LLVM::Linkage::Internal);
  kernel.setSymName("kernel." + name);
  addEntry(kernel, name);
  return success();
}

void Converter::addManifest() {
  builder.setInsertionPointToEnd(host.getBody());
  std::string text = "ptx " + std::to_string(options.ptxHash) + "\n" +
                     manifestShared + manifestSites + manifestKernels;
  text.push_back('\0');
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), text.size());
  LLVM::GlobalOp::create(builder, UnknownLoc::get(host.getContext()), type,
                         /*isConstant=*/true, LLVM::Linkage::External,
                         "sim_manifest", builder.getStringAttr(text));
}

void Converter::replaceTypes() {
  SmallVector<LLVM::AddrSpaceCastOp> casts;
  host.walk([&](LLVM::AddrSpaceCastOp cast) { casts.push_back(cast); });
  for (LLVM::AddrSpaceCastOp cast : casts) {
    cast.getResult().replaceAllUsesWith(cast.getArg());
    cast.erase();
  }
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](LLVM::LLVMPointerType) { return pointer(); });
  replacer.addReplacement(
      [&](BFloat16Type) -> Type { return builder.getI16Type(); });
  replacer.recursivelyReplaceElementsIn(host, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

LogicalResult Converter::run(Operation *container) {
  SmallVector<LLVM::LLVMFuncOp> kernels;
  builder.setInsertionPointToEnd(host.getBody());
  for (Operation &op : container->getRegion(0).front()) {
    if (auto global = dyn_cast<LLVM::GlobalOp>(op)) {
      if (failed(convertGlobal(global)))
        return failure();
    } else if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op)) {
      if (function->hasAttr("nvvm.kernel") || function->hasAttr("gpu.kernel"))
        kernels.push_back(
            cast<LLVM::LLVMFuncOp>(builder.clone(*function.getOperation())));
      else if (!function.isExternal())
        return op.emitError("the simulator knows kernels alone, no functions");
    }
  }
  for (LLVM::LLVMFuncOp kernel : kernels)
    if (failed(convertKernel(kernel)))
      return failure();
  addManifest();
  replaceTypes();
  return success();
}

OwningOpRef<ModuleOp> sim::convertNvvmToHost(ModuleOp root,
                                             const HostOptions &options) {
  Operation *container = nullptr;
  bool several = false;
  root.walk([&](LLVM::LLVMFuncOp function) {
    if (!function->hasAttr("nvvm.kernel") && !function->hasAttr("gpu.kernel"))
      return;
    several |= container && container != function->getParentOp();
    container = function->getParentOp();
  });
  if (!container || several) {
    root.emitError(container ? "kernels of the NVVM dialect in two modules"
                             : "no kernel of the NVVM dialect (llvm.func with "
                               "nvvm.kernel) is in this text");
    return nullptr;
  }
  OwningOpRef<ModuleOp> host = ModuleOp::create(root.getLoc());
  if (failed(Converter(*host, options).run(container)) || failed(verify(*host)))
    return nullptr;
  return host;
}
