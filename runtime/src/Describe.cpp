//===- Describe.cpp - Modules and devices as JSON -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Plan.h"
#include "devices/Device.h"
#include "format/Cubin.h"
#include "format/Extent.h"

#include <algorithm>

using namespace vit::runtime;
namespace format = vit::format;
namespace schema = vit::schema;

static void writeString(Text &json, const char *key,
                        const flatbuffers::String *text) {
  if (text)
    json.field(key, text->c_str());
}

static void writeStrings(
    Text &json, const char *key,
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *list) {
  json.array(key, list, [&](const flatbuffers::String *text) {
    json.item(text->c_str());
  });
}

static void writeExtent(Text &json, const char *key,
                        const schema::Extent *extent) {
  if (!extent)
    return;
  json.beginObject(key);
  json.field("times", extent->times());
  json.field("of", extent->of());
  json.field("per", extent->per());
  json.endObject();
}

static void writeBinding(Text &json, const schema::Binding &binding) {
  writeString(json, "name", binding.name());
  writeString(json, "alias", binding.alias());
  json.field("dtype", schema::EnumNameDType(binding.dtype()));
  json.numbers("dims", binding.dims());
}

static void writeCommand(Text &json, const schema::Schedule &schedule,
                         const schema::Command &command) {
  json.field("kind", schema::EnumNameCommandKind(command.kind()));
  writeString(json, "name", command.name());
  if (command.kind() == schema::CommandKind::Dispatch)
    writeString(json, "kernel",
                schedule.kernels()->Get(command.kernel())->name());
  writeExtent(json, "units", command.units());
  writeExtent(json, "flop", command.flop());
  if (command.is_update())
    json.field("is_update", true);
  if (command.results() != 0)
    json.field("results", uint32_t(command.results()));
  json.objects(
      "arguments", command.arguments(), [&](const schema::Argument &argument) {
        json.field("kind", schema::EnumNameArgumentKind(argument.kind()));
        json.field("index", argument.index());
        writeExtent(json, "bytes", &argument.bytes());
        if (argument.offset() != 0)
          json.field("offset", argument.offset());
      });
}

/// The registers of a thread, for each architecture that there is a cubin of.
static void writeRegisters(Text &json, const vit_module &module,
                           const schema::Schedule &schedule,
                           const schema::Kernel &kernel) {
  json.beginObject("registers");
  for (uint32_t i = 0; i < count(schedule.cubins()); ++i) {
    const schema::Image &image =
        *module.root->images()->Get(schedule.cubins()->Get(i));
    uint32_t registers = format::findRegisters(
        module.segments + image.data()->offset(), image.data()->size(),
        kernel.name()->string_view());
    if (registers != 0 && image.arch())
      json.field(image.arch()->c_str(), registers);
  }
  json.endObject();
}

static void writeKernel(Text &json, const vit_module &module,
                        const schema::Schedule &schedule,
                        const schema::Kernel &kernel) {
  schema::Target target = schedule.target();
  writeString(json, "name", kernel.name());
  writeString(json, "family", kernel.family());
  json.field("tile", kernel.tile() ? kernel.tile()->c_str() : "");
  json.field("image", kernel.image());
  json.field("entry", kernel.entry());
  json.field("arguments", kernel.argument_count());
  json.field("scratch", kernel.scratch());
  if (target != schema::Target::Cpu) {
    json.field("threads", kernel.threads());
    json.field("shared", kernel.shared());
  }
  if (target == schema::Target::Vulkan) {
    json.field("iterations", kernel.iterations());
    writeExtent(json, "batch_iterations", kernel.batch_iterations());
  }
  if (target == schema::Target::Cuda)
    writeRegisters(json, module, schedule, kernel);
}

static void writeSchedule(Text &json, const vit_module &module,
                          const schema::Schedule &schedule, bool chosen) {
  json.field("target", schema::EnumNameTarget(schedule.target()));
  writeString(json, "level", schedule.level());
  json.field("precision", schema::EnumNameDType(schedule.precision()));
  json.field("chosen", chosen);
  writeStrings(json, "features", schedule.features());
  json.numbers("cubins", schedule.cubins());
  json.objects("kept", schedule.kept(), [&](const schema::KeptProduct &kept) {
    writeString(json, "name", kept.name());
    const char *precision = schema::EnumNameDType(kept.precision());
    json.field("precision", *precision ? precision : "another precision");
  });
  json.objects("kernels", schedule.kernels(),
               [&](const schema::Kernel &kernel) {
                 writeKernel(json, module, schedule, kernel);
               });
  json.objects("slots", schedule.slots(), [&](const schema::Slot &slot) {
    uint64_t bytes = 0;
    json.array("values", slot.values(), [&](const schema::Extent *value) {
      uint64_t one = 0;
      evaluate(*value, 1, one);
      bytes = std::max(bytes, one);
      writeExtent(json, nullptr, value);
    });
    json.field("bytes_at_batch_1", bytes);
  });
  json.objects("commands", schedule.commands(),
               [&](const schema::Command &command) {
                 writeCommand(json, schedule, command);
               });
}

