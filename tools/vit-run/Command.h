//===- Command.h - Definitions of a command and its options -----*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A front of CLI11, whose headers and templates take longer to compile than
// most commands.
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_COMMAND_H
#define VIT_TOOLS_COMMAND_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace vit::tools {

/// An option while it is being defined. Each method returns the option.
class Option {
public:
  explicit Option(CLI::Option *option) : option(option) {}
  /// What the value is, as the help shows it ("N", "FILE").
  Option type(const std::string &name) const;
  Option required() const;
  Option showDefault() const;
  /// The value is a whole number from `least` to `most`.
  Option range(int64_t least, int64_t most) const;
  Option oneOf(const std::vector<std::string> &values) const;
  /// The value is a size such as 512M or 2G, stored in bytes.
  Option bytes() const;
  /// The value is a number of digits alone.
  Option wholeNumber() const;
  /// `find` returns what is wrong with a value, or an empty string.
  Option check(std::function<std::string(const std::string &)> find) const;
  /// The value is a list, separated by `separator`.
  Option separatedBy(char separator) const;
  /// The option may be repeated; each takes one value.
  Option oneValueEach() const;
  /// The value may be left out.
  Option optionalValue() const;
  Option excludes(Option other) const;
  /// `other` must be given, too.
  Option needs(Option other) const;

private:
  CLI::Option *option;
};

class Command {
public:
  /// The whole command line, or a part of it that CLI11 is used for directly.
  explicit Command(CLI::App &app) : app(&app) {}
  /// Adds command `name` to `parent`.
  Command(CLI::App &parent, const std::string &name, const std::string &help);

  /// Adds an option, or an argument if `name` has no dashes, that is stored in
  /// `value`. Command.cpp lists the types.
  template <typename T>
  Option option(const std::string &name, T &value, const std::string &help);
  Option flag(const std::string &name, bool &value, const std::string &help);
  /// Adds --weights-key: see Validators.h.
  void weightsKey();
  /// Lists the options that are added from now on under `name` in the help.
  void group(const std::string &name);
  /// Adds text, such as examples, to the end of the help.
  void footer(const std::string &text);
  /// Whether the option has been given. For use in `action`.
  bool has(const std::string &name) const;
  /// Sets what the command does. Errors are thrown.
  void action(std::function<void()> run);

private:
  CLI::App *app;
};

/// Parses the words of a command line whose options `define` adds, and runs its
/// action. Throws Error with what a command would print; `name` is the one to
/// read the help of.
void parseWords(const std::string &name, const std::vector<std::string> &words,
                const std::function<void(Command)> &define);

} // namespace vit::tools

#endif // VIT_TOOLS_COMMAND_H
