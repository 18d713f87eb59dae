// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/outcome.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <sstream>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/sums_file.h"
#include "common/sums.h"

namespace fs = std::filesystem;

namespace state {
namespace {

constexpr const char* reply_prefix = "backup.reply.";
constexpr const char* sums_prefix = "backup.sums.";

// The capture's own account of this attempt; nothing if it is missing or another's.
std::optional<std::string> result_text(const fs::path& dir, const Attempt& attempt) {
  auto text = read_file_if_any(dir / "backup.result");
  if (!text) return std::nullopt;
  try {
    const auto result = parse_result(*text);
    if (result.vm == attempt.vm && result.increment == attempt.increment) return text;
  } catch (const BadRequest&) {
  }
  return std::nullopt;
}

// The sums of this attempt's disks, as far as somebody has read them wholly.
std::vector<SumsRecord> sums_of(const fs::path& dir, const CaptureResult& result) {
  std::vector<SumsRecord> all;
  for (const auto& disk : result.disks) {
    const auto name = sums_file(disk.file);
    auto sums = read_file_if_any(dir / ("backup." + name));
    if (sums && sums->size() == sums::size(disk.file_size))
      all.push_back({.file = name, .sums = *std::move(sums)});
  }
  return all;
}

void remove_file(const fs::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + path.string() + "'", errno);
}

}  // namespace

// "<id> <MiB> <format>" and its newline; nullopt for anything else, also for a part of it.
std::optional<Reply> parse_reply(const std::string& text) {
  std::istringstream words{text};
  std::string source, size, format, more;
  words >> source >> size >> format;
  const auto mib = parse_number(size);
  if (!words || !mib || *mib < 0 || words >> more || !text.ends_with('\n')) return std::nullopt;
  const bool hex = std::all_of(source.begin(), source.end(),
                               [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (!hex || source.size() > 64) return std::nullopt;
  return Reply{.source = source, .size_mib = *mib};
}

fs::path reply_file(const Home& home, const Attempt& attempt) {
  return home.vm_link(attempt.vm) / (reply_prefix + std::to_string(attempt.id));
}

std::optional<Reply> read_reply(const Home& home, const Attempt& attempt) {
  const auto text = read_file_if_any(reply_file(home, attempt));
  return text ? parse_reply(*text) : std::nullopt;
}

std::string deleted_meanwhile(const std::string& source) {
  return "its image was deleted meanwhile; '" + source + "' is in no image (vmvault gc)";
}

Stored record(Store& store, const Home& home, const Attempt& attempt, const Reply& reply,
              std::optional<std::int64_t> ended) {
  const auto text = result_text(home.vm_link(attempt.vm), attempt);
  Stored stored;
  if (text) stored.result = parse_result(*text);
  stored.record = {.id = attempt.increment,
                   .source = reply.source,
                   .size_mib = reply.size_mib,
                   .bytes = stored.result ? stored.result->bytes()
                                          : static_cast<std::uint64_t>(reply.size_mib) << 20,
                   .date = attempt.started,
                   .dir = attempt.dir,
                   .result = text.value_or("")};
  const auto sums =
      stored.result ? sums_of(home.vm_link(attempt.vm), *stored.result) : std::vector<SumsRecord>{};
  stored.image = store.succeed(attempt.id, stored.record, sums, ended);
  return stored;
}

void remove_leftovers(const fs::path& dir) {
  for (const auto& path : entries_of(dir))
    for (const char* prefix : {reply_prefix, sums_prefix})
      if (path.filename().string().starts_with(prefix)) remove_file(path);
  for (const char* name : {"backup.result", "backup.progress"}) remove_file(dir / name);
  sync_directory(dir);
}

}  // namespace state
