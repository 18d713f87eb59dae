// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/protocol.h"

#include <algorithm>

#include "common/error.h"
#include "common/number.h"

namespace rsync {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool all_hex(std::string_view text, std::size_t length) {
  return text.size() == length && std::all_of(text.begin(), text.end(), is_hex);
}

// For the file of a disk, disk.<number>.<number>, the same two numbers after another word.
std::optional<std::string> beside(std::string_view word, std::string_view disk_file) {
  constexpr std::string_view start = "disk.";
  if (!disk_file.starts_with(start)) return std::nullopt;
  const auto numbers = disk_file.substr(start.size());
  const auto dot = numbers.find('.');
  if (dot == numbers.npos || !parse_int(numbers.substr(0, dot)) ||
      !parse_int(numbers.substr(dot + 1)))
    return std::nullopt;
  return std::string{word} + "." + std::string{numbers};
}

}  // namespace

bool is_backup_name(std::string_view name) { return all_hex(name, 6); }

bool is_sha256(std::string_view text) { return all_hex(text, 64); }

bool is_token(std::string_view text) { return all_hex(text, token_digits); }

bool is_file_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-' || c == '+';
  };
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), good);
}

std::optional<std::string> signature_name(std::string_view disk_file) {
  return beside("rsig", disk_file);
}

std::optional<std::string> blocks_name(std::string_view disk_file) {
  return beside("blocks", disk_file);
}

void throw_unexpected(const ServerMessage& message) {
  if (const auto* failure = std::get_if<Failure>(&message))
    throw Error{"the server says: " + one_line(failure->why)};
  throw Error{"the server answers something else than it was asked for"};
}

}  // namespace rsync
