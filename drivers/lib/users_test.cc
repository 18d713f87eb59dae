// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/users.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"

namespace state {
namespace {

struct UsersTest : testing::Test {
  TempDir dir;
  Store store{dir.path() / "state.db"};
  Users users{store};
  int alice = users.add({.name = "alice", .password = "hash"});
};

TEST_F(UsersTest, TheFirstIsThereAndStays) {
  const auto first = users.user(first_user);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->name, first_user_name);
  EXPECT_TRUE(first->is_admin());
  EXPECT_TRUE(first->password.empty()) << "nobody can log in by it";
  EXPECT_THROW(users.remove(first_user), BadRequest);
}

TEST_F(UsersTest, HaveNamesOfTheirOwn) {
  EXPECT_THROW(users.add({.name = "alice"}), BadRequest);
  EXPECT_THROW(users.add({.name = first_user_name}), BadRequest);
  for (const char* name : {"", "a:b", "a b", "a\n", "<a>", "a\\"})
    EXPECT_THROW(users.add({.name = name}), BadRequest) << name;
  EXPECT_THROW(users.add({.name = std::string(129, 'a')}), BadRequest);
  const int bob = users.add({.name = "bob"});
  EXPECT_THROW(users.change({.id = bob, .name = "alice"}), BadRequest);
  EXPECT_TRUE(users.change({.id = bob, .name = "robert", .group = Group::admins}));
  EXPECT_EQ(users.user("robert")->id, bob);
  EXPECT_TRUE(users.user("robert")->is_admin());
  EXPECT_FALSE(users.user("bob"));
  EXPECT_FALSE(users.change({.id = 99, .name = "nobody"}));
}

TEST_F(UsersTest, LeaveWhatTheyOwnToTheFirst) {
  const int vm = store.vm_for("u1", "web").id;
  EXPECT_EQ(store.vm(vm)->owner, first_user);
  EXPECT_TRUE(users.set_owner(Owned::vm, vm, alice));
  EXPECT_EQ(users.owner(Owned::vm, vm), alice);
  EXPECT_EQ(store.vm(vm)->owner, alice);
  EXPECT_FALSE(users.set_owner(Owned::vm, 5, alice));
  EXPECT_FALSE(users.owner(Owned::image, 5));
  EXPECT_TRUE(users.remove(alice));
  EXPECT_FALSE(users.remove(alice));
  EXPECT_EQ(users.owner(Owned::vm, vm), first_user);
  EXPECT_NE(users.add({.name = "carol"}), alice) << "no id is given twice";
}

TEST_F(UsersTest, ImagesBelongToTheOwnerOfTheirMachine) {
  const int vm = store.vm_for("u1", "web").id;
  store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
  users.set_owner(Owned::vm, vm, alice);
  const auto attempt = store.begin({.vm = vm,
                                    .image = std::nullopt,
                                    .datastore = 100,
                                    .disks = {0},
                                    .dir = "/d",
                                    .ended = std::nullopt,
                                    .error = {}});
  const int image = store.succeed(attempt, {.source = "aaaa0000"});
  EXPECT_EQ(store.image(image)->owner, alice);
}

TEST_F(UsersTest, TokensGoWithTheirTimeAndWithTheirUser) {
  users.add_token(alice, {.digest = "d1", .expires = 10});
  users.add_token(alice, {.digest = "d2", .expires = -1});
  users.add_token(alice, {.digest = "d1", .expires = 20});
  ASSERT_EQ(users.tokens(alice).size(), 2u);
  users.forget_tokens(19);
  EXPECT_EQ(users.tokens(alice).size(), 2u);
  users.forget_tokens(20);
  ASSERT_EQ(users.tokens(alice).size(), 1u);
  EXPECT_EQ(users.tokens(alice).front().digest, "d2");
  users.remove(alice);
  EXPECT_TRUE(users.tokens(alice).empty());
}

}  // namespace
}  // namespace state
