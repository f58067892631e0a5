//===- Describe.h - A module's metadata from lowered graphs -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_DESCRIBE_H
#define VIT_MODULE_DESCRIBE_H

#include "vit/Dialect/Kernel.h"
#include "vit/Module/Writer.h"

#include "module_generated.h"
#include "llvm/ADT/StringMap.h"

#include <functional>

namespace mlir::vit {

namespace schema = ::vit::schema;

/// Bytes of the file after the metadata. `produce` makes them when their turn
/// comes, so that no more than one weight is in memory.
struct PendingSegment {
  uint64_t size = 0;
  uint64_t alignment = 64;
  /// Fills `size` zeroed bytes.
  std::function<LogicalResult(MutableArrayRef<char>, std::string &)> produce;
  /// Where the place in the file and, unless null, the hash are noted.
  schema::Segment *place = nullptr;
  uint64_t *hash = nullptr;
};

/// The metadata of a module and the bytes that it speaks of.
struct ModuleDescription {
  schema::ModuleT metadata;
  std::vector<PendingSegment> segments;
};

/// Collects what the lowered graphs of one model need.
class Describer {
public:
  Describer(const Weights &weights, ParameterStorage storage,
            std::string moduleFolder, std::string &error)
      : weights(weights), storage(storage),
        moduleFolder(std::move(moduleFolder)), error(error) {}

  LogicalResult describe(ArrayRef<CompiledLevel> levels);
  ModuleDescription &getResult() { return result; }

private:
  /// A parameter (of one layer).
  struct Parameter {
    ParameterOp op;
    int64_t layer = 0;
    int64_t elements = 0;
  };
  /// What a value of a lowered graph is at run time.
  struct Place {
    schema::ArgumentKind kind = schema::ArgumentKind::Slot;
    uint32_t index = 0;
  };

  LogicalResult describeEntry(func::FuncOp entry);
  LogicalResult describeLevel(const CompiledLevel &level, bool isFirst);
  LogicalResult addDispatch(kernel::DispatchOp dispatch,
                            const CompiledLevel &level, uint32_t image,
                            schema::ScheduleT &schedule,
                            llvm::StringMap<uint32_t> &kernels);
  FailureOr<Place> placeOf(Value value);
  FailureOr<uint32_t> addParameter(ReadOp read);
  FailureOr<uint32_t> addDerived(Value value);
  FailureOr<uint32_t> addConstant(Value value);
  void storeParameters();
  void describeExtras(ModuleOp module);
  LogicalResult fail(Operation *op, const Twine &message);

  LogicalResult readSource(uint32_t source, MutableArrayRef<float> out,
                           std::string &error);
  LogicalResult makeDerived(uint32_t index, MutableArrayRef<char> out,
                            std::string &error);

  const Weights &weights;
  ParameterStorage storage;
  std::string moduleFolder;
  std::string &error;
  ModuleDescription result;
  std::vector<Parameter> parameters;
  llvm::StringMap<uint32_t> parameterIndex, derivedIndex, fileIndex;
  DenseMap<Value, Place> places;
};

} // namespace mlir::vit

#endif // VIT_MODULE_DESCRIBE_H
