// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/store.h"

#include <SQLiteCpp/Statement.h>
#include <fcntl.h>

#include <chrono>

#include "common/error.h"
#include "common/file.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/schema.h"
#include "drivers/lib/store_rows.h"
#include "drivers/lib/whole.h"

namespace state {
namespace {

VmRecord vm_of(const SQLite::Statement& row) {
  return {.id = row.getColumn(0),
          .uuid = row.getColumn(1),
          .name = row.getColumn(2),
          .active_image = number_or_null(row.getColumn(3)),
          .owner = row.getColumn(4)};
}

DatastoreRecord datastore_of(const SQLite::Statement& row) {
  return {.id = row.getColumn(0),
          .name = row.getColumn(1),
          .ds_mad = row.getColumn(2),
          .usable = row.getColumn(3).getInt() != 0,
          .error = row.getColumn(4)};
}

// Made by us, so that neither it nor the files that SQLite puts beside it can be read by others.
SQLite::Database open(const std::filesystem::path& file) {
  // Never opened by us when it is there: closing it would drop the locks that another Store of this
  // process holds (as POSIX wants it), and others would take its log away.
  if (!std::filesystem::exists(file)) open_file(file, O_RDWR | O_CREAT, 0600);
  return guarded(file, [&] {
    SQLite::Database db{file.string(), SQLite::OPEN_READWRITE, 10'000};
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    db.exec("PRAGMA foreign_keys = ON");
    migrate(db);
    return db;
  });
}

}  // namespace

Store::Store(const std::filesystem::path& file)
    : file_{file}, db_{[&] {
        // SQLite's own waiting does not cover the switch to WAL.
        const auto lock =
            FileLock::lock(file.string() + ".lock", std::chrono::seconds{30}, "the state file");
        return open(file);
      }()} {}

Store Store::nothing() {
  const char* memory = ":memory:";
  return guarded(memory, [&] {
    SQLite::Database db{memory, SQLite::OPEN_READWRITE};
    migrate(db);
    return Store{memory, std::move(db)};
  });
}

void Store::together(const std::function<void()>& work) {
  guarded(file_, [&] {
    Whole whole{db_};
    work();
    whole.commit();
  });
}

VmRecord Store::vm_for(const std::string& uuid, const std::string& name) {
  return guarded(file_, [&] {
    // Looked up first: an upsert would use up an id each time.
    Whole whole{db_};
    SQLite::Statement update{db_, "UPDATE vms SET name = ?2 WHERE uuid = ?1"};
    SQLite::Statement insert{db_, "INSERT INTO vms (uuid, name) VALUES (?1, ?2)"};
    for (auto* statement : {&update, &insert}) {
      statement->bind(1, uuid);
      statement->bind(2, name);
    }
    if (update.exec() == 0) insert.exec();
    SQLite::Statement get{db_,
                          "SELECT id, uuid, name, active_image, owner FROM vms WHERE uuid = ?"};
    get.bind(1, uuid);
    get.executeStep();
    auto record = vm_of(get);
    get.reset();
    whole.commit();
    return record;
  });
}

std::optional<VmRecord> Store::vm(int id) const {
  return guarded(file_, [&]() -> std::optional<VmRecord> {
    SQLite::Statement get{db_, "SELECT id, uuid, name, active_image, owner FROM vms WHERE id = ?"};
    get.bind(1, id);
    return get.executeStep() ? std::optional{vm_of(get)} : std::nullopt;
  });
}

std::vector<VmRecord> Store::vms() const {
  return guarded(file_, [&] {
    std::vector<VmRecord> all;
    SQLite::Statement get{db_, "SELECT id, uuid, name, active_image, owner FROM vms ORDER BY id"};
    while (get.executeStep()) all.push_back(vm_of(get));
    return all;
  });
}

int Store::disk_id(int vm, const std::string& target, const std::string& source) {
  return guarded(file_, [&] {
    Whole whole{db_};
    // Rows are never removed, so the next number has never been another disk's.
    SQLite::Statement put{
        db_,
        "INSERT INTO disks (vm, id, target, source) SELECT ?1, (SELECT "
        "coalesce(max(id) + 1, 0) FROM disks WHERE vm = ?1), ?2, ?3 WHERE true ON "
        "CONFLICT (vm, target, source) DO NOTHING"};
    SQLite::Statement get{db_, "SELECT id FROM disks WHERE vm = ? AND target = ? AND source = ?"};
    for (auto* statement : {&put, &get}) {
      statement->bind(1, vm);
      statement->bind(2, target);
      statement->bind(3, source);
    }
    put.exec();
    get.executeStep();
    const int id = get.getColumn(0);
    get.reset();
    whole.commit();
    return id;
  });
}

void Store::put_datastore(const DatastoreRecord& datastore) {
  guarded(file_, [&] {
    SQLite::Statement put{db_,
                          "INSERT INTO datastores (id, name, ds_mad) VALUES (?, ?, ?) ON CONFLICT "
                          "(id) DO UPDATE SET name = excluded.name, ds_mad = excluded.ds_mad"};
    put.bind(1, datastore.id);
    put.bind(2, datastore.name);
    put.bind(3, datastore.ds_mad);
    put.exec();
  });
}

std::optional<DatastoreRecord> Store::datastore(int id) const {
  for (auto& one : datastores())
    if (one.id == id) return one;
  return std::nullopt;
}

std::vector<DatastoreRecord> Store::datastores() const {
  return guarded(file_, [&] {
    std::vector<DatastoreRecord> all;
    SQLite::Statement get{
        db_,
        "SELECT id, name, ds_mad, usable, error FROM datastores WHERE type = 'BACKUP' AND deleted "
        "IS NULL ORDER BY id"};
    while (get.executeStep()) all.push_back(datastore_of(get));
    return all;
  });
}

}  // namespace state
