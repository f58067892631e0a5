//===- Pickle.cpp - Python pickles of arrays, without Python --------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pickle.h"
#include "format/Diagnose.h"

#include <algorithm>
#include <unordered_map>

using namespace vit::data;

const PickleValue *PickleValue::find(std::string_view key) const {
  if (kind != Dict)
    return nullptr;
  for (size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i]->kind == String && items[i]->text == key)
      return items[i + 1];
  return nullptr;
}

PickleValue *Pickle::make(PickleValue::Kind kind) {
  values.emplace_back();
  values.back().kind = kind;
  return &values.back();
}

/// The globals that a CIFAR-10 batch may name, as pickled by Python 2 or 3.
static bool isAllowed(std::string_view global) {
  static const std::string_view allowed[] = {
      "numpy.core.multiarray _reconstruct",
      "numpy._core.multiarray _reconstruct", "numpy ndarray", "numpy dtype",
      "_codecs encode"};
  return std::find(std::begin(allowed), std::end(allowed), global) !=
         std::end(allowed);
}

//===----------------------------------------------------------------------===//
// The stack machine
//===----------------------------------------------------------------------===//

class Pickle::Machine {
public:
  Machine(Pickle &pickle, Bytes file) : pickle(pickle), file(file) {}

  PickleValue *run() {
    constexpr uint8_t protocol = 0x80; // The first byte since protocol 2.
    if (file.size == 0 || file.data[0] != protocol)
      if (const char *contents =
              vit::format::recognise(file.data, file.size).text)
        corrupt(contents);
    for (;;) {
      uint8_t opcode = *take(1);
      if (opcode == '.')
        return pop();
      step(opcode);
    }
  }

private:
  using Value = PickleValue;

  [[noreturn]] void broken() { corrupt("the pickle is damaged or truncated"); }

  const uint8_t *take(uint64_t size) {
    if (size > file.size - position)
      broken();
    const uint8_t *at = file.data + position;
    position += size;
    return at;
  }
  std::string_view takeText(uint64_t size) {
    return {reinterpret_cast<const char *>(take(size)), size_t(size)};
  }
  std::string_view takeLine() {
    size_t begin = position;
    while (*take(1) != '\n') {
    }
    return {reinterpret_cast<const char *>(file.data) + begin,
            position - 1 - begin};
  }

  void push(Value *value) { stack.push_back(value); }
  void pushInt(Value::Kind kind, int64_t integer) {
    Value *value = pickle.make(kind);
    value->integer = integer;
    push(value);
  }
  void pushText(Value::Kind kind, std::string_view text) {
    Value *value = pickle.make(kind);
    value->text = text;
    push(value);
  }
  Value *pop() {
    if (stack.size() <= (marks.empty() ? 0 : marks.back()))
      broken();
    Value *value = stack.back();
    stack.pop_back();
    return value;
  }
  /// Pops the values that were pushed since the last mark, and the mark.
  std::vector<Value *> popMarked() {
    if (marks.empty())
      broken();
    std::vector<Value *> items(stack.begin() + ptrdiff_t(marks.back()),
                               stack.end());
    stack.resize(marks.back());
    marks.pop_back();
    return items;
  }
  Value *top(Value::Kind kind) {
    Value *value = pop();
    if (value->kind != kind)
      broken();
    push(value);
    return value;
  }
  void pushTuple(std::vector<Value *> items) {
    Value *tuple = pickle.make(Value::Tuple);
    tuple->items = std::move(items);
    push(tuple);
  }
  void pushLastAsTuple(size_t count) {
    std::vector<Value *> items(count);
    for (size_t i = count; i-- > 0;)
      items[i] = pop();
    pushTuple(std::move(items));
  }
  void append(Value *container, const std::vector<Value *> &items) {
    container->items.insert(container->items.end(), items.begin(), items.end());
  }
  void store(uint32_t key) {
    Value *value = pop();
    push(value);
    memo[key] = value;
  }
  void load(uint32_t key) {
    auto found = memo.find(key);
    if (found == memo.end())
      broken();
    push(found->second);
  }

  void pushGlobal();
  void reduce();
  void build();
  void step(uint8_t opcode);

  Pickle &pickle;
  Bytes file;
  size_t position = 0;
  std::vector<Value *> stack;
  std::vector<size_t> marks;
  std::unordered_map<uint32_t, Value *> memo;
};

void Pickle::Machine::pushGlobal() {
  std::string name(takeLine());
  name += ' ';
  name += takeLine();
  if (!isAllowed(name)) {
    name[name.find(' ')] = '.';
    unsupported("the pickle names " + name.substr(0, 200) +
                ", which no CIFAR-10 batch does: it is not read");
  }
  pickle.texts.push_back(std::move(name));
  pushText(Value::Global, pickle.texts.back());
}

/// Records a call without making it. Only bytes that Python 3 wrote as text are
/// converted back.
void Pickle::Machine::reduce() {
  Value *arguments = pop(), *callable = pop();
  if (arguments->kind != Value::Tuple || callable->kind != Value::Global)
    broken();
  if (callable->text != "_codecs encode") {
    Value *object = pickle.make(Value::Object);
    object->items = {callable, arguments};
    push(object);
    return;
  }
  if (arguments->items.size() != 2 ||
      arguments->items[0]->kind != Value::String ||
      arguments->items[1]->text != "latin1")
    broken();
  std::string_view utf8 = arguments->items[0]->text;
  std::string bytes;
  for (size_t i = 0; i < utf8.size(); ++i) {
    uint8_t c = uint8_t(utf8[i]);
    if (c >= 0x80) {
      // U+0080 to U+00FF are two bytes that begin with C2 or C3.
      if ((c != 0xc2 && c != 0xc3) || ++i == utf8.size())
        broken();
      c = uint8_t((c & 3) << 6 | (uint8_t(utf8[i]) & 0x3f));
    }
    bytes += char(c);
  }
  pickle.texts.push_back(std::move(bytes));
  pushText(Value::String, pickle.texts.back());
}

