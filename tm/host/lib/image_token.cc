// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/image_token.h"

#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "common/random.h"
#include "tm/host/lib/marks.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr std::string_view prefix = "user.vmvault.";
constexpr std::size_t digits = 16;

std::string attribute(const std::string& bitmap) { return std::string{prefix} + bitmap; }

}  // namespace

void leave_token(const fs::path& image, const std::string& bitmap) {
  const auto token = random_hex(digits);
  const auto name = attribute(bitmap);
  if (setxattr(image.c_str(), name.c_str(), token.data(), token.size(), 0) != 0)
    removexattr(image.c_str(), name.c_str());
}

std::string token_of(const fs::path& image, const std::string& bitmap) {
  std::array<char, digits> token;
  const auto size = getxattr(image.c_str(), attribute(bitmap).c_str(), token.data(), token.size());
  return size < 0 ? "" : std::string{token.data(), static_cast<std::size_t>(size)};
}

void sweep_tokens(const fs::path& image, int vm_id, const std::string& kept,
                  const std::string& own) {
  std::string names(std::size_t{64} << 10, '\0');
  const auto size = listxattr(image.c_str(), names.data(), names.size());
  std::string_view rest{names.data(), size < 0 ? 0 : static_cast<std::size_t>(size)};
  while (!rest.empty()) {
    const std::string name{rest.substr(0, rest.find('\0'))};
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (!name.starts_with(prefix)) continue;
    const auto bitmap = name.substr(prefix.size());
    if (checkpoint_increment(vm_id, bitmap) && bitmap != kept && bitmap != own)
      removexattr(image.c_str(), name.c_str());
  }
}

}  // namespace host
