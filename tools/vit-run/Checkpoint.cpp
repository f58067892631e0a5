//===- Checkpoint.cpp - Saves and resumes a training run ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Checkpoint.h"

#include "CheckpointFolder.h"
#include "Classes.h"
#include "Data.h"
#include "ImageSize.h"
#include "Init.h"
#include "JsonText.h"
#include "StoredTensors.h"
#include "format/PictureSizes.h"
#include "format/WeightNames.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace vit::tools {

/// The key of state.safetensors' metadata that holds a TrainingState.
static constexpr const char *kStateKey = "vit.training";

//===----------------------------------------------------------------------===//
// Serialisation of TrainingState
//===----------------------------------------------------------------------===//

// JSON keeps all bits of a double: it is written with enough digits.
static Json toJson(const TrainingState &state) {
  return {{"steps", state.steps},
          {"batches", state.batches},
          {"best_accuracy", state.bestAccuracy},
          {"best_epoch", state.bestEpoch},
          {"epoch_loss", state.epochLoss},
          {"epoch_images", state.epochImages},
          {"epoch_correct", state.epochCorrect},
          {"seconds", state.seconds},
          {"options", state.options}};
}

static TrainingState fromJson(const Json &json) {
  TrainingState state;
  state.steps = json.at("steps");
  state.batches = json.at("batches");
  state.bestAccuracy = json.at("best_accuracy");
  state.bestEpoch = json.at("best_epoch");
  state.epochLoss = json.at("epoch_loss");
  state.epochImages = json.at("epoch_images");
  state.epochCorrect = json.at("epoch_correct");
  state.seconds = json.at("seconds");
  state.options = json.at("options");
  return state;
}

