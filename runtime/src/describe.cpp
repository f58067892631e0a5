//===- describe.cpp - Modules and devices as JSON -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "devices/device.h"
#include "format/extent.h"
#include "plan.h"

using namespace vit::runtime;
namespace format = vit::format;
namespace schema = vit::schema;

static void writeDims(Text &json, const Dims &dims) {
  json.beginArray("dims");
  for (int64_t dim : dims)
    json.item(dim);
  json.endArray();
}

static void writeExtent(Text &json, const char *key,
                        const schema::Extent *extent) {
  if (!extent)
    return;
  json.beginObject(key);
  json.field("times", int64_t(extent->times()));
  json.field("of", int64_t(extent->of()));
  json.field("per", int64_t(extent->per()));
  json.endObject();
}

static void writeBindings(
    Text &json, const char *key,
    const flatbuffers::Vector<flatbuffers::Offset<schema::Binding>> &list) {
  json.beginArray(key);
  for (const schema::Binding *binding : list) {
    json.beginObject(nullptr);
    json.field("name", binding->name()->c_str());
    if (binding->alias())
      json.field("alias", binding->alias()->c_str());
    json.field("dtype", schema::EnumNameDType(binding->dtype()));
    writeDims(json, *binding->dims());
    json.endObject();
  }
  json.endArray();
}

static void writeCommand(Text &json, const schema::Schedule &schedule,
                         const schema::Command &command) {
  json.beginObject(nullptr);
  json.field("kind", schema::EnumNameCommandKind(command.kind()));
  if (command.name())
    json.field("name", command.name()->c_str());
  if (command.kind() == schema::CommandKind::Dispatch)
    json.field("kernel",
               schedule.kernels()->Get(command.kernel())->name()->c_str());
  writeExtent(json, "units", command.units());
  writeExtent(json, "flop", command.flop());
  json.beginArray("arguments");
  for (uint32_t i = 0; command.arguments() && i < command.arguments()->size();
       ++i) {
    const schema::Argument &argument = *command.arguments()->Get(i);
    json.beginObject(nullptr);
    json.field("kind", schema::EnumNameArgumentKind(argument.kind()));
    json.field("index", int64_t(argument.index()));
    if (argument.offset() != 0)
      json.field("offset", int64_t(argument.offset()));
    json.endObject();
  }
  json.endArray();
  json.endObject();
}

static void writeSchedule(Text &json, const schema::Schedule &schedule,
                          bool chosen) {
  json.beginObject(nullptr);
  json.field("target", schema::EnumNameTarget(schedule.target()));
  json.field("level", schedule.level()->c_str());
  json.field("precision", schema::EnumNameDType(schedule.precision()));
  json.field("chosen", chosen);
  json.beginArray("features");
  for (uint32_t i = 0; i < count(schedule.features()); ++i)
    json.item(schedule.features()->Get(i)->c_str());
  json.endArray();
  json.beginArray("cubins");
  for (uint32_t i = 0; i < count(schedule.cubins()); ++i)
    json.item(int64_t(schedule.cubins()->Get(i)));
  json.endArray();
  json.beginArray("kernels");
  for (uint32_t i = 0; i < count(schedule.kernels()); ++i) {
    const schema::Kernel &kernel = *schedule.kernels()->Get(i);
    json.beginObject(nullptr);
    json.field("name", kernel.name()->c_str());
    json.field("family", kernel.family()->c_str());
    json.field("tile", kernel.tile() ? kernel.tile()->c_str() : "");
    json.field("image", int64_t(kernel.image()));
    json.field("entry", int64_t(kernel.entry()));
    json.field("arguments", int64_t(kernel.argument_count()));
    json.field("scratch", int64_t(kernel.scratch()));
    if (schedule.target() != schema::Target::Cpu) {
      json.field("threads", int64_t(kernel.threads()));
      json.field("shared", int64_t(kernel.shared()));
    }
    if (schedule.target() == schema::Target::Vulkan) {
      json.field("iterations", int64_t(kernel.iterations()));
      writeExtent(json, "batch_iterations", kernel.batch_iterations());
    }
    json.endObject();
  }
  json.endArray();
  json.beginArray("slots");
  for (uint32_t i = 0; i < count(schedule.slots()); ++i) {
    const auto *values = schedule.slots()->Get(i)->values();
    uint64_t bytes = 0;
    json.beginObject(nullptr);
    json.beginArray("values");
    for (uint32_t v = 0; values && v < values->size(); ++v) {
      uint64_t one = 0;
      evaluate(*values->Get(v), 1, one);
      bytes = one > bytes ? one : bytes;
      writeExtent(json, nullptr, values->Get(v));
    }
    json.endArray();
    json.field("bytes_at_batch_1", int64_t(bytes));
    json.endObject();
  }
  json.endArray();
  json.beginArray("commands");
  for (uint32_t i = 0; i < count(schedule.commands()); ++i)
    writeCommand(json, schedule, *schedule.commands()->Get(i));
  json.endArray();
  json.endObject();
}

