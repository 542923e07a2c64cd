// SPDX-License-Identifier: MIT
#include "run/command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "error.hpp"

namespace weir::tool {
namespace {

constexpr std::string_view place = "{}";

struct found_program {
  std::string file;
  int error = ENOENT;
};

/// 0 if `file` can be executed, ENOENT if it is not there, or EACCES.
int executable_error(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return errno == EACCES ? EACCES : ENOENT;
  if (!S_ISREG(info.st_mode)) return EACCES;
  return faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : EACCES;
}

/// Looks for a program as execvp() does.
found_program find_program(const std::string& name) {
  if (name.empty()) return {};
  if (name.find('/') != std::string::npos) {
    const int error = executable_error(name);
    return {error == 0 ? name : std::string(), error};
  }
  const char* named = getenv("PATH");
  std::string_view folders = named != nullptr ? named : "/bin:/usr/bin";
  int error = ENOENT;
  for (bool more = true; more;) {
    const std::size_t end = folders.find(':');
    more = end != std::string_view::npos;
    const std::string folder(folders.substr(0, end));
    std::string file = folder.empty() ? "./" + name : folder + "/" + name;
    const int here = executable_error(file);
    if (here == 0) return {std::move(file), 0};
    if (here == EACCES) error = EACCES;
    if (more) folders.remove_prefix(end + 1);
  }
  return {{}, error};
}

[[noreturn]] void throw_not_runnable(const std::string& name, int error) {
  if (error == EACCES) {
    throw tool_error({name, "cannot be executed", "Check its permissions, or name another command"},
                     status_not_executable);
  }
  throw tool_error({name, "command not found", "Check its spelling and PATH"}, status_not_found);
}

/// `pattern` with each {} replaced, handed to `add` piece by piece.
template <class Add>
void replace_places(std::string_view pattern, std::string_view record, Add add) {
  for (std::size_t at; (at = pattern.find(place)) != std::string_view::npos;) {
    add(pattern.substr(0, at));
    add(record);
    pattern.remove_prefix(at + place.size());
  }
  add(pattern);
}

/// What the shell may take a word for: the program's, one with `=`, would be an assignment.
enum class word { program, argument };

/// One word as a shell would want it.
std::string quoted(std::string_view argument, word which) {
  constexpr std::string_view plain =
      "=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-";
  const std::string_view allowed = plain.substr(which == word::program ? 1 : 0);
  if (!argument.empty() && argument.find_first_not_of(allowed) == std::string_view::npos) {
    return std::string(argument);
  }
  std::string text = "'";
  for (const char c : argument) {
    if (c == '\'')
      text += "'\\''";
    else
      text += c;
  }
  return text += "'";
}

}  // namespace

command_template::command_template(std::vector<std::string> arguments)
    : arguments_(std::move(arguments)) {
  bool placed = false;
  for (const std::string& argument : arguments_) {
    placed = placed || argument.find(place) != std::string::npos;
  }
  if (!placed) arguments_.emplace_back(place);
  const std::string& name = arguments_.front();
  if (name.find(place) != std::string::npos) return;
  found_program found = find_program(name);
  if (found.error != 0) throw_not_runnable(name, found.error);
  program_ = std::move(found.file);
}

prepared_command command_template::expand(std::string_view record) const {
  prepared_command command;
  std::vector<std::size_t> starts;
  starts.reserve(arguments_.size());
  for (const std::string& argument : arguments_) {
    starts.push_back(command.text.size());
    replace_places(argument, record, [&](std::string_view piece) {
      command.text.insert(command.text.end(), piece.begin(), piece.end());
    });
    command.text.push_back('\0');
  }
  command.argv.reserve(starts.size() + 2);
  command.argv.push_back(nullptr);
  for (const std::size_t start : starts) command.argv.push_back(command.text.data() + start);
  command.argv.push_back(nullptr);
  if (!program_.empty()) {
    command.program = program_;
  } else {
    found_program found = find_program(command.argv[1]);
    command.program = std::move(found.file);
    command.lookup_error = found.error;
  }
  return command;
}

std::string command_template::describe(std::string_view record) const {
  constexpr std::size_t bytes_max = 240;
  const std::string_view shown = record.substr(0, bytes_max);
  std::string text;
  for (const std::string& argument : arguments_) {
    std::string whole;
    replace_places(argument, shown, [&](std::string_view piece) { whole += piece; });
    const word which = text.empty() ? word::program : word::argument;
    if (!text.empty()) text += ' ';
    text += quoted(printable(whole), which);
    if (text.size() > bytes_max) break;
  }
  if (text.size() > bytes_max || shown.size() < record.size()) {
    std::size_t end = std::min(bytes_max, text.size());  // not within a character of UTF-8
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text.resize(end);
    text += "...";
  }
  return text;
}

}  // namespace weir::tool
