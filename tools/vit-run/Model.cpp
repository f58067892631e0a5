//===- Model.cpp - The MODEL argument of the commands ---------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model.h"

#include "Cache.h"
#include "DeviceList.h"
#include "ImageSize.h"
#include "vit/Import/ModelFolder.h"

#include "format/Level.h"
#include "format/PictureSizes.h"
#include "format/WeightNames.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sys/mman.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace vit::tools {

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Model::Model(const CommonOptions &given, std::vector<std::string> outputs,
             std::optional<TrainingRequest> training)
    : options(given), outputs(std::move(outputs)),
      training(std::move(training)) {
  options.model = mlir::vit::resolveModelFolder(options.model);
  const std::string &path = options.model;
  std::error_code error;
  bool isFolder = fs::is_directory(path, error);
  // A checkpoint of a model that was a text: the text and its weights.
  if (fs::path folder = path; isFolder &&
                              !fs::exists(folder / "config.json", error) &&
                              fs::exists(folder / "model.mlir", error)) {
    textFolder = path;
    options.model = (folder / "model.mlir").string();
    if (options.weights.empty())
      options.weights = (folder / "model.safetensors").string();
    isFolder = false;
  }
  if (options.imageSize.empty())
    options.imageSize = readTrainedSize(isFolder ? path : textFolder);
  if (!isFolder && !fs::exists(path, error))
    throw Error(mlir::vit::explainMissingModel(path) +
                "; MODEL is a .vitm file, a .mlir text or a checkpoint's "
                "folder");
  compiled = !isFolder && !endsWith(path, ".mlir");
  if (std::any_of(std::begin(format::kWeightEndings),
                  std::end(format::kWeightEndings),
                  [&](const char *end) { return endsWith(path, end); }))
    throw Error(path + " holds weights alone; MODEL is the folder that holds "
                       "them and config.json");
  if (!compiled) {
    for (std::string &name : this->outputs)
      name = canonicalName(name);
    return;
  }
  if (options.isReference())
    throw Error("--device reference evaluates texts and folders; a compiled "
                "module holds no graph");
  if (!options.weights.empty())
    throw Error("--weights requires a .mlir text; " + path +
                " is already compiled (vit-compile TEXT --weights FILE)");
  if (!options.skipPasses.empty() || !options.dumpIr.empty() ||
      !options.keep.empty())
    throw Error("--skip-pass, --keep and --dump-ir require a text or a "
                "folder; " +
                path + " is already compiled");
}

vit_status Model::load(const std::string &path, vit_error &error) {
  vit_module_options moduleOptions = {};
  moduleOptions.struct_size = sizeof(moduleOptions);
  bool limitsCpu = !options.isGpu() && !options.level.empty();
  moduleOptions.level = limitsCpu ? options.level.c_str() : nullptr;
  moduleOptions.seed = options.seed;
  vit_module *module = nullptr;
  vit_status status =
      vit_module_load(path.c_str(), &moduleOptions, &module, &error);
  handle.reset(module);
  return status;
}

CompilerOptions Model::compilerOptions() const {
  CompilerOptions result;
  result.model = options.model;
  result.weights = options.weights;
  result.imageSize = options.imageSize;
  result.allowUnused = options.allowUnused;
  result.seed = options.seed;
  result.outputs = join(outputs, ",");
  result.skipPasses = join(options.skipPasses, ",");
  result.dumpIr = options.dumpIr;
  result.keep = join(options.keep, ",");
  result.precision = options.codePrecision();
  result.training = training;
  return result;
}

void Model::compileTo(const std::string &path, const CompilerOptions &wanted) {
  vit_compiler_request request = wanted.createRequest(VIT_COMPILER_COMPILE);
  request.output_path = path.c_str();
  std::string level = wanted.level.empty() ? wanted.target : wanted.level;
  if (wanted.precision != "f32")
    level += " in " + wanted.precision;
  if (!options.quiet)
    std::fprintf(stderr, "note: compiling %s for %s\n", wanted.model.c_str(),
                 level.c_str());
  isNew = true;
  double begin = now();
  runCompilerApart(request, options.quiet);
  if (options.verbose)
    std::fprintf(stderr, "compiled %s for %s in %.2f s\n", wanted.model.c_str(),
                 level.c_str(), now() - begin);
}

/// Whether `cached` was there and has been loaded. It may be damaged: then it
/// is compiled again.
bool Model::findInCache(const std::string &cached) {
  vit_error error;
  if (cached.empty() || !options.dumpIr.empty() ||
      access(cached.c_str(), R_OK) != 0 || load(cached, error) != VIT_OK)
    return false;
  markUsed(cached);
  if (options.verbose)
    std::fprintf(stderr, "found in the cache: %s\n", cached.c_str());
  return true;
}

