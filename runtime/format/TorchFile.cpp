//===- TorchFile.cpp - What torch.save writes -----------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/TorchFile.h"

#include "format/Error.h"
#include "format/Utf8.h"
#include "format/WeightNames.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace vit::format {

//===----------------------------------------------------------------------===//
// What the pickle may hold
//===----------------------------------------------------------------------===//

static bool mayName(std::string_view) { return true; }

static bool beginsWith(std::string_view text, std::string_view begin) {
  return text.size() >= begin.size() &&
         std::memcmp(text.data(), begin.data(), begin.size()) == 0;
}

/// As much of a name as a message shows.
static std::string_view abridge(std::string_view text) {
  constexpr size_t most = 200;
  if (text.size() > most)
    text.remove_suffix(text.size() - most);
  return text;
}

/// Functions that Python calls to make tensors, containers, numbers, dates and
/// paths.
static bool mayCall(std::string_view global) {
  constexpr std::string_view data[] = {"_codecs.encode",
                                       "__builtin__.bytearray",
                                       "__builtin__.complex",
                                       "__builtin__.frozenset",
                                       "__builtin__.set",
                                       "__builtin__.slice",
                                       "builtins.bytearray",
                                       "builtins.complex",
                                       "builtins.frozenset",
                                       "builtins.set",
                                       "builtins.slice",
                                       "collections.Counter",
                                       "collections.OrderedDict",
                                       "collections.defaultdict",
                                       "collections.deque",
                                       "copy_reg._reconstructor",
                                       "copyreg._reconstructor",
                                       "datetime.date",
                                       "datetime.datetime",
                                       "datetime.timedelta",
                                       "numpy._core.multiarray._reconstruct",
                                       "numpy._core.multiarray.scalar",
                                       "numpy.core.multiarray._reconstruct",
                                       "numpy.core.multiarray.scalar",
                                       "numpy.dtype",
                                       "pathlib.Path",
                                       "pathlib.PosixPath",
                                       "pathlib.PurePosixPath",
                                       "pathlib.PureWindowsPath",
                                       "pathlib.WindowsPath",
                                       "pathlib._local.PosixPath",
                                       "pathlib._local.WindowsPath",
                                       "torch.Size",
                                       "torch._tensor._rebuild_from_type_v2",
                                       "torch.device",
                                       "torch.serialization._get_layout"};
  return beginsWith(global, "torch._utils._rebuild_") ||
         std::find(std::begin(data), std::end(data), global) != std::end(data);
}

static constexpr PickleRules kRules = {
    mayName, mayCall, "save the state dict alone, best as safetensors"};

/// For what torch.save writes before the object and after it.
static constexpr PickleRules kPlainRules = {
    mayName, [](std::string_view) { return false; },
    "save the state dict alone, best as safetensors"};

/// torch.FloatStorage and so on.
static bool parseStorageType(std::string_view global, ElementType &type) {
  constexpr std::pair<std::string_view, ElementType> types[] = {
      {"FloatStorage", ElementType::F32},
      {"HalfStorage", ElementType::F16},
      {"BFloat16Storage", ElementType::BF16},
      {"DoubleStorage", ElementType::F64},
      {"LongStorage", ElementType::I64},
      {"IntStorage", ElementType::I32},
      {"ShortStorage", ElementType::I16},
      {"CharStorage", ElementType::I8},
      {"ByteStorage", ElementType::U8},
      {"BoolStorage", ElementType::Bool},
      {"ComplexFloatStorage", ElementType::C64}};
  for (std::string_view module : {"torch.cuda.", "torch."})
    if (beginsWith(global, module))
      for (const auto &[name, known] : types)
        if (global.size() == module.size() + name.size() &&
            std::memcmp(global.data() + module.size(), name.data(),
                        name.size()) == 0) {
          type = known;
          return true;
        }
  return false;
}

//===----------------------------------------------------------------------===//
// Values of the pickle
//===----------------------------------------------------------------------===//

