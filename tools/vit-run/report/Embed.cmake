# Writes the files FILES (separated by commas) as the constants of OUTPUT, a
# header: namespace report_files with `find`.
#   cmake -DOUTPUT=ReportFiles.h -DFILES=a.html,b.css -P Embed.cmake
string(REPLACE "," ";" FILES "${FILES}")
set(text "// Made by Embed.cmake.\n#include <string_view>\n\nnamespace vit::tools::report_files {\n")
set(table "")
set(index 0)
foreach(path IN LISTS FILES)
  get_filename_component(name "${path}" NAME)
  file(READ "${path}" hex HEX)
  # Lines of 64 bytes: a line of one long string is slow to compile.
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${hex}")
  string(REPEAT "." 256 line)
  string(REGEX REPLACE "(${line})" "\\1\"\n\"" bytes "${bytes}")
  string(APPEND text "inline constexpr char bytes${index}[] =\n\"${bytes}\";\n")
  string(APPEND table "    {\"${name}\", {bytes${index}, sizeof(bytes${index}) - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND text "struct File { std::string_view name, text; };\n"
  "inline constexpr File files[] = {\n${table}};\n"
  "/// The content of a file; null if there is none of this name.\n"
  "inline const std::string_view *find(std::string_view name) {\n"
  "  for (const File &file : files)\n    if (file.name == name)\n      return &file.text;\n  return nullptr;\n}\n"
  "} // namespace vit::tools::report_files\n")
file(WRITE "${OUTPUT}" "${text}")