static void writeParameters(Text &json, const schema::Module &root) {
  json.beginArray("parameters");
  for (uint32_t i = 0; i < count(root.parameters()); ++i) {
    const schema::Parameter &p = *root.parameters()->Get(i);
    json.beginObject(nullptr);
    json.field("name", p.name()->c_str());
    writeDims(json, *p.dims());
    json.field("source", schema::EnumNameSource(p.source()));
    json.field("stored_name", p.stored_name()->c_str());
    json.beginArray("stored_dims");
    for (int64_t dim : *p.stored_dims())
      json.item(dim);
    json.endArray();
    json.field("stored_begin", int64_t(p.stored_begin()));
    json.field("stored_end", int64_t(p.stored_end()));
    if (p.source() == schema::Source::Inline ||
        p.source() == schema::Source::File)
      json.field("dtype", schema::EnumNameDType(p.dtype()));
    if (p.source() == schema::Source::File)
      json.field("file", root.files()->Get(p.file())->path()->c_str());
    if (p.source() == schema::Source::Init) {
      json.field("distribution",
                 schema::EnumNameDistribution(p.distribution()));
      json.field("value", p.value());
    }
    json.endObject();
  }
  json.endArray();
  json.beginArray("derived");
  for (uint32_t i = 0; i < count(root.derived()); ++i) {
    const schema::Derived &d = *root.derived()->Get(i);
    json.beginObject(nullptr);
    json.field("kind", schema::EnumNameDerivedKind(d.kind()));
    writeDims(json, *d.dims());
    json.field("bytes", int64_t(d.bytes()));
    json.field("stored", storedBytes(d) != 0);
    if (d.kind() == schema::DerivedKind::Panels)
      json.field("cols", int64_t(d.cols()));
    json.field("out_group", int64_t(d.out_group()));
    json.field("in_group", int64_t(d.in_group()));
    // Parameters by name, earlier derived forms by number.
    json.beginArray("sources");
    for (uint32_t source : sourcesOf(d))
      if (source < count(root.parameters()))
        json.item(root.parameters()->Get(source)->name()->c_str());
      else
        json.item(int64_t(source - count(root.parameters())));
    json.endArray();
    json.endObject();
  }
  json.endArray();
}

static void writeVariables(Text &json, const schema::Module &root) {
  json.beginArray("arenas");
  for (uint32_t i = 0; i < count(root.arenas()); ++i) {
    json.beginObject(nullptr);
    json.field("name", root.arenas()->Get(i)->name()->c_str());
    json.field("bytes", int64_t(root.arenas()->Get(i)->bytes()));
    json.endObject();
  }
  json.endArray();
  json.beginArray("variables");
  for (uint32_t i = 0; i < count(root.variables()); ++i) {
    const schema::Variable &v = *root.variables()->Get(i);
    json.beginObject(nullptr);
    json.field("name", v.name()->c_str());
    json.field("dtype", schema::EnumNameDType(v.dtype()));
    writeDims(json, *v.dims());
    json.field("arena", root.arenas()->Get(v.arena())->name()->c_str());
    json.field("offset", int64_t(v.offset()));
    json.field("state", v.parameter() == 0);
    if (v.role())
      json.field("role", v.role()->c_str());
    json.endObject();
  }
  json.endArray();
}

