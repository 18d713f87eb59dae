// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/cache.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "common/sha256.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/receive_hash.h"

namespace fs = std::filesystem;

namespace rsync {
namespace {

// Of a VM that has gone, or is backed up elsewhere now.
constexpr std::chrono::hours too_old{24 * 90};

struct Kept {
  fs::path path;
  std::uint64_t size;
  fs::file_time_type used;
};

std::vector<Kept> list(const fs::path& dir) {
  std::vector<Kept> all;
  for (const auto& entry : fs::directory_iterator{dir})
    if (entry.is_regular_file() && !entry.is_symlink())
      all.push_back({entry.path(), entry.file_size(), entry.last_write_time()});
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.used < b.used; });
  return all;
}

}  // namespace

std::optional<std::string> SideCache::find(const std::string& sha256) const noexcept try {
  if (!is_sha256(sha256)) return std::nullopt;
  const auto path = dir_ / sha256;
  auto content = read_file_if_any(path);
  if (!content) return std::nullopt;
  if (sha256_of(*content) != sha256) {
    fs::remove(path);
    return std::nullopt;
  }
  fs::last_write_time(path, fs::file_time_type::clock::now());
  return content;
} catch (const std::exception&) {
  return std::nullopt;
}

void SideCache::put(const std::string& sha256, std::string_view content) const noexcept try {
  fs::create_directories(dir_);
  fs::permissions(dir_, fs::perms::owner_all);
  make_room(content.size());
  if (content.size() <= most_) write_file(dir_ / sha256, content);
} catch (const std::exception&) {
}

void SideCache::remove(const std::string& sha256) const noexcept {
  std::error_code ignored;
  if (is_sha256(sha256)) fs::remove(dir_ / sha256, ignored);
}

void SideCache::make_room(std::uint64_t bytes) const {
  const auto all = list(dir_);
  std::uint64_t used = bytes;
  for (const auto& kept : all) used += kept.size;
  const auto most = std::min<std::uint64_t>(most_, (fs::space(dir_).available + used) / 10);
  const auto oldest = fs::file_time_type::clock::now() - too_old;
  for (const auto& kept : all) {
    if (used <= most && kept.used >= oldest) return;
    fs::remove(kept.path);
    used -= kept.size;
  }
  if (used > most) throw Error{"there is no room"};
}

}  // namespace rsync
