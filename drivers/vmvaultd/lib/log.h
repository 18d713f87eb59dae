// SPDX-License-Identifier: Apache-2.0
// What the service says of its work: to the journal, to syslog, to a person, or to a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vmvaultd {

struct LogSettings {
  std::filesystem::path file{};  // empty: stderr, or syslog
  int level = 2;                 // DEBUG_LEVEL: 0 errors, 1 warnings, 2 what is done, 3 all
  bool to_syslog = false;
};

// Of which object a line speaks, in OpenNebula's words; below 0: of none.
struct About {
  // NOLINTNEXTLINE(google-explicit-constructor): most lines speak of a machine, by its number
  About(std::int64_t vm) : kind{"VM"}, id{vm} {}
  About(const char* named, std::int64_t number) : kind{named}, id{number} {}
  const char* kind;
  std::int64_t id;
};

class Log {
 public:
  // To stderr, which knows the journal's levels ("<4>") when the journal reads it.
  explicit Log(LogSettings settings = {});

  // "[VM 12][I]: text"; `severity` is E, W, I or D.  A file is opened for each line, so that it can
  // be moved away at any time; where that fails, stderr gets the line.  Never throws.
  void operator()(char severity, About about, const std::string& text) const;

 private:
  LogSettings settings_;
  bool journal_;
};

}  // namespace vmvaultd
