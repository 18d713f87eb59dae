// SPDX-License-Identifier: Apache-2.0
// Keys as OpenSSH keeps them: of hosts in known_hosts, of ourselves in files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/ssh_config.h"

namespace rsync {

// What libssh2 1.10 can use, as it calls it: no RSA with SHA-2, which every server insists on.
bool libssh2_knows(std::string_view type);

std::string type_of_key(std::string_view blob);  // "ssh-ed25519"; "" if it is no key
std::string fingerprint(std::string_view blob);  // "SHA256:..."

struct KnownKeys {
  std::vector<std::string> blobs;          // any of them is right
  std::vector<std::string> revoked;        // none of these is
  std::vector<std::string> types() const;  // of `blobs`, each once
};

// What `ssh-keygen -F` printed.
void add_known_keys(KnownKeys& keys, std::string_view text);
// What the files say about the server.  A key that is known for the name without the port counts
// if there is none with it, as for ssh.
KnownKeys known_keys(const SshConfig& config);

struct IdentityFile {
  std::string path;
  std::string type;     // "ssh-ed25519"; "" if that cannot be told
  std::string blob;     // the public key, or ""
  bool locked = false;  // by a passphrase
};

// nullopt: there is no such file, or it holds no private key.
std::optional<IdentityFile> identity_file(const std::string& path);

}  // namespace rsync
