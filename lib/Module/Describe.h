//===- Describe.h - A module's metadata from lowered graphs -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_MODULE_DESCRIBE_H
#define VIT_MODULE_DESCRIBE_H

#include "vit/Dialect/Kernel.h"
#include "vit/Kernel/Variables.h"
#include "vit/Module/Writer.h"

#include "module_generated.h"
#include "llvm/ADT/StringMap.h"

#include <array>
#include <functional>
#include <optional>

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
    uint64_t offset = 0; ///< bytes, of a slot or an arena
  };

  /// Where the code of a kernel is, and what it takes of a GPU.
  struct KernelCode {
    uint32_t image = 0;
    uint64_t entry = 0;
    int64_t threads = 0;
    int64_t sharedBytes = 0;
    uint64_t iterations = 0;
    schema::Extent batchIterations;
  };
  using KernelCodes = llvm::StringMap<KernelCode>;

  // Describe.cpp
  std::unique_ptr<schema::EntryT> describeEntry(func::FuncOp entry);
  LogicalResult fail(Operation *op, const Twine &message);

  // DescribeSchedule.cpp
  LogicalResult describeLevel(const CompiledLevel &level, bool isFirst);
  LogicalResult describeSchedule(func::FuncOp function, schema::EntryT &entry,
                                 const KernelCodes &codes,
                                 schema::ScheduleT &schedule);
  /// Parameters that the entries read or change, in the order of their
  /// declaration, which is the model's own.
  void listParameters(ModuleOp module, ArrayRef<func::FuncOp> entries);
  uint32_t addImage(ArrayRef<char> bytes, schema::ImageFormat format,
                    StringRef arch);
  KernelCodes addCode(const CompiledLevel &level, schema::ScheduleT &schedule);
  /// `isWritten` says so of each argument.
  void addCommand(std::unique_ptr<schema::CommandT> command,
                  ArrayRef<bool> isWritten, schema::ScheduleT &schedule);
  LogicalResult addCopy(Value value, uint32_t output,
                        const schema::EntryT &entry,
                        schema::ScheduleT &schedule);
  void placeInSlot(Value value, int64_t slot, int64_t offset,
                   schema::ScheduleT &schedule);
  schema::Argument argumentAt(const Place &place, Value value) const;
  LogicalResult addDispatch(kernel::DispatchOp dispatch,
                            const KernelCodes &codes,
                            schema::ScheduleT &schedule,
                            llvm::StringMap<uint32_t> &kernels);

  // DescribeDerived.cpp: values that are there before a run.
  FailureOr<Place> placeOf(Value value);
  FailureOr<uint32_t> addParameter(ReadOp read);
  FailureOr<uint32_t> addDerived(Value value);
  FailureOr<uint32_t> addConstant(Value value);
  LogicalResult readSource(uint32_t source, MutableArrayRef<float> out,
                           std::string &message);
  LogicalResult makeDerived(uint32_t index, MutableArrayRef<char> out,
                            std::string &message);

  // DescribeParameters.cpp
  void storeParameters();

  // DescribeVariables.cpp
  LogicalResult describeVariables(ModuleOp module, bool isFirst);

  // DescribeExtras.cpp
  void describeExtras(ModuleOp module);

  const Weights &weights;
  ParameterStorage storage;
  std::string moduleFolder;
  std::string &error;
  ModuleDescription result;
  std::vector<Parameter> parameters;
  llvm::StringMap<uint32_t> parameterIndex, derivedIndex, fileIndex, imageIndex;
  /// Of the level that is being described.
  DenseMap<Value, Place> places;
  std::optional<kernel::Variables> variables;
  /// Of the entry that is being described: whether it changes variables, and
  /// what the commands since the last barrier do to Vulkan's two buffers.
  bool isTraining = false;
  struct BufferUse {
    bool isUsed = false, isWritten = false;
  };
  std::array<BufferUse, 2> unordered;
};

/// A shape, -1 where the batch stands.
std::vector<int64_t> dimsOf(RankedTensorType type);

} // namespace mlir::vit

#endif // VIT_MODULE_DESCRIBE_H
