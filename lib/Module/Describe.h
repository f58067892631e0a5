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

#include <functional>
#include <optional>

namespace mlir::vit {

namespace schema = ::vit::schema;

/// A part of the file after the metadata. `produce` creates the bytes when they
/// are written, so that only one weight is in memory at a time.
struct PendingSegment {
  uint64_t size = 0;
  uint64_t alignment = 64;
  /// Fills `size` zeroed bytes.
  std::function<LogicalResult(MutableArrayRef<char>, std::string &)> produce;
  /// Receive the place in the file and, unless null, the hash.
  schema::Segment *place = nullptr;
  uint64_t *hash = nullptr;
};

/// The metadata of a module and the segments that it refers to.
struct ModuleDescription {
  schema::ModuleT metadata;
  std::vector<PendingSegment> segments;

  /// Adds a segment whose place and hash `described` has as `data` and `hash`.
  template <typename T, typename Produce>
  void addSegment(T &described, uint64_t size, Produce produce,
                  uint64_t alignment = 64) {
    described.data = std::make_unique<schema::Segment>();
    segments.push_back({size, alignment, std::move(produce),
                        described.data.get(), &described.hash});
  }
};

/// Where a value of a lowered graph lies at run time.
struct Place {
  schema::ArgumentKind kind = schema::ArgumentKind::Slot;
  uint32_t index = 0;
  uint64_t offset = 0; ///< Bytes from the beginning of a slot or an arena.
};

/// Receives the error: one line that begins with the name of the op.
class ErrorText {
public:
  explicit ErrorText(std::string &text) : text(text) {}
  LogicalResult fail(Operation *op, const Twine &message) const;

private:
  std::string &text;
};

/// The values that exist before a run: parameters, forms derived from them, and
/// constants. Shared by all levels. Must outlive the segments that it adds to
/// the description.
class StoredValues {
public:
  StoredValues(const Weights &weights, ModuleDescription &description,
               ErrorText error)
      : weights(weights), description(description), error(error) {}

  /// Lists the parameters that `entries` read or change, in the order of
  /// declaration.
  void listParameters(ModuleOp module, ArrayRef<func::FuncOp> entries,
                      const kernel::Variables &variables);
  /// The number of the parameter (of one layer) called `name`.
  std::optional<uint32_t> findParameter(StringRef name) const;
  bool isParameter(ReadOp read) const;

  /// The place of a value that no kernel computes. Adds it to the description
  /// if necessary.
  FailureOr<Place> placeOf(Value value);

  /// Decides where parameters and derived forms are stored. Call it after all
  /// levels have been described. Paths of files are relative to `moduleFolder`.
  void store(ParameterStorage storage, StringRef moduleFolder);

private:
  /// A parameter (of one layer).
  struct Parameter {
    ParameterOp op;
    int64_t layer = 0;
    int64_t elements = 0;
  };

  // DescribeDerived.cpp
  FailureOr<uint32_t> addParameter(ReadOp read);
  LogicalResult addSource(Value source, schema::DerivedT &derived);
  FailureOr<uint32_t> addDerived(Value value);
  FailureOr<uint32_t> addConstant(Value value);
  LogicalResult readSource(uint32_t source, MutableArrayRef<float> out,
                           std::string &message);
  LogicalResult makeDerived(uint32_t index, MutableArrayRef<char> out,
                            std::string &message);

  // DescribeParameters.cpp
  std::vector<bool> storeDerived(bool isInline);
  void storeInline(const Parameter &parameter, std::optional<StoredRange> range,
                   schema::ParameterT &described);
  void storeInFile(const StoredRange &range, StringRef moduleFolder,
                   schema::ParameterT &described);

  const Weights &weights;
  ModuleDescription &description;
  ErrorText error;
  std::vector<Parameter> parameters;
  llvm::StringMap<uint32_t> parameterIndex, derivedIndex, fileIndex;
  bool isTrained = false; ///< Whether an entry changes parameters.
};

/// Where the code of a kernel is, and which resources of a GPU it needs.
struct KernelCode {
  uint32_t image = 0;
  uint64_t entry = 0;
  int64_t threads = 0;
  int64_t sharedBytes = 0;
  uint64_t iterations = 0;
  schema::Extent batchIterations;
  std::vector<schema::TensorMap> maps;
  bool isResident = false;
  int64_t cluster = 0;
};
using KernelCodes = llvm::StringMap<KernelCode>;

/// The code of all levels.
class Images {
public:
  explicit Images(ModuleDescription &description) : description(description) {}

  /// Adds the code of a level, and sets the target and related fields of
  /// `schedule`.
  KernelCodes addCode(const CompiledLevel &level, schema::ScheduleT &schedule);

private:
  uint32_t addImage(ArrayRef<char> bytes, schema::ImageFormat format,
                    StringRef arch);

  ModuleDescription &description;
  llvm::StringMap<uint32_t> imageIndex;
};

/// Describes the lowered graphs of one model. Must outlive the segments of its
/// result.
class Describer {
public:
  Describer(const Weights &weights, std::string &error)
      : error(error), stored(weights, result, this->error), images(result) {}

  LogicalResult describe(ArrayRef<CompiledLevel> levels,
                         ParameterStorage storage, StringRef moduleFolder);
  ModuleDescription &getResult() { return result; }

private:
  LogicalResult describeModel(ModuleOp module);
  LogicalResult describeLevel(const CompiledLevel &level);

  ErrorText error;
  ModuleDescription result;
  StoredValues stored;
  Images images;
};

/// The inputs and outputs of a function. Null after an error.
std::unique_ptr<schema::EntryT> describeEntry(func::FuncOp entry,
                                              ErrorText error);

/// The variables that training steps change, and their arenas.
LogicalResult describeVariables(ModuleOp module,
                                const kernel::Variables &variables,
                                const StoredValues &stored, ErrorText error,
                                schema::ModuleT &metadata);

/// Adds kernels, slots and commands of `function`, at one level, to `schedule`.
LogicalResult describeSchedule(func::FuncOp function,
                               const schema::EntryT &entry,
                               const KernelCodes &codes,
                               const kernel::Variables &variables,
                               StoredValues &stored, ErrorText error,
                               schema::ScheduleT &schedule);

/// The model's name, labels, problem type, tokens and preprocessing.
void describeExtras(ModuleOp module, schema::ModuleT &metadata);

/// A shape, with -1 for the batch.
std::vector<int64_t> dimsOf(RankedTensorType type);
/// The name in the module of a parameter, or of what it is in one layer.
std::string parameterName(ParameterOp op, int64_t layer);
/// The element type of a tensor of f32, bf16, f16 or i32.
schema::DType dtypeOf(RankedTensorType type);

} // namespace mlir::vit

#endif // VIT_MODULE_DESCRIBE_H
