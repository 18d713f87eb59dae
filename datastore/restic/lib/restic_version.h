// SPDX-License-Identifier: Apache-2.0
// What differs between the releases of restic (0.14 to 0.18) is known here, and nowhere else:
// how failures are told apart, and how their texts look.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace restic {

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
};

inline constexpr Version oldest{0, 14, 0};

// Since this one restic can be told to read one file at a time, in the order of their names;
// before, it reads two at once.
inline constexpr Version reads_one_at_a_time{0, 15, 0};

// From the output of `restic version`.  Throws Error when it is none.
Version parse_version(std::string_view text);

// How a command ended.
enum class Outcome {
  ok,
  no_repository,
  locked,
  wrong_password,
  incomplete,     // a source could not be read, but there is a snapshot
  no_connection,  // ssh did not get through to the server: nothing has happened
  no_snapshot,    // the repository has no snapshot of that id
  no_such_file,   // the snapshot has no file of that path
  failed,
};

// By the exit status where restic has one for it (0.17 and later), else by the text.
Outcome classify(int status, std::string_view stderr_text);

// The one line of restic's stderr that says why, with what ssh said about it.
std::string reason(std::string_view stderr_text);

// Who has a repository locked, in restic's words.
struct LockOwner {
  int pid = 0;
  std::string host, user;
  std::string age;           // of the lock: "1m5s"
  std::string text() const;  // "PID 7 on kvm1 (user root), whose lock is 1m5s old"
};

// nullopt: the text is not about a lock, or in words that are not known.
std::optional<LockOwner> lock_owner(std::string_view stderr_text);

// The first thing that `restic check` found wrong, from its stderr.
std::string first_finding(std::string_view stderr_text);

// The id that cores and URLs use: restic prints 8 digits up to 0.15, all 64 from 0.16 on.
std::string short_id(std::string_view id);

}  // namespace restic