/// Whether any schedule of the entry changes variables.
static bool trains(const vit_module &module, const schema::Entry &entry) {
  for (const schema::Schedule *schedule : *entry.schedules())
    if (firstChange(module, *schedule) < count(schedule->commands()))
      return true;
  return false;
}

static void writePreprocessing(Text &json, const schema::Preprocessing &p) {
  json.beginObject("preprocessing");
  json.field("channels", int64_t(p.channels()));
  json.field("height", int64_t(p.height()));
  json.field("width", int64_t(p.width()));
  json.field("resize_height", int64_t(p.resize_height()));
  json.field("resize_width", int64_t(p.resize_width()));
  json.field("center_crop", int64_t(p.center_crop()));
  json.field("interpolation", int64_t(p.interpolation()));
  json.field("apply_exif_orientation", p.apply_exif_orientation());
  json.field("scale", double(p.scale()));
  json.beginArray("mean");
  for (float value : *p.mean())
    json.item(double(value));
  json.endArray();
  json.beginArray("std");
  for (float value : *p.std())
    json.item(double(value));
  json.endArray();
  json.endObject();
}

static void writeModule(Text &json, const vit_module &module) {
  const schema::Module &root = *module.root;
  json.beginObject(nullptr);
  json.field("producer", root.producer()->c_str());
  json.field("name", root.name() ? root.name()->c_str() : "");
  const format::Level *level = module.cpu.best();
  json.field("level", level ? level->name : "none");
  json.beginArray("entries");
  for (uint32_t i = 0; i < count(root.entries()); ++i) {
    const schema::Entry &entry = module.entry(i);
    json.beginObject(nullptr);
    json.field("name", entry.name()->c_str());
    json.field("training", trains(module, entry));
    writeBindings(json, "inputs", *entry.inputs());
    writeBindings(json, "outputs", *entry.outputs());
    json.beginArray("schedules");
    for (const schema::Schedule *schedule : *entry.schedules())
      writeSchedule(json, *schedule, schedule == module.schedules[i]);
    json.endArray();
    json.endObject();
  }
  json.endArray();
  writeParameters(json, root);
  writeVariables(json, root);
  json.beginArray("constants");
  for (uint32_t i = 0; i < count(root.constants()); ++i) {
    json.beginObject(nullptr);
    writeDims(json, *root.constants()->Get(i)->dims());
    json.endObject();
  }
  json.endArray();
  json.beginArray("images");
  for (uint32_t i = 0; i < count(root.images()); ++i) {
    json.beginObject(nullptr);
    const schema::Image &image = *root.images()->Get(i);
    json.field("format", schema::EnumNameImageFormat(image.format()));
    if (image.arch())
      json.field("arch", image.arch()->c_str());
    json.field("bytes", int64_t(image.data()->size()));
    json.endObject();
  }
  json.endArray();
  json.beginArray("files");
  for (uint32_t i = 0; i < count(root.files()); ++i) {
    json.beginObject(nullptr);
    json.field("path", root.files()->Get(i)->path()->c_str());
    json.field("size", int64_t(root.files()->Get(i)->size()));
    json.endObject();
  }
  json.endArray();
  if (root.preprocessing())
    writePreprocessing(json, *root.preprocessing());
  json.beginArray("labels");
  for (uint32_t i = 0; i < count(root.labels()); ++i)
    json.item(root.labels()->Get(i)->c_str());
  json.endArray();
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
