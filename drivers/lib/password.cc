// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/error.h"
#include "common/number.h"
#include "common/random.h"

namespace {

constexpr int usual_cost = 14, usual_block = 8, usual_lanes = 1;  // 16 MiB
constexpr int most_cost = 20;
constexpr int salt_digits = 32;
constexpr std::uint64_t most_memory = 1 << 30;

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string text;
  for (std::size_t at = 0; at < size; ++at)
    for (const int nibble : {bytes[at] >> 4, bytes[at] & 15}) text += "0123456789abcdef"[nibble];
  return text;
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> derived(std::string_view password, std::string_view salt, int cost,
                                   int block, int lanes) {
  std::array<unsigned char, 32> key{};
  if (EVP_PBE_scrypt(password.data(), password.size(), bytes(salt), salt.size(),
                     std::uint64_t{1} << cost, static_cast<std::uint64_t>(block),
                     static_cast<std::uint64_t>(lanes), most_memory, key.data(), key.size()) != 1)
    return std::nullopt;
  return hex(key.data(), key.size());
}

std::vector<std::string_view> parts(std::string_view text) {
  std::vector<std::string_view> all;
  for (;;) {
    const auto colon = text.find(':');
    all.push_back(text.substr(0, colon));
    if (colon == text.npos) return all;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace

std::string hash_password(std::string_view password) {
  const auto salt = random_hex(salt_digits);
  const auto key = derived(password, salt, usual_cost, usual_block, usual_lanes);
  if (!key) throw Error{"cannot hash a password"};
  return "scrypt:" + std::to_string(usual_cost) + ":" + std::to_string(usual_block) + ":" +
         std::to_string(usual_lanes) + ":" + salt + ":" + *key;
}

bool is_password(std::string_view password, std::string_view hash) {
  const auto all = parts(hash);
  if (all.size() != 6 || all[0] != "scrypt") return false;
  const auto cost = parse_int(std::string{all[1]}, 1, most_cost);
  const auto block = parse_int(std::string{all[2]}, 1, 64);
  const auto lanes = parse_int(std::string{all[3]}, 1, 16);
  if (!cost || !block || !lanes) return false;
  const auto key = derived(password, all[4], *cost, *block, *lanes);
  return key && same_secret(*key, all[5]);
}

std::string digest(std::string_view secret) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> sum{};
  SHA256(bytes(secret), secret.size(), sum.data());
  return hex(sum.data(), sum.size());
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}
