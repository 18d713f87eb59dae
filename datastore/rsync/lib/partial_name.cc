// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/partial_name.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <filesystem>

#include "common/error.h"
#include "common/file.h"
#include "common/one/location.h"
#include "common/random.h"
#include "common/sha256.h"
#include "datastore/rsync/lib/protocol.h"

namespace rsync {
namespace {

constexpr std::string_view suffix = ".partial";
constexpr std::size_t name_digits = 6;
constexpr int token_digits_of_owner = 32;
constexpr std::chrono::seconds to_make_it{10};

// Made once.
std::string token(const std::filesystem::path& directory) {
  const auto path = directory / "rsync-owner";
  if (auto text = read_file_if_any(path); text && !text->empty()) return *std::move(text);
  const auto lock = FileLock::lock(path, to_make_it, "the name of this state directory");
  auto text = read_file(path);
  if (!text.empty()) return text;
  text = random_hex(token_digits_of_owner) + "\n";
  write_all(lock.fd(), text, "write '" + path.string() + "'");
  if (fsync(lock.fd()) != 0) throw system_error("write '" + path.string() + "'", errno);
  sync_directory(directory);
  return text;
}

}  // namespace

std::optional<PartialName> PartialName::parse(std::string_view directory) {
  PartialName found{.name = std::string{directory.substr(0, name_digits)}};
  directory.remove_prefix(found.name.size());
  if (!is_backup_name(found.name) || !directory.starts_with(suffix)) return std::nullopt;
  directory.remove_prefix(suffix.size());
  if (directory.empty()) return found;
  found.owner = directory.substr(1);
  if (directory.front() != '.' || !is_owner(found.owner)) return std::nullopt;
  return found;
}

std::string PartialName::text() const {
  return name + std::string{suffix} + (owner.empty() ? "" : "." + owner);
}

bool is_owner(std::string_view text) {
  return text.size() == owner_digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string owner_of_uploads() {
  const auto directory = var_dir();
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, sizeof host - 1);
  return sha256_of(token(directory) + host + "\n" + std::filesystem::canonical(directory).string())
      .substr(0, owner_digits);
}

}  // namespace rsync
