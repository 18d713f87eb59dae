// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/ssh_config.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"
#include "datastore/rsync/lib/ssh_keys.h"

using rsync::parse_ssh_config;
using rsync::SshConfig;

namespace {

constexpr const char* least = "hostname h\nport 22\nuser u\n";

TEST(SshConfig, IsWhatSshSays) {
  const ScopedEnv agent{"SSH_AUTH_SOCK", "/run/agent"};
  const auto config = parse_ssh_config(
      "hostname backup.example\nport 2222\nuser one\nidentitiesonly yes\n"
      "identityfile /keys/%h-%r\nidentityfile none\nuserknownhostsfile /a /b\n"
      "globalknownhostsfile /c\nstricthostkeychecking ask\nproxyjump none\n");
  EXPECT_EQ(config.host, "backup.example");
  EXPECT_EQ(config.known_as(), "[backup.example]:2222");
  EXPECT_EQ(config.user, "one");
  EXPECT_EQ(config.identity_files, std::vector<std::string>{"/keys/backup.example-one"});
  EXPECT_EQ(config.known_hosts, (std::vector<std::string>{"/a", "/b", "/c"}));
  EXPECT_EQ(config.agent, "/run/agent");
  EXPECT_TRUE(config.identities_only);
  EXPECT_EQ(config.new_keys, SshConfig::NewKeys::refuse);
  EXPECT_EQ(config.proxy, "");
}

TEST(SshConfig, WhatChangesTheWayThereIsKept) {
  const auto with = [](const char* more) { return parse_ssh_config(std::string{least} + more); };
  EXPECT_EQ(with("proxyjump gate\n").proxy, "gate");
  EXPECT_EQ(with("proxycommand nc %h %p\n").proxy, "nc %h %p");
  EXPECT_EQ(with("hostkeyalias other\n").known_as(), "other");
  EXPECT_EQ(with("stricthostkeychecking accept-new\n").new_keys, SshConfig::NewKeys::accept);
  EXPECT_EQ(with("identityagent none\n").agent, "");
  EXPECT_EQ(with("identityagent /run/other\n").agent, "/run/other");
}

TEST(SshConfig, AServerIsAskedWhetherItLives) {
  using std::chrono::seconds;
  const auto with = [](const char* more) { return parse_ssh_config(std::string{least} + more); };
  EXPECT_EQ(with("serveraliveinterval 0\nserveralivecountmax 3\n").alive_every, seconds{15});
  EXPECT_EQ(with("serveraliveinterval 0\nserveralivecountmax 3\n").alive_most, 4);
  EXPECT_EQ(with("serveraliveinterval 7\nserveralivecountmax 3\n").alive_every, seconds{7});
  EXPECT_EQ(with("serveraliveinterval 7\nserveralivecountmax 3\n").alive_most, 3);
}

TEST(SshConfig, AnAnswerWithoutAHostIsAnError) {
  EXPECT_THROW(parse_ssh_config(""), Error);
  EXPECT_THROW(parse_ssh_config("hostname h\n"), Error);
}

constexpr const char* ed25519 =
    "AAAAC3NzaC1lZDI1NTE5AAAAIIl+5eMHYTKCGbLOYiEFexdH0/gUKmhCWFxyBZ6l0g9G";

TEST(KnownKeys, OnlyOnesWithoutAMarkerAreGood) {
  rsync::KnownKeys keys;
  add_known_keys(keys, std::string{"# Host h found: line 1\nh ssh-ed25519 "} + ed25519 +
                           " comment\n@revoked h ssh-ed25519 " + ed25519 +
                           "\n@cert-authority h ssh-ed25519 " + ed25519 +
                           "\nh ssh-rsa AAAA\nh ssh-rsa !!!\nshort\n");
  EXPECT_EQ(keys.types(), std::vector<std::string>{"ssh-ed25519"});
  EXPECT_EQ(keys.blobs.size(), 1u);
  EXPECT_EQ(keys.revoked.size(), 1u);
}

TEST(IdentityFile, SaysWhatKeyItHoldsAndWhetherItIsLocked) {
  const TempDir dir;
  for (const char* type : {"ed25519", "ecdsa", "rsa"}) {
    const char* bits = std::string_view{type} == "rsa" ? "2048" : "256";
    for (const char* passphrase : {"", "secret"}) {
      const auto path = dir.path() / (std::string{type} + passphrase);
      Command{"ssh-keygen", "-q", "-t", type, "-b", bits, "-N", passphrase, "-f", path.string()}
          .output();
      remove_tree(path.string() + ".pub");
      const auto file = rsync::identity_file(path);
      ASSERT_TRUE(file);
      EXPECT_NE(file->type.find(type), std::string::npos) << file->type;
      EXPECT_EQ(file->locked, *passphrase != '\0');
      EXPECT_EQ(rsync::libssh2_knows(file->type), std::string_view{type} != "rsa");
    }
  }
  EXPECT_FALSE(rsync::identity_file(dir.path() / "missing"));
}

TEST(IdentityFile, AnOddOneIsNoKeyOfAnyType) {
  const TempDir dir;
  const auto path = dir.path() / "id";
  for (const char* text :
       {"-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----\n!!",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA/////w==\n",
        "-----BEGIN PRIVATE KEY-----\n"}) {
    write_file(path, text);
    const auto file = rsync::identity_file(path);
    ASSERT_TRUE(file) << text;
    EXPECT_EQ(file->type, "") << text;
  }
  write_file(path, "");
  EXPECT_FALSE(rsync::identity_file(path));
}

}  // namespace