/// False, with the reason, if the file could not be written or read back.
bool Model::compileToFile(const std::string &path,
                          const CompilerOptions &wanted, std::string &reason) {
  try {
    compileTo(path, wanted);
  } catch (const CompilerFileError &error) {
    reason = error.what();
    return false;
  }
  vit_error error;
  vit_status status = load(path, error);
  if (status == VIT_OK)
    return true;
  // Another process may have removed or replaced it.
  if (status != VIT_IO_ERROR && status != VIT_NOT_FOUND &&
      status != VIT_CORRUPT)
    throw Error(error.message);
  reason = error.message;
  return false;
}

/// As compileToFile, in TMPDIR. Only the mapping of the file remains.
bool Model::compileToTemporary(const CompilerOptions &wanted,
                               std::string &reason) {
  const char *temporary = std::getenv("TMPDIR");
  std::string path = std::string(temporary && *temporary ? temporary : "/tmp") +
                     "/vit-run-XXXXXX.vitm";
  int file = mkstemps(path.data(), 5);
  if (file < 0)
    return false;
  close(file);
  struct Remover {
    const std::string &path;
    ~Remover() { unlink(path.c_str()); }
  } remover = {path};
  return compileToFile(path, wanted, reason);
}

/// The last resort: a file in memory, which needs no folder.
void Model::compileToMemory(const CompilerOptions &wanted) {
  int file = memfd_create("vit-module", 0);
  if (file < 0)
    throw Error(std::string("cannot write the compiled model: ") +
                std::strerror(errno) +
                "; set TMPDIR to a folder that can be written");
  struct Closer {
    int file;
    ~Closer() { close(file); }
  } closer = {file};
  std::string path = "/proc/self/fd/" + std::to_string(file);
  compileTo(path, wanted);
  vit_error error;
  check(load(path, error), error);
}

void Model::compileAndLoad() {
  CompilerOptions wanted = compilerOptions();
  // For a GPU, compile all levels unless one is given: the runtime chooses the
  // one that the device can use.
  wanted.target = options.isGpu() ? options.family() : "cpu";
  wanted.level = options.level;
  if (!options.isGpu()) {
    wanted.level = cpuLevel(options.level, options.codePrecision());
    const char *least = format::levelsOf(format::Target::Cpu).back().name;
    if (wanted.level == "none" && !options.isReference())
      throw Error("this processor (or VIT_CPU_LEVEL) offers no level that vit "
                  "has code for; " +
                  std::string(least) +
                  " is the least "
                  "(--device reference runs anywhere, slowly)");
    if (wanted.level == "none")
      wanted.level = least;
  }
  std::string cached = options.noCache ? "" : cachePath(wanted);
  if (findInCache(cached))
    return;
  std::string reason;
  if (!cached.empty() && compileToFile(cached, wanted, reason)) {
    describeCached(cached, wanted);
    trimCache();
    return;
  }
  std::string temporaryReason;
  if (!compileToTemporary(wanted, temporaryReason))
    compileToMemory(wanted);
  static bool warned = false;
  if (!reason.empty() && !warned)
    std::fprintf(stderr, "warning: the compiled model is not kept: %s\n",
                 reason.c_str());
  warned = true;
}

vit_module *Model::module() {
  if (handle)
    return handle.get();
  if (compiled) {
    vit_error error;
    check(load(options.model, error), error);
    chooseEntry();
  } else {
    compileAndLoad();
  }
  return handle.get();
}

/// Finds the entry of a compiled module that reads pictures of --image-size.
void Model::chooseEntry() {
  if (options.imageSize.empty())
    return;
  std::string sizes;
  vit_entry_info entry = {};
  vit_binding_info input = {};
  for (int32_t i = 0; i < vit_module_entry_count(handle.get()); ++i) {
    if (vit_module_entry(handle.get(), i, &entry, nullptr) != VIT_OK ||
        vit_module_input(handle.get(), entry.name, 0, &input, nullptr) !=
            VIT_OK ||
        input.rank != 4)
      continue;
    std::string height = std::to_string(input.dims[2]);
    std::string size = height + "x" + std::to_string(input.dims[3]);
    if (options.imageSize == size ||
        (options.imageSize == height && input.dims[2] == input.dims[3])) {
      entryName = entry.name;
      return;
    }
    if (sizes.find(size) == std::string::npos)
      sizes += (sizes.empty() ? "" : ", ") + size;
  }
  throw Error(options.model + " is compiled for pictures of " +
              (sizes.empty() ? "no size" : sizes) +
              "; compile its model again with vit-compile --image-size " +
              options.imageSize);
}

const char *Model::entry() {
  module();
  return entryName.empty() ? nullptr : entryName.c_str();
}

vit_parameters *Model::parameters() {
  if (!weights) {
    vit_error error;
    vit_parameters *created = nullptr;
    check(vit_parameters_create(module(), &created, &error), error);
    weights.reset(created);
  }
  return weights.get();
}

