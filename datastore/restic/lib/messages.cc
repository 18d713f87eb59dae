// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/messages.h"

#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/error.h"

namespace restic {
namespace {

using nlohmann::json;

// The line, if it is a message of this type.
std::optional<json> message(std::string_view line, std::string_view type) {
  auto document = json::parse(line, nullptr, false);
  if (!document.is_object() || document.value("message_type", "") != type) return std::nullopt;
  return document;
}

// "2026-11-20T11:33:46.030316714+02:00": with a fraction or without, "Z" for UTC.
std::int64_t parse_time(const std::string& text) {
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!rest) throw Error{"the time of a snapshot is not readable: '" + one_line(text) + "'"};
  const std::string_view zone{rest + std::strspn(rest, ".0123456789")};
  const auto at = static_cast<std::int64_t>(timegm(&parts));
  int hours = 0, minutes = 0;
  if (zone == "Z") return at;
  if (zone.size() != 6 || std::sscanf(zone.data() + 1, "%2d:%2d", &hours, &minutes) != 2)
    throw Error{"the zone of a snapshot's time is not readable: '" + one_line(text) + "'"};
  const int offset = (hours * 60 + minutes) * 60;
  return zone[0] == '-' ? at + offset : at - offset;
}

}  // namespace

std::vector<Snapshot> parse_snapshots(std::string_view text) try {
  std::vector<Snapshot> all;
  const auto document = json::parse(text);
  if (document.is_null()) return all;
  for (const auto& entry : document) {
    Snapshot snapshot{.id = entry.at("id"), .paths = entry.at("paths"), .tags = {}};
    if (const auto time = entry.find("time"); time != entry.end())
      snapshot.time = parse_time(*time);
    if (const auto tags = entry.find("tags"); tags != entry.end() && tags->is_array())
      snapshot.tags = *tags;
    if (const auto original = entry.find("original");
        original != entry.end() && original->is_string())
      snapshot.original = *original;
    all.push_back(std::move(snapshot));
  }
  return all;
} catch (const json::exception&) {
  throw Error{"restic's list of snapshots is not readable"};
}

std::optional<Status> parse_status(std::string_view line) try {
  const auto status = message(line, "status");
  if (!status) return std::nullopt;
  return Status{status->value("bytes_done", std::uint64_t{0})};
} catch (const json::exception&) {
  return std::nullopt;
}

std::optional<Summary> parse_summary(std::string_view line) try {
  const auto summary = message(line, "summary");
  if (!summary || !summary->contains("snapshot_id")) return std::nullopt;
  return Summary{.snapshot_id = summary->at("snapshot_id"),
                 .files = summary->at("total_files_processed"),
                 .bytes = summary->at("total_bytes_processed")};
} catch (const json::exception&) {
  return std::nullopt;
}

std::map<std::string, std::uint64_t> parse_files(std::string_view text) try {
  std::map<std::string, std::uint64_t> files;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto node = json::parse(text.substr(0, end), nullptr, false);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (node.is_object() && node.value("type", "") == "file")
      files[node.at("path")] = node.value("size", std::uint64_t{0});
  }
  return files;
} catch (const json::exception&) {
  throw Error{"restic's list of files is not readable"};
}

std::optional<std::uint64_t> parse_size(std::string_view text, std::string_view path) {
  const auto files = parse_files(text);
  const auto found = files.find(std::string{path});
  return found == files.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace restic
