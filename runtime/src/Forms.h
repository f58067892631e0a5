//===- Forms.h - The derived forms of a module in memory --------*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_RUNTIME_FORMS_H
#define VIT_RUNTIME_FORMS_H

#include "Module.h"

namespace vit::runtime {

/// The bytes that kernels read: every derived form of a module, with the recipe
/// that it is made by.
class Forms {
public:
  explicit Forms(const vit_module &module) : module(module) {}
  Forms(const Forms &) = delete;
  Forms &operator=(const Forms &) = delete;
  ~Forms();

  /// Finds the forms that the module stores. The others do not exist yet.
  vit_status place(vit_error *error);
  /// Fails if the module's file was cut short, so that what was read of forms
  /// may be wrong.
  vit_status requireWhole(vit_error *error) const;

  /// Whether the form is stored or was made. If not, it has no data.
  bool exists(uint32_t index) const { return held[index].data != nullptr; }
  /// Gives memory to the forms with `isNew`, which do not exist; they are still
  /// to be made.
  vit_status allocate(const Array<uint8_t> &isNew, vit_error *error);
  /// Takes it back, if making them failed.
  void drop(const Array<uint8_t> &isNew);

  uint32_t size() const { return count(module.root->derived()); }
  const schema::Derived &recipe(uint32_t index) const {
    return *module.root->derived()->Get(index);
  }
  /// Not if this version does not know the form.
  bool isStored(uint32_t index) const {
    return known[index] && storedBytes(recipe(index)) != 0;
  }
  const Form &form(uint32_t index) const { return held[index].form; }
  const void *data(uint32_t index) const { return held[index].data; }

  /// Changes with each write to the form, so that copies on a device are known
  /// to be old. At least 1.
  uint64_t version(uint32_t index) const { return held[index].version; }
  /// Changes with each write to any form.
  uint64_t version() const { return writes; }

  /// Says that the form was copied to a device: if it is mapped and was never
  /// written, its pages need not stay in memory.
  void forget(uint32_t index) const;
  /// To be called before the form is first read: see readyPages. Without
  /// effect unless `areMapped`.
  void ready(uint32_t index) const;
  /// Whether stored forms are those of a file.
  bool areMapped() const { return mapping != nullptr; }

  /// Reads elements [begin, begin + count) of the form's sources back, which
  /// are their values if the form is lossless.
  void read(uint32_t index, int64_t begin, int64_t count, float *target) const {
    restore(held[index].form, held[index].data, target, begin, count);
  }

  /// The memory of a form for those who make it at load.
  unsigned char *writableData(uint32_t index) { return held[index].data; }
  /// Makes sure that a form can be written. Forms that the file or the caller
  /// holds are copied, by page or as a whole.
  vit_status makeWritable(uint32_t index, vit_error *error);
  /// Says that forms were written since the last call.
  void written() { ++writes; }

  /// Lays out again what `valuesOf(source)`, row-major values or NULL, gives.
  /// The other sources stay as they are.
  template <typename ValuesOf> void remake(uint32_t index, ValuesOf valuesOf) {
    const Form &form = held[index].form;
    ++held[index].version;
    int64_t offset = 0;
    for (uint32_t source : sourcesOf(recipe(index))) {
      int64_t total = sourceElements(*module.root, source);
      const float *values = valuesOf(source);
      if (values && isComputed(form)) // from one source
        compute(form, held[index].data, values);
      else if (values)
        derive(form, held[index].data, values, ElementType::F32, offset, total);
      offset += total;
    }
  }

  /// The form that a source of a form is, or -1 if it is a parameter.
  int64_t formOfSource(uint32_t source) const {
    return int64_t(source) - count(module.root->parameters());
  }

  /// Sets `isAffected[form]`, which has `size()` elements, to whether the form
  /// is made, perhaps by way of other forms, from a parameter for which
  /// `isChanged(parameter)`.
  template <typename IsChanged>
  void findAffected(Array<uint8_t> &isAffected, IsChanged isChanged) const {
    for (uint32_t i = 0; i < size(); ++i) {
      isAffected[i] = 0;
      for (uint32_t source : sourcesOf(recipe(i))) {
        int64_t form = formOfSource(source);
        if (form < 0 ? isChanged(source) : isAffected[form] != 0)
          isAffected[i] = 1;
      }
    }
  }

private:
  /// Who owns the bytes of a form.
  enum class Origin : uint8_t {
    Writable, ///< this object: in `made`, or written pages of `mapping`
    Mapped,   ///< `mapping`, whose pages are read only
    Borrowed, ///< the caller, whose memory is never written
    Copied    ///< this object: a copy of borrowed bytes
  };
  struct Held {
    Form form;
    unsigned char *data;
    uint64_t version;
    Origin origin;
  };

  const vit_module &module;
  Array<Held> held;
  Array<uint8_t> known;          ///< see findKnownForms
  Array<unsigned char *> blocks; ///< memory of forms that were made
  uint32_t blockCount = 0;
  unsigned char *mapping = nullptr; ///< of the module's segments, private
  vit::format::MappingGuard guard;  ///< of the mapping
  uint64_t writes = 1;
};

} // namespace vit::runtime

#endif // VIT_RUNTIME_FORMS_H