vit_binding_info Model::inputInfo() {
  vit_error error;
  vit_binding_info info = {};
  check(vit_module_input(module(), entry(), 0, &info, &error), error);
  return info;
}

std::vector<vit_binding_info> Model::outputInfos() {
  vit_error error;
  vit_entry_info info = {};
  int32_t index = 0;
  do
    check(vit_module_entry(module(), index++, &info, &error), error);
  while (!entryName.empty() && entryName != info.name);
  std::vector<vit_binding_info> infos(info.output_count);
  for (int32_t i = 0; i < info.output_count; ++i)
    check(vit_module_output(module(), entry(), i, &infos[i], &error), error);
  return infos;
}

bool Model::hasEntry(const std::string &name) {
  vit_entry_info entry = {};
  for (int32_t i = 0; i < vit_module_entry_count(module()); ++i)
    if (vit_module_entry(module(), i, &entry, nullptr) == VIT_OK &&
        name == entry.name)
      return true;
  return false;
}

bool Model::hasOutput(const std::string &name) {
  for (const vit_binding_info &info : outputInfos())
    if (name == info.name || (info.alias && name == info.alias))
      return true;
  return false;
}

/// What the libraries return as the embedding of a picture: CLIP's image_embeds
/// (projected), the pooler_output of transformers' headless models, and what
/// the head of a classifier reads (timm's forward_head(pre_logits=True)).
static constexpr const char *kEmbeddings[] = {"image_embeds", "pooler_output",
                                              "features"};

std::string findEmbedding(Model &model) {
  for (const char *name : kEmbeddings)
    if (model.hasOutput(name))
      return name;
  return "";
}

std::string chooseEmbedding(Model &model) {
  std::string name = findEmbedding(model);
  if (!name.empty())
    return name;
  if (model.isCompiled())
    throw Error(model.getOptions().model +
                " has none of the outputs image_embeds, pooler_output and "
                "features; compile it with --outputs features, or name an "
                "output with --name");
  if (!model.hasOutput("logits"))
    std::fprintf(stderr,
                 "note: the model has no pooled output of its own; the "
                 "embedding is 'features', what a classifier of its family "
                 "reads (--name takes another output)\n");
  return "features"; // Computed only where asked for.
}

/// As the library writes the sizes of pictures.
static std::string sizeText(int64_t width, int64_t height) {
  return std::to_string(width) + " x " + std::to_string(height);
}

std::string describePreparation(const vit_preprocessing &p) {
  static const char *const filters[] = {"nearest", "lanczos", "bilinear",
                                        "bicubic", "box",     "hamming"};
  std::string text = "not resized";
  if (p.resize_height != 0)
    text =
        (p.resize_width > 0
             ? "resized to " + sizeText(p.resize_width, p.resize_height)
         : p.resize_height < 0 ? "resized to fit into " +
                                     sizeText(-p.resize_width, -p.resize_height)
         : p.resize_width == -1
             ? "shorter edge resized to " + std::to_string(p.resize_height)
             : "resized to cover " +
                   sizeText(-p.resize_width, p.resize_height)) +
        " (" +
        filters[std::clamp(format::filterOf(p.interpolation), 0,
                           format::kLastFilter)] +
        (p.interpolation & format::kUnrounded ? ", not rounded to bytes)"
                                              : ")");
  text += (p.center_crop ? ", cropped in the middle to " : ", input ") +
          sizeText(p.width, p.height);
  if (p.scale != 1.0f / 255) {
    char number[32];
    std::snprintf(number, sizeof(number), ", values x %g", p.scale);
    text += number;
  }
  for (const float *values : {p.mean, p.std}) {
    text += values == p.mean ? ", mean" : ", std";
    for (int32_t c = 0; c < std::clamp(p.channels, 0, 4); ++c) {
      char number[32];
      std::snprintf(number, sizeof(number), "%s%g", c ? ", " : " ", values[c]);
      text += number;
    }
  }
  return text;
}

std::string Model::explainPreprocessing(bool &isDefault) {
  isDefault = false;
  char text[1024];
  int32_t assumed = 0;
  std::error_code ignored;
  if (!fs::is_directory(options.model, ignored) ||
      vit_preprocessing_source(options.model.c_str(), &assumed, text,
                               sizeof(text), nullptr) != VIT_OK)
    return options.model;
  isDefault = assumed != 0;
  return text;
}

void scalePreprocessing(vit_preprocessing &preprocessing, int64_t height,
                        int64_t width) {
  format::PictureSizes sizes = {preprocessing.height, preprocessing.width,
                                preprocessing.resize_height,
                                preprocessing.resize_width};
  sizes = format::scalePictureSizes(sizes, height, width);
  preprocessing.height = static_cast<int32_t>(sizes.height);
  preprocessing.width = static_cast<int32_t>(sizes.width);
  preprocessing.resize_height = static_cast<int32_t>(sizes.resizeHeight);
  preprocessing.resize_width = static_cast<int32_t>(sizes.resizeWidth);
}

