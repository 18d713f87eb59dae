// SPDX-License-Identifier: Apache-2.0
#include "common/process.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 (Debian 12) forgets to say this itself
}

namespace {

// What the kernel tells about it in this file; "" if it went while we read.
std::string told(pid_t pid, const char* file) try {
  return read_file_if_any("/proc/" + std::to_string(pid) + "/" + file).value_or("");
} catch (const Error&) {
  return "";
}

}  // namespace

std::optional<Process> Process::living(pid_t pid) try {
  const std::string stat = told(pid, "stat");
  if (stat.empty()) return std::nullopt;
  // The name, in parentheses, may hold anything: what follows the last one is fields 3 and on.
  std::istringstream fields{stat.substr(stat.rfind(')') + 1)};
  std::string state, field;
  fields >> state;
  if (state == "Z" || state == "X") return std::nullopt;
  for (int number = 4; number <= 22; ++number) fields >> field;
  std::string boot = read_file("/proc/sys/kernel/random/boot_id");
  boot.erase(boot.find_last_not_of('\n') + 1);
  return Process{pid, field, boot};
} catch (const Error&) {
  return std::nullopt;
}

Process Process::self() {
  if (auto self = living(getpid())) return *std::move(self);
  throw Error{"cannot read the state of this process in /proc"};
}

std::string Process::text() const { return std::to_string(pid) + " " + start + " " + boot + "\n"; }

std::optional<Process> Process::parse(const std::string& text) {
  std::istringstream words{text};
  std::string number;
  Process process;
  words >> number >> process.start >> process.boot;
  const auto pid = parse_int(number, 1);
  if (!words || !pid) return std::nullopt;
  process.pid = *pid;
  return process;
}

Fd Process::open() const {
  // The descriptor stays with the process that has the number now; only then do we look who it is.
  Fd process{pidfd_open(pid, 0)};
  return process && alive() ? std::move(process) : Fd{};
}

bool Process::signal(int number) const {
  const Fd process = open();
  if (!process) return false;
  if (pidfd_send_signal(process.get(), number, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  throw system_error("stop process " + std::to_string(pid), errno);
}

std::vector<std::string> Process::arguments() const {
  std::vector<std::string> words;
  std::istringstream stream{told(pid, "cmdline")};
  for (std::string word; std::getline(stream, word, '\0');) words.push_back(word);
  return words;
}

std::string Process::name() const {
  const std::string name = told(pid, "comm");
  return name.substr(0, name.find('\n'));
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"})
    if (const auto pid = parse_int(entry.path().filename().string(), 1)) pids.push_back(*pid);
  return pids;
}