namespace {

/// The call of a function of torch that makes a tensor.
struct TensorCall {
  std::string_view function;
  const PickleValue *arguments; ///< NULL: this is no tensor.
};

/// A tensor's storage as a persistent id describes it.
struct Storage {
  std::string_view key;
  ElementType type;
  uint64_t count; ///< of elements
  uint64_t skip;  ///< Elements of the storage before this view of it.
  uint64_t begin; ///< in the file
};

/// Where the elements of a tensor lie.
struct View {
  uint64_t begin; ///< in the file
  uint64_t strides[VIT_MAX_RANK];
  bool isContiguous;
};

} // namespace

/// Follows parameters and tensors with attributes to the tensor in them.
static TensorCall toTensorCall(const PickleValue &value) {
  const PickleValue *at = &value;
  constexpr int most = 8; // A value may contain itself.
  for (int i = 0; i < most && at && at->kind == PickleValue::Call; ++i) {
    if (at->callee->kind != PickleValue::Global)
      break;
    std::string_view function = at->callee->text;
    const PickleValue *arguments = at->arguments;
    if (function == "torch._tensor._rebuild_from_type_v2") {
      const PickleValue *called = arguments->at(0);
      arguments = arguments->at(2);
      if (!called || called->kind != PickleValue::Global || !arguments ||
          arguments->kind != PickleValue::Tuple)
        break;
      function = called->text;
    }
    if (!beginsWith(function, "torch._utils._rebuild_"))
      break;
    if (function != "torch._utils._rebuild_parameter" &&
        function != "torch._utils._rebuild_parameter_with_state")
      return {function, arguments};
    at = arguments->at(0);
  }
  return {{}, nullptr};
}

static bool isTensor(const PickleValue &value) {
  return toTensorCall(value).arguments != nullptr;
}

/// Calls `use(key, value)` for the entries of a Dict whose keys are strings,
/// while it returns true.
template <typename Use>
static void forEachEntry(const PickleValue &dict, Use &&use) {
  if (dict.kind != PickleValue::Dict)
    return;
  for (const PickleItem *item = dict.items; item; item = item->next->next)
    if (item->value->kind == PickleValue::String &&
        !use(item->value->text, *item->next->value))
      return;
}

/// Looks at some entries only: a pickle may refer to a large dict many times.
static bool holdsTensors(const PickleValue &dict) {
  bool result = false;
  int left = 100;
  forEachEntry(dict, [&](std::string_view, const PickleValue &value) {
    result = isTensor(value);
    return !result && --left > 0;
  });
  return result;
}

//===----------------------------------------------------------------------===//
// The reader
//===----------------------------------------------------------------------===//

class TorchReader {
public:
  TorchReader(TorchFile &result, const unsigned char *file, uint64_t size,
              const char *name, const Allocator &allocator, vit_error *error)
      : result(result), file(file), size(size), name(name),
        allocator(allocator), error(error) {}

  vit_status run();

private:
  __attribute__((format(printf, 3, 4))) vit_status refuse(vit_status status,
                                                          const char *format,
                                                          ...);
  vit_status damaged() {
    return refuse(VIT_CORRUPT, "it is damaged or truncated");
  }

  vit_status readZip();
  vit_status checkByteOrder();
  vit_status readLegacy();
  vit_status readNext(Pickle &pickle, const PickleRules &rules,
                      uint64_t &position);
  vit_status placeLegacyStorages(const PickleValue &keys, uint64_t position);

  vit_status findStateDict(const PickleValue *&dict);
  /// Sets `chosen` to the state dict in `dict`, or to NULL.
  vit_status choose(const PickleValue &dict, bool usual,
                    const PickleValue *&chosen);
  bool findInner(const PickleValue &dict, std::string_view &key,
                 const PickleValue *&inner);
  vit_status refuseRoot();
  void addToPath(std::string_view part);

  vit_status collect(const PickleValue &dict);
  vit_status describe(const PickleValue &value, StoredTensor &tensor,
                      View &view);
  vit_status readStorage(const PickleValue &value, const char *user,
                         Storage &storage);
  vit_status findStorage(const char *user, Storage &storage);
  vit_status readShape(const TensorCall &call, StoredTensor &tensor,
                       View &view);
  vit_status place(const Storage &storage, uint64_t offset,
                   StoredTensor &tensor, View &view);
  vit_status gather(const Array<View> &views);

  TorchFile &result;
  const unsigned char *file;
  uint64_t size;
  const char *name;
  const Allocator &allocator;
  vit_error *error;

