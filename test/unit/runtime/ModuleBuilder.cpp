//===- ModuleBuilder.cpp - Modules for tests ------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleBuilder.h"

#include "format/Form.h"
#include "format/Hash.h"
#include "kernels.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

extern "C" const unsigned char __start_vit_kernels[];
extern "C" const unsigned char __stop_vit_kernels[];

namespace vit::test {

using namespace format;

Bytes::Bytes(size_t size)
    : memory(static_cast<unsigned char *>(
          std::aligned_alloc(64, (size / 64 + 1) * 64))),
      length(size) {
  if (!memory)
    std::abort();
}

Bytes::Bytes(const Bytes &other) : Bytes(other.length) {
  std::memcpy(memory, other.memory, length);
}

const std::vector<float> Builder::scale = {1, 2, -3, 0.5f};
const std::vector<float> Builder::q = {1, 2, 3, 4, 5, 6, 7, 8};
const std::vector<float> Builder::kv = {0.5f, -1, 0.25f, 2,  -2, 1.5f, 0, 1,
                                        -1,   3,  -3,    -4, 4,  2,    1, 7};
const std::vector<float> Builder::table = {0.5f, -0.5f, 2};

schema::Segment Builder::addSegment(const void *data, size_t size,
                                    uint64_t alignment) {
  segments.resize(alignUp(segments.size(), alignment));
  schema::Segment segment(segments.size(), size);
  const auto *bytes = static_cast<const unsigned char *>(data);
  segments.insert(segments.end(), bytes, bytes + size);
  return segment;
}

std::unique_ptr<schema::BindingT> makeBinding(const char *name,
                                              const char *alias,
                                              std::vector<int64_t> dims,
                                              schema::DType dtype) {
  auto binding = std::make_unique<schema::BindingT>();
  binding->name = name;
  binding->alias = alias;
  binding->dims = std::move(dims);
  binding->dtype = dtype;
  return binding;
}

std::unique_ptr<schema::KernelT>
makeKernel(const char *name, const char *family, const void *function,
           uint32_t arguments, uint64_t scratch) {
  auto kernel = std::make_unique<schema::KernelT>();
  kernel->name = name;
  kernel->family = family;
  kernel->entry = uint64_t(static_cast<const unsigned char *>(function) -
                           __start_vit_kernels);
  kernel->argument_count = arguments;
  kernel->scratch = scratch;
  kernel->tile = "rows = 1";
  return kernel;
}

std::unique_ptr<schema::CommandT>
makeCommand(schema::CommandKind kind, const char *name, uint32_t kernel,
            std::vector<schema::Argument> arguments, schema::Extent units,
            schema::Extent flop) {
  auto command = std::make_unique<schema::CommandT>();
  command->kind = kind;
  command->name = name;
  command->kernel = kernel;
  command->arguments = std::move(arguments);
  command->units = std::make_unique<schema::Extent>(units);
  command->flop = std::make_unique<schema::Extent>(flop);
  return command;
}

static std::unique_ptr<schema::ParameterT>
makeParameter(const char *name, std::vector<int64_t> dims,
              schema::Segment data) {
  auto parameter = std::make_unique<schema::ParameterT>();
  parameter->name = name;
  parameter->stored_name = std::string("model.") + name;
  parameter->dims = dims;
  parameter->stored_dims = dims;
  parameter->stored_end = uint64_t(dims[0]);
  parameter->source = schema::Source::Inline;
  parameter->data = std::make_unique<schema::Segment>(data);
  return parameter;
}

Builder::Builder() {
  using Kind = schema::ArgumentKind;
  module.producer = "vit test";
  module.name = "tiny";
  module.labels = {"cat", "dog", "h\u00e9ron \"grand\""};

  auto image = std::make_unique<schema::ImageT>();
  image->data = std::make_unique<schema::Segment>(
      addSegment(__start_vit_kernels,
                 size_t(__stop_vit_kernels - __start_vit_kernels), kPageSize));
  module.images.push_back(std::move(image));

  module.parameters.push_back(makeParameter("scale", {4}, addSegment(scale)));
  module.parameters.push_back(makeParameter("q", {1, 8}, addSegment(q)));
  module.parameters.push_back(makeParameter("kv", {2, 8}, addSegment(kv)));

  auto channels = std::make_unique<schema::DerivedT>();
  channels->kind = schema::DerivedKind::Channels;
  channels->sources = {0};
  channels->dims = {4};
  channels->bytes = 64;
  module.derived.push_back(std::move(channels));
  auto panels = std::make_unique<schema::DerivedT>();
  panels->kind = schema::DerivedKind::Panels;
  panels->sources = {1, 2};
  panels->dims = {3, 8};
  panels->cols = 16;
  panels->bytes = 16 * 16 * 4;
  module.derived.push_back(std::move(panels));

  auto constant = std::make_unique<schema::ConstantT>();
  constant->dims = {3};
  constant->data = std::make_unique<schema::Segment>(addSegment(table));
  module.constants.push_back(std::move(constant));

  auto preprocessing = std::make_unique<schema::PreprocessingT>();
  preprocessing->channels = 3;
  preprocessing->height = preprocessing->width = 32;
  preprocessing->resize_height = preprocessing->resize_width = 32;
  preprocessing->interpolation = 2;
  preprocessing->scale = 1.0f / 255;
  preprocessing->mean = {0.25f, 0.5f, 0.75f};
  preprocessing->std = {0.5f, 0.25f, 0.125f};
  module.preprocessing = std::move(preprocessing);

  auto schedule = std::make_unique<schema::ScheduleT>();
  schedule->level = "avx2";
  auto kept = std::make_unique<schema::KeptProductT>();
  kept->name = "linear";
  kept->precision = schema::DType::BF16;
  schedule->kept.push_back(std::move(kept));
  schedule->kernels.push_back(makeKernel(
      "rows_0", "rows", reinterpret_cast<void *>(kernelScale), 3, 0));
  schedule->kernels.push_back(makeKernel(
      "gemm_0", "gemm", reinterpret_cast<void *>(kernelLinear), 3, 12));
  schedule->kernels.push_back(
      makeKernel("map_0", "map", reinterpret_cast<void *>(kernelAdd), 3, 0));
  for (uint64_t bytes : {32, 12}) {
    auto slot = std::make_unique<schema::SlotT>();
    slot->values = {schema::Extent(bytes, 1, 1), schema::Extent(4, 1, 1)};
    schedule->slots.push_back(std::move(slot));
  }
  schema::Extent images(32, 1, 1), rows(12, 1, 1), one(1, 1, 1);
  auto &commands = schedule->commands;
  commands.push_back(makeCommand(schema::CommandKind::Dispatch, "encoder.scale",
                                 0,
                                 {makeArgument(Kind::Input, 0, images),
                                  makeArgument(Kind::Derived, 0, {16, 0, 1}),
                                  makeArgument(Kind::Output, 1, images)},
                                 {2, 1, 1}));
  commands.push_back(makeCommand(schema::CommandKind::Fill, "clear", 0,
                                 {makeArgument(Kind::Slot, 1, rows)}));
  commands.push_back(makeCommand(schema::CommandKind::Copy, "copy", 0,
                                 {makeArgument(Kind::Output, 1, images),
                                  makeArgument(Kind::Slot, 0, images)}));
  commands.push_back(makeCommand(schema::CommandKind::Barrier, "", 0, {}));
  commands.push_back(makeCommand(schema::CommandKind::Dispatch, "head", 1,
                                 {makeArgument(Kind::Slot, 0, images),
                                  makeArgument(Kind::Derived, 1, {1024, 0, 1}),
                                  makeArgument(Kind::Slot, 1, rows)},
                                 one, {48, 1, 1}));
  commands.push_back(makeCommand(schema::CommandKind::Dispatch, "head.bias", 2,
                                 {makeArgument(Kind::Slot, 1, rows),
                                  makeArgument(Kind::Constant, 0, {12, 0, 1}),
                                  makeArgument(Kind::Output, 0, rows)},
                                 one));

  auto entry = std::make_unique<schema::EntryT>();
  entry->name = "forward";
  entry->inputs.push_back(makeBinding("image", "", {-1, 2, 4}));
  entry->outputs.push_back(
      makeBinding("logits", "classification_head_logits", {-1, 3}));
  entry->outputs.push_back(makeBinding("hidden", "", {-1, 2, 4}));
  entry->schedules.push_back(std::move(schedule));
  module.entries.push_back(std::move(entry));
}

void Builder::storeForms() {
  for (auto &parameter : module.parameters) {
    parameter->source = schema::Source::Derived;
    parameter->data.reset();
  }
  std::vector<float> channels(16), panels(256);
  Form form;
  form.kind = FormKind::Channels;
  form.rows = 1;
  form.width = 4;
  derive(form, channels.data(), scale.data(), ElementType::F32, 0, 4);
  form.kind = FormKind::Panels;
  form.rows = 3;
  form.width = 8;
  form.cols = 16;
  derive(form, panels.data(), q.data(), ElementType::F32, 0, 8);
  derive(form, panels.data(), kv.data(), ElementType::F32, 8, 16);
  module.derived[0]->data =
      std::make_unique<schema::Segment>(addSegment(channels));
  module.derived[1]->data =
      std::make_unique<schema::Segment>(addSegment(panels));
}

void Builder::useInitializers() {
  for (auto &parameter : module.parameters) {
    parameter->source = schema::Source::Init;
    parameter->data.reset();
    parameter->distribution = schema::Distribution::TruncNormal;
    parameter->value = 0.02;
  }
}

/// A deep copy: serialised and parsed.
static std::unique_ptr<schema::ScheduleT>
copyOf(const schema::ScheduleT &schedule) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::Schedule::Pack(builder, &schedule));
  return std::unique_ptr<schema::ScheduleT>(
      flatbuffers::GetRoot<schema::Schedule>(builder.GetBufferPointer())
          ->UnPack());
}

