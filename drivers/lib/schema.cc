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
    // The service: what its scheduler keeps, and what its drivers were asked for.
    R"(
ALTER TABLE images ADD COLUMN keep INTEGER;
ALTER TABLE images ADD COLUMN error TEXT NOT NULL DEFAULT '';
ALTER TABLE images ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;

ALTER TABLE attempts ADD COLUMN service INTEGER NOT NULL DEFAULT 0;

ALTER TABLE datastores ADD COLUMN usable INTEGER NOT NULL DEFAULT 1;
ALTER TABLE datastores ADD COLUMN max_backups INTEGER;
ALTER TABLE datastores ADD COLUMN hours TEXT NOT NULL DEFAULT '';

CREATE TABLE hosts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  uri TEXT NOT NULL,
  up INTEGER NOT NULL DEFAULT 1,
  max_backups INTEGER,
  emulator_cpus TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE scheduled_vms (
  id INTEGER PRIMARY KEY REFERENCES vms (id),
  host INTEGER NOT NULL,
  job_state TEXT NOT NULL CHECK (job_state IN ('', 'OUTDATED', 'BACKING_UP', 'UPDATED', 'ERROR')),
  rpo INTEGER NOT NULL,
  rpo_since INTEGER NOT NULL,
  datastore INTEGER NOT NULL,
  last_backup INTEGER NOT NULL,
  expected INTEGER NOT NULL,
  rpo_state TEXT NOT NULL CHECK (rpo_state IN ('KEPT', 'NEAR', 'MISSED')),
  held_until INTEGER NOT NULL,
  held TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL DEFAULT '',
  owner INTEGER NOT NULL DEFAULT 0,
  template TEXT NOT NULL DEFAULT '',
  datastore INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  execution TEXT NOT NULL CHECK (execution IN ('SEQUENTIAL', 'PARALLEL')),
  reset INTEGER NOT NULL,
  hours TEXT NOT NULL,
  last_time INTEGER NOT NULL,
  last_duration INTEGER NOT NULL
) STRICT;

CREATE TABLE job_vms (
  job INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  place INTEGER NOT NULL,
  vm INTEGER NOT NULL UNIQUE,
  PRIMARY KEY (job, place)
) STRICT;

CREATE TABLE actions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subject TEXT NOT NULL CHECK (subject IN ('VM', 'BACKUPJOB')),
  parent INTEGER NOT NULL,
  time INTEGER NOT NULL,
  repeat INTEGER NOT NULL,
  days TEXT NOT NULL,
  end_type INTEGER NOT NULL,
  end_value INTEGER NOT NULL,
  anchor INTEGER NOT NULL,
  done INTEGER NOT NULL,
  datastore INTEGER NOT NULL,
  reset INTEGER NOT NULL,
  message TEXT NOT NULL
) STRICT;
INSERT INTO sqlite_sequence (name, seq) VALUES ('actions', 0);

CREATE TABLE requests (
  serial INTEGER PRIMARY KEY,
  vm INTEGER NOT NULL,
  datastore INTEGER NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('MANUAL', 'SCHEDULED', 'JOB', 'RPO')),
  reset INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  job INTEGER NOT NULL,
  place INTEGER NOT NULL,
  action INTEGER NOT NULL,
  since INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  error TEXT NOT NULL,
  started INTEGER NOT NULL,
  host INTEGER NOT NULL,
  UNIQUE (vm, datastore)
) STRICT;
)",
    // Who may ask the service, and what is whose.
    R"(
ALTER TABLE vms ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;

CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  password TEXT NOT NULL,
  user_group INTEGER NOT NULL CHECK (user_group IN (0, 1)),
  enabled INTEGER NOT NULL DEFAULT 1,
  attributes TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO users (id, name, password, user_group) VALUES (0, 'oneadmin', '', 0);

CREATE TABLE login_tokens (
  user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (user, digest)
) STRICT;
)",
    // What people order: settings of theirs, cancels, and what is made of backups.
    R"(
