//===- Module.cpp - Loading a module and asking about it ------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include "Plan.h"
#include "format/Extent.h"
#include "format/Hash.h"

#include <cstdio>

using namespace vit::runtime;
namespace format = vit::format;
namespace schema = vit::schema;

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

static bool copyText(Array<char> &target, const Allocator &allocator,
                     const char *text, size_t length) {
  if (!target.allocate(allocator, length + 1))
    return false;
  std::memcpy(target.data(), text, length);
  return true;
}

const format::Level *vit::runtime::levelOf(const schema::Schedule &schedule) {
  // Later versions may know targets, levels and precisions that this one does
  // not.
  const format::Level *level = format::findLevel(
      format::Target(schedule.target()), schedule.level()->c_str());
  return level && format::findProduct(*level, ElementType(schedule.precision()))
             ? level
             : nullptr;
}

ElementType vit::runtime::precisionOf(const schema::Entry &entry,
                                      schema::Target target,
                                      const char *wanted) {
  auto precision = ElementType::F32;
  if (wanted) {
    format::parsePrecision(wanted, precision);
    return format::precisionOn(format::Target(target), precision);
  }
  for (const schema::Schedule *s : *entry.schedules())
    if (s->target() == target && levelOf(*s))
      return ElementType(s->precision());
  return precision;
}

const schema::Schedule *vit::runtime::bestCpuSchedule(const vit_module &module,
                                                      uint32_t entry,
                                                      ElementType precision) {
  int best = 0;
  const schema::Schedule *chosen = nullptr;
  for (const schema::Schedule *s : *module.entry(entry).schedules()) {
    const format::Level *level = levelOf(*s);
    if (!level || !isCode(*s, schema::Target::Cpu, precision) ||
        !module.cpu.allows(*level) || level->rank <= best)
      continue;
    best = level->rank;
    chosen = s;
  }
  return chosen;
}

vit_status
vit::runtime::loadCode(const vit_module &module,
                       const Array<const schema::Schedule *> &schedules,
                       Code &code, vit_error *error) {
  Array<uint8_t> wanted;
  uint32_t images = count(module.root->images());
  if (!wanted.allocate(module.allocator, images))
    return outOfMemory(error, images, "the module");
  for (const schema::Schedule *s : schedules)
    for (uint32_t k = 0; s && k < count(s->kernels()); ++k)
      wanted[s->kernels()->Get(k)->image()] = 1;
  return code.load(*module.root, module.segments, wanted, module.allocator,
                   error);
}

/// Chooses for each entry the best code that this machine runs.
static vit_status chooseSchedules(vit_module &module, vit_error *error) {
  const schema::Module &root = *module.root;
  if (!module.schedules.allocate(module.allocator, count(root.entries())))
    return outOfMemory(error, count(root.entries()) * 8ull, "the module");
  for (uint32_t i = 0; i < count(root.entries()); ++i)
    module.schedules[i] = bestCpuSchedule(
        module, i, precisionOf(module.entry(i), schema::Target::Cpu, nullptr));
  return loadCode(module, module.schedules, module.code, error);
}

static vit_status loadFrom(vit_module &module, const unsigned char *data,
                           uint64_t size, bool verifyWeights,
                           vit_error *error) {
  const char *name = module.name.data();
  FileHeader header;
  VIT_TRY(verifyHeader(data, size, name, header, error));
  size_t words = (header.metadataSize + 7) / 8;
  if (!module.metadata.allocate(module.allocator, words))
    return outOfMemory(error, header.metadataSize, "the module's metadata");
  std::memcpy(module.metadata.data(), data + header.metadataOffset,
              header.metadataSize);
  if (hash64(module.metadata.data(), header.metadataSize) !=
      header.metadataHash)
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: the hash of the metadata does not match its "
                "bytes",
                name);
  const auto *bytes = reinterpret_cast<const uint8_t *>(module.metadata.data());
  flatbuffers::Verifier verifier(bytes, header.metadataSize);
  if (!schema::VerifyModuleBuffer(verifier))
    return fail(error, VIT_CORRUPT,
                "'%s' is damaged: its metadata is not a FlatBuffer of a module",
                name);
  module.root = schema::GetModule(bytes);
  module.formatVersion = header.formatVersion;
  module.segments = data + header.segmentsOffset;
  module.segmentsOffset = header.segmentsOffset;
  module.segmentsSize = header.segmentsSize;
  VIT_TRY(verifyMetadata(*module.root, module.segments, module.segmentsSize,
                         verifyWeights, name, module.allocator, error));
  return chooseSchedules(module, error);
}