void Builder::addBf16() {
  auto panels = std::make_unique<schema::DerivedT>(*module.derived[1]);
  panels->element_type = schema::DType::BF16;
  panels->interleave = 2;
  panels->bytes = 16 * 32 * 2;
  module.derived.push_back(std::move(panels));
  std::unique_ptr<schema::ScheduleT> copy = copyOf(schedule());
  copy->precision = schema::DType::BF16;
  copy->kernels[1] = makeKernel(
      "gemm_0", "gemm", reinterpret_cast<void *>(kernelLinearBf16), 3, 12);
  copy->commands[4]->arguments[1] =
      makeArgument(schema::ArgumentKind::Derived,
                   uint32_t(module.derived.size() - 1), {1024, 0, 1});
  entry().schedules.push_back(std::move(copy));
}

void Builder::addMigrated(std::vector<float> factors) {
  auto panels = std::make_unique<schema::DerivedT>(*module.derived[1]);
  panels->element_type = schema::DType::I8;
  panels->interleave = 4;
  panels->bytes = 16 * (64 + 4);
  panels->migration = std::move(factors);
  module.derived.push_back(std::move(panels));
}

void Builder::addNewer() {
  addBf16();
  constexpr int unknown = 99;
  schema::ScheduleT &newer = *entry().schedules.back();
  newer.precision = schema::DType(unknown);
  newer.kernels[0]->image = uint32_t(module.images.size());
  newer.kernels[1]->image = unknown;
  newer.commands[3]->kind = schema::CommandKind(unknown);
  newer.commands[4]->arguments[0] =
      makeArgument(schema::ArgumentKind(unknown), unknown, {});
  auto image = std::make_unique<schema::ImageT>();
  image->format = schema::ImageFormat(unknown);
  image->data = std::make_unique<schema::Segment>(addSegment("code", 4));
  module.images.push_back(std::move(image));

  schema::DerivedT &form = *module.derived.back();
  form.kind = schema::DerivedKind(unknown);
  form.element_type = schema::DType(unknown);
  form.bytes = 100;
  form.data = std::make_unique<schema::Segment>(
      addSegment(std::vector<char>(form.bytes, 1)));
  auto next = std::make_unique<schema::DerivedT>(*module.derived[0]);
  next->sources = {
      uint32_t(module.parameters.size() + module.derived.size() - 1)};
  module.derived.push_back(std::move(next));
}

