// SPDX-License-Identifier: Apache-2.0
#include "common/one/log_line.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "common/error.h"

bool is_log_line(std::string_view line) {
  constexpr std::string_view prefixes[] = {"ERROR:", "INFO:", "WARN:", "DEBUG:"};
  return std::any_of(std::begin(prefixes), std::end(prefixes), [&](auto prefix) {
    return line.starts_with(prefix) && line.size() > prefix.size() &&
           (line[prefix.size()] == ' ' || line[prefix.size()] == '\t');
  });
}

void pass_log_line(std::string_view line) {
  if (!is_log_line(line)) return;
  const std::string text = std::string{line} + "\n";
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
}

std::string last_plain_line(std::string_view text) {
  std::string found;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = one_line(text.substr(0, end));
    if (!line.empty() && !is_log_line(line)) found = line;
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return found;
}
