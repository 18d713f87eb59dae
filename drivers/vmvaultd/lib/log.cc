// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

#include "common/error.h"
#include "common/handle.h"

namespace vmvaultd {
namespace {

// systemd tells which stream is the journal's: programs may be started from a service by hand.
bool is_journal(int fd) {
  const char* named = getenv("JOURNAL_STREAM");
  struct stat stream;
  return named && fstat(fd, &stream) == 0 &&
         std::to_string(stream.st_dev) + ":" + std::to_string(stream.st_ino) == named;
}

int level_of(char severity) {
  const auto level = std::string_view{"EWID"}.find(severity);
  return level == std::string_view::npos ? 0 : static_cast<int>(level);
}

std::string now_text() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S ", &parts);
  return text.data();
}

bool append(const std::filesystem::path& file, const std::string& line) {
  const Fd fd{open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)};
  return fd && write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace

Log::Log(LogSettings settings)
    : settings_{std::move(settings)}, journal_{is_journal(STDERR_FILENO)} {
  if (settings_.to_syslog) openlog("vmvaultd", LOG_PID, LOG_DAEMON);
}

void Log::operator()(char severity, About about, const std::string& text) const {
  const int level = level_of(severity);
  if (level > settings_.level) return;
  std::string line;
  if (about.id >= 0) line = "[" + std::string{about.kind} + " " + std::to_string(about.id) + "]";
  line += "[" + std::string{severity} + "]: " + one_line(text) + "\n";
  constexpr std::array priorities{LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
  const int priority = priorities[static_cast<std::size_t>(level)];
  if (settings_.to_syslog) return syslog(LOG_DAEMON | priority, "%s", line.c_str());
  if (!settings_.file.empty() && append(settings_.file, now_text() + line)) return;
  std::fputs((journal_ ? "<" + std::to_string(priority) + ">" + line : line).c_str(), stderr);
}

}  // namespace vmvaultd
