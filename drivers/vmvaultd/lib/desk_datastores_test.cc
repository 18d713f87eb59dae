// SPDX-License-Identifier: Apache-2.0
#include "common/test_env.h"
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/test_desk.h"

namespace vmvaultd {
namespace {

class DeskDatastoresTest : public DeskTest {
 protected:
  DeskDatastoresTest() {
    const auto folder = dir.path() / "remotes/datastore/rsync";
    std::filesystem::create_directories(folder);
    write_file(folder / "monitor", "#!/bin/sh\n", 0755);
  }
  int add(Attributes more = {}) {
    more.insert({{"NAME", "far"}, {"DS_MAD", "rsync"}, {"RSYNC_HOST", "bk1"}});
    return desk->add_datastore(more);
  }
  std::vector<int> known() const {
    std::vector<int> all;
    for (const auto& one : desk->scheduler().state().datastores) all.push_back(one.id);
    return all;
  }
  // Nothing is heard of it any more.
  void expect_gone(int id) {
    EXPECT_EQ(known(), std::vector{100});
    EXPECT_THROW(desk->delete_datastore(id), NoSuchObject);
    EXPECT_THROW(desk->configure_datastore(id, {}), NoSuchObject);
    EXPECT_THROW(desk->rename_datastore(id, "x"), NoSuchObject);
    EXPECT_FALSE(std::filesystem::exists(home.datastore_file(id)));
    const int before = monitors;
    now += settings.monitoring + 1;
    advance();
    EXPECT_EQ(monitors, before + 1) << "the other one";
    manager->datastore_answer({.verb = "MONITOR", .good = false, .id = id, .info = "-"}, now);
  }

  ScopedEnv remotes{"VMVAULT_REMOTES", (dir.path() / "remotes").string()};
};

TEST_F(DeskDatastoresTest, OneIsThereAtOnceAndAskedForItsSpace) {
  idle_machines(1);
  advance();
  const int before = monitors;
  const int id = add({{"MAX_BACKUPS", "1"}, {"KEEP_LAST", "2"}});
  EXPECT_EQ(known(), (std::vector{100, id}));
  EXPECT_EQ(desk->scheduler().state().datastores[1].limit, 1);
  EXPECT_EQ(store.settings(state::Store::Subject::datastore, id).at("KEEP_LAST"), "2");
  EXPECT_FALSE(home.datastore(id).find("TEMPLATE/KEEP_LAST"))
      << "it is no business of its driver's";
  advance();
  EXPECT_EQ(monitors, before + 1);
  reboot();
  EXPECT_EQ(known(), (std::vector{100, id}));
}

TEST_F(DeskDatastoresTest, OneThatCannotBeLeavesNothing) {
  idle_machines(1);
  EXPECT_THROW(add({{"MAX_BACKUPS", "many"}}), BadRequest);
  EXPECT_THROW(add({{"RPO", "soon"}}), BadRequest);
  EXPECT_THROW(add({{"BACKUP_WINDOW", "at night"}}), BadRequest);
  EXPECT_THROW(add({{"RSYNC_HOST", ""}}), BadRequest);
  EXPECT_EQ(known(), std::vector{100});
  EXPECT_FALSE(std::filesystem::exists(home.datastore_file(101)));
}

TEST_F(DeskDatastoresTest, OneIsForgottenAlsoByARestartedService) {
  const int vm = idle_machines(1), id = add({{"MAX_BACKUPS", "1"}});
  desk->backup(vm, id, false);
  EXPECT_THROW(desk->delete_datastore(id), WrongState) << "a backup waits";
  advance();
  EXPECT_THROW(desk->delete_datastore(id), WrongState) << "it is prepared";
  desk->cancel(vm);
  advance();
  desk->delete_datastore(id);
  expect_gone(id);
  reboot();
  expect_gone(id);
  EXPECT_EQ(add(), id + 1);
}

TEST_F(DeskDatastoresTest, TheOneThatEverythingGoesToStays) {
  idle_machines(1);
  settings.datastore = add();
  reboot();
  EXPECT_THROW(desk->delete_datastore(settings.datastore), WrongState);
  EXPECT_THROW(desk->delete_datastore(100), WrongState);
}

TEST_F(DeskDatastoresTest, WhatThePreparationOfACancelledBackupBeginsIsRefused) {
  const int vm = idle_machines(1), id = add();
  desk->backup(vm, id, false);
  advance();
  desk->cancel(vm);
  desk->delete_datastore(id);
  auto attempt = state::test_attempt(vm, now);
  attempt.datastore = id;
  EXPECT_THROW(store.begin(attempt), Error);
  manager->not_prepared(vm, "there is no datastore any more", now);
  advance();
  EXPECT_TRUE(manager->is_free(vm));
  EXPECT_TRUE(desk->scheduler().waits().empty());
}

// None of these is the trouble that ends the service.
TEST_F(DeskDatastoresTest, OneWhoseFileIsGoneIsRefusedAndNothingEnds) {
  const int vm = idle_machines(1), id = add();
  const int images = desk->add_image_datastore("images", (dir.path() / "images").string());
  back_up(vm);
  desk->backup(vm, id, false);
  advance();
  auto attempt = state::test_attempt(vm, now);
  attempt.datastore = id;
  attempt.service = true;
  manager->prepared(vm, store.begin(attempt), "QUJD");
  for (const int one : {id, images}) {
    std::filesystem::remove(home.datastore_file(one));
    EXPECT_THROW(desk->rename_datastore(one, "x"), BadRequest);
  }
  EXPECT_EQ(store.datastore(id)->name, "far") << "a rename is whole, or not at all";
  EXPECT_THROW(desk->configure_datastore(id, {{"RSYNC_HOST", "bk2"}}), BadRequest);
  desk->configure_datastore(id, {{"MAX_BACKUPS", "1"}});
  EXPECT_THROW(desk->restore({.image = 1, .datastore = images}), WrongState);
  asked.clear();
  desk->cancel(vm);
  advance();
  EXPECT_EQ(asked, Strings{});
  EXPECT_FALSE(manager->is_free(vm)) << "its driver was not asked, and goes on";
  stored(vm);
  EXPECT_EQ(store.images().size(), 2U);
  now += settings.monitoring + 1;
  advance();
  EXPECT_EQ(store.datastore(id)->usable, false);
  desk->delete_datastore(images);
}

TEST_F(DeskDatastoresTest, NumbersOfThoseForImagesAreNeverGivenTwiceAndHaveNoEnd) {
  idle_machines(1);
  const auto images = [&](const std::string& name) {
    return desk->add_image_datastore(name, (dir.path() / name).string());
  };
  EXPECT_EQ(images("a"), 1);
  desk->delete_datastore(1);
  EXPECT_FALSE(std::filesystem::exists(home.datastore_file(1)));
  EXPECT_EQ(images("a"), 2) << "the name is free again";
  EXPECT_EQ(add(), 101);
  store.database().exec("UPDATE datastores SET id = 99 WHERE id = 2");
  EXPECT_EQ(images("b"), 102);
  EXPECT_EQ(add({{"NAME", "farther"}}), 103);
  EXPECT_EQ(images("c"), 104);
}

TEST_F(DeskDatastoresTest, WhatTheCommandHasDeletedIsForgotten) {
  idle_machines(1);
  const int id = add();
  state::BackupDatastores others{store, home};
  others.remove(id);
  others.remove_leftovers();
  now += 1;
  manager->machines(host, std::vector<Machine>{{.uuid = "u0", .name = "vm0"}}, now);
  expect_gone(id);
}

}  // namespace
}  // namespace vmvaultd