std::optional<vit_preprocessing> Model::findPreprocessing() {
  vit_error error;
  vit_preprocessing result = {};
  result.struct_size = sizeof(result);
  std::error_code ignored;
  // The settings of its training take precedence over those of the text.
  if (!textFolder.empty() &&
      fs::exists(fs::path(textFolder) / "preprocessor_config.json", ignored)) {
    check(vit_preprocessing_from_folder(textFolder.c_str(), &result, &error),
          error);
    if (!options.imageSize.empty()) {
      vit_binding_info input = inputInfo();
      scalePreprocessing(result, input.dims[2], input.dims[3]);
    }
    return result;
  }
  // The folder's message says why there is nothing in the module.
  vit_status status =
      vit_module_entry_preprocessing(module(), entry(), &result, &error);
  if (status == VIT_NOT_FOUND && fs::is_directory(options.model, ignored))
    status =
        vit_preprocessing_from_folder(options.model.c_str(), &result, &error);
  if (status == VIT_NOT_FOUND)
    return std::nullopt;
  check(status, error);
  return result;
}

vit_preprocessing Model::preprocessing(bool always) {
  std::optional<vit_preprocessing> found = findPreprocessing();
  if (!found)
    throw Error(options.model +
                " does not say how pictures are prepared; its "
                "input is " +
                shapeText(dimsOf(inputInfo())));
  checkLabels();
  // Another size changes what pictures are resized to: say how.
  reportPreparation(*found, always || !options.imageSize.empty());
  vit_binding_info input = inputInfo();
  if (input.rank == 4 && input.dims[1] == found->channels &&
      (input.dims[2] != found->height || input.dims[3] != found->width)) {
    bool isDefault = false;
    throw Error(
        explainPreprocessing(isDefault) + ": pictures are prepared as " +
        sizeText(found->width, found->height) + ", and the model takes " +
        sizeText(input.dims[3], input.dims[2]) +
        "; mend size or crop_size, or give --image-size " +
        std::to_string(found->height) +
        (found->height == found->width ? ""
                                       : "x" + std::to_string(found->width)));
  }
  return *found;
}

void Model::reportPreparation(const vit_preprocessing &preprocessing,
                              bool always) {
  bool isDefault = false;
  std::string source = explainPreprocessing(isDefault);
  std::string text = describePreparation(preprocessing);
  if (isDefault)
    std::fprintf(stderr, "warning: %s: pictures %s\n", source.c_str(),
                 text.c_str());
  else if (always || options.verbose)
    std::fprintf(stderr, "pictures: %s (from %s)\n", text.c_str(),
                 source.c_str());
}

void Model::checkLabels() {
  vit_binding_info output = outputInfos().front();
  int64_t labels = vit_module_label_count(module());
  if (labels > 0 && canonicalName(output.name) == "logits" &&
      output.rank == 2 && labels != output.dims[1])
    throw Error(options.model + ": there are labels for " +
                std::to_string(labels) + " classes, and the head has " +
                std::to_string(output.dims[1]) +
                "; mend id2label (label_names, labels) in config.json");
}

void Model::reportCode(const vit_code_info &code) {
  std::string text =
      std::string("runs in ") + code.precision + " at level " + code.level;
  if (code.is_widened)
    text += std::string(", which has no instruction for products in ") +
            code.precision + ": operands are widened to f32";
  if (options.verbose && text != reportedCode)
    std::fprintf(stderr, "%s\n", text.c_str());
  reportedCode = text;
  static bool noted = false;
  if (options.precision != "tf32" || options.codePrecision() == "tf32" || noted)
    return;
  noted = true;
  std::fprintf(stderr,
               "note: --precision tf32: products on %s are computed in f32, "
               "without rounding their operands; those in tf32 are for cuda\n",
               options.family().c_str());
}

std::string Model::label(int32_t index) {
  const char *text = vit_module_label(module(), index);
  return text ? text : std::to_string(index);
}

std::string canonicalName(const std::string &output) {
  return output == VIT_COMPILER_LOGITS_ALIAS ? "logits" : output;
}

std::string parameterName(const vit_binding_info &info) {
  if (!info.alias)
    return info.name;
  return std::string(info.alias) + " (" + info.name + ")";
}

std::string Model::parameterName(const std::string &name) {
  vit_binding_info info = {};
  for (int32_t i = 0; i < vit_parameters_count(parameters()); ++i)
    if (vit_parameters_info(parameters(), i, &info, nullptr) == VIT_OK &&
        name == info.name)
      return tools::parameterName(info);
  return name;
}

} // namespace vit::tools
