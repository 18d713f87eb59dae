// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/restic_version.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/error.h"
#include "common/number.h"

namespace restic {
namespace {

using nlohmann::json;

constexpr std::size_t longest_reason = 400;

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// The text of a line: itself, or the message in it if it is JSON (0.17 and later print their last
// words so when --json is given).
std::string plain(std::string_view line) {
  if (!line.starts_with('{')) return std::string{line};
  const auto document = json::parse(line, nullptr, false);
  if (!document.is_object()) return std::string{line};
  if (const auto message = document.find("message");
      message != document.end() && message->is_string())
    return *message;
  const auto error = document.find("error");
  if (error != document.end() && error->is_object() && error->contains("message") &&
      error->at("message").is_string())
    return error->at("message");
  return std::string{line};
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> all;
  const auto split = [&](std::string_view rest, const auto& each) {
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      const auto line = rest.substr(0, end);
      if (line.find_first_not_of(" \t\r") != line.npos) each(line);
      rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    }
  };
  split(text, [&](std::string_view line) {
    split(plain(line), [&](std::string_view part) {
      // Of a stack that 0.14 prints with some errors: a function, and where it is.
      if (part.starts_with('\t') && !all.empty())
        all.pop_back();
      else
        all.emplace_back(part);
    });
  });
  return all;
}

std::string between(std::string_view text, std::string_view start, std::string_view end) {
  const auto from = text.find(start);
  if (from == text.npos) return "";
  const auto rest = text.substr(from + start.size());
  const auto to = rest.find(end);
  return to == rest.npos ? "" : std::string{rest.substr(0, to)};
}

// "1m5.25s" without the fraction: "1m5s".
std::string whole_units(std::string text) {
  const auto dot = text.find('.');
  if (dot == text.npos) return text;
  const auto unit = text.find_first_not_of("0123456789", dot + 1);
  return text.substr(0, dot) + (unit == text.npos ? "" : text.substr(unit));
}

// Up to 0.16 any failure to look at the config file ends in the question whether there is a
// repository; only these causes mean that there is none.
bool config_is_absent(std::string_view text) {
  constexpr std::string_view causes[] = {
      "no such file or directory",            // a local one
      "file does not exist",                  // sftp
      "The specified key does not exist",     // s3
      "The specified bucket does not exist",  // s3: init makes it
  };
  for (const auto& line : lines(text))
    if (has(line, "unable to open config file") &&
        std::any_of(std::begin(causes), std::end(causes),
                    [&](std::string_view cause) { return has(line, cause); }))
      return true;
  return false;
}

}  // namespace

Version parse_version(std::string_view text) {
  constexpr std::string_view name = "restic ";
  Version version;
  if (text.starts_with(name)) {
    text.remove_prefix(name.size());
    const char* at = text.data();
    const char* const end = at + text.size();
    int* const parts[] = {&version.major, &version.minor, &version.patch};
    for (int* part : parts) {
      const auto [next, error] = std::from_chars(at, end, *part);
      if (error != std::errc{}) break;
      at = next;
      if (part == &version.patch) return version;
      if (at == end || *at != '.') break;
      ++at;
    }
  }
  throw Error{"'restic version' gives no version"};
}

Outcome classify(int status, std::string_view stderr_text) {
  switch (status) {
    case 0:
      return Outcome::ok;
    case 3:
      return Outcome::incomplete;
    case 10:
      return Outcome::no_repository;
    case 11:
      return Outcome::locked;
    case 12:
      return Outcome::wrong_password;
    default:
      break;
  }
  if (has(stderr_text, "repository is already locked")) return Outcome::locked;
  if (has(stderr_text, "wrong password or no key found")) return Outcome::wrong_password;
  if (has(stderr_text, "no matching ID found")) return Outcome::no_snapshot;
  if (has(stderr_text, "not found in snapshot")) return Outcome::no_such_file;
  if (has(stderr_text, "unable to start the sftp session")) return Outcome::no_connection;
  if (config_is_absent(stderr_text)) return Outcome::no_repository;
  return Outcome::failed;
}

std::string reason(std::string_view stderr_text) {
  std::string last, said, ssh;
  for (auto& line : lines(stderr_text)) {
    last = line;
    if (line.starts_with("Fatal: "))
      said = line.substr(7);
    else if (has(line, "repository is already locked"))
      said = line;
    else if (line.starts_with("subprocess ssh: "))
      ssh = line.substr(16);
  }
  std::string text = one_line(said.empty() ? last : said);
  if (!ssh.empty() && !has(text, ssh)) text += " (" + one_line(ssh) + ")";
  if (text.size() > longest_reason) text.resize(longest_reason);
  return text.empty() ? "it gave no reason" : text;
}

// "repository is already locked [exclusively] by PID 7 on kvm1 by root (UID 0, GID 0)", and in the
// next line "lock was created at 2026-11-20 11:00:00 (1m5.25s ago)".
std::optional<LockOwner> lock_owner(std::string_view stderr_text) {
  std::optional<LockOwner> owner;
  for (const auto& line : lines(stderr_text)) {
    if (has(line, "repository is already locked")) {
      const auto pid = between(line, " by PID ", " on ");
      const auto number = parse_int(pid);
      if (!number) continue;
      owner = LockOwner{.pid = *number, .host = {}, .user = {}, .age = {}};
      const auto rest = line.substr(line.find(" on ", line.find(" by PID ")) + 4);
      owner->host = one_line(rest.substr(0, rest.find(" by ")));
      owner->user = one_line(between(rest, " by ", " ("));
    } else if (owner && line.starts_with("lock was created at ")) {
      owner->age = whole_units(one_line(between(line, "(", " ago)")));
    }
  }
  return owner;
}

std::string LockOwner::text() const {
  std::string words = "PID " + std::to_string(pid) + " on " + host;
  if (!user.empty()) words += " (user " + user + ")";
  if (!age.empty()) words += ", whose lock is " + age + " old";
  return words;
}

// Its last words only count the errors.
std::string first_finding(std::string_view stderr_text) {
  std::string text;
  for (const auto& line : lines(stderr_text)) {
    if (line.starts_with("Fatal: ")) continue;
    text += line;
    if (!text.ends_with(':')) break;  // "error for tree 12ab34cd:", and what it is in the next line
  }
  if (text.empty()) return reason(stderr_text);
  text = one_line(text);
  if (text.size() > longest_reason) text.resize(longest_reason);
  return text;
}

std::string short_id(std::string_view id) { return std::string{id.substr(0, 8)}; }

}  // namespace restic
