//===- DescribeExtras.cpp - Labels and preprocessing ----------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Describe.h"

using namespace mlir;
using namespace mlir::vit;

void mlir::vit::describeExtras(ModuleOp module, schema::ModuleT &metadata) {
  if (std::optional<StringRef> name = module.getName())
    metadata.name = name->str();
  if (auto labels = module->getAttrOfType<ArrayAttr>("vit.labels"))
    for (Attribute label : labels)
      if (auto text = dyn_cast<StringAttr>(label))
        metadata.labels.push_back(text.str());
  auto given = module->getAttrOfType<DictionaryAttr>("vit.preprocessing");
  if (!given)
    return;
  auto preprocessing = std::make_unique<schema::PreprocessingT>();
  auto integer = [&](StringRef name, int64_t missing) {
    Attribute value = given.get(name);
    if (auto number = dyn_cast_or_null<IntegerAttr>(value))
      return number.getType().isInteger(1) ? int64_t(number.getValue() != 0)
                                           : number.getInt();
    return missing;
  };
  auto number = [](Attribute value, double missing) {
    if (auto real = dyn_cast_or_null<FloatAttr>(value))
      return real.getValueAsDouble();
    if (auto whole = dyn_cast_or_null<IntegerAttr>(value))
      return static_cast<double>(whole.getInt());
    return missing;
  };
  preprocessing->channels = integer("channels", 3);
  preprocessing->height = integer("height", 0);
  preprocessing->width = integer("width", 0);
  preprocessing->resize_height = integer("resize_height", 0);
  preprocessing->resize_width = integer("resize_width", 0);
  preprocessing->center_crop = integer("center_crop", 0);
  preprocessing->interpolation = integer("interpolation", 2);
  preprocessing->apply_exif_orientation = integer("apply_exif_orientation", 0);
  preprocessing->scale =
      static_cast<float>(number(given.get("scale"), 1.0 / 255));
  auto numbers = [&](StringRef name, std::vector<float> &out, float missing) {
    Attribute value = given.get(name);
    if (auto list = dyn_cast_or_null<ArrayAttr>(value)) {
      for (Attribute element : list)
        out.push_back(static_cast<float>(number(element, missing)));
    } else if (auto list = dyn_cast_or_null<DenseF32ArrayAttr>(value)) {
      out.assign(list.asArrayRef().begin(), list.asArrayRef().end());
    } else if (auto list = dyn_cast_or_null<DenseF64ArrayAttr>(value)) {
      out.assign(list.asArrayRef().begin(), list.asArrayRef().end());
    }
    out.resize(preprocessing->channels, missing);
  };
  numbers("mean", preprocessing->mean, 0.0f);
  numbers("std", preprocessing->std, 1.0f);
  metadata.preprocessing = std::move(preprocessing);
}
