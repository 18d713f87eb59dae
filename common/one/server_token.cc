// SPDX-License-Identifier: Apache-2.0
#include "common/one/server_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"
#include "common/handle.h"
#include "common/number.h"
#include "common/one/location.h"

namespace fs = std::filesystem;

namespace {

using Cipher = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

constexpr std::chrono::minutes lifetime{10};
constexpr std::size_t longest_token = 4096;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string hex_digest(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes(text), text.size(), digest);
  std::string out;
  for (const unsigned char byte : digest)
    for (const int nibble : {byte >> 4, byte & 15}) out += "0123456789abcdef"[nibble];
  return out;
}

// Digits as they are written, not the bytes that they stand for.
std::string key_of(std::string_view password) { return hex_digest(password).substr(0, 32); }

// nullopt for what nobody has encrypted with this password.
std::optional<std::string> decrypted(std::string_view token, std::string_view password) {
  std::string sealed;
  try {
    sealed = base64_decode(token);
  } catch (const BadRequest&) {
    return std::nullopt;
  }
  const std::string key = key_of(password);
  const Cipher cipher{EVP_CIPHER_CTX_new()};
  std::string out(sealed.size() + EVP_MAX_BLOCK_LENGTH, '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  int first = 0, last = 0;
  if (!cipher || sealed.size() > longest_token ||
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_cbc(), nullptr, bytes(key), bytes(key)) != 1 ||
      EVP_DecryptUpdate(cipher.get(), at, &first, bytes(sealed), static_cast<int>(sealed.size())) !=
          1 ||
      EVP_DecryptFinal_ex(cipher.get(), at + first, &last) != 1)
    return std::nullopt;
  out.resize(static_cast<std::size_t>(first + last));
  return out;
}

fs::path credentials_file() {
  const char* named = getenv("ONE_CIPHER_AUTH");
  return named && *named ? fs::path{named} : core_var() / ".one/onegate_auth";
}

}  // namespace

std::string server_token(std::string_view account, std::string_view password, std::string_view user,
                         std::int64_t expiry) {
  std::string plain{account};
  plain.append(":").append(user).append(":").append(std::to_string(expiry));
  const std::string key = key_of(password);
  const Cipher cipher{EVP_CIPHER_CTX_new()};
  std::string out(plain.size() + EVP_MAX_BLOCK_LENGTH, '\0');
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  int first = 0, last = 0;
  if (!cipher ||
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_cbc(), nullptr, bytes(key), bytes(key)) != 1 ||
      EVP_EncryptUpdate(cipher.get(), at, &first, bytes(plain), static_cast<int>(plain.size())) !=
          1 ||
      EVP_EncryptFinal_ex(cipher.get(), at + first, &last) != 1)
    throw Error{"cannot encrypt a token for the core"};
  out.resize(static_cast<std::size_t>(first + last));
  return base64_encode(out);
}

bool is_server_token(std::string_view token, std::string_view account, std::string_view password,
                     std::string_view user, std::int64_t now) {
  const auto plain = decrypted(token, password);
  const auto colon = plain ? plain->rfind(':') : std::string::npos;
  if (colon == std::string::npos) return false;
  const auto expiry = parse_number(std::string_view{*plain}.substr(colon + 1));
  if (!expiry || *expiry <= now) return false;
  // Made anew: what is not the same to the last bit was not made by who knows the password.
  const auto genuine = server_token(account, password, user, *expiry);
  return genuine.size() == token.size() &&
         CRYPTO_memcmp(genuine.data(), token.data(), token.size()) == 0;
}

std::string server_session(const std::string& user) {
  if (user.empty() || user.find_first_of(":\n") != user.npos)
    throw BadRequest{"not the name of a user: '" + one_line(user) + "'"};
  const auto file = credentials_file();
  const auto text = read_file_if_any(file);
  if (!text) throw Error{"there are no credentials to act for a user in '" + file.string() + "'"};
  std::string line = text->substr(0, text->find('\n'));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  const auto colon = line.find(':');
  if (colon == line.npos || colon == 0 || colon + 1 == line.size())
    throw Error{"'" + file.string() + "' holds no user:password"};
  const auto now = std::chrono::system_clock::now().time_since_epoch() + lifetime;
  const auto expiry = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  const auto account = line.substr(0, colon);
  return account + ":" + user + ":" + server_token(account, line.substr(colon + 1), user, expiry);
}
