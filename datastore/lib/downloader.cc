// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/downloader.h"

#include <algorithm>

#include "common/error.h"

std::string download_command(const std::vector<std::string>& argv) {
  std::string command;
  for (const auto& word : argv) {
    const bool hostile = std::any_of(word.begin(), word.end(), [](unsigned char c) {
      return c < 0x20 || c == 0x7f ||
             std::string_view{"$`\"\\'"}.find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (hostile)
      throw BadRequest{
          "a path with quotes, '$', '`', '\\' or control characters cannot be downloaded"};
    command += (command.empty() ? "'" : " '") + word + "'";
  }
  return "command=\"" + command + "\"\nclean_command=\"\"";
}
