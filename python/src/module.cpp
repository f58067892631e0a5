//===- module.cpp - The extension module of vitrt -------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// vitrt._core: the tools' library for Python. Public classes and functions are
// in the package's .py files, which check and convert arguments; nothing here
// is to be called by users.
//
//===----------------------------------------------------------------------===//

#include "Bindings.h"

#include "CompilerLibrary.h"
#include "VitRun.h"

#include <csignal>
#include <regex>

using namespace vit;
using namespace vit::python;

/// Messages name options as the command line does; here they are keywords.
static std::string withKeywords(const std::string &message) {
  static const std::regex option("(^|[ '(])--([a-z][a-z-]*)");
  std::string result;
  auto at = message.cbegin();
  for (std::sregex_iterator found(message.begin(), message.end(), option), end;
       found != end; ++found) {
    result.append(at, (*found)[1].second);
    std::string name = (*found)[2];
    std::replace(name.begin(), name.end(), '-', '_');
    result += name;
    at = (*found)[0].second;
  }
  return result.append(at, message.cend());
}

NB_MODULE(_core, module) {
  nb::register_exception_translator(
      [](const std::exception_ptr &thrown, void *) {
        try {
          std::rethrow_exception(thrown);
        } catch (const tools::Error &error) {
          nb::object type = nb::module_::import_("vitrt._errors").attr("Error");
          nb::object value =
              type(withKeywords(error.what()), vit_status_name(error.status));
          PyErr_SetObject(type.ptr(), value.ptr());
        }
      });
  module.def("version", &vit_version);
  module.def(
      "vit_run",
      [](const std::vector<nb::bytes> &given) {
        std::vector<std::string> words;
        for (const nb::bytes &word : given)
          words.emplace_back(word.c_str(), word.size());
        std::vector<char *> arguments;
        for (std::string &word : words)
          arguments.push_back(word.data());
        arguments.push_back(nullptr);
        nb::gil_scoped_release release;
        return tools::runVitRun(static_cast<int>(words.size()),
                                arguments.data());
      },
      nb::arg("words"));
  module.def(
      "use_compiler",
      [](const std::string &library, const std::string &remedy) {
        tools::useCompilerLibrary(library, remedy);
      },
      nb::arg("library"), nb::arg("remedy"));
  module.def("with_keywords", &withKeywords, nb::arg("message"));
  module.def("write_weights", &writeWeights, nb::arg("path"), nb::arg("names"),
             nb::arg("arrays"));
  module.def("find_compiler", &tools::findCompilerLibrary);
  addModel(module);
  addTrainer(module);
}
