// SPDX-License-Identifier: MIT
#include "run/process_group.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace weir::tool {

bool group_lives(pid_t group) noexcept {
  if (group <= 0) return false;
  while (waitpid(-group, nullptr, WNOHANG) > 0) {
  }
  return kill(-group, 0) == 0;
}

std::unordered_set<pid_t> groups_without_zombies() {
  std::unordered_set<pid_t> groups;
  std::error_code ignored;  // without /proc there are none
  for (std::filesystem::directory_iterator at("/proc", ignored), end; at != end;
       at.increment(ignored)) {
    const std::string name = at->path().filename();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    std::ifstream stat(at->path() / "stat");
    std::string text;
    std::getline(stat, text, '\0');  // "17 (its name) S 1 17": number, name, state, parent, group
    const std::size_t name_end = text.rfind(") ");
    if (name_end == std::string::npos) continue;  // it has just gone
    std::istringstream rest(text.substr(name_end + 2));
    char state = 0;
    pid_t parent = 0;
    pid_t group = 0;
    if (!(rest >> state >> parent >> group)) continue;
    if (state != 'Z' && state != 'X') groups.insert(group);
  }
  return groups;
}

}  // namespace weir::tool