std::string describeDifference(const Json &was, const Json &is) {
  std::vector<std::string> differences;
  auto text = [](const Json &object, const std::string &key) {
    if (!object.contains(key))
      return std::string("not given");
    const Json &value = object[key];
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  auto compare = [&](const std::string &key) {
    // The model is compared by its tensors. The order is part of the data; in
    // older versions it was not.
    if (key == "test" || key == "model" || key == "order")
      return;
    if (key == "data") {
      std::string changes = compareData(was.value(key, Json()), is.at(key));
      if (!changes.empty())
        differences.push_back(changes);
      return;
    }
    std::string before = text(was, key), now = text(is, key);
    if (before != now)
      differences.push_back(key + " was " + before + " and is " + now);
  };
  for (const auto &[key, value] : was.items())
    compare(key);
  for (const auto &[key, value] : is.items())
    if (!was.contains(key))
      compare(key);
  return join(differences, "; ");
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

namespace {

/// The states of `parameters`, with memory for their values.
struct States {
  explicit States(const vit_parameters *parameters) {
    vit_error error;
    infos.resize(vit_parameters_state_count(parameters));
    for (size_t i = 0; i < infos.size(); ++i) {
      check(vit_parameters_state_info(parameters, static_cast<int32_t>(i),
                                      &infos[i], &error),
            error);
      Tensor tensor;
      tensor.name = infos[i].name;
      tensor.allocate(infos[i].dtype, dimsOf(infos[i]));
      tensors.push_back(std::move(tensor));
    }
  }

  std::vector<vit_binding_info> infos;
  std::vector<Tensor> tensors;
};

/// Differences between the tensors of a file and the requested ones.
struct Differences {
  std::vector<std::string> missing, misshapen, unknown;

  std::string text() const {
    std::vector<std::string> parts;
    if (!misshapen.empty())
      parts.push_back(listText(misshapen));
    if (!missing.empty())
      parts.push_back("it lacks " + listText(missing));
    if (!unknown.empty())
      parts.push_back("this model has no " + listText(unknown));
    return join(parts, "; ");
  }
};

} // namespace

static void writeTensors(const std::string &path,
                         const std::vector<vit_tensor> &tensors,
                         const std::vector<const char *> &metadata) {
  vit_error error;
  check(vit_weights_write(path.c_str(), tensors.data(),
                          static_cast<int64_t>(tensors.size()), metadata.data(),
                          static_cast<int32_t>(metadata.size() / 2), &error),
        error);
}

static void writeWeights(const std::string &path, Model &model,
                         const CarriedTensors &carried,
                         const std::string &steps) {
  std::vector<vit_tensor> copies = carried.views();
  std::vector<Tensor> values;
  auto isThere = [&](const std::string &name) {
    auto isCalled = [&](const auto &tensor) { return name == tensor.name; };
    return std::any_of(values.begin(), values.end(), isCalled) ||
           std::any_of(copies.begin(), copies.end(), isCalled);
  };
  for (const CheckpointTensor &stored : storedTensors(model.module())) {
    Tensor tensor;
    tensor.name = stored.name;
    tensor.allocate(VIT_F32, stored.shape);
    readStored(stored, model.parameters(), tensor.floats());
    values.push_back(std::move(tensor));
  }
  if (auto shape = emptyClassToken(model.getOptions().model);
      shape && !isThere("cls_token")) {
    values.emplace_back().name = "cls_token";
    values.back().allocate(VIT_F32, *shape);
  }
  std::vector<vit_tensor> tensors;
  tensors.reserve(values.size() + copies.size());
  for (const Tensor &tensor : values)
    tensors.push_back(tensor.view());
  tensors.insert(tensors.end(), copies.begin(), copies.end());
  // transformers rejects files without "format".
  std::vector<const char *> metadata{"format", "pt", "vit.steps",
                                     steps.c_str()};
  std::string list = carried.list();
  if (!list.empty())
    metadata.insert(metadata.end(), {format::kCarriedKey, list.c_str()});
  carried.requireWhole();
  writeTensors(path, tensors, metadata);
  carried.requireWhole();
}

static void writeState(const std::string &path, Model &model,
                       const TrainingState &state) {
  States states(model.parameters());
  std::vector<vit_tensor> tensors;
  vit_error error;
  for (Tensor &tensor : states.tensors) {
    check(vit_parameters_state_read(model.parameters(), tensor.name.c_str(),
                                    tensor.data.data(), tensor.data.size(),
                                    &error),
          error);
    tensors.push_back(tensor.view());
  }
  std::string text = jsonText(toJson(state));
  writeTensors(path, tensors, {kStateKey, text.c_str()});
}

//===----------------------------------------------------------------------===//
// Description of the model
//===----------------------------------------------------------------------===//

static Json perChannel(const vit_preprocessing &p, const float *values) {
  Json list = Json::array();
  for (int32_t c = 0; c < p.channels; ++c)
    list.push_back(shortestDecimal(values[c]));
  return list;
}

Json describePreprocessing(const vit_preprocessing &p) {
  auto size = [](int32_t height, int32_t width) -> Json {
    return {{"height", height}, {"width", width}};
  };
  bool isUnrounded = p.interpolation & format::kUnrounded;
  Json config = {{"image_processor_type", isUnrounded
                                              ? "DINOv3ViTImageProcessor"
                                              : "ViTImageProcessor"},
                 {"do_resize", p.resize_height != 0}};
  if (p.resize_height > 0 && p.resize_width < 0) // -n: cover height x n
    config["size"] = {
        {"shortest_edge", std::max(p.resize_height, -p.resize_width)}};
  else if (p.resize_height > 0)
    config["size"] = size(p.resize_height, p.resize_width);
  else
    config["size"] = size(p.height, p.width);
  config["resample"] = format::filterOf(p.interpolation);
  config["do_center_crop"] = p.center_crop != 0;
  if (p.center_crop)
    config["crop_size"] = size(p.height, p.width);
  config["do_rescale"] = true;
  config["rescale_factor"] =
      p.scale == 1.0f / 255 ? 1.0 / 255 : static_cast<double>(p.scale);
  config["do_normalize"] = true;
  config["image_mean"] = perChannel(p, p.mean);
  config["image_std"] = perChannel(p, p.std);
  config["vit_preprocessing"] = {
      {"resize_height", p.resize_height},
      {"resize_width", p.resize_width},
      {"center_crop", p.center_crop},
      {"apply_exif_orientation", p.apply_exif_orientation}};
  return config;
}

/// Whether both give the same numbers.
static bool samePreprocessing(const vit_preprocessing &a,
                              const vit_preprocessing &b) {
  bool same =
      a.channels == b.channels && a.height == b.height && a.width == b.width &&
      a.resize_height == b.resize_height && a.resize_width == b.resize_width &&
      a.center_crop == b.center_crop && a.interpolation == b.interpolation &&
      a.apply_exif_orientation == b.apply_exif_orientation &&
      a.scale == b.scale;
  for (int32_t c = 0; c < a.channels && same; ++c)
    same = a.mean[c] == b.mean[c] && a.std[c] == b.std[c];
  return same;
}

/// Whether `folder` describes `wanted` already.
static bool saysPreprocessing(const std::string &folder,
                              const vit_preprocessing &wanted) {
  vit_preprocessing said = {};
  said.struct_size = sizeof(said);
  int32_t isDefault = 0;
  char source[1024];
  return vit_preprocessing_from_folder(folder.c_str(), &said, nullptr) ==
             VIT_OK &&
         vit_preprocessing_source(folder.c_str(), &isDefault, source,
                                  sizeof(source), nullptr) == VIT_OK &&
         !isDefault && samePreprocessing(said, wanted);
}

static void copyIfThere(const std::string &from, const std::string &to,
                        const char *name) {
  if (fs::exists(from + "/" + name))
    writeFile(to + "/" + name, readFile(from + "/" + name));
}

/// `text`, a config.json, where it names the type of the stored weights with
/// the type that a checkpoint has: transformers 5 loads weights as that
/// (transformers 4 calls it torch_dtype). And timm's mean and std as trained
/// with, since timm reads no other file.
static std::string describeModel(const std::string &text,
                                 const std::string &path,
                                 const vit_preprocessing &preprocessing) {
  Json config = parseJsonObject(text, path), before = config;
  for (const char *key : {"dtype", "torch_dtype"})
    if (config.contains(key))
      config[key] = "float32";
  if (config.contains("architecture")) {
    bool isNested = config.contains("pretrained_cfg") &&
                    config["pretrained_cfg"].is_object();
    Json &timm = isNested ? config["pretrained_cfg"] : config;
    timm["mean"] = perChannel(preprocessing, preprocessing.mean);
    timm["std"] = perChannel(preprocessing, preprocessing.std);
  }
  return config == before ? text : jsonText(config, 2) + "\n";
}

/// Writes everything but tensors, so that `folder` is a MODEL.
static void writeDescription(const std::string &folder, Model &model,
                             const vit_preprocessing &preprocessing,
                             const Names &labels) {
  std::string source = model.getOptions().model;
  if (fs::is_directory(source)) {
    for (const char *name : {"model.mlir", "preprocessor_config.json"})
      copyIfThere(source, folder, name);
    if (std::string path = source + "/config.json"; fs::exists(path))
      writeFile(folder + "/config.json",
                describeModel(readFile(path), path, preprocessing));
  } else if (!model.isCompiled()) {
    std::string text = readFile(source);
    if (!labels.empty() && labels != labelsOfText(text))
      text = replaceLabels(text, labels).value_or(text);
    writeFile(folder + "/model.mlir", text);
  }
  // A text keeps its own size.
  const std::string &size = model.getOptions().imageSize;
  if (saysPreprocessing(folder, preprocessing) &&
      readTrainedSize(folder) == size)
    return;
  Json described = describePreprocessing(preprocessing);
  if (!size.empty())
    described["vit_preprocessing"]["image_size"] = size;
  writeFile(folder + "/preprocessor_config.json", described.dump(2) + "\n");
}

//===----------------------------------------------------------------------===//
// Saving
//===----------------------------------------------------------------------===//

void saveCheckpoint(const std::string &folder, Model &model,
                    const vit_preprocessing &preprocessing, const Names &labels,
                    const CarriedTensors &carried, const TrainingState &state) {
  try {
    FolderReplacement replacement(folder);
    const std::string &fresh = replacement.folder();
    TrainingState saved = state;
    saved.steps = vit_parameters_steps(model.parameters());
    writeWeights(fresh + "/model.safetensors", model, carried,
                 std::to_string(saved.steps));
    writeState(fresh + "/state.safetensors", model, saved);
    writeDescription(fresh, model, preprocessing, labels);
    replacement.commit();
  } catch (const Error &error) {
    throw Error("no checkpoint was written: " + std::string(error.what()) +
                (fs::is_directory(folder)
                     ? "; the previous one, " + folder + ", is unchanged"
                     : ""));
  } catch (const fs::filesystem_error &error) {
    throw Error("no checkpoint was written: " + std::string(error.what()));
  }
}

bool hasCheckpoint(const std::string &folder) { return recoverFolder(folder); }

std::string describeLast(bool isThere, const std::string &folder,
                         uint64_t steps) {
  return isThere ? "the last checkpoint, " + folder + ", is of step " +
                       std::to_string(steps) + "; --resume continues it"
                 : "no checkpoint was written before";
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

/// Finds `names` in `file`: returns indices, or -1 for those that differ.
/// `carried`: names that may be there, too.
template <typename Shape>
static std::vector<int64_t> match(const vit_weights *file,
                                  const std::vector<std::string> &names,
                                  const std::set<std::string> &carried,
                                  Shape shapeOf, Differences &differences) {
  std::vector<int64_t> indices;
  std::vector<bool> used(vit_weights_count(file), false);
  for (size_t i = 0; i < names.size(); ++i) {
    int64_t index = vit_weights_find(file, names[i].c_str());
    indices.push_back(index);
    if (index < 0) {
      differences.missing.push_back(names[i]);
      continue;
    }
    used[index] = true;
    std::vector<int64_t> there = shapeIn(file, index), here = shapeOf(i);
    if (there != here)
      differences.misshapen.push_back(names[i] + " is " +
                                      storedShapeText(there) + " there and " +
                                      storedShapeText(here) + " here");
  }
  for (size_t i = 0; i < used.size(); ++i) {
    vit_weight_info info = {};
    if (!used[i] &&
        vit_weights_info(file, static_cast<int64_t>(i), &info, nullptr) ==
            VIT_OK &&
        info.size > 0 && !carried.count(info.name))
      differences.unknown.push_back(info.name);
  }
  return indices;
}

/// The names of what a run's checkpoint carries.
static std::set<std::string> listCarried(const vit_weights *file) {
  const char *list = vit_weights_metadata(file, format::kCarriedKey);
  std::vector<std::string> names = split(list ? list : "", '\n');
  return {names.begin(), names.end()};
}

static TrainingState readState(const vit_weights *file,
                               const std::string &path) {
  const char *text = vit_weights_metadata(file, kStateKey);
  if (!text)
    throw Error(path +
                " is not the state of a training run: its metadata has "
                "no " +
                kStateKey);
  std::string where = path + ": its metadata " + kStateKey;
  TrainingState state;
  try {
    state = fromJson(parseJsonObject(text, where));
  } catch (const Json::exception &error) {
    throw Error(where + " is not a training run's: " + error.what());
  }
  if (state.batches < 0 || state.epochImages < 0 ||
      state.steps > static_cast<uint64_t>(state.batches))
    throw Error(where + " is damaged: no run comes to " +
                std::to_string(state.steps) + " steps, " +
                std::to_string(state.batches) + " batches and " +
                std::to_string(state.epochImages) + " pictures of an epoch");
  return state;
}

TrainingState readTrainingState(const std::string &folder) {
  std::string path = folder + "/state.safetensors";
  return readState(openWeights(path).get(), path);
}

TrainingState loadCheckpoint(const std::string &folder, Model &model,
                             CarriedTensors &carried) {
  vit_parameters *parameters = model.parameters();
  std::string weightsPath = folder + "/model.safetensors",
              statePath = folder + "/state.safetensors";
  WeightsHandle weightsFile = openWeights(weightsPath),
                stateFile = openWeights(statePath);
  TrainingState state = readState(stateFile.get(), statePath);
  const char *steps = vit_weights_metadata(weightsFile.get(), "vit.steps");
  if (!steps || std::to_string(state.steps) != steps)
    throw Error(weightsPath + " is of step " + (steps ? steps : "(not said)") +
                " and " + statePath + " of step " +
                std::to_string(state.steps) +
                ": they do not belong together; " + folder +
                ".previous is the checkpoint before, if it exists");

  // Check everything before writing anything.
  std::vector<CheckpointTensor> tensors = storedTensors(model.module());
  std::vector<std::string> names;
  names.reserve(tensors.size());
  for (const CheckpointTensor &tensor : tensors)
    names.push_back(tensor.name);
  std::set<std::string> carriedNames = listCarried(weightsFile.get());
  Differences differences;
  std::vector<int64_t> indices = match(
      weightsFile.get(), names, carriedNames,
      [&](size_t i) { return tensors[i].shape; }, differences);
  if (std::string text = differences.text(); !text.empty())
    throw Error(folder + " is a checkpoint of another model than " +
                model.getOptions().model + ": " + text);

  States states(parameters);
  names.clear();
  for (const Tensor &tensor : states.tensors)
    names.push_back(tensor.name);
  std::vector<int64_t> stateIndices = match(
      stateFile.get(), names, {},
      [&](size_t i) { return states.tensors[i].dims; }, differences);
  if (std::string text = differences.text(); !text.empty())
    throw Error(folder +
                " was trained differently (optimizer, frozen parameters, "
                "accumulation): " +
                text);

  vit_error error;
  std::vector<float> values;
  for (size_t i = 0; i < tensors.size(); ++i) {
    values.resize(tensors[i].elements());
    check(vit_weights_read_f32(weightsFile.get(), indices[i], 0,
                               tensors[i].elements(), values.data(), &error),
          error);
    writeStored(tensors[i], values.data(), parameters);
  }
  for (size_t i = 0; i < states.tensors.size(); ++i) {
    Tensor &tensor = states.tensors[i];
    vit_weight_info info = {};
    check(vit_weights_info(stateFile.get(), stateIndices[i], &info, &error),
          error);
    if (info.dtype != tensor.dtype || info.size != tensor.data.size())
      throw Error(statePath + ": " + tensor.name + " is of type " +
                  info.dtype_name + ", which it cannot be");
    // The bytes in the file may be unaligned.
    std::memcpy(tensor.data.data(), info.data, info.size);
    check(vit_weights_check_files(stateFile.get(), &error), error);
    check(vit_parameters_state_write(parameters, tensor.name.c_str(),
                                     tensor.data.data(), tensor.data.size(),
                                     &error),
          error);
  }
  vit_parameters_set_steps(parameters, state.steps);
  // The file stays mapped when a newer checkpoint replaces it.
  carried = CarriedTensors(std::move(weightsFile));
  for (const std::string &name : carriedNames)
    if (int64_t index = carried.find(name); index >= 0)
      carried.add(index, name);
  return state;
}

} // namespace vit::tools
