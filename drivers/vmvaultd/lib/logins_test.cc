// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/logins.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/one/server_token.h"
#include "drivers/lib/password.h"

namespace vmvaultd {
namespace {

using namespace std::chrono_literals;

struct LoginsTest : testing::Test {
  TempDir dir;
  state::Store store{dir.path() / "state.db"};
  state::Users users{store};
  Logins logins{{"serveradmin", "service"}};
  Logins::Clock::time_point clock = Logins::Clock::now();
  std::int64_t now = 1000;

  void SetUp() override {
    users.add({.name = "alice", .password = hash_password("a:secret")});
    users.add({.name = "bob", .password = hash_password("bobs")});
  }
  std::string who(const std::string& session, const std::string& way = "socket") {
    try {
      return logins.who(users, session, way, now, clock).name;
    } catch (const NotAuthenticated&) {
      return "nobody";
    }
  }
  void change_password(const std::string& name, const std::string& password) {
    auto user = *users.user(name);
    user.password = hash_password(password);
    users.change(user);
  }
};

TEST_F(LoginsTest, APasswordIsThatOfItsUser) {
  EXPECT_EQ(who("alice:a:secret"), "alice");
  EXPECT_EQ(who("alice:a:secret"), "alice") << "and again, from memory";
  for (const char* session : {"alice:bobs", "bob:a:secret", "carol:a:secret", "alice:", "alice", "",
                              ":", "oneadmin:", "alice:a:secret2", "alice:a:secre"})
    EXPECT_EQ(who(session), "nobody") << session;
  change_password("alice", "other");
  EXPECT_EQ(who("alice:a:secret"), "nobody") << "what is remembered goes with the password";
  EXPECT_EQ(who("alice:other"), "alice");
  auto user = *users.user("alice");
  user.enabled = false;
  users.change(user);
  EXPECT_EQ(who("alice:other"), "nobody");
}

TEST_F(LoginsTest, ATokenHoldsForItsUserUntilItExpires) {
  const int alice = users.user("alice")->id;
  users.add_token(alice, {.digest = digest("tokentoken"), .expires = 1001});
  EXPECT_EQ(who("alice:tokentoken"), "alice");
  EXPECT_EQ(who("bob:tokentoken"), "nobody");
  EXPECT_EQ(who("alice:tokentoke"), "nobody");
  now = 1001;
  EXPECT_EQ(who("alice:tokentoken"), "nobody");
  users.add_token(alice, {.digest = digest("tokentoken"), .expires = -1});
  EXPECT_EQ(who("alice:tokentoken"), "alice");
}

TEST_F(LoginsTest, ADriverSpeaksForTheUserOfItsToken) {
  const auto token = server_token("serveradmin", "service", "alice", 1001);
  EXPECT_EQ(who("serveradmin:alice:" + token), "alice");
  EXPECT_EQ(who("serveradmin:bob:" + token), "nobody");
  EXPECT_EQ(who("serveradmin:alice:" + token.substr(1)), "nobody");
  EXPECT_EQ(who("serveradmin:alice"), "nobody");
  EXPECT_EQ(who("serveradmin:service"), "nobody") << "the account itself is nobody";
  EXPECT_EQ(who("serveradmin:carol:" + server_token("serveradmin", "service", "carol", 1001)),
            "nobody");
  EXPECT_EQ(who("serveradmin:alice:" + server_token("serveradmin", "wrong", "alice", 1001)),
            "nobody");
  now = 1001;
  EXPECT_EQ(who("serveradmin:alice:" + token), "nobody");
}

TEST_F(LoginsTest, GuessingIsSlowAndHoldsUpNobodyElse) {
  EXPECT_EQ(who("alice:a:secret"), "alice");
  change_password("bob", "new");
  for (int n = 0; n < 10; ++n) EXPECT_EQ(who("bob:guess"), "nobody");
  EXPECT_EQ(who("bob:new"), "nobody") << "now even the right one has to wait";
  EXPECT_EQ(who("bob:new", "tcp"), "bob") << "but not where nobody has guessed";
  EXPECT_EQ(who("alice:a:secret"), "alice");
  clock += 4s;
  EXPECT_EQ(who("bob:new"), "bob");
  for (int n = 0; n < 30; ++n) who("bob:guess");
  EXPECT_EQ(who("bob:new"), "bob") << "who has logged in before does not wait";
}

TEST_F(LoginsTest, WhoLogsInWellMayDoSoOften) {
  for (int n = 0; n < 30; ++n) {
    change_password("bob", std::to_string(n));
    EXPECT_EQ(who("bob:" + std::to_string(n)), "bob");
  }
}

TEST_F(LoginsTest, TheFirstUsersPasswordIsThatOfTheFile) {
  const auto file = dir.path() / "one_auth";
  prepare_first_user(users, file);
  struct stat info;
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  auto session = read_file(file);
  session.pop_back();
  EXPECT_EQ(who(session), "oneadmin");
  prepare_first_user(users, file);
  EXPECT_EQ(read_file(file), session + "\n");
  std::filesystem::remove(file);
  prepare_first_user(users, file);
  EXPECT_FALSE(std::filesystem::exists(file)) << "whoever has taken it away knows it";
  EXPECT_EQ(who(session), "oneadmin");
  write_file(file, "oneadmin:mine\n");
  prepare_first_user(users, file);
  EXPECT_EQ(who("oneadmin:mine"), "oneadmin");
  EXPECT_EQ(who(session), "nobody");
  write_file(file, "alice:mine\n");
  EXPECT_THROW(prepare_first_user(users, file), Error);
}

}  // namespace
}  // namespace vmvaultd
