//===- Model.cpp - vitrt._core.Model --------------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "Predictor.h"

namespace vit::python {

using tools::Error;
using tools::Predictor;

namespace {

nb::tuple shapeOf(const vit_binding_info &info) {
  nb::list shape;
  for (int32_t i = 0; i < info.rank; ++i)
    if (info.dims[i] < 0)
      shape.append(nb::none());
    else
      shape.append(info.dims[i]);
  return nb::tuple(shape);
}

/// `words`: of the command line of a command without a name.
std::unique_ptr<Predictor> load(const std::vector<std::string> &words,
                                bool quiet) {
  tools::CommonOptions options = tools::parseCommonOptions(words);
  options.quiet = quiet;
  return withoutGil([&] { return std::make_unique<Predictor>(options); });
}

/// Throws unless `x` has the shape of the input: the batch is free.
void checkShape(const Floats &x, const vit_binding_info &info) {
  std::vector<int64_t> shape;
  for (size_t i = 0; i < x.ndim(); ++i)
    shape.push_back(static_cast<int64_t>(x.shape(i)));
  bool fits = static_cast<size_t>(info.rank) == shape.size() && shape[0] > 0;
  for (int32_t i = 1; fits && i < info.rank; ++i)
    fits = info.dims[i] == shape[i];
  if (!fits)
    throw Error("x has shape " + tools::shapeText(shape) + ", but '" +
                info.name + "' is " + tools::shapeText(info.dims, info.rank) +
                " (? is the batch, 1 or more)");
}

nb::dict run(Predictor &predictor, nb::handle x,
             const std::vector<std::string> &names) {
  Predictor::Variant *variant = nullptr;
  if (names.empty())
    variant = &predictor.variantFor(names);
  else
    variant = withoutGil([&] { return &predictor.variantFor(names); });
  vit_binding_info info = predictor.inputOf(*variant);
  Floats floats = readFloats(x, "x");
  checkShape(floats, info);
  vit_tensor input = {};
  input.name = info.name;
  // Inputs are only read; the C struct serves both directions.
  input.data = const_cast<float *>(floats.data());
  input.size = floats.nbytes();
  input.rank = info.rank;
  for (int32_t i = 0; i < info.rank; ++i)
    input.dims[i] = static_cast<int64_t>(floats.shape(i));
  std::vector<Output> outputs;
  std::vector<vit_tensor> views;
  for (const vit_binding_info &one : predictor.outputsOf(*variant, names)) {
    outputs.push_back(makeOutput(one, input.dims[0]));
    views.push_back(outputs.back().view);
  }
  withoutGil([&] { predictor.run(*variant, input, views); });
  nb::dict result;
  for (size_t i = 0; i < outputs.size(); ++i)
    result[views[i].name] = nb::cast(outputs[i].array);
  // A name that was asked for by its alias is there under both.
  for (const std::string &name : names)
    for (const vit_binding_info &one : predictor.outputsOf(*variant, {name}))
      if (name != one.name)
        result[name.c_str()] = result[one.name];
  return result;
}

nb::list classify(Predictor &predictor, nb::list items, int64_t top,
                  double threshold, int64_t batch, nb::object callback) {
  PictureList list(items);
  tools::PredictionOptions options;
  options.top = top;
  options.threshold = threshold;
  auto found = withoutGil([&] {
    return predictor.classify(list.pictures, options, batch, [&](int64_t done) {
      reportProgress(callback, done);
    });
  });
  nb::list result;
  for (const std::vector<tools::Prediction> &picture : found) {
    nb::list best;
    for (const tools::Prediction &one : picture)
      best.append(nb::make_tuple(one.label, one.score));
    result.append(best);
  }
  return result;
}

Array embed(Predictor &predictor, nb::list items, const std::string &name,
            bool normalize, int64_t batch, nb::object callback) {
  PictureList list(items);
  tools::Tensor rows = withoutGil([&] {
    return predictor.embed(
        list.pictures, {name, normalize, batch},
        [&](int64_t done) { reportProgress(callback, done); });
  });
  return toArray(std::move(rows));
}

/// The map and the tokens before its patches.
nb::tuple mapAttention(Predictor &predictor, nb::list items, int64_t layer,
                       int64_t head, bool rollout) {
  PictureList list(items);
  Predictor::Map map = withoutGil([&] {
    return predictor.mapAttention(list.pictures.at(0), {layer, head, rollout});
  });
  tools::Tensor weights;
  weights.allocate(VIT_F32, {map.grid.rows, map.grid.columns});
  std::copy(map.weights.begin(), map.weights.end(), weights.floats());
  return nb::make_tuple(toArray(std::move(weights)), map.grid.prefix,
                        map.grid.classToken);
}

void saveAttention(Predictor &predictor, nb::list items,
                   nb::ndarray<const float, nb::ndim<2>, nb::c_contig> map,
                   nb::bytes path) {
  PictureList list(items);
  tools::TokenGrid grid;
  grid.rows = static_cast<int64_t>(map.shape(0));
  grid.columns = static_cast<int64_t>(map.shape(1));
  std::vector<float> weights(map.data(), map.data() + map.size());
  std::string out(path.c_str(), path.size());
  withoutGil([&] {
    tools::saveAttention(list.pictures.at(0), predictor.preprocessing(),
                         weights, grid, out);
  });
}

nb::list labelsOf(Predictor &predictor) {
  nb::list labels;
  vit_module *module = predictor.model().module();
  for (int32_t i = 0; i < vit_module_label_count(module); ++i) {
    const char *label = vit_module_label(module, i);
    labels.append(label ? nb::str(label) : nb::str(std::to_string(i).c_str()));
  }
  return labels;
}

nb::dict outputsOf(Predictor &predictor) {
  nb::dict result;
  for (const vit_binding_info &info :
       predictor.outputsOf(predictor.variantFor({}), {}))
    result[info.name] = shapeOf(info);
  return result;
}

nb::tuple inputOf(Predictor &predictor) {
  vit_binding_info info = predictor.inputOf(predictor.variantFor({}));
  return nb::make_tuple(info.name, shapeOf(info));
}

} // namespace

void addModel(nb::module_ &module) {
  module.def(
      "address_of",
      [](nb::handle x) {
        return reinterpret_cast<uintptr_t>(readFloats(x, "x").data());
      },
      nb::arg("x").none(), "Where a call with `x` reads it, for tests.");
  nb::class_<Predictor>(module, "Model", nb::is_weak_referenceable())
      .def(nb::new_(&load), nb::arg("words"), nb::arg("quiet"))
      .def("run", &run, nb::arg("x").none(), nb::arg("outputs"))
      .def("classify", &classify, nb::arg("pictures"), nb::arg("top"),
           nb::arg("threshold"), nb::arg("batch"), nb::arg("report").none())
      .def("embed", &embed, nb::arg("pictures"), nb::arg("name"),
           nb::arg("normalize"), nb::arg("batch"), nb::arg("report").none())
      .def("attention_map", &mapAttention, nb::arg("pictures"),
           nb::arg("layer"), nb::arg("head"), nb::arg("rollout"))
      .def("save_attention", &saveAttention, nb::arg("pictures"),
           nb::arg("map"), nb::arg("path"))
      .def("applies_exif",
           [](Predictor &predictor) {
             return withoutGil([&] {
               return predictor.preprocessing().apply_exif_orientation != 0;
             });
           })
      .def("labels", &labelsOf)
      .def("outputs", &outputsOf)
      .def("input", &inputOf)
      .def("level", [](Predictor &predictor) { return predictor.code().level; })
      .def("precision",
           [](Predictor &predictor) { return predictor.code().precision; })
      .def("describe",
           [](Predictor &predictor) {
             return tools::describeModule(predictor.model().module());
           })
      .def("before_fork",
           [](Predictor &predictor) {
             withoutGil([&] { predictor.beforeFork(); });
           })
      .def("after_fork", &Predictor::afterFork, nb::arg("is_child"));
}

} // namespace vit::python