void Builder::keepOnlyBf16() {
  addBf16();
  entry().schedules.erase(entry().schedules.begin());
  module.derived[1] = std::move(module.derived.back());
  module.derived.pop_back();
  schedule().commands[4]->arguments[1] =
      makeArgument(schema::ArgumentKind::Derived, 1, {1024, 0, 1});
  Form form;
  form.kind = FormKind::Panels;
  form.type = ElementType::BF16;
  form.rows = 3;
  form.width = 8;
  form.cols = 16;
  form.interleave = 2;
  std::vector<uint16_t> panels(512);
  derive(form, panels.data(), q.data(), ElementType::F32, 0, 8);
  derive(form, panels.data(), kv.data(), ElementType::F32, 8, 16);
  module.derived[1]->data =
      std::make_unique<schema::Segment>(addSegment(panels));
  for (int i : {1, 2}) {
    module.parameters[i]->source = schema::Source::Derived;
    module.parameters[i]->data.reset();
  }
}

void Builder::addGpu(schema::Target target) {
  for (auto &each : module.entries)
    addGpu(target, *each);
}

void Builder::addGpu(schema::Target target, schema::EntryT &to) {
  std::unique_ptr<schema::ScheduleT> copy = copyOf(*to.schedules[0]);
  bool isCuda = target == schema::Target::Cuda;
  auto addImage = [&](schema::ImageFormat format, const void *data,
                      size_t size) {
    auto image = std::make_unique<schema::ImageT>();
    image->data = std::make_unique<schema::Segment>(addSegment(data, size));
    image->format = format;
    module.images.push_back(std::move(image));
    return uint32_t(module.images.size() - 1);
  };
  constexpr uint32_t spirv[] = {0x07230203, 0x00010300, 0, 1, 0};
  static const char ptx[] = ".version 7.0\n.target sm_80\n.address_size 64\n";
  uint32_t image = 0;
  if (isCuda)
    image = addImage(schema::ImageFormat::Ptx, ptx, sizeof ptx);
  copy->target = target;
  copy->level = isCuda ? "sm_80" : "tiled";
  for (auto &kernel : copy->kernels) {
    if (!isCuda)
      image = addImage(schema::ImageFormat::SpirV, spirv, sizeof spirv);
    kernel->image = image;
    kernel->entry = 0;
    kernel->scratch = 0;
    kernel->threads = 64;
    kernel->shared = 1024;
  }
  if (isCuda) {
    std::vector<unsigned char> cubin(64);
    const unsigned char magic[] = {0x7f, 'E', 'L', 'F', 2};
    std::copy(std::begin(magic), std::end(magic), cubin.begin());
    copy->cubins.push_back(
        addImage(schema::ImageFormat::Cubin, cubin.data(), cubin.size()));
    module.images.back()->arch = "sm_90a";
  }
  to.schedules.push_back(std::move(copy));
}

