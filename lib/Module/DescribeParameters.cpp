//===- DescribeParameters.cpp - Where the weights of a module are ---------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

#include "llvm/Support/FileSystem.h"

#include <cstring>
#include <filesystem>

using namespace mlir;
using namespace mlir::vit;

/// The path of `file` relative to `folder`, after resolving symbolic links.
static std::string relativePath(StringRef file, StringRef folder) {
  std::error_code code;
  std::filesystem::path target = std::filesystem::canonical(file.str(), code);
  if (code)
    return file.str();
  std::filesystem::path base =
      std::filesystem::canonical(folder.empty() ? "." : folder.str(), code);
  if (code)
    return target.string();
  return target.lexically_relative(base).string();
}

/// Stores derived forms in the module. A parameter is stored in the first
/// lossless form that holds all of it, or in a narrower one, with its scales,
/// if no other is made of it and nothing is trained (a checkpoint holds the
/// exact values of all parameters); returns which parameters are.
std::vector<bool> StoredValues::storeDerived(bool isInline) {
  std::vector<bool> isStored(parameters.size(), false);
  std::vector<uint32_t> uses(parameters.size(), 0);
  auto areScales = [](const schema::DerivedT &derived) {
    return derived.kind == schema::DerivedKind::RowScales;
  };
  for (const auto &derived : description.metadata.derived)
    for (uint32_t source : derived->sources)
      if (source < parameters.size() && !areScales(*derived))
        ++uses[source];
  for (auto [index, derived] : llvm::enumerate(description.metadata.derived)) {
    derived->data = std::make_unique<schema::Segment>();
    bool canStore = isInline && !derived->splat &&
                    derived->kind != schema::DerivedKind::Resample &&
                    derived->kind != schema::DerivedKind::RelativePositions;
    bool isNarrow = derived->element_type != schema::DType::F32;
    canStore = canStore && !(isNarrow && isTrained);
    llvm::SmallDenseSet<uint32_t> seen;
    for (uint32_t source : derived->sources)
      canStore = canStore && source < parameters.size() &&
                 (areScales(*derived) || !isStored[source]) &&
                 (!isNarrow || uses[source] == 1) && seen.insert(source).second;
    if (!canStore)
      continue;
    if (!areScales(*derived))
      for (uint32_t source : derived->sources)
        isStored[source] = true;
    description.addSegment(
        *derived, derived->bytes,
        [this, index = static_cast<uint32_t>(index)](MutableArrayRef<char> out,
                                                     std::string &message) {
          return makeDerived(index, out, message);
        });
  }
  return isStored;
}

/// `range`: where the checkpoint holds it; nullopt if it is drawn now.
void StoredValues::storeInline(const Parameter &parameter,
                               std::optional<StoredRange> range,
                               schema::ParameterT &described) {
  described.source = schema::Source::Inline;
  if (range) {
    described.dtype = static_cast<schema::DType>(range->dtype);
    description.addSegment(
        described, range->size,
        [range = *range](MutableArrayRef<char> out, std::string &) {
          std::memcpy(out.data(), range.data, out.size());
          return success();
        });
    return;
  }
  description.addSegment(
      described, parameter.elements * sizeof(float),
      [this, parameter](MutableArrayRef<char> out, std::string &message) {
        return weights.read(
            parameter.op, parameter.layer,
            MutableArrayRef<float>(reinterpret_cast<float *>(out.data()),
                                   parameter.elements),
            message);
      });
}

void StoredValues::storeInFile(const StoredRange &range, StringRef moduleFolder,
                               schema::ParameterT &described) {
  described.source = schema::Source::File;
  described.dtype = static_cast<schema::DType>(range.dtype);
  auto [file, isNew] =
      fileIndex.try_emplace(range.file, description.metadata.files.size());
  if (isNew) {
    auto reference = std::make_unique<schema::FileT>();
    reference->path = relativePath(range.file, moduleFolder);
    llvm::sys::fs::file_size(range.file, reference->size);
    description.metadata.files.push_back(std::move(reference));
  }
  described.file = file->second;
}

void StoredValues::store(ParameterStorage storage, StringRef moduleFolder) {
  bool isInline = storage == ParameterStorage::Inline;
  std::vector<bool> isStored = storeDerived(isInline);
  for (size_t index = 0; index < parameters.size(); ++index) {
    const Parameter &parameter = parameters[index];
    ParameterOp op = parameter.op;
    auto described = std::make_unique<schema::ParameterT>();
    described->name = parameterName(op, parameter.layer);
    described->dims = dimsOf(op.getTensorType());
    described->stored_name = op.getStoredName(parameter.layer);
    described->stored_dims.assign(op.getStoredShape().begin(),
                                  op.getStoredShape().end());
    described->stored_begin = op.getStoredBegin();
    described->stored_end = op.getStoredEnd();
    described->data = std::make_unique<schema::Segment>();
    described->dtype = schema::DType::F32;
    std::optional<StoredRange> range = weights.locate(op, parameter.layer);
    if (range)
      described->stored_name = range->tensor.str();
    // The runtime reads no f64: such values are rounded and stored here.
    bool isRounded = range && range->dtype == VIT_F64;
    if (isRounded)
      range.reset();
    if (isStored[index]) {
      described->source = schema::Source::Derived;
    } else if (isInline || isRounded) {
      storeInline(parameter, range, *described);
    } else if (range) {
      storeInFile(*range, moduleFolder, *described);
    } else {
      described->source = schema::Source::Init;
      if (InitAttr init = op.getInitAttr()) {
        described->distribution =
            static_cast<schema::Distribution>(init.getDistribution());
        described->value = init.getValue().convertToDouble();
      }
    }
    description.metadata.parameters.push_back(std::move(described));
  }
}
