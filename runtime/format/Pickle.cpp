//===- Pickle.cpp - Python pickles, without Python ------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "format/Pickle.h"

#include "format/Error.h"

#include <algorithm>

namespace vit::format {

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

const PickleValue *PickleValue::at(size_t index) const {
  for (const PickleValue &item : *this)
    if (index-- == 0)
      return &item;
  return nullptr;
}

const PickleValue *PickleValue::find(std::string_view key) const {
  if (kind != Dict)
    return nullptr;
  for (const PickleItem *item = items; item; item = item->next->next)
    if (item->value->kind == String && item->value->text == key)
      return item->next->value;
  return nullptr;
}

struct Pickle::Chunk {
  Chunk *next;
  size_t size, used; ///< Bytes, with this header
};

void *Pickle::take(size_t size) {
  constexpr size_t usual = size_t(64) << 10;
  size = (size + 15) / 16 * 16;
  if (!chunks || size > chunks->size - chunks->used) {
    constexpr size_t header = (sizeof(Chunk) + 15) / 16 * 16;
    size_t total = header + size > usual ? header + size : usual;
    auto *chunk = static_cast<Chunk *>(allocator.allocate(total));
    if (!chunk)
      return nullptr;
    *chunk = {chunks, total, header};
    chunks = chunk;
  }
  void *memory = reinterpret_cast<char *>(chunks) + chunks->used;
  chunks->used += size;
  return memory;
}

void Pickle::clear() {
  while (chunks) {
    Chunk *next = chunks->next;
    allocator.deallocate(chunks);
    chunks = next;
  }
  references = PickleValue();
  references.kind = PickleValue::List;
  result = nullptr;
  used = 0;
}

//===----------------------------------------------------------------------===//
// The stack machine
//===----------------------------------------------------------------------===//

namespace {

/// An array that grows at its end. T is plain data.
template <typename T> class Stack {
public:
  explicit Stack(const Allocator &allocator) : allocator(allocator) {}
  Stack(const Stack &) = delete;
  Stack &operator=(const Stack &) = delete;
  ~Stack() { allocator.deallocate(static_cast<void *>(items)); }

  [[nodiscard]] bool push(T item) { return set(used, item); }
  /// Sets element `index`; those before it that were not set are zero.
  [[nodiscard]] bool set(size_t index, T item) {
    if (index >= capacity && !grow(index + 1))
      return false;
    for (; used <= index; ++used)
      items[used] = T();
    items[index] = item;
    return true;
  }
  void resize(size_t smaller) { used = smaller; }
  size_t size() const { return used; }
  T &operator[](size_t index) { return items[index]; }
  T &back() { return items[used - 1]; }

private:
  bool grow(size_t wanted) {
    size_t larger = std::max({wanted, 2 * capacity, size_t(64)});
    auto *memory = static_cast<T *>(allocator.allocate(larger * sizeof(T)));
    if (!memory)
      return false;
    std::copy_n(items, used, memory);
    allocator.deallocate(static_cast<void *>(items));
    items = memory;
    capacity = larger;
    return true;
  }

  Allocator allocator;
  T *items = nullptr;
  size_t used = 0, capacity = 0;
};

} // namespace

class PickleMachine {
public:
  PickleMachine(Pickle &pickle, const unsigned char *bytes, uint64_t size,
                const char *name, const PickleRules &rules, vit_error *error)
      : pickle(pickle), bytes(bytes), size(size), name(name), rules(rules),
        error(error), stack(pickle.allocator), marks(pickle.allocator),
        memo(pickle.allocator) {}

  vit_status run();

private:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;
  /// Executes an opcode of one group; clears `isKnown` if it is of another.
  using Group = vit_status (PickleMachine::*)(uint8_t opcode);

  vit_status broken() {
    return fail(error, VIT_CORRUPT,
                "cannot read %s: the pickle is damaged or truncated", name);
  }
  vit_status noMemory() {
    return outOfMemory(error, sizeof(Value), "the values of a pickle");
  }