/// The part of loading before the file's bytes are available. Returns NULL and
/// sets `status` on failure.
static vit_module *createModule(const vit_module_options *given,
                                const char *name, const char *directory,
                                size_t directoryLength,
                                vit_module_options &options, vit_status &status,
                                vit_error *error) {
  status = readOptions(given, options, error);
  if (status != VIT_OK)
    return nullptr;
  if (options.allocator &&
      (!options.allocator->allocate || !options.allocator->deallocate)) {
    status = fail(error, VIT_INVALID_ARGUMENT,
                  "the allocator needs both allocate and deallocate");
    return nullptr;
  }
  CpuChoice cpu;
  bool levelIsKnown = readCpuChoice(cpu);
  if (options.level && !lowerRank(options.level, cpu.maxRank)) {
    status = unknownLevel("the option level", format::Target::Cpu, error);
    return nullptr;
  }
  Allocator allocator(options.allocator);
  auto *module = create<vit_module>(allocator, allocator);
  if (!module || !copyText(module->name, allocator, name, std::strlen(name)) ||
      !copyText(module->directory, allocator, directory, directoryLength)) {
    destroy(allocator, module);
    status = outOfMemory(error, sizeof(vit_module), "the module");
    return nullptr;
  }
  module->seed = options.seed;
  module->levelIsKnown = levelIsKnown;
  module->cpu = cpu;
  return module;
}

/// The end of loading: returns the module or releases it.
static vit_status finishModule(vit_status status, vit_module *module,
                               vit_module **out) {
  if (status == VIT_OK)
    *out = module;
  else
    vit_module_release(module);
  return status;
}

extern "C" vit_status vit_module_load(const char *path,
                                      const vit_module_options *given,
                                      vit_module **out_module,
                                      vit_error *error) {
  if (!path || !out_module)
    return fail(error, VIT_INVALID_ARGUMENT, "path or out_module is NULL");
  *out_module = nullptr;
  const char *slash = std::strrchr(path, '/');
  size_t length = slash ? size_t(slash - path) + 1 : 0;
  vit_module_options options;
  vit_status status;
  vit_module *module =
      createModule(given, path, path, length, options, status, error);
  if (!module)
    return status;
  status = module->file.open(path, "module", error);
  module->file.guard();
  if (status == VIT_OK)
    status = loadFrom(*module, module->file.data(), module->file.size(),
                      options.verify_weights != 0, error);
  if (status == VIT_OK || status == VIT_CORRUPT)
    if (vit_status cut = module->file.requireWhole(path, false, error))
      status = cut;
  return finishModule(status, module, out_module);
}

extern "C" vit_status vit_module_load_memory(const void *data, size_t size,
                                             const char *directory,
                                             const vit_module_options *given,
                                             vit_module **out_module,
                                             vit_error *error) {
  if (!out_module)
    return fail(error, VIT_INVALID_ARGUMENT, "out_module is NULL");
  *out_module = nullptr;
  if (!data || reinterpret_cast<uintptr_t>(data) % kAlignment != 0)
    return fail(error, VIT_INVALID_ARGUMENT,
                "the module's memory is NULL or not aligned to 64 bytes");
  // File names are appended to this without a separator.
  char prefix[4096] = "";
  int length = directory && *directory
                   ? std::snprintf(prefix, sizeof prefix, "%s/", directory)
                   : 0;
  if (length < 0 || length >= int(sizeof prefix))
    return fail(error, VIT_INVALID_ARGUMENT,
                "the directory's name is too long");
  vit_module_options options;
  vit_status status;
  vit_module *module = createModule(given, "module in memory", prefix,
                                    size_t(length), options, status, error);
  if (!module)
    return status;
  status = loadFrom(*module, static_cast<const unsigned char *>(data), size,
                    options.verify_weights != 0, error);
  return finishModule(status, module, out_module);
}

extern "C" void vit_module_retain(vit_module *module) {
  if (module)
    module->references.fetch_add(1, std::memory_order_relaxed);
}

