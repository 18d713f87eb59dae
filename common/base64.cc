// SPDX-License-Identifier: Apache-2.0
#include "common/base64.h"

#include <array>
#include <cstdint>

#include "common/error.h"

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto values = [] {
  std::array<signed char, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
  return table;
}();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (held += 8; held >= 6;) {
      held -= 6;
      out += alphabet[bits >> held & 0x3f];
    }
  }
  if (held > 0) out += alphabet[bits << (6 - held) & 0x3f];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::string base64_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') break;
    const auto value = values[static_cast<unsigned char>(c)];
    if (value == -1) throw BadRequest{"the input is not base64"};
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>(bits >> held & 0xff);
    }
  }
  if (held == 6) throw BadRequest{"the input is not base64: a part of it is missing"};
  return out;
}
