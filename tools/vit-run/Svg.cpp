//===- Svg.cpp - Parts of pictures in SVG ---------------------------------===//
//
// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Svg.h"

#include "JsonText.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace vit::tools {

std::vector<double> Range::ticks() const {
  int count = static_cast<int>(std::floor((high - low) / step + 1e-6)) + 1;
  std::vector<double> result(count);
  for (int i = 0; i < count; ++i)
    result[i] = low + i * step;
  return result;
}

Range roundRange(double low, double high) {
  if (!(low < high)) {
    low -= 0.5;
    high += 0.5;
  }
  double rough = (high - low) / 5;
  double power = std::pow(10, std::floor(std::log10(rough)));
  double step = rough <= power       ? power
                : rough <= 2 * power ? 2 * power
                : rough <= 5 * power ? 5 * power
                                     : 10 * power;
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

void append(std::string &out, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  out += text;
}

std::string escape(const std::string &text) {
  // The JSON library replaces what is not UTF-8.
  auto valid = nlohmann::json::parse(jsonText(text)).get<std::string>();
  std::string result;
  for (char c : valid)
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (static_cast<unsigned char>(c) >= ' ')
      result += c;
  return result;
}

std::string beginPicture(double width, double height, double left,
                         const std::string &title) {
  std::string out;
  append(out,
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
         "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
         "font-size=\"12\" fill=\"#333\">\n"
         "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
         width, height, width, height);
  append(out, "<text x=\"%.0f\" y=\"30\" font-size=\"15\">", left);
  return out + escape(title) + "</text>\n";
}

} // namespace vit::tools
