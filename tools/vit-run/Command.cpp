//===- Command.cpp - Definitions of a command and its options -------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Command.h"

#include "Suggestions.h"
#include "Support.h"
#include "Validators.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <type_traits>

namespace vit::tools {

Option Option::type(const std::string &name) const {
  option->type_name(name);
  return *this;
}

Option Option::required() const {
  option->required();
  return *this;
}

Option Option::showDefault() const {
  option->capture_default_str();
  return *this;
}

Option Option::range(int64_t least, int64_t most) const {
  option->check(wholeNumberIn(least, most));
  return *this;
}

Option Option::oneOf(const std::vector<std::string> &values) const {
  option->check(CLI::IsMember(values).description(""));
  return *this;
}

Option Option::bytes() const {
  option->transform(sizeInBytes());
  return *this;
}

Option Option::wholeNumber() const {
  option->check(tools::wholeNumber());
  return *this;
}

Option
Option::check(std::function<std::string(const std::string &)> find) const {
  option->check(CLI::Validator(
      [find](const std::string &text) { return find(text); }, ""));
  return *this;
}

Option Option::separatedBy(char separator) const {
  option->delimiter(separator);
  return *this;
}

Option Option::oneValueEach() const {
  option->allow_extra_args(false);
  return *this;
}

Option Option::optionalValue() const {
  option->expected(0, 1);
  return *this;
}

Option Option::excludes(Option other) const {
  option->excludes(other.option);
  return *this;
}

Option Option::needs(Option other) const {
  option->needs(other.option);
  return *this;
}

Command::Command(CLI::App &parent, const std::string &name,
                 const std::string &help)
    : app(parent.add_subcommand(name, help)) {}

template <typename T>
Option Command::option(const std::string &name, T &value,
                       const std::string &help) {
  CLI::Option *option = app->add_option(name, value, help);
  if constexpr (std::is_same_v<T, std::string> ||
                std::is_same_v<T, std::vector<std::string>>)
    option->check(notEmpty());
  return Option(option);
}

template Option Command::option(const std::string &, std::string &,
                                const std::string &);
template Option Command::option(const std::string &, std::vector<std::string> &,
                                const std::string &);
template Option Command::option(const std::string &, int32_t &,
                                const std::string &);
template Option Command::option(const std::string &, int64_t &,
                                const std::string &);
template Option Command::option(const std::string &, uint64_t &,
                                const std::string &);
template Option Command::option(const std::string &, double &,
                                const std::string &);
template Option Command::option(const std::string &, std::optional<double> &,
                                const std::string &);
template Option Command::option(const std::string &, std::vector<float> &,
                                const std::string &);

Option Command::flag(const std::string &name, bool &value,
                     const std::string &help) {
  return Option(app->add_flag(name, value, help));
}

void Command::weightsKey() { addWeightsKey(*app); }

void Command::group(const std::string &name) {
  app->option_defaults()->group(name);
}

void Command::footer(const std::string &text) { app->footer(text); }

bool Command::has(const std::string &name) const {
  return app->count(name) > 0;
}

void Command::action(std::function<void()> run) {
  app->callback(std::move(run));
}

void parseWords(const std::string &name, const std::vector<std::string> &words,
                const std::function<void(Command)> &define) {
  CLI::App app("", name);
  app.set_help_flag();
  define(Command(app));
  // CLI11 takes them in reverse.
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError &error) {
    throw Error(describeParseError(app, error));
  }
}

} // namespace vit::tools