  ZipArchive zip;
  Array<char> folder;      ///< of the storages in the archive, with a slash
  Array<Storage> storages; ///< of a file without an archive, sorted by key
  Pickle pickle;
  bool isChosen = false; ///< The wanted state dict has been found.
};

vit_status TorchReader::refuse(vit_status status, const char *format, ...) {
  char reason[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return fail(error, status, "cannot read %s: %s", name, reason);
}

vit_status TorchReader::run() {
  VIT_TRY(ZipArchive::isZip(file, size) ? readZip() : readLegacy());
  const PickleValue *dict;
  VIT_TRY(findStateDict(dict));
  return collect(*dict);
}

//===----------------------------------------------------------------------===//
// Archives
//===----------------------------------------------------------------------===//

vit_status TorchReader::readZip() {
  constexpr std::string_view program = "data.pkl", storages = "data/";
  VIT_TRY(zip.read(file, size, name, allocator, error));
  const ZipRecord *found = nullptr;
  for (const ZipRecord &record : zip.records()) {
    std::string_view path = record.name;
    size_t slash = path.find('/');
    size_t begin = slash == path.npos ? 0 : slash + 1;
    if (path.size() != begin + program.size() ||
        path.compare(begin, program.size(), program) != 0)
      continue;
    if (found)
      return refuse(VIT_CORRUPT, "the zip archive holds two data.pkl");
    found = &record;
  }
  if (!found)
    return refuse(VIT_CORRUPT, "it is a zip archive, but not one that "
                               "torch.save wrote (it holds no data.pkl)");
  size_t prefix = found->name.size() - program.size();
  if (!folder.allocate(allocator, prefix + storages.size()))
    return outOfMemory(error, prefix, "a name");
  std::memcpy(folder.data(), found->name.data(), prefix);
  std::memcpy(folder.data() + prefix, storages.data(), storages.size());
  std::string_view inside(folder.data(), prefix);
  if (zip.find(inside, "constants.pkl"))
    return refuse(VIT_UNSUPPORTED,
                  "it is a TorchScript program, which is not run; save its "
                  "weights: "
                  "torch.save(torch.jit.load(FILE).state_dict(), ...)");
  if (const ZipRecord *order = zip.find(inside, "byteorder");
      order &&
      (order->size < 6 || std::memcmp(file + order->begin, "little", 6) != 0))
    return refuse(VIT_UNSUPPORTED,
                  "its byteorder is not little: load and save it with PyTorch "
                  "on a little-endian machine");
  return pickle.read(file + found->begin, found->size, name, kRules, allocator,
                     error);
}

//===----------------------------------------------------------------------===//
// Files without an archive
//===----------------------------------------------------------------------===//

vit_status TorchReader::readNext(Pickle &next, const PickleRules &rules,
                                 uint64_t &position) {
  VIT_TRY(next.read(file + position, size - position, name, rules, allocator,
                    error));
  position += next.length();
  return VIT_OK;
}

vit_status TorchReader::readLegacy() {
  constexpr std::string_view magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  constexpr int64_t version = 1001;
  uint64_t position = 0;
  Pickle head, keys;
  // This may also be any other pickle: say which code it holds.
  VIT_TRY(readNext(head, kRules, position));
  if (head.root().kind != PickleValue::Long || head.root().text != magic)
    return refuse(VIT_CORRUPT,
                  "it is a pickle, but not one that torch.save wrote");
  VIT_TRY(readNext(head, kPlainRules, position));
  if (head.root().kind != PickleValue::Int || head.root().integer != version)
    return refuse(VIT_UNSUPPORTED, "it is of an unknown version of torch.save");
  VIT_TRY(readNext(head, kPlainRules, position));
  if (const PickleValue *little = head.root().find("little_endian");
      little && little->kind == PickleValue::Bool && !little->integer)
    return refuse(VIT_UNSUPPORTED,
                  "its byteorder is not little: load and save it with PyTorch "
                  "on a little-endian machine");
  VIT_TRY(readNext(pickle, kRules, position));
  VIT_TRY(readNext(keys, kPlainRules, position));
  return placeLegacyStorages(keys.root(), position);
}

/// The storages stand in the order of their keys. Their types are known from
/// the tensors that use them.
vit_status TorchReader::placeLegacyStorages(const PickleValue &keys,
                                            uint64_t position) {
  const PickleValue &uses = pickle.persistent();
  if (keys.kind != PickleValue::List)
    return damaged();
  if (!storages.allocate(allocator, uses.count))
    return outOfMemory(error, uses.count * sizeof(Storage), "a list");
  size_t used = 0;
  for (const PickleValue &use : uses)
    VIT_TRY(readStorage(use, "of its tensors", storages[used++]));
  auto isLess = [](const Storage &a, const Storage &b) {
    return a.key < b.key;
  };
  std::sort(storages.begin(), storages.end(), isLess);
  for (Storage &storage : storages)
    storage.begin = 0;
  for (const PickleValue &key : keys) {
    Storage wanted = {};
    wanted.key = key.text;
    auto [first, last] =
        std::equal_range(storages.begin(), storages.end(), wanted, isLess);
    uint64_t count = 0, bytes;
    if (first == last || first->begin || 8 > size - position)
      return damaged();
    for (int i = 0; i < 8; ++i)
      count |= uint64_t(file[position + uint64_t(i)]) << (8 * i);
    position += 8;
    for (Storage *storage = first; storage != last; ++storage) {
      if (storage->count != count || storage->type != first->type)
        return damaged();
      storage->begin = position;
    }
    if (__builtin_mul_overflow(count, sizeOf(first->type), &bytes) ||
        bytes > size - position)
      return damaged();
    position += bytes;
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// The state dict
//===----------------------------------------------------------------------===//

/// Where training scripts keep the weights. What lies elsewhere is taken only
/// if there is nothing here.
static bool isUsualName(std::string_view key) {
  constexpr std::string_view names[] = {
      "state_dict",  "state_dict_ema", "model_state_dict",
      "model_state", "model",          "model_ema",
      "ema",         "ema_state_dict", "module",
      "net",         "network",        "weights",
      "params",      "teacher",        "student",
      "encoder",     "target_encoder"};
  return std::find(std::begin(names), std::end(names), key) != std::end(names);
}

std::string_view wantedWeightsKey() {
  const char *key = std::getenv(kWeightsKey);
  return key ? std::string_view(key).substr(0, 64) : std::string_view();
}

/// Appends to the path of the state dict in the file.
void TorchReader::addToPath(std::string_view part) {
  char path[128];
  std::snprintf(path, sizeof path, "%s%s%.*s", result.noteText,
                result.noteText[0] ? "." : "", int(part.size()), part.data());
  for (char &c : path)
    if (c && static_cast<unsigned char>(c) < ' ')
      c = '?';
  std::memcpy(result.noteText, path, sizeof path);
}

vit_status TorchReader::choose(const PickleValue &dict, bool usual,
                               const PickleValue *&chosen) {
  constexpr int shown = 6;
  char list[400] = "";
  std::string_view key, wanted = wantedWeightsKey();
  bool hasWanted = false;
  int found = 0;
  chosen = nullptr;
  forEachEntry(dict, [&](std::string_view at, const PickleValue &value) {
    bool isWanted = !wanted.empty() && at == wanted;
    if ((usual && !isUsualName(at) && !isWanted) || !holdsTensors(value))
      return true;
    size_t used = std::strlen(list);
    if (++found <= shown)
      std::snprintf(list + used, sizeof list - used, "%s\"%.*s\"",
                    found > 1 ? ", " : "", int(at.size() < 50 ? at.size() : 50),
                    at.data());
    chosen = &value;
    key = at;
    hasWanted = isWanted;
    return !isWanted;
  });
  isChosen = isChosen || hasWanted;
  bool lacksWanted = found > 0 && !wanted.empty() && !isChosen;
  if ((found > 1 && !hasWanted) || lacksWanted)
    return refuse(VIT_UNSUPPORTED,
                  "it holds %d state dict%s: %s%s; name the one to be used "
                  "with --weights-key NAME (or VIT_WEIGHTS_KEY=NAME in the "
                  "environment)%s%.*s%s",
                  found, found > 1 ? "s" : "", list,
                  found > shown ? ", ..." : "", lacksWanted ? ": \"" : "",
                  lacksWanted ? int(wanted.size()) : 0, wanted.data(),
                  lacksWanted ? "\" is not there" : "");
  if (chosen)
    addToPath(key);
  return VIT_OK;
}

/// For a file without a state dict.
vit_status TorchReader::refuseRoot() {
  const PickleValue &root = pickle.root();
  if (root.kind == PickleValue::Call &&
      root.callee->kind == PickleValue::Global && !isTensor(root)) {
    std::string_view shown = abridge(root.callee->text);
    return refuse(VIT_UNSUPPORTED,
                  "it holds a whole model (%.*s), whose code is not run; "
                  "save its state_dict() alone, best as safetensors",
                  int(shown.size()), shown.data());
  }
  return refuse(VIT_CORRUPT, "it holds no state dict (tensors by name)");
}

/// The dict in which a state dict may lie deeper: the wanted one, one with a
/// usual name, or the only one.
bool TorchReader::findInner(const PickleValue &dict, std::string_view &key,
                            const PickleValue *&inner) {
  int dicts = 0;
  bool isUsual = false;
  std::string_view wanted = wantedWeightsKey();
  forEachEntry(dict, [&](std::string_view at, const PickleValue &value) {
    bool isWanted = !wanted.empty() && at == wanted;
    if (value.kind != PickleValue::Dict || (isUsual && !isWanted))
      return true;
    ++dicts;
    isUsual = isWanted || isUsualName(at);
    isChosen = isChosen || isWanted;
    inner = &value;
    key = at;
    return !isWanted;
  });
  return isUsual || dicts == 1;
}

vit_status TorchReader::findStateDict(const PickleValue *&dict) {
  constexpr int deepest = 4;
  dict = &pickle.root();
  for (int depth = 0; depth < deepest; ++depth) {
    const PickleValue *inner = nullptr;
    VIT_TRY(choose(*dict, /*usual=*/true, inner));
    if (!inner && !holdsTensors(*dict))
      VIT_TRY(choose(*dict, /*usual=*/false, inner));
    if (inner)
      dict = inner;
    if (holdsTensors(*dict)) {
      if (char path[128]; result.noteText[0]) {
        std::snprintf(path, sizeof path, "%s", result.noteText);
        std::snprintf(result.noteText, sizeof result.noteText,
                      "the weights are those under \"%s\"", path);
      }
      return VIT_OK;
    }
    // {"model": {"state_dict": ...}}
    std::string_view key;
    if (!findInner(*dict, key, inner))
      break;
    addToPath(key);
    dict = inner;
  }
  return refuseRoot();
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

vit_status TorchReader::findStorage(const char *user, Storage &storage) {
  if (folder.size() == 0) {
    const Storage *found = std::lower_bound(
        storages.begin(), storages.end(), storage,
        [](const Storage &a, const Storage &b) { return a.key < b.key; });
    if (found == storages.end() || found->key != storage.key || !found->begin)
      return damaged();
    storage.begin = found->begin;
    return VIT_OK;
  }
  const ZipRecord *record =
      zip.find({folder.data(), folder.size()}, storage.key);
  uint64_t bytes;
  if (!record ||
      __builtin_mul_overflow(storage.count, sizeOf(storage.type), &bytes) ||
      bytes > record->size)
    return refuse(VIT_CORRUPT,
                  record ? "the storage of tensor %s is shorter than its size"
                         : "the storage of tensor %s is missing",
                  user);
  storage.begin = record->begin;
  return VIT_OK;
}

/// ("storage", type, key, location, elements), in old files with a view of it:
/// None or (key, offset, elements).
vit_status TorchReader::readStorage(const PickleValue &value, const char *user,
                                    Storage &storage) {
  const PickleValue *id =
      value.kind == PickleValue::Persistent ? value.arguments : nullptr;
  if (!id || id->kind != PickleValue::Tuple || id->count < 5)
    return damaged();
  const PickleValue *kind = id->at(0), *type = id->at(1), *key = id->at(2),
                    *count = id->at(4), *view = id->at(5);
  if (kind->text != "storage" || type->kind != PickleValue::Global ||
      key->kind != PickleValue::String || count->kind != PickleValue::Int ||
      count->integer < 0)
    return damaged();
  storage = {key->text, ElementType::F32, uint64_t(count->integer), 0, 0};
  if (!parseStorageType(type->text, storage.type)) {
    std::string_view shown = abridge(type->text);
    return refuse(VIT_UNSUPPORTED,
                  "the storage of tensor %s is a %.*s, which is not read", user,
                  int(shown.size()), shown.data());
  }
  if (!view || view->kind == PickleValue::None)
    return VIT_OK;
  const PickleValue *offset =
      view->kind == PickleValue::Tuple ? view->at(1) : nullptr;
  if (!offset || offset->kind != PickleValue::Int || offset->integer < 0)
    return damaged();
  storage.skip = uint64_t(offset->integer);
  return VIT_OK;
}

/// _rebuild_tensor_v2(storage, offset, sizes, strides, ...)
vit_status TorchReader::readShape(const TensorCall &call, StoredTensor &tensor,
                                  View &view) {
  const PickleValue *sizes = call.arguments->at(2),
                    *strides = call.arguments->at(3);
  if (sizes && sizes->isCallOf("torch.Size"))
    sizes = sizes->arguments->at(0);
  if (!sizes || !strides || sizes->kind != PickleValue::Tuple ||
      strides->kind != PickleValue::Tuple || sizes->count != strides->count)
    return damaged();
  if (sizes->count > VIT_MAX_RANK)
    return refuse(VIT_UNSUPPORTED, "tensor %s has more than %d dimensions",
                  tensor.name, VIT_MAX_RANK);
  auto stride = strides->begin();
  for (const PickleValue &dim : *sizes) {
    const PickleValue &step = *stride;
    if (dim.kind != PickleValue::Int || dim.integer < 0 ||
        step.kind != PickleValue::Int || step.integer < 0)
      return damaged();
    view.strides[tensor.rank] = uint64_t(step.integer);
    tensor.dims[tensor.rank++] = dim.integer;
    ++stride;
  }
  return VIT_OK;
}

/// Checks that the elements lie within the storage.
vit_status TorchReader::place(const Storage &storage, uint64_t offset,
                              StoredTensor &tensor, View &view) {
  uint64_t count, bytes, last = offset, expected = 1;
  bool isGood = countElements(tensor.dims, tensor.rank, count) &&
                !__builtin_mul_overflow(count, sizeOf(tensor.type), &bytes) &&
                !__builtin_add_overflow(last, storage.skip, &last);
  uint64_t first = last;
  view.isContiguous = true;
  for (int32_t i = tensor.rank; isGood && count && i-- > 0;) {
    auto dim = uint64_t(tensor.dims[i]);
    if (dim == 1)
      continue; // Its stride makes no difference.
    uint64_t extent;
    isGood = !__builtin_mul_overflow(dim - 1, view.strides[i], &extent) &&
             !__builtin_add_overflow(last, extent, &last);
    view.isContiguous = view.isContiguous && view.strides[i] == expected;
    expected *= dim; // At most `count`.
  }
  if (!isGood || (count ? last >= storage.count : first > storage.count))
    return refuse(VIT_CORRUPT, "tensor %s lies outside its storage",
                  tensor.name);
  view.begin = storage.begin + first * sizeOf(tensor.type);
  tensor.begin = view.begin;
  tensor.end = tensor.begin + bytes;
  return VIT_OK;
}

vit_status TorchReader::describe(const PickleValue &value, StoredTensor &tensor,
                                 View &view) {
  TensorCall call = toTensorCall(value);
  if (call.function != "torch._utils._rebuild_tensor_v2" &&
      call.function != "torch._utils._rebuild_tensor") {
    std::string_view shown = abridge(call.function);
    return refuse(VIT_UNSUPPORTED,
                  "tensor %s is made by %.*s; only dense tensors of plain "
                  "types are read",
                  tensor.name, int(shown.size()), shown.data());
  }
  const PickleValue *stored = call.arguments->at(0),
                    *offset = call.arguments->at(1);
  if (!stored || !offset || offset->kind != PickleValue::Int ||
      offset->integer < 0)
    return damaged();
  Storage storage;
  VIT_TRY(readStorage(*stored, tensor.name, storage));
  VIT_TRY(findStorage(tensor.name, storage));
  tensor.type = storage.type;
  VIT_TRY(readShape(call, tensor, view));
  return place(storage, uint64_t(offset->integer), tensor, view);
}

vit_status TorchReader::collect(const PickleValue &dict) {
  size_t count = 0, letters = 0;
  forEachEntry(dict, [&](std::string_view key, const PickleValue &value) {
    if (isTensor(value)) {
      ++count;
      letters += key.size() + 1;
    }
    return true;
  });
  Array<View> views;
  if (!result.list.allocate(allocator, count) ||
      !result.strings.allocate(allocator, letters) ||
      !views.allocate(allocator, count))
    return outOfMemory(error, count * sizeof(StoredTensor) + letters,
                       "the list of stored tensors");
  char *next = result.strings.data();
  size_t index = 0;
  vit_status status = VIT_OK;
  forEachEntry(dict, [&](std::string_view key, const PickleValue &value) {
    if (!isTensor(value))
      return true;
    StoredTensor &tensor = result.list[index];
    tensor.name = next;
    std::memcpy(next, key.data(), key.size());
    next += key.size() + 1;
    if (!isUtf8(key.data(), key.size()) ||
        std::memchr(key.data(), 0, key.size()))
      status = refuse(VIT_CORRUPT, "the name of a tensor is no text: %s",
                      tensor.name);
    else
      status = describe(value, tensor, views[index]);
    ++index;
    return status == VIT_OK;
  });
  VIT_TRY(status);
  VIT_TRY(gather(views));
  return result.indexNames(name, allocator, error);
}

/// Copies the elements of a view in row-major order.
static void copyView(unsigned char *target, const unsigned char *source,
                     const StoredTensor &tensor, const View &view) {
  size_t width = sizeOf(tensor.type);
  int32_t last = tensor.rank - 1; // A view of rank 0 is contiguous.
  uint64_t rows =
      (tensor.end - tensor.begin) / width / uint64_t(tensor.dims[last]);
  int64_t at[VIT_MAX_RANK] = {};
  uint64_t position = 0;
  for (uint64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < tensor.dims[last]; ++i, target += width)
      std::memcpy(target,
                  source +
                      (position + uint64_t(i) * view.strides[last]) * width,
                  width);
    for (int32_t d = last - 1; d >= 0; --d) {
      position += view.strides[d];
      if (++at[d] < tensor.dims[d])
        break;
      position -= view.strides[d] * uint64_t(tensor.dims[d]);
      at[d] = 0;
    }
  }
}

vit_status TorchReader::gather(const Array<View> &views) {
  // Views may repeat elements, so a small file could ask for any amount.
  constexpr uint64_t most = 4;
  uint64_t total = 0;
  for (size_t i = 0; i < views.size(); ++i) {
    const StoredTensor &tensor = result.list[i];
    if (views[i].isContiguous)
      continue;
    uint64_t bytes = tensor.end - tensor.begin;
    if (__builtin_add_overflow(total, bytes, &total) || total / most > size)
      return refuse(VIT_UNSUPPORTED,
                    "tensor %s and others repeat the same elements; save their "
                    "contiguous()",
                    tensor.name);
  }
  if (total == 0)
    return VIT_OK;
  if (!result.copies.allocateRaw(allocator, total))
    return outOfMemory(error, total, "tensors that are not contiguous");
  uint64_t position = 0;
  for (size_t i = 0; i < views.size(); ++i) {
    StoredTensor &tensor = result.list[i];
    if (views[i].isContiguous)
      continue;
    uint64_t bytes = tensor.end - tensor.begin;
    copyView(result.copies.data() + position, file + views[i].begin, tensor,
             views[i]);
    tensor.copy = result.copies.data();
    tensor.begin = position;
    tensor.end = position += bytes;
  }
  return VIT_OK;
}

//===----------------------------------------------------------------------===//

bool TorchFile::isTorch(const unsigned char *file, uint64_t size) {
  constexpr unsigned char protocol = 0x80;
  return ZipArchive::isZip(file, size) ||
         (size >= 2 && file[0] == protocol && file[1] >= 2 && file[1] <= 5);
}

vit_status TorchFile::read(const unsigned char *file, uint64_t size,
                           const char *name, const Allocator &allocator,
                           vit_error *error) {
  noteText[0] = 0;
  return TorchReader(*this, file, size, name, allocator, error).run();
}

} // namespace vit::format