extern "C" void vit_module_release(vit_module *module) {
  if (!module ||
      module->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  Allocator allocator = module->allocator;
  destroy(allocator, module);
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

vit_status vit::runtime::findEntry(const vit_module &module, const char *name,
                                   uint32_t &index, vit_error *error) {
  index = 0;
  if (!name)
    return VIT_OK;
  for (uint32_t i = 0; i < count(module.root->entries()); ++i)
    if (std::strcmp(module.entry(i).name()->c_str(), name) == 0) {
      index = i;
      return VIT_OK;
    }
  return fail(error, VIT_NOT_FOUND, "'%s' has no entry '%s'; its first is '%s'",
              module.name.data(), name, module.entry(0).name()->c_str());
}

vit_status vit::runtime::unknownLevel(const char *source, format::Target target,
                                      vit_error *error) {
  return fail(error, VIT_INVALID_ARGUMENT,
              "%s is set to no level of the target; choose one of %s%s", source,
              format::levelNames(target).text,
              target == format::Target::Cpu ? ", none" : "");
}

vit_status vit::runtime::unknownPrecision(const char *name, vit_error *error) {
  return fail(error, VIT_INVALID_ARGUMENT,
              "the option precision is '%.200s', which is none; choose one of "
              "%s",
              name, format::precisionNames().text);
}

vit_status vit::runtime::noPrecision(const vit_module &module, uint32_t entry,
                                     schema::Target target,
                                     const char *precision, vit_error *error) {
  char have[64] = "";
  forEachPrecision(module.entry(entry), [&](const char *name, ElementType one) {
    bool isHeld = false;
    for (const schema::Schedule *s : *module.entry(entry).schedules())
      isHeld = isHeld || isCode(*s, target, one);
    size_t used = std::strlen(have);
    if (isHeld)
      std::snprintf(have + used, sizeof have - used, "%s%s", used ? ", " : "",
                    name);
  });
  return fail(error, VIT_UNSUPPORTED,
              "entry '%s' of '%s' has no %s code in %s, but in %s; leave the "
              "precision out, or compile the model again with --precision",
              module.entry(entry).name()->c_str(), module.name.data(),
              schema::EnumNameTarget(target), precision,
              *have ? have : "no precision that this vit knows");
}

vit_status vit::runtime::noCpuSchedule(const vit_module &module, uint32_t entry,
                                       const CpuChoice &choice,
                                       vit_error *error) {
  const format::Level *best = choice.best();
  char offers[384] = "this machine offers Cpu ";
  size_t used = std::strlen(offers);
  if (best)
    std::snprintf(offers + used, sizeof offers - used, "%s", best->name);
  else
    explainNoLevel(choice, offers + used, sizeof offers - used);
  return noSchedule(module, entry, schema::Target::Cpu, offers, best != nullptr,
                    error);
}

vit_status vit::runtime::requireCpuSchedule(const vit_module &module,
                                            uint32_t entry, vit_error *error) {
  if (!module.levelIsKnown)
    return unknownLevel("VIT_CPU_LEVEL", format::Target::Cpu, error);
  return module.schedules[entry]
             ? VIT_OK
             : noCpuSchedule(module, entry, module.cpu, error);
}

format::Names vit::runtime::nameOf(const schema::Schedule &schedule) {
  char target[32] = "", precision[32] = "";
  std::snprintf(target, sizeof target, "%s",
                schema::EnumNameTarget(schedule.target()));
  if (!isKnown(schedule.target()))
    std::snprintf(target, sizeof target, "target %u",
                  unsigned(schedule.target()));
  const char *known = format::precisionName(ElementType(schedule.precision()));
  if (!known)
    std::snprintf(precision, sizeof precision, " in precision %u",
                  unsigned(schedule.precision()));
  else if (schedule.precision() != schema::DType::F32)
    std::snprintf(precision, sizeof precision, " in %s", known);
  format::Names name;
  std::snprintf(name.text, sizeof name.text, "%s %.100s%s", target,
                schedule.level()->c_str(), precision);
  return name;
}

vit_status vit::runtime::noSchedule(const vit_module &module, uint32_t entry,
                                    schema::Target target, const char *offers,
                                    bool compiles, vit_error *error) {
  bool hasTarget = false;
  char have[256] = "";
  size_t used = 0;
  for (const schema::Schedule *s : *module.entry(entry).schedules()) {
    hasTarget = hasTarget || s->target() == target;
    if (used >= sizeof have)
      continue;
    int added = std::snprintf(have + used, sizeof have - used, "%s%s%s",
                              used ? ", " : "", nameOf(*s).text,
                              levelOf(*s) ? "" : " (of a newer vit)");
    used += size_t(added);
  }
  const char *option = hasTarget                          ? "--level"
                       : target == schema::Target::Vulkan ? "--target vulkan"
                       : target == schema::Target::Cuda   ? "--target cuda"
                                                          : "--target cpu";
  return fail(error, VIT_UNSUPPORTED,
              "'%s' cannot run here: it has code for %s, and %s%s%s",
              module.name.data(), have, offers,
              compiles ? "; compile it again with " : "",
              compiles ? option : "");
}

extern "C" int32_t vit_module_entry_count(const vit_module *module) {
  return module ? int32_t(count(module->root->entries())) : 0;
}

extern "C" vit_status vit_module_entry(const vit_module *module, int32_t index,
                                       vit_entry_info *out_info,
                                       vit_error *error) {
  if (!module || !out_info)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out_info is NULL");
  if (index < 0 || uint32_t(index) >= count(module->root->entries()))
    return fail(error, VIT_NOT_FOUND, "there is no entry %d of %u", index,
                count(module->root->entries()));
  const schema::Entry &entry = module->entry(uint32_t(index));
  *out_info = {entry.name()->c_str(), int32_t(entry.inputs()->size()),
               int32_t(entry.outputs()->size())};
  return VIT_OK;
}

extern "C" const char *vit_module_precision(const vit_module *module,
                                            const char *entry, int32_t index) {
  uint32_t at;
  const char *found = nullptr;
  if (!module || findEntry(*module, entry, at, nullptr) != VIT_OK)
    return nullptr;
  forEachPrecision(module->entry(at), [&](const char *name, ElementType) {
    if (index-- == 0)
      found = name;
  });
  return found;
}

static vit_status bindingInfo(const vit_module *module, const char *entry,
                              int32_t index, bool output,
                              vit_binding_info *out_info, vit_error *error) {
  if (!module || !out_info)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out_info is NULL");
  uint32_t at;
  VIT_TRY(findEntry(*module, entry, at, error));
  const auto *list =
      output ? module->entry(at).outputs() : module->entry(at).inputs();
  if (index < 0 || uint32_t(index) >= count(list))
    return fail(error, VIT_NOT_FOUND, "entry '%s' has no %s %d of %u",
                module->entry(at).name()->c_str(), output ? "output" : "input",
                index, count(list));
  const schema::Binding &binding = *list->Get(uint32_t(index));
  *out_info = {};
  out_info->name = binding.name()->c_str();
  out_info->alias = binding.alias() ? binding.alias()->c_str() : nullptr;
  out_info->dtype = vit_dtype(binding.dtype());
  out_info->rank = int32_t(binding.dims()->size());
  for (uint32_t i = 0; i < binding.dims()->size(); ++i)
    out_info->dims[i] = binding.dims()->Get(i);
  return VIT_OK;
}

extern "C" vit_status vit_module_input(const vit_module *module,
                                       const char *entry, int32_t index,
                                       vit_binding_info *out_info,
                                       vit_error *error) {
  return bindingInfo(module, entry, index, false, out_info, error);
}

extern "C" vit_status vit_module_output(const vit_module *module,
                                        const char *entry, int32_t index,
                                        vit_binding_info *out_info,
                                        vit_error *error) {
  return bindingInfo(module, entry, index, true, out_info, error);
}

extern "C" vit_status vit_module_workspace_size(const vit_module *module,
                                                const char *entry,
                                                int64_t batch,
                                                uint64_t *out_bytes,
                                                vit_error *error) {
  if (!module || !out_bytes)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out_bytes is NULL");
  uint32_t index;
  VIT_TRY(findEntry(*module, entry, index, error));
  VIT_TRY(requireCpuSchedule(*module, index, error));
  VIT_TRY(checkBatch(batch, error));
  if (!planSlots(*module->schedules[index], batch, nullptr, nullptr,
                 *out_bytes))
    return batchTooLarge(batch, error);
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Labels, the meaning of logits and tokens, preprocessing
//===----------------------------------------------------------------------===//

extern "C" const char *vit_module_label(const vit_module *module,
                                        int32_t index) {
  if (!module || index < 0 || uint32_t(index) >= count(module->root->labels()))
    return nullptr;
  return module->root->labels()->Get(uint32_t(index))->c_str();
}

extern "C" int32_t vit_module_label_count(const vit_module *module) {
  return module ? int32_t(count(module->root->labels())) : 0;
}

extern "C" const char *vit_module_problem_type(const vit_module *module) {
  if (!module ||
      module->root->problem_type() == schema::ProblemType::unspecified)
    return nullptr;
  return schema::EnumNameProblemType(module->root->problem_type());
}

/// The size of the last dimension of the logits: of the output of that name, or
/// else of the default one.
static int64_t classCount(const vit_module &module) {
  const auto &outputs = *module.entry(0).outputs();
  const schema::Binding *logits = outputs.size() ? outputs.Get(0) : nullptr;
  for (const schema::Binding *output : outputs)
    if (std::strcmp(output->name()->c_str(), "logits") == 0)
      logits = output;
  uint32_t rank = logits ? count(logits->dims()) : 0;
  return rank ? logits->dims()->Get(rank - 1) : 0;
}

extern "C" vit_score_function
vit_module_score_function(const vit_module *module) {
  if (!module)
    return VIT_SOFTMAX;
  schema::ProblemType type = module->root->problem_type();
  if (type == schema::ProblemType::regression)
    return VIT_NO_FUNCTION;
  // The softmax of a single logit is 1 for every picture.
  bool isSigmoid = type == schema::ProblemType::multi_label_classification ||
                   classCount(*module) == 1;
  return isSigmoid ? VIT_SIGMOID : VIT_SOFTMAX;
}

extern "C" vit_status vit_module_tokens(const vit_module *module,
                                        vit_token_info *out, vit_error *error) {
  return vit_module_entry_tokens(module, nullptr, out, error);
}

extern "C" vit_status vit_module_entry_tokens(const vit_module *module,
                                              const char *entry,
                                              vit_token_info *out,
                                              vit_error *error) {
  if (!module || !out)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out is NULL");
  if (out->struct_size < sizeof(size_t) || out->struct_size > 4096)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size is %zu: set it to sizeof(vit_token_info)",
                out->struct_size);
  uint32_t at = 0;
  VIT_TRY(findEntry(*module, entry, at, error));
  const schema::Tokens *tokens = module->entry(at).tokens();
  if (!tokens)
    tokens = module->root->tokens();
  if (!tokens)
    return fail(error, VIT_NOT_FOUND,
                "'%s' does not say which tokens there are before the patches",
                module->name.data());
  vit_token_info full = {};
  full.struct_size = out->struct_size;
  full.before_patches = int32_t(count(tokens->before_patches()));
  full.rows = int32_t(tokens->rows());
  full.columns = int32_t(tokens->columns());
  full.class_token = full.distillation_token = -1;
  for (int32_t i = full.before_patches - 1; i >= 0; --i) {
    schema::TokenKind kind = tokens->before_patches()->Get(uint32_t(i));
    if (kind == schema::TokenKind::ClassToken)
      full.class_token = i;
    else if (kind == schema::TokenKind::DistillationToken)
      full.distillation_token = i;
  }
  std::memcpy(out, &full,
              full.struct_size < sizeof full ? full.struct_size : sizeof full);
  return VIT_OK;
}

extern "C" vit_status vit_module_preprocessing(const vit_module *module,
                                               vit_preprocessing *out,
                                               vit_error *error) {
  return vit_module_entry_preprocessing(module, nullptr, out, error);
}

extern "C" vit_status vit_module_entry_preprocessing(const vit_module *module,
                                                     const char *entry,
                                                     vit_preprocessing *out,
                                                     vit_error *error) {
  if (!module || !out)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out is NULL");
  if (out->struct_size < sizeof(size_t) || out->struct_size > 4096)
    return fail(error, VIT_INVALID_ARGUMENT,
                "struct_size is %zu: set it to sizeof(vit_preprocessing)",
                out->struct_size);
  uint32_t at = 0;
  VIT_TRY(findEntry(*module, entry, at, error));
  const schema::Preprocessing *p = module->entry(at).preprocessing();
  if (!p)
    p = module->root->preprocessing();
  if (!p)
    return fail(error, VIT_NOT_FOUND,
                "'%s' does not say how pictures are prepared",
                module->name.data());
  vit_preprocessing full = {};
  full.struct_size = out->struct_size;
  full.channels = int32_t(p->channels());
  full.height = int32_t(p->height());
  full.width = int32_t(p->width());
  full.resize_height = p->resize_height();
  full.resize_width = p->resize_width();
  full.center_crop = int32_t(p->center_crop());
  full.interpolation = int32_t(p->interpolation());
  full.apply_exif_orientation = p->apply_exif_orientation();
  full.scale = p->scale();
  for (uint32_t i = 0; i < p->channels(); ++i) {
    full.mean[i] = p->mean()->Get(i);
    full.std[i] = p->std()->Get(i);
  }
  std::memcpy(out, &full,
              full.struct_size < sizeof full ? full.struct_size : sizeof full);
  return VIT_OK;
}