static void writeParameter(Text &json, const schema::Module &root,
                           const schema::Parameter &p) {
  writeString(json, "name", p.name());
  json.numbers("dims", p.dims());
  json.field("source", schema::EnumNameSource(p.source()));
  writeString(json, "stored_name", p.stored_name());
  json.numbers("stored_dims", p.stored_dims());
  json.field("stored_begin", p.stored_begin());
  json.field("stored_end", p.stored_end());
  if (p.source() == schema::Source::Inline ||
      p.source() == schema::Source::File)
    json.field("dtype", schema::EnumNameDType(p.dtype()));
  if (p.source() == schema::Source::File)
    writeString(json, "file", root.files()->Get(p.file())->path());
  if (p.source() == schema::Source::Init) {
    json.field("distribution", schema::EnumNameDistribution(p.distribution()));
    json.field("value", p.value());
  }
}

static void writeDerived(Text &json, const schema::Module &root,
                         const schema::Derived &d) {
  json.field("kind", schema::EnumNameDerivedKind(d.kind()));
  json.numbers("dims", d.dims());
  json.field("bytes", d.bytes());
  json.field("stored", storedBytes(d) != 0);
  json.field("element_type", schema::EnumNameDType(d.element_type()));
  if (d.kind() == schema::DerivedKind::Panels) {
    json.field("cols", d.cols());
    json.field("interleave", d.interleave());
  }
  if (d.migration())
    json.field("migrated", true);
  json.field("out_group", d.out_group());
  json.field("in_group", d.in_group());
  // Parameters by name, earlier derived forms by number.
  json.array("sources", d.sources(), [&](uint32_t source) {
    if (source < count(root.parameters()))
      json.item(root.parameters()->Get(source)->name()->c_str());
    else
      json.item(source - count(root.parameters()));
  });
}

static void writeVariable(Text &json, const schema::Module &root,
                          const schema::Variable &v) {
  writeString(json, "name", v.name());
  json.field("dtype", schema::EnumNameDType(v.dtype()));
  json.numbers("dims", v.dims());
  writeString(json, "arena", root.arenas()->Get(v.arena())->name());
  json.field("offset", v.offset());
  json.field("state", v.parameter() == 0);
  writeString(json, "role", v.role());
}

/// Whether any schedule of the entry changes variables.
static bool trains(const vit_module &module, const schema::Entry &entry) {
  for (const schema::Schedule *schedule : *entry.schedules())
    if (levelOf(*schedule) &&
        firstChange(module, *schedule) < count(schedule->commands()))
      return true;
  return false;
}

static void writePreprocessing(Text &json, const schema::Preprocessing &p) {
  json.beginObject("preprocessing");
  json.field("channels", p.channels());
  json.field("height", p.height());
  json.field("width", p.width());
  json.field("resize_height", p.resize_height());
  json.field("resize_width", p.resize_width());
  json.field("center_crop", int64_t(p.center_crop()));
  json.field("interpolation", int64_t(p.interpolation()));
  json.field("apply_exif_orientation", p.apply_exif_orientation());
  json.field("scale", p.scale());
  json.numbers("mean", p.mean());
  json.numbers("std", p.std());
  json.endObject();
}

static void writeTokens(Text &json, const schema::Tokens &tokens) {
  json.beginObject("tokens");
  json.beginArray("before_patches");
  for (uint32_t i = 0; i < count(tokens.before_patches()); ++i)
    json.item(schema::EnumNameTokenKind(tokens.before_patches()->Get(i)));
  json.endArray();
  json.field("rows", tokens.rows());
  json.field("columns", tokens.columns());
  json.endObject();
}

