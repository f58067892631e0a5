//===- Names.cpp - What users call a piece of work ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Dialect/Names.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Path.h"

using namespace mlir;

/// Collects names in order. `files` receives the file locations of ops without
/// a name.
static void collect(Location location,
                    llvm::SmallSetVector<StringRef, 4> &names,
                    SmallVectorImpl<FileLineColLoc> &files) {
  if (auto name = dyn_cast<NameLoc>(location)) {
    names.insert(name.getName().getValue());
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      collect(part, names, files);
  } else if (auto call = dyn_cast<CallSiteLoc>(location)) {
    collect(call.getCallee(), names, files);
  } else if (auto file = dyn_cast<FileLineColLoc>(location)) {
    files.push_back(file);
  }
}

/// Returns the longest common prefix that ends at the end of a component (`.`).
static StringRef commonPrefix(ArrayRef<StringRef> names) {
  StringRef prefix = names.front();
  for (StringRef name : names.drop_front()) {
    size_t length = 0;
    while (length < prefix.size() && length < name.size() &&
           prefix[length] == name[length])
      ++length;
    bool whole = (length == prefix.size() || prefix[length] == '.') &&
                 (length == name.size() || name[length] == '.');
    if (!whole) {
      size_t dot = prefix.take_front(length).rfind('.');
      length = dot == StringRef::npos ? 0 : dot;
    }
    prefix = prefix.take_front(length);
  }
  return prefix;
}

std::string mlir::vit::getWorkName(Location location) {
  llvm::SmallSetVector<StringRef, 4> names;
  SmallVector<FileLineColLoc> files;
  collect(location, names, files);
  if (!names.empty()) {
    StringRef prefix = commonPrefix(names.getArrayRef());
    return prefix.empty() ? llvm::join(names, "+") : prefix.str();
  }
  if (files.empty())
    return "";
  FileLineColLoc file = files.front();
  return (llvm::sys::path::filename(file.getFilename().getValue()) + ":" +
          Twine(file.getLine()))
      .str();
}

StringAttr mlir::vit::getResultName(FunctionOpInterface entry, unsigned index) {
  if (auto name =
          entry.getResultAttrOfType<StringAttr>(index, kResultNameAttribute))
    return name;
  std::string name = index == 0 ? "output" : "output_" + std::to_string(index);
  return StringAttr::get(entry.getContext(), name);
}

bool mlir::vit::hasName(Location location) {
  return location
      ->walk([](Location part) {
        return isa<NameLoc>(part) ? WalkResult::interrupt()
                                  : WalkResult::advance();
      })
      .wasInterrupted();
}

Location mlir::vit::withLayer(Location location, int64_t layer) {
  MLIRContext *context = location.getContext();
  if (auto name = dyn_cast<NameLoc>(location)) {
    std::string text = name.getName().str();
    std::string number = std::to_string(layer);
    for (size_t at = text.find("{}"); at != std::string::npos;
         at = text.find("{}", at + number.size()))
      text.replace(at, 2, number);
    return NameLoc::get(StringAttr::get(context, text),
                        withLayer(name.getChildLoc(), layer));
  }
  if (auto fused = dyn_cast<FusedLoc>(location)) {
    SmallVector<Location> parts;
    for (Location part : fused.getLocations())
      parts.push_back(withLayer(part, layer));
    return FusedLoc::get(context, parts, fused.getMetadata());
  }
  return location;
}

Location mlir::vit::withSuffix(Location location, StringRef suffix) {
  MLIRContext *context = location.getContext();
  if (auto name = dyn_cast<NameLoc>(location))
    return NameLoc::get(
        StringAttr::get(context, name.getName().getValue() + suffix),
        name.getChildLoc());
  if (auto fused = dyn_cast<FusedLoc>(location)) {
    SmallVector<Location> parts;
    for (Location part : fused.getLocations())
      parts.push_back(withSuffix(part, suffix));
    return FusedLoc::get(context, parts, fused.getMetadata());
  }
  return location;
}
