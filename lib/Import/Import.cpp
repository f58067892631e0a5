//===- Import.cpp - Checkpoint folders and text to graphs -----------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "vit/Import/Import.h"
#include "ConfigReader.h"
#include "vit/Dialect/Registration.h"
#include "vit/Import/ModelFolder.h"

#include "format/Diagnose.h"
#include "format/Meaning.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

#include <cmath>

using namespace mlir;
using namespace mlir::vit;

/// Far more than any list of labels needs.
static constexpr uint64_t maxConfigBytes = 64 << 20;
/// llvm::json parses recursively: deep nesting would overflow the stack.
static constexpr int maxNesting = 64;

/// Whether brackets outside strings nest deeper than maxNesting.
static bool nestsTooDeep(StringRef json) {
  int depth = 0;
  bool inText = false;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (inText && c == '\\')
      ++i;
    else if (c == '"')
      inText = !inText;
    else if (!inText && (c == '{' || c == '['))
      depth += 1;
    else if (!inText && (c == '}' || c == ']'))
      depth -= 1;
    if (depth > maxNesting)
      return true;
  }
  return false;
}

/// Sets `status`, if there is one, where the file is not JSON.
static std::optional<llvm::json::Value>
readJson(StringRef path, std::string &error, vit_status *status) {
  uint64_t size = 0;
  if (std::error_code code = llvm::sys::fs::file_size(path, size)) {
    StringRef folder = llvm::sys::path::parent_path(path);
    error = code == std::errc::no_such_file_or_directory
                ? explainMissingConfig(folder.str())
                : (path + ": " + code.message()).str();
    return std::nullopt;
  }
  if (size > maxConfigBytes) {
    error = (path + ": too long for a configuration: " + Twine(size) + " bytes")
                .str();
    return std::nullopt;
  }
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    error = (path + ": " + buffer.getError().message()).str();
    return std::nullopt;
  }
  StringRef text = (*buffer)->getBuffer();
  if (nestsTooDeep(text)) {
    error = (path + ": nested too deep for a configuration").str();
    return std::nullopt;
  }
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  const char *contents =
      value ? nullptr : ::vit::format::recognise(text.data(), text.size()).text;
  if (!value && status)
    *status = VIT_CORRUPT;
  if (contents) {
    llvm::consumeError(value.takeError());
    error = ("cannot read " + path + ": " + contents).str();
    return std::nullopt;
  }
  if (!value) {
    error =
        (path + ": not valid JSON: " + llvm::toString(value.takeError())).str();
    return std::nullopt;
  }
  return std::move(*value);
}

/// How the folder says that pictures are prepared, in a way that can be
/// followed; or nothing. `note`: what is assumed, or why nothing.
static std::optional<vit_preprocessing> readPreprocessing(StringRef folder,
                                                          std::string &note) {
  vit_preprocessing p = {};
  p.struct_size = sizeof p;
  vit_error message = {};
  vit_status status =
      vit_preprocessing_from_folder(folder.str().c_str(), &p, &message);
  // Tensors need no preparation: a command that reads pictures reports it.
  if (status != VIT_OK) {
    note = message.message + std::string("; pictures cannot be prepared");
    return std::nullopt;
  }
  char source[1024];
  int32_t isDefault = 0;
  if (vit_preprocessing_source(folder.str().c_str(), &isDefault, source,
                               sizeof source, nullptr) == VIT_OK &&
      isDefault)
    note = source;
  return p;
}

/// timm's crop_pct, if it is what the sizes of `p` follow from.
static std::optional<double> readCropShare(const llvm::json::Object &config,
                                           const vit_preprocessing &p) {
  const llvm::json::Object *pretrained = config.getObject("pretrained_cfg");
  if (!pretrained)
    pretrained = &config;
  double share = pretrained->getNumber("crop_pct").value_or(0.875);
  if (!config.get("architecture") || !(share > 0) ||
      std::floor(p.height / share) != p.resize_height)
    return std::nullopt;
  return share;
}

/// Sets `vit.preprocessing`.
static void addPreprocessing(ModuleOp module, const vit_preprocessing &p,
                             std::optional<double> cropShare) {
  Builder b(module.getContext());
  SmallVector<NamedAttribute> fields;
  auto add = [&](StringRef name, Attribute value) {
    fields.push_back(b.getNamedAttr(name, value));
  };
  auto integer = [&](int64_t value) { return b.getI64IntegerAttr(value); };
  size_t channels = p.channels;
  add("channels", integer(p.channels));
  add("height", integer(p.height));
  add("width", integer(p.width));
  add("resize_height", integer(p.resize_height));
  add("resize_width", integer(p.resize_width));
  add("center_crop", integer(p.center_crop));
  add("interpolation", integer(p.interpolation));
  add("apply_exif_orientation", integer(p.apply_exif_orientation));
  add("scale", b.getF32FloatAttr(p.scale));
  add("mean", b.getDenseF32ArrayAttr(ArrayRef(p.mean, channels)));
  add("std", b.getDenseF32ArrayAttr(ArrayRef(p.std, channels)));
  if (cropShare)
    add("crop_pct", b.getF64FloatAttr(*cropShare));
  module->setAttr("vit.preprocessing", b.getDictionaryAttr(fields));
}

/// transformers' problem_type; empty if it is not stated. transformers refuses
/// other values, too.
static std::string readProblemType(ConfigReader &reader) {
  std::string type = reader.getString("problem_type", "");
  if (!type.empty() &&
      !::vit::format::findName(::vit::format::kProblemTypes, type))
    reader.failKey("problem_type",
                   "supported are \"single_label_classification\", "
                   "\"multi_label_classification\" and \"regression\"");
  return type;
}