static void writeModule(Text &json, const vit_module &module) {
  const schema::Module &root = *module.root;
  json.beginObject(nullptr);
  writeString(json, "producer", root.producer());
  json.field("name", root.name() ? root.name()->c_str() : "");
  const format::Level *level = module.cpu.best();
  json.field("level", level ? level->name : "none");
  uint32_t number = 0;
  json.objects("entries", root.entries(), [&](const schema::Entry &entry) {
    writeString(json, "name", entry.name());
    json.field("training", trains(module, entry));
    auto write = [&](const schema::Binding &binding) {
      writeBinding(json, binding);
    };
    json.objects("inputs", entry.inputs(), write);
    json.objects("outputs", entry.outputs(), write);
    uint32_t index = number++;
    json.beginArray("precisions");
    forEachPrecision(entry,
                     [&](const char *name, ElementType) { json.item(name); });
    json.endArray();
    if (entry.preprocessing())
      writePreprocessing(json, *entry.preprocessing());
    if (entry.tokens())
      writeTokens(json, *entry.tokens());
    json.array("schedules", entry.schedules(),
               [&](const schema::Schedule *schedule) {
                 if (!levelOf(*schedule))
                   return;
                 json.beginObject(nullptr);
                 // The best of its precision.
                 const schema::Schedule *best = bestCpuSchedule(
                     module, index, ElementType(schedule->precision()));
                 writeSchedule(json, module, *schedule, schedule == best);
                 json.endObject();
               });
    json.array("ignored", entry.schedules(),
               [&](const schema::Schedule *schedule) {
                 if (!levelOf(*schedule))
                   json.item(nameOf(*schedule).text);
               });
  });
  json.objects("parameters", root.parameters(),
               [&](const schema::Parameter &parameter) {
                 writeParameter(json, root, parameter);
               });
  json.objects("derived", root.derived(), [&](const schema::Derived &derived) {
    writeDerived(json, root, derived);
  });
  json.objects("arenas", root.arenas(), [&](const schema::Arena &arena) {
    writeString(json, "name", arena.name());
    json.field("bytes", arena.bytes());
  });
  json.objects("variables", root.variables(),
               [&](const schema::Variable &variable) {
                 writeVariable(json, root, variable);
               });
  json.objects("constants", root.constants(),
               [&](const schema::Constant &constant) {
                 json.numbers("dims", constant.dims());
               });
  json.objects("images", root.images(), [&](const schema::Image &image) {
    json.field("format", schema::EnumNameImageFormat(image.format()));
    writeString(json, "arch", image.arch());
    json.field("bytes", image.data()->size());
  });
  json.objects("files", root.files(), [&](const schema::File &file) {
    writeString(json, "path", file.path());
    json.field("size", file.size());
  });
  if (root.preprocessing())
    writePreprocessing(json, *root.preprocessing());
  if (root.problem_type() != schema::ProblemType::unspecified)
    json.field("problem_type",
               schema::EnumNameProblemType(root.problem_type()));
  if (root.tokens())
    writeTokens(json, *root.tokens());
  writeStrings(json, "labels", root.labels());
  json.endObject();
}

extern "C" vit_status vit_module_describe(vit_module *module, char **out_json,
                                          vit_error *error) {
  if (!module || !out_json)
    return fail(error, VIT_INVALID_ARGUMENT, "module or out_json is NULL");
  *out_json = nullptr;
  // The first pass counts, the second writes.
  Text counted;
  writeModule(counted, *module);
  size_t size = counted.size() + 1;
  auto *memory = static_cast<char *>(module->allocator.allocate(size));
  if (!memory)
    return outOfMemory(error, size, "the module's description");
  Text json(memory, size);
  writeModule(json, *module);
  *out_json = memory;
  return VIT_OK;
}

extern "C" void vit_module_free_text(vit_module *module, char *text) {
  if (module)
    module->allocator.deallocate(text);
}

namespace {

struct DeviceFamily {
  const char *name;
  void (*describe)(Text &json);
};

constexpr DeviceFamily kDeviceFamilies[] = {{"cpu", describeCpuDevices},
                                            {"vulkan", describeVulkanDevices},
                                            {"cuda", describeCudaDevices}};

bool isWanted(const DeviceFamily &family, const char *wanted) {
  return !wanted || std::strcmp(wanted, family.name) == 0;
}

} // namespace

static void writeDevices(Text &json, const char *wanted) {
  json.beginArray(nullptr);
  for (const DeviceFamily &family : kDeviceFamilies)
    if (isWanted(family, wanted))
      family.describe(json);
  json.endArray();
}

extern "C" vit_status vit_devices_describe(const char *family, char **out_json,
                                           vit_error *error) {
  if (!out_json)
    return fail(error, VIT_INVALID_ARGUMENT, "out_json is NULL");
  *out_json = nullptr;
  bool isKnown = false;
  for (const DeviceFamily &known : kDeviceFamilies)
    isKnown = isKnown || isWanted(known, family);
  if (!isKnown)
    return fail(error, VIT_INVALID_ARGUMENT,
                "'%.200s' is no kind of device: cpu, vulkan and cuda are",
                family);
  // Querying drivers is slow, and the answer may differ the next time: write at
  // once into a buffer that is nearly always large enough.
  for (size_t size = size_t(64) << 10;;) {
    auto *memory = static_cast<char *>(std::malloc(size));
    if (!memory)
      return outOfMemory(error, size, "the description of devices");
    Text json(memory, size);
    writeDevices(json, family);
    if (json.size() < size) {
      *out_json = memory;
      return VIT_OK;
    }
    size = 2 * json.size();
    std::free(memory);
  }
}