  vit_status takeBytes(uint64_t count, const unsigned char *&at);
  vit_status takeNumber(int width, uint64_t &number);
  vit_status takeLine(std::string_view &line);

  vit_status make(Kind kind, Value *&value);
  vit_status push(Value *value) {
    return stack.push(value) ? VIT_OK : noMemory();
  }
  vit_status pushInt(Kind kind, int64_t integer);
  vit_status pushText(Kind kind, std::string_view text);
  vit_status pushLong(uint64_t count);
  vit_status pop(Value *&value);
  vit_status peek(Value *&value);
  vit_status popMark(size_t &begin);
  vit_status append(Value *container, Value *item);
  /// Moves what stands on the stack from `begin` on into `container`.
  vit_status appendFrom(size_t begin, Value *container);
  vit_status pushContainer(Kind kind, size_t begin);
  /// Adds what stands on the stack from `begin` on to what stands below it.
  vit_status extend(size_t begin, Kind kind);

  vit_status pushGlobal(std::string_view module, std::string_view member);
  vit_status pushStackGlobal();
  vit_status call(bool isFunction, bool hasKeywords);
  /// Python would turn these arguments into plain bytes or containers, and so
  /// does this: `made` stays NULL for everything else.
  vit_status makePlain(const Value &callee, const Value &arguments,
                       Value *&made);
  vit_status encodeLatin1(std::string_view utf8, Value *&made);
  vit_status pushPersistent();
  vit_status build();

  vit_status stepScalar(uint8_t opcode);
  vit_status stepText(uint8_t opcode);
  vit_status stepContainer(uint8_t opcode);
  vit_status stepStack(uint8_t opcode);
  vit_status stepObject(uint8_t opcode);

