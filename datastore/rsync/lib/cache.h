// SPDX-License-Identifier: Apache-2.0
// Side files of backups that were sent from this machine, so that the next one need not fetch them.
// Each has the SHA-256 of its content for a name.
//
// A cache: whatever goes wrong with it is a file that is not in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace rsync {

class SideCache {
 public:
  static constexpr std::uint64_t most_bytes = std::uint64_t{4} << 30;

  // Made with the first file.  It holds at most so many bytes, and a tenth of what its file system
  // has free.
  explicit SideCache(std::filesystem::path dir, std::uint64_t most = most_bytes)
      : dir_{std::move(dir)}, most_{most} {}

  std::optional<std::string> find(const std::string& sha256) const noexcept;
  void put(const std::string& sha256, std::string_view content) const noexcept;
  void remove(const std::string& sha256) const noexcept;

 private:
  void make_room(std::uint64_t bytes) const;

  std::filesystem::path dir_;
  std::uint64_t most_;
};

}  // namespace rsync
