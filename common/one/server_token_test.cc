// SPDX-License-Identifier: Apache-2.0
#include "common/one/server_token.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

TEST(ServerToken, IsWhatTheCoreExpects) {
  // The worked example of contract 7.4.
  EXPECT_EQ(server_token("serveradmin", "serverpass", "alice", 1787212800),
            "HaCz0krpRsl77d91R4j9eQk4SkNxD5c8xHvqlTxEv24=");
}

TEST(ServerSession, NamesAccountAndUser) {
  const TempDir dir;
  write_file(dir.path() / "auth", "serveradmin:server:pass\n");
  const ScopedEnv env{"ONE_CIPHER_AUTH", (dir.path() / "auth").string()};
  EXPECT_TRUE(server_session("alice").starts_with("serveradmin:alice:"));
}

TEST(ServerSession, RefusesWhatCannotWork) {
  const TempDir dir;
  const ScopedEnv env{"ONE_CIPHER_AUTH", (dir.path() / "auth").string()};
  EXPECT_THROW(server_session("alice"), Error);
  write_file(dir.path() / "auth", "serveradmin:\n");
  EXPECT_THROW(server_session("alice"), Error);
  write_file(dir.path() / "auth", "serveradmin:pass\n");
  EXPECT_THROW(server_session(""), BadRequest);
  EXPECT_THROW(server_session("alice:9999999999"), BadRequest);
}

TEST(ServerToken, IsKnownAsLongAsItHoldsAndForItsUserOnly) {
  const auto token = server_token("serveradmin", "secret", "alice", 1000);
  EXPECT_TRUE(is_server_token(token, "serveradmin", "secret", "alice", 999));
  EXPECT_FALSE(is_server_token(token, "serveradmin", "secret", "alice", 1000)) << "expired";
  EXPECT_FALSE(is_server_token(token, "serveradmin", "secret", "bob", 999));
  EXPECT_FALSE(is_server_token(token, "serveradmin", "Secret", "alice", 999));
  EXPECT_FALSE(is_server_token(token, "otheradmin", "secret", "alice", 999));
}

TEST(ServerToken, IsRefusedWhenAnyOfItIsOtherwise) {
  const auto token = server_token("serveradmin", "secret", "alice", 1000);
  for (std::size_t at = 0; at < token.size(); ++at) {
    auto changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(is_server_token(changed, "serveradmin", "secret", "alice", 0)) << at;
    EXPECT_FALSE(is_server_token(token.substr(0, at), "serveradmin", "secret", "alice", 0)) << at;
  }
  EXPECT_FALSE(is_server_token(token + "A", "serveradmin", "secret", "alice", 0));
  EXPECT_FALSE(is_server_token("%%%", "serveradmin", "secret", "alice", 0));
}
