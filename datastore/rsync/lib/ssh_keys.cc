// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/ssh_keys.h"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <sstream>

#include "common/base64.h"
#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/sums.h"

namespace rsync {
namespace {

// A string of the ssh protocol: four bytes of length, and so many bytes.
std::optional<std::string_view> take_string(std::string_view& rest) {
  if (rest.size() < 4) return std::nullopt;
  std::size_t length = 0;
  for (int i = 0; i < 4; ++i)
    length = length << 8 | static_cast<unsigned char>(rest[0 + static_cast<std::size_t>(i)]);
  rest.remove_prefix(4);
  if (rest.size() < length) return std::nullopt;
  const auto text = rest.substr(0, length);
  rest.remove_prefix(length);
  return text;
}

std::optional<std::string> decoded(std::string_view text) {
  try {
    return base64_decode(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The public key and the cipher that stand in front of an OpenSSH private key.
void read_openssh_key(std::string_view text, IdentityFile& file) {
  constexpr std::string_view magic{"openssh-key-v1\0", 15};
  constexpr std::string_view begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
  text.remove_prefix(begin.size());
  const auto body = decoded(text.substr(0, text.find("-----END")));
  if (!body || !body->starts_with(magic)) return;
  std::string_view rest{*body};
  rest.remove_prefix(magic.size());
  const auto cipher = take_string(rest);
  take_string(rest);  // how the passphrase becomes a key
  take_string(rest);
  if (!cipher || rest.size() < 4) return;
  rest.remove_prefix(4);  // the number of keys
  file.locked = *cipher != "none";
  if (const auto blob = take_string(rest)) file.blob = *blob;
  file.type = type_of_key(file.blob);
}

bool readable(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

void look_up(KnownKeys& keys, const SshConfig& config, const std::string& name) {
  for (const auto& file : config.known_hosts)
    if (readable(file))
      add_known_keys(keys, Command{"ssh-keygen", "-F", name, "-f", file}.shielded().run().out);
}

}  // namespace

bool libssh2_knows(std::string_view type) {
  return type == "ssh-ed25519" || type.starts_with("ecdsa-sha2-nistp");
}

std::string type_of_key(std::string_view blob) {
  return std::string{take_string(blob).value_or("")};
}

std::string fingerprint(std::string_view blob) {
  sums::Hash hash;
  hash.add(std::as_bytes(std::span{blob}));
  const auto sum = hash.finish();
  auto text = base64_encode({reinterpret_cast<const char*>(sum.data()), sum.size()});
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

std::vector<std::string> KnownKeys::types() const {
  std::vector<std::string> all;
  for (const auto& blob : blobs)
    if (const auto type = type_of_key(blob); std::find(all.begin(), all.end(), type) == all.end())
      all.push_back(type);
  return all;
}

void add_known_keys(KnownKeys& keys, std::string_view text) {
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words{line};
    std::string marker, names, type, blob;
    if (line.front() == '@') words >> marker;
    words >> names >> type >> blob;
    const auto key = decoded(blob);
    if (!key || type_of_key(*key).empty()) continue;
    if (marker.empty()) keys.blobs.push_back(*key);
    if (marker == "@revoked") keys.revoked.push_back(*key);
  }
}

KnownKeys known_keys(const SshConfig& config) {
  KnownKeys keys;
  look_up(keys, config, config.known_as());
  if (keys.blobs.empty() && config.known_as() != config.alias) look_up(keys, config, config.alias);
  return keys;
}

std::optional<IdentityFile> identity_file(const std::string& path) {
  const auto text = readable(path) ? read_file_if_any(path) : std::nullopt;
  if (!text || !text->starts_with("-----BEGIN ")) return std::nullopt;
  IdentityFile file;
  file.path = path;
  const std::string_view first{text->data(), std::min(text->find('\n'), text->size())};
  if (first.find("OPENSSH") != first.npos)
    read_openssh_key(*text, file);
  else
    file.locked = text->find("ENCRYPTED") != text->npos;
  if (first.find("BEGIN RSA") != first.npos) file.type = "ssh-rsa";
  if (file.blob.empty() && readable(path + ".pub")) {
    std::istringstream words{read_file(path + ".pub")};
    std::string type, blob;
    words >> type >> blob;
    file.blob = decoded(blob).value_or("");
    file.type = type_of_key(file.blob);
  }
  return file;
}

}  // namespace rsync
