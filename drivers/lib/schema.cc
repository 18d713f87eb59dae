// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/schema.h"

#include <SQLiteCpp/Transaction.h>

#include <array>
#include <string>

#include "common/error.h"

namespace state {
namespace {

// Element n leads from version n to n + 1.  What has been released is never edited: add one.
constexpr std::array migrations = {
    R"(
CREATE TABLE vms (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  active_image INTEGER REFERENCES images (id) ON DELETE SET NULL
) STRICT;
INSERT INTO sqlite_sequence (name, seq) VALUES ('vms', 999999);

CREATE TABLE disks (
  vm INTEGER NOT NULL REFERENCES vms (id),
  id INTEGER NOT NULL,
  target TEXT NOT NULL,
  source TEXT NOT NULL,
  PRIMARY KEY (vm, id),
  UNIQUE (vm, target, source)
) STRICT;

CREATE TABLE datastores (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  ds_mad TEXT NOT NULL
) STRICT;

CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  vm INTEGER NOT NULL REFERENCES vms (id),
  datastore INTEGER NOT NULL REFERENCES datastores (id),
  mode TEXT NOT NULL CHECK (mode IN ('FULL', 'INCREMENT')),
  disks TEXT NOT NULL,
  created INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'READY' CHECK (state IN ('READY', 'DELETE'))
) STRICT;
CREATE INDEX images_of_vm ON images (vm);

CREATE TABLE increments (
  image INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  id INTEGER NOT NULL,
  source TEXT NOT NULL,
  size_mib INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  date INTEGER NOT NULL,
  dir TEXT NOT NULL,
  result TEXT NOT NULL,
  PRIMARY KEY (image, id)
) STRICT;

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  vm INTEGER NOT NULL REFERENCES vms (id),
  image INTEGER REFERENCES images (id) ON DELETE SET NULL,
  increment INTEGER NOT NULL,
  datastore INTEGER NOT NULL REFERENCES datastores (id),
  mode TEXT NOT NULL,
  disks TEXT NOT NULL,
  dir TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempts_of_vm ON attempts (vm);
)",
    R"(
ALTER TABLE increments ADD COLUMN proven INTEGER;
ALTER TABLE increments ADD COLUMN damage TEXT NOT NULL DEFAULT '';

CREATE TABLE sums (
  image INTEGER NOT NULL,
  increment INTEGER NOT NULL,
  file TEXT NOT NULL,
  sums BLOB NOT NULL,
  PRIMARY KEY (image, increment, file),
  FOREIGN KEY (image, increment) REFERENCES increments (image, id) ON DELETE CASCADE
) STRICT;
)",
};

}  // namespace

int schema_version() { return static_cast<int>(migrations.size()); }

void migrate(SQLite::Database& db, int target) {
  SQLite::Transaction whole{db, SQLite::TransactionBehavior::IMMEDIATE};
  const int found = db.execAndGet("PRAGMA user_version").getInt();
  if (found > schema_version())
    throw Error{"'" + db.getFilename() + "' was written by a newer vmvault (schema " +
                std::to_string(found) + ", this one knows " + std::to_string(schema_version()) +
                ")"};
  for (int version = found; version < target; ++version)
    db.exec(migrations[static_cast<std::size_t>(version)]);
  if (found < target) db.exec("PRAGMA user_version = " + std::to_string(target));
  whole.commit();
}

}  // namespace state
