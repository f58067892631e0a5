//===- Suggestions.h - What a mistyped option was meant to be ---*- C++ -*-===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef VIT_TOOLS_SUGGESTIONS_H
#define VIT_TOOLS_SUGGESTIONS_H

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <limits>
#include <string>
#include <vector>

namespace vit::tools {

/// The number of characters to insert, remove, replace or exchange with their
/// neighbour that turn `a` into `b` (optimal string alignment distance).
inline size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1,
                                        std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i)
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                             cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

/// "--Batch_Size=3" and "Batch size" as "batch-size".
inline std::string normalName(std::string text) {
  text = text.substr(0, text.find('='));
  text.erase(0, std::min(text.find_first_not_of('-'), text.size()));
  for (char &c : text)
    c = c == '_' || c == ' '
            ? '-'
            : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Something that can stand on a command line.
struct Candidate {
  std::string name; ///< As it is spelled: "--batch", "train".
  std::string help; ///< Its description.
};

/// How far `typed` is from `candidate`; the largest size_t if they have nothing
/// in common. Names that begin or end alike ("--batch-size", "--num-threads")
/// and names by which the help explains an option ("--learning-rate" for --lr)
/// count as one mistake.
inline size_t nameDistance(const std::string &typed,
                           const Candidate &candidate) {
  constexpr size_t kAlike = 1, kShortest = 3;
  std::string a = normalName(typed), b = normalName(candidate.name);
  size_t distance = editDistance(a, b);
  if (a == b || (a.size() > 1 && distance <= (a.size() + 2) / 3))
    return distance;
  auto begins = [](const std::string &text, const std::string &part) {
    return part.size() >= kShortest && text.rfind(part, 0) == 0;
  };
  bool endsAlike = b.size() >= kShortest && a.size() > b.size() &&
                   a.compare(a.size() - b.size() - 1, a.npos, "-" + b) == 0;
  bool isAlike = begins(a, b) || begins(b, a) || endsAlike ||
                 begins(normalName(candidate.help), a);
  return isAlike ? kAlike : std::numeric_limits<size_t>::max();
}

/// The names of the nearest of `candidates`; none if none is near.
inline std::vector<std::string>
nearest(const std::string &typed, const std::vector<Candidate> &candidates) {
  size_t least = std::numeric_limits<size_t>::max() - 1;
  std::vector<std::string> names;
  for (const Candidate &candidate : candidates) {
    size_t distance = nameDistance(typed, candidate);
    if (distance < least)
      names.clear();
    if (distance <= least)
      names.push_back(candidate.name);
    least = std::min(least, distance);
  }
  return names;
}

/// The options of a command, by their long names, and its commands.
inline std::vector<Candidate> candidatesOf(const CLI::App &command) {
  std::vector<Candidate> result;
  for (const CLI::Option *option : command.get_options())
    for (const std::string &name : option->get_lnames())
      result.push_back({"--" + name, option->get_description()});
  for (const CLI::App *sub : command.get_subcommands({}))
    result.push_back({sub->get_name(), ""});
  return result;
}

/// Whether `text` is an option rather than an argument.
inline bool isOption(const std::string &text) {
  return text.size() > 1 && text[0] == '-';
}

/// What is wrong with `typed`, which `command` does not know, and what may have
/// been meant. `help` becomes the command whose help to read.
inline std::string describeUnknown(const std::string &typed,
                                   const CLI::App &command, std::string &help) {
  bool lacksCommand = !command.get_subcommands({}).empty();
  std::string name = typed.substr(0, typed.find('='));
  if (!isOption(typed) && !lacksCommand)
    return "unexpected argument '" + typed + "'";
  std::vector<std::string> meant = nearest(typed, candidatesOf(command));
  if (meant.size() == 1 && meant.front() == name)
    return "the option '" + name + "' must come after the command";
  if (meant.size() == 1 && meant.front()[0] != '-')
    help += " " + meant.front();
  std::string text = std::string("there is no ") +
                     (isOption(typed) ? "option '" : "command '") + name + "'";
  for (const std::string &one : meant)
    text += (&one == &meant.front() ? "; did you mean '" : " or '") + one + "'";
  return text + (meant.empty() ? "" : "?");
}

/// The message for an error in a command line of `app`: what is wrong, the
/// nearest right option or command, and where the help is.
inline std::string describeParseError(const CLI::App &app,
                                      const CLI::ParseError &error) {
  const CLI::App *command = &app;
  std::string help = app.get_name(), text = error.what();
  if (!app.get_subcommands().empty()) {
    command = app.get_subcommands().front();
    help += " " + command->get_name();
  }
  // Whatever else is wrong may be a consequence of an unknown option, such as
  // its value being taken for an argument.
  std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  // What ends the options is none.
  unknown.erase(std::remove(unknown.begin(), unknown.end(), "--"),
                unknown.end());
  auto wrong = unknown.begin();
  if (command != &app)
    wrong = std::find_if(wrong, unknown.end(), isOption);
  if (!unknown.empty())
    text = describeUnknown(wrong == unknown.end() ? unknown.front() : *wrong,
                           *command, help);
  return text + " (see " + help + " --help)";
}

} // namespace vit::tools

#endif // VIT_TOOLS_SUGGESTIONS_H
