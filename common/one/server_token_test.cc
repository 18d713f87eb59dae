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
