// SPDX-License-Identifier: Apache-2.0
#include "common/lvm/program.h"

#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "common/ended.h"
#include "common/error.h"

namespace lvm {
namespace {

// Ordinary users seldom have it in their PATH.
std::string path_of(std::string_view name) {
  for (const std::string dir : {"/usr/sbin/", "/sbin/", "/usr/bin/"})
    if (const auto path = dir + std::string{name}; access(path.c_str(), X_OK) == 0) return path;
  return std::string{name};
}

}  // namespace

Command plain_program(std::string_view name, const std::vector<std::string>& arguments,
                      const Access& access) {
  std::vector<std::string> argv{path_of(name)};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Command out{std::move(argv)};
  // It would complain about the locks that we let it have, and translate what we read.
  out.env("LVM_SUPPRESS_FD_WARNINGS", "1").env("LC_ALL", "C").deadline(access.deadline);
  if (access.shielded) out.shielded();
  return out;
}

Command program(std::string_view name, const std::vector<std::string>& arguments,
                const Access& access) {
  Command plain = plain_program(name, arguments, access);
  if (geteuid() == 0) return plain;
  std::vector<std::string> argv{"sudo", "-n", "--"};
  argv.insert(argv.end(), plain.argv().begin(), plain.argv().end());
  Command out{std::move(argv)};
  out.env("LC_ALL", "C").deadline(access.deadline);  // sudo passes that on
  if (access.shielded) out.shielded();
  return out;
}

// Which may be followed by what every change of a volume group warns of.
std::string complaint(std::string_view stderr_text) {
  std::istringstream lines{std::string{stderr_text}};
  std::string last, last_warning;
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, line.find_first_not_of(' '));
    if (line.empty()) continue;
    (line.starts_with("WARNING:") ? last_warning : last) = line;
  }
  return last.empty() ? last_warning : last;
}

std::string insist(const Command& command, const std::string& doing) {
  Finished finished = command.run();
  if (finished.ok()) return std::move(finished.out);
  const std::string words = complaint(finished.err);
  throw Error{"cannot " + doing + ": " +
              (words.empty() ? ended(command.argv().front(), finished.status) : words)};
}

}  // namespace lvm
