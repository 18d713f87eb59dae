// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/xml_writer.h"

#include <algorithm>
#include <array>

namespace {

// How many bytes of `text` at `at` are one character that XML may hold; 0: none is.
std::size_t character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t n) { return static_cast<unsigned char>(text[at + n]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\n' || first == '\t' || first == '\r';
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > text.size()) return 0;
  std::uint32_t code = first & (0x7fU >> size);
  for (std::size_t n = 1; n < size; ++n) {
    if ((byte(n) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(n) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < least[size] || surrogate || code == 0xfffe || code == 0xffff || code > 0x10ffff
             ? 0
             : size;
}

}  // namespace

std::string valid_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto size = character(text, at);
    out += size == 0 ? "?" : text.substr(at, size);
    at += std::max<std::size_t>(size, 1);
  }
  return out;
}

void append_xml_text(std::string& out, std::string_view text) {
  for (const char c : valid_text(text)) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '\r')
      out += "&#13;";
    else
      out += c;
  }
}
