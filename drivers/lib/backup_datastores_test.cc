// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/backup_datastores.h"

#include <sys/stat.h>

#include "common/error.h"
#include "drivers/lib/test_attempt.h"
#include "drivers/lib/test_home.h"

namespace fs = std::filesystem;

namespace state {
namespace {

class BackupDatastoresTest : public HomeTest {
 protected:
  BackupDatastoresTest() {
    for (const auto* driver : {"restic", "rsync", "tape"}) action(driver, "monitor", "");
  }

  // Why `work` is refused.
  template <class Work>
  std::string refused(Work work) {
    try {
      work();
    } catch (const Error& error) {
      return error.what();
    }
    return "it is not";
  }
  std::string refused_plan(BackupDatastores::Attributes attributes) {
    attributes.try_emplace("NAME", "far");
    return refused([&] { datastores.plan(attributes); });
  }
  void sql(const std::string& text) { store.database().exec(text); }

  static BackupDatastores::Attributes rsync(const std::string& name) {
    return {{"NAME", name}, {"DS_MAD", "rsync"}, {"RSYNC_HOST", "bk1"}, {"BASE_PATH", "/b//x/"}};
  }

  BackupDatastores datastores{store, home};
};

TEST_F(BackupDatastoresTest, AreDescribedAsTheCoreDoes) {
  const int id = datastores.add({{"NAME", "far"},
                                 {"DS_MAD", "restic"},
                                 {"TM_MAD", "qcow2"},
                                 {"TYPE", "BACKUP_DS"},
                                 {"RESTIC_PASSWORD", "a <b> & 'c'"},
                                 {"RESTIC_SFTP_SERVER", "bk1"},
                                 {"RESTIC_BWLIMIT", ""}});
  EXPECT_EQ(id, 101);
  const auto document = home.datastore(id);
  EXPECT_EQ(document.at("ID") + document.at("NAME") + document.at("DS_MAD"), "101farrestic");
  EXPECT_EQ(document.at("TM_MAD") + document.at("TYPE"), "-3");
  EXPECT_EQ(document.at("BASE_PATH"), (home.var() / "datastores/101").string());
  EXPECT_EQ(document.at("TEMPLATE/RESTIC_PASSWORD"), "a <b> & 'c'");
  EXPECT_FALSE(document.find("TEMPLATE/RESTIC_BWLIMIT")) << "empty is not there";
  EXPECT_FALSE(document.find("TEMPLATE/NAME"));
  struct stat info {};
  ASSERT_EQ(stat(home.datastore_file(id).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(datastores.add(rsync("near")), 102);
  EXPECT_EQ(home.datastore(102).at("BASE_PATH"), "/b/x");
  EXPECT_EQ(store.datastore(102)->ds_mad, "rsync");
}

TEST_F(BackupDatastoresTest, WhatCannotBeOneIsNamedWithoutItsSecrets) {
  const std::string secret = "hush\nhush";
  const std::vector<std::pair<BackupDatastores::Attributes, std::string>> cases{
      {{}, "has a DS_MAD"},
      {{{"DS_MAD", "floppy"}}, "no datastore driver 'floppy'"},
      {{{"DS_MAD", "../rsync"}}, "no datastore driver '../rsync'"},
      {{{"DS_MAD", "rsync"}}, "needs RSYNC_HOST"},
      {{{"DS_MAD", "restic"}}, "needs RESTIC_PASSWORD"},
      {{{"DS_MAD", "restic"}, {"RESTIC_PASSWORD", "p"}}, "needs RESTIC_SFTP_SERVER"},
      {{{"DS_MAD", "restic"}, {"RESTIC_PASSWORD", "p"}, {"RESTIC_BACKEND", "s3"}},
       "needs RESTIC_S3_BUCKET"},
      {{{"DS_MAD", "restic"}, {"RESTIC_PASSWORD", "p"}, {"RESTIC_BACKEND", "B2"}},
       "SFTP, S3 or LOCAL, not 'B2'"},
      {{{"DS_MAD", "restic"}, {"RESTIC_PASSWORD", secret}}, "RESTIC_PASSWORD has a control"},
      {{{"DS_MAD", "tape"}, {"tape one", "p"}}, "not the name of an attribute: 'tape one'"},
      {{{"DS_MAD", "tape"}, {"BASE_PATH", "b"}}, "b"},
      {{{"DS_MAD", "tape"}, {"NAME", ""}}, "has a NAME"},
      {{{"DS_MAD", "tape"}, {"NAME", "a  b"}}, "'a b' is no name"},
      {{{"DS_MAD", "tape"}, {"NAME", std::string(129, 'x')}}, "is no name"},
      {{{"DS_MAD", "tape"}, {"NAME", "default"}}, "datastore 100 is called 'default' already"},
  };
  for (const auto& [attributes, why] : cases) {
    const auto said = refused_plan(attributes);
    EXPECT_NE(said.find(why), said.npos) << said;
    EXPECT_EQ(said.find("hush"), said.npos) << said;
    EXPECT_EQ(one_line(said), said);
  }
  EXPECT_EQ(refused_plan({{"DS_MAD", "tape"}}), "it is not");
  EXPECT_EQ(store.datastores().size(), 1U);
}

TEST_F(BackupDatastoresTest, OneThatIsUsedStaysAndSaysWhy) {
  const int id = datastores.add(rsync("far"));
  const auto other = std::to_string(id - 1), number = std::to_string(id);
  EXPECT_EQ(datastores.use(id), "");
  // By another one's, this one is not used.
  const auto use = [&](const std::string& rows) {
    auto mine = rows, others = rows;
    for (std::size_t at; (at = mine.find('@')) != mine.npos;) mine.replace(at, 1, number);
    for (std::size_t at; (at = others.find('@')) != others.npos;) others.replace(at, 1, other);
    sql("SAVEPOINT here");
    sql(others);
    EXPECT_EQ(datastores.use(id), "") << rows;
    sql("ROLLBACK TO here");
    sql(mine);
    auto said = datastores.use(id);
    sql("ROLLBACK TO here; RELEASE here");
    return said;
  };
  const std::string image =
      "INSERT INTO images (vm, datastore, mode, disks, created, state, protected, keep, error) "
      "VALUES (1000000, @, 'FULL', '0', 7, ";
  const auto empty = "datastore " + number + " is not empty: ";
  EXPECT_EQ(use(image + "'READY', 0, NULL, '')"), empty + "image 1");
  EXPECT_EQ(use(image + "'READY', 1, NULL, '')"), empty + "image 1") << "protected";
  EXPECT_EQ(use(image + "'READY', 0, 2, '')"), empty + "image 1") << "merged";
  EXPECT_EQ(use(image + "'DELETE', 0, NULL, 'no')"), empty + "image 1") << "could not be deleted";
  std::string six;
  for (int i = 0; i < 6; ++i) six += image + "'READY', 0, NULL, '');";
  EXPECT_EQ(use(six), empty + "6 images: 1, 2, 3, 4, 5...");
  const std::string attempt =
      "INSERT INTO attempts (vm, increment, datastore, mode, disks, dir, started, ended) VALUES "
      "(1000000, 0, @, 'FULL', '0', '/d', 9, ";
  EXPECT_NE(use(attempt + "NULL)").find("a backup of VM 1000000"), std::string::npos);
  EXPECT_EQ(use(attempt + "10)"), "");
  const std::string request =
      "INSERT INTO requests VALUES (1, 1000000, @, 'MANUAL', 0, 50, -1, 0, -1, 1, 0, 0, '', ";
  EXPECT_NE(use(request + "-1, -1)").find("VM 1000000 waits"), std::string::npos);
  EXPECT_NE(use(request + "5, 1)").find("VM 1000000 goes"), std::string::npos);
  EXPECT_NE(
      use("INSERT INTO jobs (id, name, datastore, priority, execution, reset, hours, last_time, "
          "last_duration) VALUES (3, 'week''s', @, 50, 'PARALLEL', 0, '', -1, -1)")
          .find("backup job 3 'week's'"),
      std::string::npos);
  const std::string action =
      "INSERT INTO actions (id, subject, parent, time, repeat, days, end_type, end_value, anchor, "
      "done, datastore, reset, message) VALUES (4, 'VM', 1000000, 90, ";
  EXPECT_NE(use(action + "-1, '', 0, 0, 90, -1, @, 0, '')").find("action 4 of VM 1000000"),
            std::string::npos);
  EXPECT_EQ(use(action + "-1, '', 0, 0, 90, 91, @, 0, '')"), "") << "it was carried out";
  EXPECT_EQ(use(action + "0, '1', 1, 0, 90, 50, @, 0, '')"), "") << "often enough";
  EXPECT_EQ(use(action + "0, '1', 2, 80, 90, 50, @, 0, '')"), "") << "it ended before";
  EXPECT_NE(
      use("INSERT INTO settings VALUES ('VM', 1000000, 'DATASTORE_ID', '@')").find("VM 1000000"),
      std::string::npos);
  EXPECT_NE(datastores.use(default_datastore), "");
}

TEST_F(BackupDatastoresTest, OneThatWentIsNoLongerThereAndItsNumberIsNobodys) {
  const int id = datastores.add(rsync("far"));
  store.put_settings(Store::Subject::datastore, id, {{"KEEP_LAST", "3"}});
  auto attempt = test_attempt(vm, 5);
  attempt.datastore = id;
  store.fail(store.begin(attempt), "no way there");
  datastores.remove(id);
  EXPECT_FALSE(store.datastore(id));
  EXPECT_EQ(store.datastores().size(), 1U);
  EXPECT_TRUE(store.settings(Store::Subject::datastore, id).empty());
  EXPECT_EQ(store.last_attempt(vm)->datastore, id) << "history stays";
  EXPECT_THROW(store.begin(attempt), Error) << "by one who has looked before";
  EXPECT_TRUE(store.unfinished().empty());
  // It was killed before the file went.
  EXPECT_TRUE(fs::exists(home.datastore_file(id)));
  datastores.remove_leftovers();
  EXPECT_FALSE(fs::exists(home.datastore_file(id)));
  EXPECT_TRUE(fs::exists(home.datastore_file(default_datastore)));
  EXPECT_EQ(datastores.add(rsync("far")), id + 1) << "the name is free, the number is not";
}

TEST_F(BackupDatastoresTest, AFileOfOneThatWasNeverAddedIsReplaced) {
  write_file(home.datastore_file(101), "<DATASTORE><ID>101</ID><NAME>half</NAME></DATASTORE>");
  EXPECT_EQ(datastores.add(rsync("far")), 101);
  EXPECT_EQ(home.datastore(101).at("NAME"), "far");
}

TEST_F(BackupDatastoresTest, ChangeInWhatTheirDriverIsTold) {
  const int id = datastores.add(rsync("far"));
  datastores.update(id, {{"RSYNC_HOST", "bk2"}, {"RSYNC_ARGS", "-a"}, {"LIMIT_MB", "9"}});
  EXPECT_EQ(home.datastore(id).at("TEMPLATE/RSYNC_HOST"), "bk2");
  EXPECT_EQ(home.datastore(id).root().find_all("TEMPLATE/RSYNC_HOST").size(), 1U);
  datastores.update(id, {{"RSYNC_ARGS", ""}});
  EXPECT_FALSE(home.datastore(id).find("TEMPLATE/RSYNC_ARGS"));
  EXPECT_EQ(home.datastore(id).at("TEMPLATE/LIMIT_MB"), "9");
  const auto before = home.datastore(id).dump();
  const auto said = [&](int of, const char* name, const char* value) {
    return refused([&] { datastores.update(of, {{name, value}}); });
  };
  EXPECT_EQ(said(id, "DS_MAD", "restic"), "DS_MAD of a datastore is not changed");
  EXPECT_EQ(said(id, "BASE_PATH", "/y"), "BASE_PATH of a datastore is not changed");
  EXPECT_EQ(said(id, "KEEP_LST", "3"), "'KEEP_LST' is no attribute of this datastore");
  EXPECT_EQ(said(id, "RSYNC_HOST", ""), "a datastore with DS_MAD = rsync needs RSYNC_HOST");
  EXPECT_NE(said(100, "RESTIC_PASSWORD", "p").find("restic.password"), std::string::npos);
  EXPECT_EQ(home.datastore(id).dump(), before);
}

TEST_F(BackupDatastoresTest, AreCalledSomethingElse) {
  const int id = datastores.add(rsync("far"));
  datastores.rename(id, "farther");
  datastores.rename(id, "farther");
  EXPECT_EQ(store.datastore(id)->name, "farther");
  EXPECT_EQ(home.datastore(id).at("NAME"), "farther");
  EXPECT_THROW(datastores.rename(id, "default"), BadRequest);
  EXPECT_THROW(datastores.rename(id, ""), BadRequest);
  EXPECT_EQ(store.datastore(id)->name, "farther");
}

}  // namespace
}  // namespace state