void Pickle::Machine::build() {
  Value *state = pop();
  Value *object = top(Value::Object);
  if (object->items.size() != 2)
    broken();
  object->items.push_back(state);
}

// The opcodes as pickletools.py lists them, of protocols 0 to 3.
void Pickle::Machine::step(uint8_t opcode) {
  switch (opcode) {
  case 0x80: // PROTO
    if (*take(1) > 3)
      unsupported("a pickle of a protocol above 3 is unsupported");
    return;
  case '(': // MARK
    marks.push_back(stack.size());
    return;
  case '0': // POP
    pop();
    return;
  case 'N': // NONE
    return push(pickle.make(Value::None));
  case 0x88: // NEWTRUE
    return pushInt(Value::Bool, 1);
  case 0x89: // NEWFALSE
    return pushInt(Value::Bool, 0);
  case 'J': // BININT
    return pushInt(Value::Int, int32_t(readLittle32(take(4))));
  case 'K': // BININT1
    return pushInt(Value::Int, *take(1));
  case 'M': // BININT2
    return pushInt(Value::Int, readLittle16(take(2)));
  case 'U': // SHORT_BINSTRING
  case 'C': // SHORT_BINBYTES
    return pushText(Value::String, takeText(*take(1)));
  case 'T': // BINSTRING
  case 'B': // BINBYTES
  case 'X': // BINUNICODE
    return pushText(Value::String, takeText(readLittle32(take(4))));
  case ']': // EMPTY_LIST
    return push(pickle.make(Value::List));
  case '}': // EMPTY_DICT
    return push(pickle.make(Value::Dict));
  case ')': // EMPTY_TUPLE
    return pushTuple({});
  case 0x85: // TUPLE1
  case 0x86: // TUPLE2
  case 0x87: // TUPLE3
    return pushLastAsTuple(opcode - 0x84u);
  case 't': // TUPLE
    return pushTuple(popMarked());
  case 'a': { // APPEND
    Value *item = pop();
    return append(top(Value::List), {item});
  }
  case 'e': { // APPENDS
    std::vector<Value *> items = popMarked();
    return append(top(Value::List), items);
  }
  case 's': { // SETITEM
    Value *value = pop(), *key = pop();
    return append(top(Value::Dict), {key, value});
  }
  case 'u': { // SETITEMS
    std::vector<Value *> items = popMarked();
    if (items.size() % 2 != 0)
      broken();
    return append(top(Value::Dict), items);
  }
  case 'q': // BINPUT
    return store(*take(1));
  case 'r': // LONG_BINPUT
    return store(readLittle32(take(4)));
  case 'h': // BINGET
    return load(*take(1));
  case 'j': // LONG_BINGET
    return load(readLittle32(take(4)));
  case 'c': // GLOBAL
    return pushGlobal();
  case 'R': // REDUCE
    return reduce();
  case 'b': // BUILD
    return build();
  default:
    unsupported("the pickle has opcode " + std::to_string(opcode) +
                ", which no CIFAR-10 batch has");
  }
}

Pickle::Pickle(Bytes file) { result = Machine(*this, file).run(); }

//===----------------------------------------------------------------------===//
// numpy arrays
//===----------------------------------------------------------------------===//

[[noreturn]] static void refuse() {
  corrupt("the pickle's data is not a numpy array of bytes");
}

PickledArray Pickle::toArray(const PickleValue &value) {
  auto isNumpy = [](const PickleValue &object, std::string_view suffix) {
    if (object.kind != PickleValue::Object || object.items.size() != 3 ||
        object.items[2]->kind != PickleValue::Tuple)
      return false;
    std::string_view name = object.items[0]->text;
    return name.size() >= suffix.size() &&
           name.substr(name.size() - suffix.size()) == suffix;
  };
  // ndarray.__setstate__((version, shape, dtype, is Fortran order, bytes))
  if (!isNumpy(value, " _reconstruct") || value.items[2]->items.size() != 5)
    refuse();
  const std::vector<PickleValue *> &state = value.items[2]->items;
  const PickleValue &shape = *state[1], &dtype = *state[2];
  if (shape.kind != PickleValue::Tuple || !isNumpy(dtype, " dtype") ||
      dtype.items[1]->items.empty() || dtype.items[1]->items[0]->text != "u1" ||
      state[3]->kind != PickleValue::Bool || state[3]->integer != 0 ||
      state[4]->kind != PickleValue::String)
    refuse();
  PickledArray array;
  array.bytes = state[4]->text;
  uint64_t size = 1;
  for (const PickleValue *dimension : shape.items) {
    if (dimension->kind != PickleValue::Int || dimension->integer < 0 ||
        __builtin_mul_overflow(size, uint64_t(dimension->integer), &size))
      refuse();
    array.shape.push_back(dimension->integer);
  }
  if (size != array.bytes.size())
    refuse();
  return array;
}
