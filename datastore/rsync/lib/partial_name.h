// SPDX-License-Identifier: Apache-2.0
// How the directory is called in which an upload by SFTP lies until it is whole:
// <name>.partial.<owner>.
//
// There are no locks over there.  Only its owner, who knows that he does nothing else with the VM
// at that time, takes one up or removes it; anybody else leaves it alone until it is dead for a
// day.
//
// Older versions had <name>.partial, of which nobody knows whose it is, and do not see ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rsync {

inline constexpr int owner_digits = 16;
inline constexpr int seconds_until_dead = 24 * 60 * 60;

struct PartialName {
  std::string name = {};   // of the backup
  std::string owner = {};  // empty: as older versions call it

  static std::optional<PartialName> parse(std::string_view directory);  // nullopt: it is none
  std::string text() const;
};

bool is_owner(std::string_view text);  // 16 lower case hexadecimal digits

// That of uploads of our state directory: always the same, and another one where a copy of it lies.
std::string owner_of_uploads();

}  // namespace rsync