  Pickle &pickle;
  const unsigned char *bytes;
  uint64_t size, position = 0;
  const char *name;
  const PickleRules &rules;
  vit_error *error;
  Stack<Value *> stack;
  Stack<size_t> marks;
  Stack<Value *> memo;
  size_t made = 0; ///< values and items
  bool isKnown = true;
};

// fail() returns a status other than VIT_OK, so VIT_TRY leaves a function
// before it uses what was not set; the analyzer does not see that.
// NOLINTBEGIN(clang-analyzer-core.*)

vit_status PickleMachine::run() {
  constexpr Group groups[] = {
      &PickleMachine::stepScalar, &PickleMachine::stepText,
      &PickleMachine::stepContainer, &PickleMachine::stepStack,
      &PickleMachine::stepObject};
  constexpr unsigned char stop = '.';
  for (;;) {
    const unsigned char *opcode;
    VIT_TRY(takeBytes(1, opcode));
    if (*opcode == stop)
      break;
    isKnown = false;
    for (Group group : groups) {
      if (isKnown)
        break;
      isKnown = true;
      VIT_TRY((this->*group)(*opcode));
    }
    if (!isKnown)
      return fail(error, VIT_UNSUPPORTED,
                  "cannot read %s: the pickle has opcode %d, which is not read",
                  name, int(*opcode));
  }
  Value *value;
  VIT_TRY(pop(value));
  pickle.result = value;
  pickle.used = position;
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Bytes, values and the stack
//===----------------------------------------------------------------------===//

vit_status PickleMachine::takeBytes(uint64_t count, const unsigned char *&at) {
  if (count > size - position)
    return broken();
  at = bytes + position;
  position += count;
  return VIT_OK;
}

/// Little-endian, without a sign.
vit_status PickleMachine::takeNumber(int width, uint64_t &number) {
  const unsigned char *at;
  VIT_TRY(takeBytes(uint64_t(width), at));
  number = 0;
  for (int i = 0; i < width; ++i)
    number |= uint64_t(at[i]) << (8 * i);
  return VIT_OK;
}

vit_status PickleMachine::takeLine(std::string_view &line) {
  const void *end = std::memchr(bytes + position, '\n', size - position);
  if (!end)
    return broken();
  const unsigned char *begin;
  auto length =
      uint64_t(static_cast<const unsigned char *>(end) - bytes) - position;
  VIT_TRY(takeBytes(length + 1, begin));
  line = {reinterpret_cast<const char *>(begin), size_t(length)};
  return VIT_OK;
}

constexpr size_t kMostValues = size_t(1) << 21;

vit_status PickleMachine::make(Kind kind, Value *&value) {
  if (++made > kMostValues)
    return fail(error, VIT_UNSUPPORTED,
                "cannot read %s: the pickle has more than %zu values", name,
                kMostValues);
  void *memory = pickle.take(sizeof(Value));
  if (!memory)
    return noMemory();
  value = new (memory) Value();
  value->kind = kind;
  return VIT_OK;
}

vit_status PickleMachine::pushInt(Kind kind, int64_t integer) {
  Value *value;
  VIT_TRY(make(kind, value));
  value->integer = integer;
  return push(value);
}

vit_status PickleMachine::pushText(Kind kind, std::string_view text) {
  Value *value;
  VIT_TRY(make(kind, value));
  value->text = text;
  return push(value);
}

/// Two's complement of `count` bytes.
vit_status PickleMachine::pushLong(uint64_t count) {
  const unsigned char *at;
  VIT_TRY(takeBytes(count, at));
  if (count > 8)
    return pushText(Value::Long,
                    {reinterpret_cast<const char *>(at), size_t(count)});
  uint64_t number = count && at[count - 1] & 0x80 ? ~uint64_t(0) : 0;
  for (uint64_t i = count; i-- > 0;)
    number = number << 8 | at[i];
  return pushInt(Value::Int, int64_t(number));
}

vit_status PickleMachine::peek(Value *&value) {
  if (stack.size() <= (marks.size() ? marks.back() : 0))
    return broken();
  value = stack.back();
  return VIT_OK;
}

vit_status PickleMachine::pop(Value *&value) {
  VIT_TRY(peek(value));
  stack.resize(stack.size() - 1);
  return VIT_OK;
}

/// Removes the last mark: what was pushed since stands at `begin`.
vit_status PickleMachine::popMark(size_t &begin) {
  if (marks.size() == 0)
    return broken();
  begin = marks.back();
  marks.resize(marks.size() - 1);
  return VIT_OK;
}

vit_status PickleMachine::append(Value *container, Value *item) {
  if (++made > kMostValues)
    return fail(error, VIT_UNSUPPORTED,
                "cannot read %s: the pickle has more than %zu values", name,
                kMostValues);
  void *memory = pickle.take(sizeof(PickleItem));
  if (!memory)
    return noMemory();
  auto *link = new (memory) PickleItem{item, nullptr};
  (container->lastItem ? container->lastItem->next : container->items) = link;
  container->lastItem = link;
  ++container->count;
  return VIT_OK;
}

vit_status PickleMachine::appendFrom(size_t begin, Value *container) {
  for (size_t i = begin; i < stack.size(); ++i)
    VIT_TRY(append(container, stack[i]));
  stack.resize(begin);
  return VIT_OK;
}

vit_status PickleMachine::pushContainer(Kind kind, size_t begin) {
  if (kind == Value::Dict && (stack.size() - begin) % 2 != 0)
    return broken();
  Value *value;
  VIT_TRY(make(kind, value));
  VIT_TRY(appendFrom(begin, value));
  return push(value);
}

/// An object of a class may add items in its own way: they are kept in order.
vit_status PickleMachine::extend(size_t begin, Kind kind) {
  size_t lowest = marks.size() ? marks.back() : 0;
  if (begin <= lowest || (kind == Value::Dict && (stack.size() - begin) % 2))
    return broken();
  Value *container = stack[begin - 1];
  if (container->kind != kind && container->kind != Value::Call)
    return broken();
  return appendFrom(begin, container);
}

//===----------------------------------------------------------------------===//
// Globals and calls
//===----------------------------------------------------------------------===//

vit_status PickleMachine::pushGlobal(std::string_view module,
                                     std::string_view member) {
  size_t length = module.size() + 1 + member.size();
  auto *text = static_cast<char *>(pickle.take(length + 1));
  if (!text)
    return noMemory();
  std::memcpy(text, module.data(), module.size());
  text[module.size()] = '.';
  if (!member.empty())
    std::memcpy(text + module.size() + 1, member.data(), member.size());
  text[length] = 0;
  if (!rules.mayName({text, length}))
    return fail(error, VIT_UNSUPPORTED,
                "cannot read %s: it holds code (%.200s), which is not run; %s",
                name, text, rules.remedy);
  return pushText(Value::Global, {text, length});
}

vit_status PickleMachine::pushStackGlobal() {
  Value *member, *module;
  VIT_TRY(pop(member));
  VIT_TRY(pop(module));
  if (member->kind != Value::String || module->kind != Value::String)
    return broken();
  return pushGlobal(module->text, member->text);
}

vit_status PickleMachine::call(bool isFunction, bool hasKeywords) {
  Value *keywords, *arguments, *callee, *value = nullptr;
  if (hasKeywords)
    VIT_TRY(pop(keywords));
  VIT_TRY(pop(arguments));
  VIT_TRY(pop(callee));
  if (arguments->kind != Value::Tuple)
    return broken();
  // What is called may itself be made by a call: functools.partial.
  const Value *function = callee;
  if (isFunction &&
      (function->kind != Value::Global || !rules.mayCall(function->text))) {
    bool isNamed = function->kind == Value::Global;
    return fail(error, VIT_UNSUPPORTED,
                "cannot read %s: it holds code (%.200s), which is not run; %s",
                name, isNamed ? function->text.data() : "a call of an object",
                rules.remedy);
  }
  VIT_TRY(makePlain(*callee, *arguments, value));
  if (!value) {
    VIT_TRY(make(Value::Call, value));
    value->callee = callee;
    value->arguments = arguments;
  }
  return push(value);
}

vit_status PickleMachine::makePlain(const Value &callee, const Value &arguments,
                                    Value *&made) {
  const PickleItem *first = arguments.items;
  if (callee.kind != Value::Global)
    return VIT_OK;
  if (callee.text == "_codecs.encode") {
    if (arguments.count != 2 || first->value->kind != Value::String ||
        first->next->value->text != "latin1")
      return VIT_OK;
    return encodeLatin1(first->value->text, made);
  }
  bool isOrdered = callee.text == "collections.OrderedDict";
  if (!isOrdered && callee.text != "collections.defaultdict")
    return VIT_OK;
  VIT_TRY(make(Value::Dict, made));
  // Python 2 passes the pairs.
  if (isOrdered && first && first->value->kind == Value::List)
    for (const Value &pair : *first->value) {
      if ((pair.kind != Value::List && pair.kind != Value::Tuple) ||
          pair.count != 2)
        return broken();
      VIT_TRY(append(made, pair.items->value));
      VIT_TRY(append(made, pair.lastItem->value));
    }
  return VIT_OK;
}

/// Python 3 writes bytes at protocol 2 as text of U+0000 to U+00FF.
vit_status PickleMachine::encodeLatin1(std::string_view utf8, Value *&made) {
  VIT_TRY(make(Value::String, made));
  auto *text = static_cast<char *>(pickle.take(utf8.size()));
  if (!text)
    return noMemory();
  size_t length = 0;
  for (size_t i = 0; i < utf8.size(); ++i) {
    auto c = static_cast<unsigned char>(utf8[i]);
    if (c >= 0x80) {
      // U+0080 to U+00FF are two bytes that begin with C2 or C3.
      if ((c != 0xc2 && c != 0xc3) || ++i == utf8.size())
        return broken();
      c = static_cast<unsigned char>(
          (c & 3) << 6 | (static_cast<unsigned char>(utf8[i]) & 0x3f));
    }
    text[length++] = char(c);
  }
  made->text = {text, length};
  return VIT_OK;
}

vit_status PickleMachine::pushPersistent() {
  Value *identity, *value;
  VIT_TRY(pop(identity));
  VIT_TRY(make(Value::Persistent, value));
  value->arguments = identity;
  VIT_TRY(append(&pickle.references, value));
  return push(value);
}

/// The state of a plain container (the `_metadata` of a state dict) is ignored.
vit_status PickleMachine::build() {
  Value *state, *object;
  VIT_TRY(pop(state));
  VIT_TRY(peek(object));
  if (object->kind == Value::Call)
    object->state = state;
  return VIT_OK;
}

//===----------------------------------------------------------------------===//
// Opcodes
//===----------------------------------------------------------------------===//

vit_status PickleMachine::stepScalar(uint8_t opcode) {
  uint64_t number = 0;
  Value *value;
  switch (opcode) {
  case 'N': // NONE
    return pushInt(Value::None, 0);
  case 0x88: // NEWTRUE
  case 0x89: // NEWFALSE
    return pushInt(Value::Bool, opcode == 0x88);
  case 'J': // BININT
    VIT_TRY(takeNumber(4, number));
    return pushInt(Value::Int, int32_t(uint32_t(number)));
  case 'K': // BININT1
  case 'M': // BININT2
    VIT_TRY(takeNumber(opcode == 'K' ? 1 : 2, number));
    return pushInt(Value::Int, int64_t(number));
  case 0x8a: // LONG1
  case 0x8b: // LONG4
    VIT_TRY(takeNumber(opcode == 0x8a ? 1 : 4, number));
    return pushLong(number);
  case 'G': { // BINFLOAT
    VIT_TRY(takeNumber(8, number));
    VIT_TRY(make(Value::Float, value));
    number = __builtin_bswap64(number);
    std::memcpy(&value->number, &number, sizeof number);
    return push(value);
  }
  default:
    isKnown = false;
    return VIT_OK;
  }
}

vit_status PickleMachine::stepText(uint8_t opcode) {
  int width;
  switch (opcode) {
  case 'U':  // SHORT_BINSTRING
  case 'C':  // SHORT_BINBYTES
  case 0x8c: // SHORT_BINUNICODE
    width = 1;
    break;
  case 'T': // BINSTRING
  case 'B': // BINBYTES
  case 'X': // BINUNICODE
    width = 4;
    break;
  case 0x8d: // BINUNICODE8
  case 0x8e: // BINBYTES8
  case 0x96: // BYTEARRAY8
    width = 8;
    break;
  default:
    isKnown = false;
    return VIT_OK;
  }
  uint64_t length;
  const unsigned char *at;
  VIT_TRY(takeNumber(width, length));
  VIT_TRY(takeBytes(length, at));
  return pushText(Value::String,
                  {reinterpret_cast<const char *>(at), size_t(length)});
}

vit_status PickleMachine::stepContainer(uint8_t opcode) {
  size_t begin = stack.size();
  switch (opcode) {
  case ']': // EMPTY_LIST
    return pushContainer(Value::List, begin);
  case ')': // EMPTY_TUPLE
    return pushContainer(Value::Tuple, begin);
  case '}': // EMPTY_DICT
    return pushContainer(Value::Dict, begin);
  case 0x8f: // EMPTY_SET
    return pushContainer(Value::Set, begin);
  case 0x85: // TUPLE1
  case 0x86: // TUPLE2
  case 0x87: // TUPLE3
    if (begin < (marks.size() ? marks.back() : 0) + (opcode - 0x84u))
      return broken();
    return pushContainer(Value::Tuple, begin - (opcode - 0x84u));
  case 'l':  // LIST
  case 't':  // TUPLE
  case 'd':  // DICT
  case 0x91: // FROZENSET
    VIT_TRY(popMark(begin));
    return pushContainer(opcode == 'l'   ? Value::List
                         : opcode == 't' ? Value::Tuple
                         : opcode == 'd' ? Value::Dict
                                         : Value::Set,
                         begin);
  case 'a': // APPEND
    return begin ? extend(begin - 1, Value::List) : broken();
  case 's': // SETITEM
    return begin > 1 ? extend(begin - 2, Value::Dict) : broken();
  case 'e':  // APPENDS
  case 'u':  // SETITEMS
  case 0x90: // ADDITEMS
    VIT_TRY(popMark(begin));
    return extend(begin, opcode == 'e'   ? Value::List
                         : opcode == 'u' ? Value::Dict
                                         : Value::Set);
  default:
    isKnown = false;
    return VIT_OK;
  }
}

vit_status PickleMachine::stepStack(uint8_t opcode) {
  uint64_t number = 0;
  Value *value;
  switch (opcode) {
  case '(': // MARK
    return marks.push(stack.size()) ? VIT_OK : noMemory();
  case '0': // POP
    return pop(value);
  case '1': { // POP_MARK
    size_t begin;
    VIT_TRY(popMark(begin));
    stack.resize(begin);
    return VIT_OK;
  }
  case '2': // DUP
    VIT_TRY(peek(value));
    return push(value);
  case 'q':  // BINPUT
  case 'r':  // LONG_BINPUT
  case 0x94: // MEMOIZE
    number = memo.size();
    if (opcode != 0x94)
      VIT_TRY(takeNumber(opcode == 'q' ? 1 : 4, number));
    VIT_TRY(peek(value));
    if (number > kMostValues)
      return broken();
    return memo.set(number, value) ? VIT_OK : noMemory();
  case 'h': // BINGET
  case 'j': // LONG_BINGET
    VIT_TRY(takeNumber(opcode == 'h' ? 1 : 4, number));
    if (number >= memo.size() || !memo[number])
      return broken();
    return push(memo[number]);
  case 0x80: // PROTO
    VIT_TRY(takeNumber(1, number));
    return number <= 5 ? VIT_OK
                       : fail(error, VIT_UNSUPPORTED,
                              "cannot read %s: a pickle of a protocol above 5 "
                              "is unsupported",
                              name);
  case 0x95: // FRAME: only says how much to read ahead.
    return takeNumber(8, number);
  default:
    isKnown = false;
    return VIT_OK;
  }
}

vit_status PickleMachine::stepObject(uint8_t opcode) {
  switch (opcode) {
  case 'c': { // GLOBAL
    std::string_view module, member;
    VIT_TRY(takeLine(module));
    VIT_TRY(takeLine(member));
    return pushGlobal(module, member);
  }
  case 0x93: // STACK_GLOBAL
    return pushStackGlobal();
  case 'R': // REDUCE
    return call(/*isFunction=*/true, /*hasKeywords=*/false);
  case 0x81: // NEWOBJ
    return call(/*isFunction=*/false, /*hasKeywords=*/false);
  case 0x92: // NEWOBJ_EX
    return call(/*isFunction=*/false, /*hasKeywords=*/true);
  case 'Q': // BINPERSID
    return pushPersistent();
  case 'b': // BUILD
    return build();
  default:
    isKnown = false;
    return VIT_OK;
  }
}

// NOLINTEND(clang-analyzer-core.*)

vit_status Pickle::read(const unsigned char *bytes, uint64_t size,
                        const char *name, const PickleRules &rules,
                        const Allocator &from, vit_error *error) {
  clear();
  allocator = from;
  return PickleMachine(*this, bytes, size, name, rules, error).run();
}

} // namespace vit::format
