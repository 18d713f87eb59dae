// SPDX-License-Identifier: Apache-2.0
#include "common/one/location.h"

#include <gtest/gtest.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace {

std::string own_name() {
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace

TEST(Location, NormalisesWhatTheCoreWrites) {
  const auto location = Location::parse("kvm1:/var/lib/one//datastores/0/12/");
  EXPECT_EQ(location.host, "kvm1");
  EXPECT_EQ(location.dir.string(), "/var/lib/one/datastores/0/12");
}

TEST(Location, TakesAddressesAndUsers) {
  EXPECT_EQ(Location::parse("[::1]:/d").host, "[::1]");
  EXPECT_EQ(Location::parse("oneadmin@kvm1.example.com:/d").host, "oneadmin@kvm1.example.com");
}

TEST(Location, RefusesAnythingElse) {
  for (const auto* text : {"", "kvm1", ":/d", "kvm1:", "kvm1:d", "kvm1:d/e", "/d",
                           "-oProxyCommand=x:/d", "u@-oProxyCommand=x:/d", "u@:/d", "kvm1 x:/d",
                           "kv\nm1:/d", "kvm1:/d/../e", "kvm1:/d\n", "a/b:/d", "kvm1:../d"})
    EXPECT_THROW(Location::parse(text), BadRequest) << text;
}

TEST(NormalPath, LosesWhatMeansNothing) {
  EXPECT_EQ(normal_path("/").string(), "/");
  EXPECT_EQ(normal_path("//").string(), "/");
  EXPECT_EQ(normal_path("//a/./b///c/.").string(), "/a/b/c");
  EXPECT_EQ(normal_path("/a b/..c/d..").string(), "/a b/..c/d..");
}

TEST(NormalPath, RefusesWhatLeadsElsewhere) {
  for (const auto* text : {"", "a", "./a", "/..", "/a/../b", "/a/..", "/a\tb", "/a\x7f"})
    EXPECT_THROW(normal_path(text), BadRequest) << text;
  EXPECT_THROW(normal_path(std::string_view{"/a\0b", 4}), BadRequest);
}

TEST(IsThisMachine, KnowsTheLoopback) {
  for (const auto* host : {"localhost", "LOCALHOST", "localhost.localdomain", "127.0.0.1",
                           "127.9.9.9", "::1", "[::1]", "root@localhost", "a@b@127.0.0.1"})
    EXPECT_TRUE(is_this_machine(host)) << host;
}

TEST(IsThisMachine, KnowsItsOwnName) {
  const auto name = own_name();
  EXPECT_TRUE(is_this_machine(name));
  EXPECT_TRUE(is_this_machine(name.substr(0, name.find('.'))));
}

TEST(IsThisMachine, TakesNobodyElseForItself) {
  for (const std::string host : {"", "kvm1.invalid", "128.0.0.1", "127.0.0.1.example.com",
                                 "localhost.example.com", "localhost@kvm1.invalid", "::2", "[]"})
    EXPECT_FALSE(is_this_machine(host)) << host;
  EXPECT_FALSE(is_this_machine(own_name() + "x"));
}

TEST(Tree, IsFoundFromAnExecutableInIt) {
  EXPECT_EQ(tree_of("/var/lib/one/remotes/tm/qcow2/prebackup"), "/var/lib/one/remotes");
  EXPECT_EQ(tree_of("/src/build/drivers/cli/vmvault"), "/src/build");
  EXPECT_EQ(tree_of("/a/datastore/b/vmm/kvm/backup (deleted)"), "/a/datastore/b");
}

TEST(Tree, IsFoundFromACommand) {
  EXPECT_EQ(tree_of("/usr/local/bin/vmvault"), "/usr/local/libexec/vmvault");
}

TEST(Tree, IsWhereTheEnvironmentSays) {
  const ScopedEnv here{"VMVAULT_REMOTES", "/a//b"}, there{"VMVAULT_REMOTE_DIR", "/c/"};
  EXPECT_EQ(remotes_root().string(), "/a/b");
  EXPECT_EQ(remote_root().string(), "/c");
}

TEST(Tree, OnOtherMachinesIsWhereTheCoreSays) {
  const TempDir dir;
  const ScopedEnv there{"VMVAULT_REMOTE_DIR", std::nullopt}, one{"ONE_LOCATION", dir.path()};
  EXPECT_EQ(remote_root(), "/var/tmp/one");
  fs::create_directory(dir.path() / "var");
  write_file(dir.path() / "var/config", "PORT=2633\nSCRIPTS_REMOTE_DIR=/opt//one\n");
  EXPECT_EQ(remote_root().string(), "/opt/one");
}

TEST(VarDir, IsMadeAndPrivate) {
  const TempDir dir;
  const ScopedEnv var{"VMVAULT_VAR", dir.path() / "a/b/vmvault"};
  EXPECT_EQ(var_dir(), dir.path() / "a/b/vmvault");
  struct stat info {};
  ASSERT_EQ(stat(var_dir().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST(VarDir, BelongsToTheCoreWhereThereIsOne) {
  const TempDir dir;
  const ScopedEnv var{"VMVAULT_VAR", std::nullopt}, one{"ONE_LOCATION", dir.path()};
  EXPECT_EQ(var_dir(), dir.path() / "var/vmvault");
}

TEST(VarDir, SaysWhyItCannotBeMade) {
  const TempDir dir;
  write_file(dir.path() / "file", "");
  const ScopedEnv var{"VMVAULT_VAR", dir.path() / "file/vmvault"};
  EXPECT_THROW(var_dir(), Error);
}
