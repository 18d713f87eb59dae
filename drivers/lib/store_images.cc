// SPDX-License-Identifier: Apache-2.0
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <nlohmann/json.hpp>

#include "common/error.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/store.h"
#include "drivers/lib/store_rows.h"
#include "drivers/lib/whole.h"

namespace state {
namespace {

BackupRecord backup_of(const SQLite::Statement& row) {
  return {.id = row.getColumn(0),
          .source = row.getColumn(1),
          .size_mib = row.getColumn(2).getInt64(),
          .bytes = static_cast<std::uint64_t>(row.getColumn(3).getInt64()),
          .date = row.getColumn(4).getInt64(),
          .dir = row.getColumn(5).getString(),
          .result = row.getColumn(6),
          .capture = row.getColumn(9),
          .proven =
              row.getColumn(7).isNull() ? std::nullopt : std::optional{row.getColumn(7).getInt64()},
          .damage = row.getColumn(8)};
}

// In the words of contract 5.2: a flatten locks, and a delete that failed is an error.
ImageState state_of(const SQLite::Statement& image) {
  if (image.getColumn(6).getString() == "READY")
    return image.getColumn(7).isNull() ? ImageState::ready : ImageState::locked;
  return image.getColumn(8).getString().empty() ? ImageState::deleting : ImageState::error;
}

std::optional<int> vm_in(const DiskUrl& url) try { return url.vm_id(); } catch (const BadRequest&) {
  return std::nullopt;
}

}  // namespace

void add_increment(SQLite::Database& db, int image, const BackupRecord& backup) {
  SQLite::Statement put{db,
                        "INSERT INTO increments (image, id, source, size_mib, bytes, date, dir, "
                        "result, capture) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  put.bind(1, image);
  put.bind(2, backup.id);
  put.bind(3, backup.source);
  put.bind(4, backup.size_mib);
  put.bind(5, static_cast<std::int64_t>(backup.bytes));
  put.bind(6, backup.date);
  put.bind(7, backup.dir.string());
  put.bind(8, backup.result);
  put.bind(9, backup.capture);
  put.exec();
}

void add_sums(SQLite::Database& db, int image, int increment, const SumsRecord& record) {
  SQLite::Statement put{db, "INSERT INTO sums (image, increment, file, sums) VALUES (?, ?, ?, ?)"};
  put.bind(1, image);
  put.bind(2, increment);
  put.bind(3, record.file);
  put.bind(4, record.sums.data(), static_cast<int>(record.sums.size()));
  put.exec();
}

std::vector<ImageRecord> Store::read_images(std::optional<int> id, std::optional<int> vm) const {
  // One snapshot of the file: no image without its increments.
  std::optional<SQLite::Transaction> whole;
  if (sqlite3_get_autocommit(db_.getHandle()) != 0) whole.emplace(db_);
  std::vector<ImageRecord> all;
  SQLite::Statement get{
      db_,
      "SELECT id, vm, datastore, mode, disks, created, state, keep, error, protected, owner, "
      "forced FROM images "
      "WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR vm = ?2) ORDER BY id"};
  SQLite::Statement parts{db_,
                          "SELECT id, source, size_mib, bytes, date, dir, result, proven, damage, "
                          "capture FROM increments "
                          "WHERE image = ? ORDER BY id"};
  if (id) get.bind(1, *id);
  if (vm) get.bind(2, *vm);
  while (get.executeStep()) {
    all.push_back({.id = get.getColumn(0),
                   .vm = get.getColumn(1),
                   .datastore = get.getColumn(2),
                   .mode = mode_of(get.getColumn(3)),
                   .disks = parse_disk_ids(get.getColumn(4).getString()),
                   .created = get.getColumn(5).getInt64(),
                   .state = state_of(get),
                   .keep = number_or_null(get.getColumn(7)),
                   .error = get.getColumn(8),
                   .is_protected = get.getColumn(9).getInt() != 0,
                   .owner = get.getColumn(10),
                   .is_forced = get.getColumn(11).getInt() != 0,
                   .increments = {}});
    parts.reset();
    parts.bind(1, all.back().id);
    while (parts.executeStep()) all.back().increments.push_back(backup_of(parts));
  }
  return all;
}

std::optional<ImageRecord> Store::image(int id) const {
  return guarded(file_, [&]() -> std::optional<ImageRecord> {
    auto found = read_images(id, std::nullopt);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
  });
}

std::vector<ImageRecord> Store::images() const {
  return guarded(file_, [&] { return read_images(std::nullopt, std::nullopt); });
}

std::vector<ImageRecord> Store::images_of(int vm) const {
  return guarded(file_, [&] { return read_images(std::nullopt, vm); });
}

std::map<int, std::int64_t> Store::newest_backups(const std::vector<int>& vms,
                                                  std::int64_t now) const {
  return guarded(file_, [&] {
    std::map<int, std::int64_t> all;
    // Of each machine no more attempts are read than there are behind that one.
    SQLite::Statement get{db_,
                          "SELECT value, (SELECT date " + good_backups +
                              "AND attempts.vm = value AND date <= ?2 ORDER BY attempts.id DESC "
                              "LIMIT 1) FROM json_each(?1)"};
    get.bind(1, nlohmann::json(vms).dump());
    get.bind(2, now);
    while (get.executeStep())
      if (!get.getColumn(1).isNull()) all[get.getColumn(0).getInt()] = get.getColumn(1).getInt64();
    return all;
  });
}

std::string Store::newest_source(int vm) const {
  return guarded(file_, [&]() -> std::string {
    // Dates are those of a clock.
    SQLite::Statement get{db_,
                          "SELECT source FROM attempts JOIN increments ON increments.image = "
                          "attempts.image AND increments.id = attempts.increment WHERE vm = ? AND "
                          "ended IS NOT NULL AND error = '' ORDER BY attempts.id DESC LIMIT 1"};
    get.bind(1, vm);
    return get.executeStep() ? get.getColumn(0).getString() : "";
  });
}

std::optional<std::string> Store::stored_in(int vm, int datastore) const {
  return guarded(file_, [&]() -> std::optional<std::string> {
    SQLite::Statement get{db_,
                          "SELECT source FROM increments JOIN images ON images.id = "
                          "increments.image WHERE vm = ? AND datastore = ? AND state = 'READY' "
                          "ORDER BY images.id DESC, increments.id DESC LIMIT 1"};
    get.bind(1, vm);
    get.bind(2, datastore);
    return get.executeStep() ? std::optional{get.getColumn(0).getString()} : std::nullopt;
  });
}

std::vector<SumsRecord> Store::sums(int image, int increment) const {
  return guarded(file_, [&] {
    std::vector<SumsRecord> all;
    SQLite::Statement get{db_, "SELECT file, sums FROM sums WHERE image = ? AND increment = ?"};
    get.bind(1, image);
    get.bind(2, increment);
    while (get.executeStep())
      all.push_back({.file = get.getColumn(0), .sums = get.getColumn(1).getString()});
    return all;
  });
}

std::optional<ImageRecord> Store::image_with(const DiskUrl& url) const {
  return guarded(file_, [&]() -> std::optional<ImageRecord> {
    SQLite::Statement get{db_,
                          "SELECT images.id FROM images JOIN increments ON increments.image = "
                          "images.id WHERE datastore = ?1 AND increments.id = ?2 AND source = ?3 "
                          "AND (?4 IS NULL OR vm = ?4)"};
    get.bind(1, url.datastore_id);
    get.bind(2, url.chain.last().id);
    get.bind(3, url.chain.last().source);
    if (const auto vm = vm_in(url)) get.bind(4, *vm);
    if (!get.executeStep()) return std::nullopt;
    const int id = get.getColumn(0);
    if (get.executeStep()) return std::nullopt;
    auto found = read_images(id, std::nullopt);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
  });
}

void Store::note_check(int image, int increment, std::optional<std::int64_t> proven,
                       const std::string& damage) {
  guarded(file_, [&] {
    SQLite::Statement put{db_,
                          "UPDATE increments SET proven = coalesce(?, proven), damage = ? WHERE "
                          "image = ? AND id = ?"};
    if (proven) put.bind(1, *proven);
    put.bind(2, damage);
    put.bind(3, image);
    put.bind(4, increment);
    put.exec();
  });
}

void Store::mark_flattening(int image, int keep) {
  set_work(image, "keep = ?2, error = ''", std::to_string(keep));
}

void Store::fail_flatten(int image, const std::string& error) {
  set_work(image, "keep = NULL, error = ?2", error);
}

// With the old rows goes what was noted of them.
void Store::flatten(int image, const BackupRecord& merged, const std::vector<SumsRecord>& sums) {
  guarded(file_, [&] {
    Whole whole{db_};
    SQLite::Statement remove{db_, "DELETE FROM increments WHERE image = ? AND id <= ?"};
    remove.bind(1, image);
    remove.bind(2, merged.id);
    remove.exec();
    add_increment(db_, image, merged);
    for (const auto& one : sums) add_sums(db_, image, merged.id, one);
    SQLite::Statement forget{db_, "UPDATE increments SET proven = NULL WHERE image = ?"};
    forget.bind(1, image);
    forget.exec();
    set_work(image, "keep = NULL, error = ?2", "");
    whole.commit();
  });
}

void Store::protect(int image, bool is_protected) {
  set_work(image, "protected = ?2", is_protected ? "1" : "0");
}

void Store::mark_deleting(int image, bool force) {
  set_work(image,
           "state = 'DELETE', keep = NULL, error = '', forced = max(forced, CAST(?2 AS INTEGER))",
           force ? "1" : "0");
}

void Store::fail_delete(int image, const std::string& error) {
  set_work(image, "state = 'DELETE', error = ?2", error.empty() ? "failed" : error);
}

void Store::set_work(int image, const std::string& values, const std::string& value) {
  guarded(file_, [&] {
    SQLite::Statement set{db_, "UPDATE images SET " + values + " WHERE id = ?1"};
    set.bind(1, image);
    set.bind(2, value);
    set.exec();
  });
}

void Store::remove_image(int image) {
  guarded(file_, [&] {
    SQLite::Statement remove{db_, "DELETE FROM images WHERE id = ?"};
    remove.bind(1, image);
    remove.exec();
  });
}

}  // namespace state