Bytes Builder::write() {
  auto hash = [&](const std::unique_ptr<schema::Segment> &data) -> uint64_t {
    if (!data || data->offset() > segments.size() ||
        data->size() > segments.size() - data->offset())
      return 0;
    return hash64(segments.data() + data->offset(), data->size());
  };
  for (auto &image : module.images)
    image->hash = hash(image->data);
  for (auto &parameter : module.parameters)
    parameter->hash = hash(parameter->data);
  for (auto &derived : module.derived)
    derived->hash = hash(derived->data);
  for (auto &constant : module.constants)
    constant->hash = hash(constant->data);
  flatbuffers::FlatBufferBuilder builder;
  schema::FinishModuleBuffer(builder, schema::Module::Pack(builder, &module));
  Bytes bytes = frame(builder.GetBufferPointer(), builder.GetSize(),
                      segments.data(), segments.size());
  std::memcpy(bytes.data() + offsetof(FileHeader, formatVersion),
              &formatVersion, sizeof formatVersion);
  return bytes;
}

Bytes frame(const void *metadata, size_t metadataSize, const void *segments,
            size_t segmentsSize) {
  FileHeader header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.formatVersion = kFormatVersion;
  header.metadataOffset = sizeof header;
  header.metadataSize = metadataSize;
  header.metadataHash = hash64(metadata, metadataSize);
  header.segmentsOffset = alignUp(sizeof header + metadataSize, kPageSize);
  header.segmentsSize = segmentsSize;
  header.fileSize = header.segmentsOffset + segmentsSize;
  Bytes bytes(header.fileSize);
  std::memset(bytes.data(), 0, bytes.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, metadata, metadataSize);
  if (segmentsSize)
    std::memcpy(bytes.data() + header.segmentsOffset, segments, segmentsSize);
  return bytes;
}

void evaluateReference(const std::vector<float> &image, int64_t batch,
                       const std::vector<float> &scale,
                       const std::vector<float> &q,
                       const std::vector<float> &kv, std::vector<float> &hidden,
                       std::vector<float> &logits) {
  hidden.resize(size_t(batch) * 8);
  logits.resize(size_t(batch) * 3);
  for (size_t i = 0; i < hidden.size(); ++i)
    hidden[i] = image[i] * scale[i % 4];
  for (size_t b = 0; b < size_t(batch); ++b)
    for (size_t o = 0; o < 3; ++o) {
      const float *weight = o == 0 ? q.data() : kv.data() + (o - 1) * 8;
      float sum = hidden[b * 8] * weight[0];
      for (size_t k = 1; k < 8; ++k)
        sum += hidden[b * 8 + k] * weight[k];
      logits[b * 3 + o] = sum + Builder::table[o];
    }
}

} // namespace vit::test