/// Calls the reader of the library whose model `object` describes.
static VitConfig readConfig(const llvm::json::Object &object,
                            ConfigReader &reader, const std::string &where,
                            std::string &error, const Weights *weights,
                            const vit_preprocessing *preprocessing) {
  bool isTimm =
      reader.getString("model_type", "timm_wrapper") == "timm_wrapper";
  if (reader.has("model_type") && !isTimm)
    return readTransformersConfig(object, reader, where, error, weights,
                                  preprocessing);
  if (reader.has("architecture"))
    return readTimmConfig(object, reader, where, error, weights);
  if (reader.getString("library", "") == "torchvision")
    return readTorchvisionConfig(object, reader, where, error, weights);
  if (reader.has("library"))
    return readVitPytorchConfig(object, reader, where, error, weights);
  reader.fail("no \"model_type\" (transformers), \"architecture\" (timm) or "
              "\"library\" (vit-pytorch, torchvision): nothing says which "
              "library's model this is");
  return VitConfig();
}

/// Notes labels that do not fit the head: they keep nothing from running, but
/// commands that print names refuse them.
static void noteLabels(const VitConfig &config, const ConfigReader &reader,
                       std::vector<std::string> &notes) {
  int64_t names = config.labels.size();
  if (config.headless || config.classes == 0 || names == config.classes)
    return;
  if (names > 0)
    notes.push_back("config.json names " + std::to_string(names) +
                    (names == 1 ? " class" : " classes") +
                    ", and the head has " + std::to_string(config.classes));
  else
    for (StringRef key : {"id2label", "label_names", "labels"})
      if (reader.has(key))
        notes.push_back(
            ("\"" + key +
             "\" of config.json is not read: it should name each class, "
             "{\"0\": \"cat\", ...} or [\"cat\", ...]; classes have numbers")
                .str());
}

OwningOpRef<ModuleOp> mlir::vit::importModel(StringRef given,
                                             MLIRContext *context,
                                             std::string &error,
                                             ImportNotes *notes,
                                             vit_status *status) {
  error.clear();
  std::string folder = resolveModelFolder(given.str());
  context->loadDialect<VitDialect, func::FuncDialect>();
  SmallString<128> path(folder), openClip(folder);
  llvm::sys::path::append(path, "config.json");
  llvm::sys::path::append(openClip, "open_clip_config.json");
  bool isOpenClip =
      !llvm::sys::fs::exists(path) && llvm::sys::fs::exists(openClip);
  std::string where = (isOpenClip ? openClip : path).str().str();
  std::optional<llvm::json::Value> json = readJson(where, error, status);
  if (!json)
    return nullptr;
  const llvm::json::Object *object = json->getAsObject();
  if (!object) {
    error = where + ": not a JSON object";
    return nullptr;
  }

  std::unique_ptr<Weights> weights;
  if (Weights::existIn(folder)) {
    weights = Weights::open(folder, /*seed=*/0, error, status);
    if (!weights)
      return nullptr;
  }

  ImportNotes found;
  std::optional<vit_preprocessing> preprocessing =
      readPreprocessing(folder, found.pictures);
  ConfigReader reader(*object, where, error);
  VitConfig config =
      isOpenClip
          ? readOpenClipConfig(*object, reader, where, error, weights.get())
          : readConfig(*object, reader, where, error, weights.get(),
                       preprocessing ? &*preprocessing : nullptr);
  if (reader.failed())
    return nullptr;

  config.problemType = readProblemType(reader);
  if (reader.failed())
    return nullptr;
  OwningOpRef<ModuleOp> module = buildVit(config, context);
  if (preprocessing)
    addPreprocessing(*module, *preprocessing,
                     readCropShare(*object, *preprocessing));
  noteLabels(config, reader, found.model);
  if (notes)
    *notes = std::move(found);
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (error.empty())
      error = where + ": " + diagnostic.str();
    return success();
  });
  if (failed(verify(*module)))
    return nullptr;
  return module;
}

OwningOpRef<ModuleOp> mlir::vit::loadText(StringRef path, MLIRContext *context,
                                          std::string &error) {
  error.clear();
  DialectRegistry registry;
  registerModelDialects(registry);
  context->appendDialectRegistry(registry);
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(path);
  if (!buffer) {
    error = (path + ": " + buffer.getError().message()).str();
    return nullptr;
  }
  StringRef text = (*buffer)->getBuffer();
  if (const char *contents =
          ::vit::format::recognise(text.data(), text.size()).text) {
    error = ("cannot read " + path + ": " + contents).str();
    return nullptr;
  }
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return failure();
    if (!error.empty())
      return success();
    llvm::raw_string_ostream stream(error);
    if (auto loc = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      stream << loc.getFilename().getValue() << ":" << loc.getLine() << ":"
             << loc.getColumn() << ": ";
    else
      stream << path << ": ";
    // An op with a name has no line: name it in the message.
    if (auto name = diagnostic.getLocation()->findInstanceOf<NameLoc>())
      stream << name.getName().getValue() << ": ";
    stream << diagnostic.str();
    return success();
  });
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*buffer), llvm::SMLoc());
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(context));
  if (!module && error.empty())
    error = (path + ": not a model text").str();
  return module;
}

OwningOpRef<ModuleOp> mlir::vit::loadModel(StringRef path, MLIRContext *context,
                                           std::string &error,
                                           ImportNotes *notes,
                                           vit_status *status) {
  return llvm::sys::fs::is_directory(path)
             ? importModel(path, context, error, notes, status)
             : loadText(path, context, error);
}
