// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/schema.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "drivers/lib/restores.h"
#include "drivers/lib/store.h"

namespace state {
namespace {

SQLite::Database in_memory() {
  return SQLite::Database{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
}

int count(SQLite::Database& db, const std::string& table) {
  return db.execAndGet("SELECT count(*) FROM " + table).getInt();
}

// What the first version of the program could have written.
constexpr const char* of_version_1 = R"(
INSERT INTO vms (uuid, name) VALUES ('u1', 'web');
INSERT INTO disks VALUES (1000000, 0, 'vda', '/a');
INSERT INTO datastores (id, name, ds_mad) VALUES (100, 'default', 'restic');
INSERT INTO images (vm, datastore, mode, disks, created) VALUES (1000000, 100, 'INCREMENT', '0', 7);
INSERT INTO images (vm, datastore, mode, disks, created, state)
  VALUES (1000000, 100, 'FULL', '0', 8, 'DELETE');
INSERT INTO increments (image, id, source, size_mib, bytes, date, dir, result)
  VALUES (1, 0, 'aaaa0000', 3, 4, 5, '/d', '{}');
INSERT INTO attempts (vm, increment, datastore, mode, disks, dir, started)
  VALUES (1000000, 1, 100, 'INCREMENT', '0', '/d', 9);
UPDATE vms SET active_image = 1;
)";

TEST(Schema, GrowsFromNothingAndIsLeftAloneAfterwards) {
  auto db = in_memory();
  migrate(db, 0);
  EXPECT_FALSE(db.tableExists("vms"));
  migrate(db);
  EXPECT_TRUE(db.tableExists("vms"));
  EXPECT_EQ(db.execAndGet("PRAGMA user_version").getInt(), schema_version());
  db.exec("INSERT INTO vms (uuid, name) VALUES ('u', 'n')");
  migrate(db);
  EXPECT_EQ(count(db, "vms"), 1);
}

TEST(Schema, KeepsWhatEveryOlderVersionHolds) {
  for (int version = 1; version < schema_version(); ++version) {
    SCOPED_TRACE(version);
    const TempDir dir;
    const auto file = dir.path() / "state.db";
    {
      SQLite::Database db{file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
      db.exec("PRAGMA foreign_keys = ON");
      migrate(db, version);
      db.exec(of_version_1);
      ASSERT_EQ(db.execAndGet("PRAGMA user_version").getInt(), version);
    }
    const Store store{file};
    EXPECT_EQ(store.vms().at(0).active_image, 1);
    EXPECT_EQ(store.datastores().at(0).ds_mad, "restic");
    EXPECT_EQ(store.image(1)->state, ImageState::ready);
    EXPECT_EQ(store.image(1)->chain().text(), "0:aaaa0000");
    EXPECT_FALSE(store.image(1)->is_protected);
    EXPECT_EQ(store.image(2)->state, ImageState::deleting);
    ASSERT_EQ(store.unfinished(1'000'000).size(), 1U);
    EXPECT_FALSE(store.unfinished(1'000'000)[0].service);
  }
}

TEST(Schema, IsTheSameWhereverItCameFrom) {
  const auto tables = [](SQLite::Database& db) {
    std::string all;
    SQLite::Statement get{db, "SELECT name, sql FROM sqlite_master ORDER BY name"};
    while (get.executeStep()) all += get.getColumn(0).getString() + get.getColumn(1).getString();
    return all;
  };
  auto at_once = in_memory();
  migrate(at_once);
  for (int version = 1; version < schema_version(); ++version) {
    auto db = in_memory();
    for (int step = 1; step <= version; ++step) migrate(db, step);
    migrate(db);
    EXPECT_EQ(tables(db), tables(at_once)) << version;
  }
}

TEST(Schema, ARestoreThatAnOlderServiceLeftOpenMayHaveBegun) {
  const TempDir dir;
  const auto file = dir.path() / "state.db";
  constexpr int before_begun = 10;
  {
    SQLite::Database db{file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    migrate(db, before_begun);
    db.exec("INSERT INTO vms (uuid, name) VALUES ('u1', 'web'), ('u2', 'db')");
    db.exec(
        "INSERT INTO restores (vm, image, increment, disk, started, ended) VALUES "
        "(1000000, 1, 0, -1, 7, NULL), (1000001, 2, 0, -1, 7, 8)");
  }
  Store store{file};
  Restores restores{store};
  EXPECT_TRUE(restores.restore_of(1'000'000)->begun);
  EXPECT_FALSE(restores.restore_of(1'000'001)->begun);
  restores.begin({.vm = 1'000'000, .origin = {1, 0, -1}, .started = 9});
  EXPECT_FALSE(restores.restore_of(1'000'000)->begun) << "that is another one";
}

TEST(Schema, RefusesAFileOfANewerProgramAndLeavesIt) {
  const TempDir dir;
  const auto file = dir.path() / "state.db";
  const int newer = schema_version() + 1;
  {
    SQLite::Database db{file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    migrate(db);
    db.exec("PRAGMA user_version = " + std::to_string(newer));
  }
  try {
    const Store store{file};
    FAIL() << "opened";
  } catch (const Error& error) {
    EXPECT_NE(std::string{error.what()}.find("newer vmvault"), std::string::npos) << error.what();
  }
  SQLite::Database db{file.string(), SQLite::OPEN_READWRITE};
  EXPECT_EQ(db.execAndGet("PRAGMA user_version").getInt(), newer);
}

}  // namespace
}  // namespace state
