// SPDX-License-Identifier: Apache-2.0
#include "common/sha256.h"

std::string hex(const sums::Sum& sum) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : sum) {
    text += digits[static_cast<unsigned>(byte) >> 4];
    text += digits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

std::string sha256_of(std::string_view bytes) {
  sums::Hash hash;
  hash.add(std::as_bytes(std::span{bytes}));
  return hex(hash.finish());
}
