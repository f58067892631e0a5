//===- CarriedTensors.cpp - What training passes on unread ----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CarriedTensors.h"

#include <algorithm>

namespace vit::tools {

static vit_weight_info infoOf(const vit_weights *file, int64_t index) {
  vit_error error;
  vit_weight_info info = {};
  check(vit_weights_info(file, index, &info, &error), error);
  return info;
}

bool CarriedTensors::add(int64_t index, std::string name) {
  // A list of names has one a line.
  if (infoOf(file.get(), index).dtype < 0 ||
      name.find('\n') != std::string::npos)
    return false;
  tensors.emplace_back(index, std::move(name));
  return true;
}

std::vector<vit_tensor> CarriedTensors::views() const {
  std::vector<vit_tensor> views;
  for (const auto &[index, name] : tensors) {
    vit_weight_info info = infoOf(file.get(), index);
    vit_tensor view = {};
    view.name = name.c_str();
    view.data = const_cast<void *>(info.data); // Only read.
    view.size = info.size;
    view.dtype = static_cast<vit_dtype>(info.dtype);
    view.rank = info.rank;
    std::copy_n(info.dims, info.rank, view.dims);
    views.push_back(view);
  }
  return views;
}

void CarriedTensors::requireWhole() const {
  vit_error error;
  if (!tensors.empty())
    check(vit_weights_check_files(file.get(), &error), error);
}

std::string CarriedTensors::list() const {
  std::vector<std::string> names;
  names.reserve(tensors.size());
  for (const auto &[index, name] : tensors)
    names.push_back(name);
  return join(names, "\n");
}

} // namespace vit::tools
