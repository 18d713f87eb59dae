// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/home.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"
#include "common/one/core.h"
#include "common/one/datastore.h"
#include "common/one/left_hosts.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace state {
namespace {

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

class HomeTest : public testing::Test {
 protected:
  TempDir dir;
  Home home{dir.path() / "var"};
};

TEST_F(HomeTest, MakesAPasswordOnce) {
  EXPECT_TRUE(home.prepare());
  const auto password = read_file(home.password_file());
  EXPECT_EQ(password.size(), 65u) << "32 bytes in hexadecimal digits, and a newline";
  EXPECT_FALSE(home.prepare());
  EXPECT_EQ(read_file(home.password_file()), password);
}

TEST_F(HomeTest, TheUriOfAHostIsNoPlaceOfAMachine) {
  const ScopedEnv var{"VMVAULT_VAR", home.var().string()};
  const ScopedEnv core{"VMVAULT_CORE_DIR", home.var().string()};
  home.prepare();
  enter_place(7, {.host = "kvm1", .bridge = false, .dir = "/srv/7"});
  for (const auto* host : {"7", "lock"}) {
    home.note_host(host, "qemu:///session");
    EXPECT_EQ(libvirt_uri_on(host), "qemu:///session");
  }
  enter_place(7, {.host = "kvm2", .bridge = false, .dir = "/srv/7"});
  ASSERT_EQ(left_places(7).size(), 2U);
  EXPECT_EQ(left_places(7).front().host, "kvm1");
  EXPECT_EQ(libvirt_uri_on("7"), "qemu:///session");
}

TEST_F(HomeTest, TwoHomesHaveTwoPasswords) {
  const Home other{dir.path() / "other"};
  home.prepare();
  other.prepare();
  EXPECT_NE(read_file(home.password_file()), read_file(other.password_file()));
}

TEST_F(HomeTest, SecretsArePrivateAndTheWayToTheGuestsFilesIsNot) {
  home.prepare();
  home.prepare_vm(1'000'000, "u-1");
  EXPECT_EQ(mode_of(home.password_file()), 0600u);
  EXPECT_EQ(mode_of(home.datastore_file(100)), 0600u);
  EXPECT_EQ(mode_of(home.var() / "datastores"), 0700u);
  const mode_t passable = geteuid() == 0 ? 0711 : 0700;
  for (const auto& path : {home.var(), home.var() / "vms", home.vm_dir("u-1")})
    EXPECT_EQ(mode_of(path), passable) << path;
}

TEST_F(HomeTest, TheDatastoreIsWhatTheDriversRead) {
  home.prepare();
  const auto document = home.datastore(100);
  const Datastore datastore{document.root()};
  EXPECT_EQ(datastore.id(), 100);
  EXPECT_EQ(datastore.ds_mad(), "restic");
  EXPECT_EQ(datastore.base_path(), home.repository());
  EXPECT_EQ(datastore.required("RESTIC_BACKEND"), "LOCAL");
  EXPECT_EQ(datastore.required("RESTIC_PASSWORD") + "\n", read_file(home.password_file()));
}

TEST_F(HomeTest, ThePasswordFileIsTheOneTruth) {
  home.prepare();
  write_file(home.password_file(), "new & <better>\n");
  home.prepare();
  EXPECT_EQ(home.datastore(100).at("TEMPLATE/RESTIC_PASSWORD"), "new & <better>");
}

TEST_F(HomeTest, SaysWhatToDoWithoutAPassword) {
  home.prepare();
  write_file(home.password_file(), "\n");
  try {
    home.prepare();
    FAIL() << "an empty password was taken";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), ("the password file '" + home.password_file().string() +
                                "' is empty: put your copy of it back (mode 0600)")
                                   .c_str());
  }
}

TEST_F(HomeTest, KeepsWhatAnOperatorAddedToTheDatastore) {
  home.prepare();
  auto document = home.datastore(100);
  document.root().first("TEMPLATE")->add("RESTIC_BWLIMIT", "1000");
  write_file(home.datastore_file(100), document.dump());
  write_file(home.password_file(), "other\n");
  home.prepare();
  EXPECT_EQ(home.datastore(100).at("TEMPLATE/RESTIC_BWLIMIT"), "1000");
  EXPECT_EQ(home.datastore(100).at("TEMPLATE/RESTIC_PASSWORD"), "other");
}

TEST_F(HomeTest, NeverMakesANewPasswordForAnOldRepository) {
  home.prepare();
  fs::create_directories(home.repository() / "1000000");
  fs::remove(home.password_file());
  EXPECT_THROW(home.prepare(), Error);
  EXPECT_FALSE(fs::exists(home.password_file()));
}

TEST_F(HomeTest, NeverBeginsANewStateBesideRepositories) {
  home.prepare();
  EXPECT_NO_THROW(home.refuse_lost_state()) << "the first run";
  fs::create_directories(home.repository());
  EXPECT_NO_THROW(home.prepare());
  fs::create_directories(home.repository() / "1000000");
  EXPECT_THROW(home.prepare(), Error);
  write_file(home.database(), "");
  EXPECT_THROW(home.prepare(), Error);
  EXPECT_THROW(home.refuse_lost_state(), Error);
  write_file(home.database(), "SQLite");
  EXPECT_NO_THROW(home.prepare());
}

TEST_F(HomeTest, AMachineIsFoundByItsIdToo) {
  home.prepare();
  home.prepare_vm(1'000'000, "u-1");
  home.prepare_vm(1'000'000, "u-1");
  EXPECT_TRUE(fs::equivalent(home.vm_link(1'000'000), home.vm_dir("u-1")));
}

TEST_F(HomeTest, NamesAnUnknownDatastore) {
  home.prepare();
  EXPECT_THROW(home.datastore(101), Error);
}

TEST(Home, RefusesAPathThatTheWireCannotCarry) {
  EXPECT_THROW(Home{"/var/my backups"}, BadRequest);
  EXPECT_THROW(Home{"/var/a\nb"}, BadRequest);
}

}  // namespace
}  // namespace state