CREATE TABLE settings (
  subject TEXT NOT NULL CHECK (subject IN ('VM', 'DATASTORE')),
  id INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (subject, id, name)
) STRICT;

ALTER TABLE attempts ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
CREATE INDEX unfinished_attempts ON attempts (id) WHERE ended IS NULL;
ALTER TABLE scheduled_vms ADD COLUMN priority INTEGER NOT NULL DEFAULT 50;

ALTER TABLE datastores ADD COLUMN type TEXT NOT NULL DEFAULT 'BACKUP'
  CHECK (type IN ('BACKUP', 'IMAGE'));
ALTER TABLE datastores ADD COLUMN used_mib INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datastores ADD COLUMN total_mib INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datastores ADD COLUMN free_mib INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datastores ADD COLUMN monitored INTEGER NOT NULL DEFAULT 0;

CREATE TABLE templates (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  owner INTEGER NOT NULL,
  created INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'READY' CHECK (state IN ('LOCKED', 'READY', 'ERROR')),
  error TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL DEFAULT '',
  image INTEGER NOT NULL DEFAULT -1,
  increment INTEGER NOT NULL DEFAULT -1,
  datastore INTEGER NOT NULL DEFAULT -1,
  no_ip INTEGER NOT NULL DEFAULT 0,
  no_nic INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE disk_images (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  owner INTEGER NOT NULL,
  datastore INTEGER NOT NULL REFERENCES datastores (id),
  type TEXT NOT NULL CHECK (type IN ('OS', 'DATABLOCK')),
  state TEXT NOT NULL DEFAULT 'LOCKED' CHECK (state IN ('LOCKED', 'READY', 'ERROR', 'DELETE')),
  created INTEGER NOT NULL,
  source TEXT NOT NULL,
  size_mib INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',
  template INTEGER NOT NULL,
  image INTEGER NOT NULL,
  increment INTEGER NOT NULL,
  disk INTEGER NOT NULL
) STRICT;
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'images', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'images');

CREATE TABLE restores (
  vm INTEGER PRIMARY KEY REFERENCES vms (id),
  image INTEGER NOT NULL,
  increment INTEGER NOT NULL,
  disk INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  error TEXT NOT NULL DEFAULT ''
) STRICT;
)",
    // Those that went: backups that failed there are still known, and a number is nobody else's.
    R"(
ALTER TABLE datastores ADD COLUMN deleted INTEGER;
)",
    R"(
ALTER TABLE images ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
)",
    R"(
ALTER TABLE hosts ADD COLUMN status TEXT NOT NULL DEFAULT 'ENABLED'
  CHECK (status IN ('ENABLED', 'DISABLED', 'OFFLINE'));
)",
    R"(
ALTER TABLE datastores ADD COLUMN error TEXT NOT NULL DEFAULT '';
)",
    R"(
ALTER TABLE attempts ADD COLUMN capture TEXT NOT NULL DEFAULT '';
ALTER TABLE increments ADD COLUMN capture TEXT NOT NULL DEFAULT '';
)",
    // Of those that are open nobody knows whether they were begun: they are not done twice.
    R"(
ALTER TABLE restores ADD COLUMN begun INTEGER;
UPDATE restores SET begun = started WHERE ended IS NULL;
)",
    // Where the state is at home: a copy is not.
    R"(
CREATE TABLE home (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  machine TEXT NOT NULL,
  host TEXT NOT NULL,
  var TEXT NOT NULL
) STRICT;
)",
};

}  // namespace

int schema_version() { return static_cast<int>(migrations.size()); }

void migrate(SQLite::Database& db, int target) {
  const auto version_now = [&] { return db.execAndGet("PRAGMA user_version").getInt(); };
  // Whoever only opens a file waits for nobody who writes it.
  if (version_now() == target) return;
  SQLite::Transaction whole{db, SQLite::TransactionBehavior::IMMEDIATE};
  const int found = version_now();
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
