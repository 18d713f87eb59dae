// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/sieve.h"

#include <algorithm>
#include <array>
#include <utility>

namespace front {
namespace {

constexpr std::array<std::string_view, 3> verbs{"BACKUP", "BACKUPCANCEL", "DRIVER_CANCEL"};
constexpr std::size_t longest_verb = 13;
constexpr std::size_t longest_line = std::size_t{96} << 20;

bool same(std::string_view text, std::string_view verb) {
  return std::equal(text.begin(), text.end(), verb.begin(), verb.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  });
}

// Can this be the beginning of a line that somebody takes?
bool is_promising(std::string_view line) {
  const auto verb = line.substr(0, line.find_first_of(" \t\r\n"));
  if (verb.size() == line.size()) return verb.size() <= longest_verb;
  return line.size() < longest_line &&
         std::any_of(verbs.begin(), verbs.end(), [&](auto one) { return same(verb, one); });
}

}  // namespace

std::string Sieve::pass(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const bool whole = end != bytes.npos;
    const auto piece = bytes.substr(0, whole ? end + 1 : bytes.size());
    bytes.remove_prefix(piece.size());
    if (passing_) {
      out += piece;
      passing_ = !whole;
      continue;
    }
    held_ += piece;
    if (!is_promising(held_)) {
      passing_ = !whole;
      out += std::exchange(held_, {});
    } else if (whole) {
      std::string line = std::exchange(held_, {});
      line.pop_back();
      if (!take_(line)) out.append(line).append("\n");
    }
  }
  return out;
}

std::string Sieve::rest() { return std::exchange(held_, {}); }

}  // namespace front
