// SPDX-License-Identifier: Apache-2.0
// Backups, from their beginning to the image that holds them.
#include <SQLiteCpp/Statement.h>

#include "common/error.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/store.h"
#include "drivers/lib/store_rows.h"
#include "drivers/lib/whole.h"

namespace state {
namespace {

const std::string attempt_columns =
    "SELECT id, vm, image, increment, datastore, mode, disks, dir, started, ended, error, "
    "service, cancelled, capture FROM attempts ";

std::string joined(const std::vector<int>& ids) {
  std::string out;
  for (const int id : ids) out += (out.empty() ? "" : ":") + std::to_string(id);
  return out;
}

Attempt attempt_of(const SQLite::Statement& row) {
  Attempt one{.id = row.getColumn(0).getInt64(),
              .vm = row.getColumn(1),
              .image = number_or_null(row.getColumn(2)),
              .increment = row.getColumn(3),
              .datastore = row.getColumn(4),
              .mode = mode_of(row.getColumn(5)),
              .disks = parse_disk_ids(row.getColumn(6).getString()),
              .dir = row.getColumn(7).getString(),
              .started = row.getColumn(8).getInt64(),
              .capture = row.getColumn(13),
              .ended = {},
              .error = row.getColumn(10),
              .service = row.getColumn(11).getInt() != 0,
              .cancelled = row.getColumn(12).getInt() != 0};
  if (!row.getColumn(9).isNull()) one.ended = row.getColumn(9).getInt64();
  return one;
}

int new_image(SQLite::Database& db, const Attempt& attempt, std::int64_t date) {
  SQLite::Statement put{
      db,
      "INSERT INTO images (vm, datastore, mode, disks, created, owner) VALUES (?1, "
      "?2, ?3, ?4, ?5, (SELECT owner FROM vms WHERE id = ?1))"};
  put.bind(1, attempt.vm);
  put.bind(2, attempt.datastore);
  put.bind(3, text(attempt.mode));
  put.bind(4, joined(attempt.disks));
  put.bind(5, date);
  put.exec();
  return static_cast<int>(db.getLastInsertRowid());
}

bool is_recorded(const SQLite::Database& db, int vm, const std::string& source) {
  SQLite::Statement get{db,
                        "SELECT 1 FROM increments JOIN images ON images.id = increments.image "
                        "WHERE images.vm = ? AND increments.source = ?"};
  get.bind(1, vm);
  get.bind(2, source);
  return get.executeStep();
}

void end_attempt(SQLite::Database& db, std::int64_t attempt, int image, const std::string& error,
                 std::optional<std::int64_t> ended = {}) {
  SQLite::Statement put{
      db,
      "UPDATE attempts SET ended = min(coalesce(?4, unixepoch()), unixepoch()), image = "
      "coalesce(?1, image), error = ?2 WHERE id = ?3"};
  if (image != -1) put.bind(1, image);
  put.bind(2, error);
  put.bind(3, attempt);
  if (ended) put.bind(4, *ended);
  put.exec();
}

}  // namespace

std::vector<Attempt> Store::attempts(const std::string& where, std::optional<int> vm) const {
  return guarded(file_, [&] {
    std::vector<Attempt> all;
    SQLite::Statement get{db_, attempt_columns + "WHERE (?1 IS NULL OR vm = ?1) AND " + where};
    if (vm) get.bind(1, *vm);
    while (get.executeStep()) all.push_back(attempt_of(get));
    return all;
  });
}

std::vector<Attempt> Store::unfinished() const {
  return attempts("ended IS NULL ORDER BY id", std::nullopt);
}

std::vector<Attempt> Store::unfinished(int vm) const {
  return attempts("ended IS NULL ORDER BY id", vm);
}

std::optional<Attempt> Store::last_attempt(int vm) const {
  auto last = attempts("ended IS NOT NULL ORDER BY id DESC LIMIT 1", vm);
  return last.empty() ? std::nullopt : std::optional{std::move(last.front())};
}

std::int64_t Store::begin(const Attempt& attempt) {
  return guarded(file_, [&] {
    Whole whole{db_};
    if (!datastore(attempt.datastore))
      throw Error{"there is no datastore " + std::to_string(attempt.datastore) + " any more"};
    SQLite::Statement put{
        db_,
        "INSERT INTO attempts (vm, image, increment, datastore, mode, disks, dir, "
        "started, service, capture) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
    put.bind(1, attempt.vm);
    if (attempt.image) put.bind(2, *attempt.image);
    put.bind(3, attempt.increment);
    put.bind(4, attempt.datastore);
    put.bind(5, text(attempt.mode));
    put.bind(6, joined(attempt.disks));
    put.bind(7, attempt.dir.string());
    put.bind(8, attempt.started);
    put.bind(9, attempt.service ? 1 : 0);
    put.bind(10, attempt.capture);
    put.exec();
    const std::int64_t id = db_.getLastInsertRowid();
    whole.commit();
    return id;
  });
}

int Store::succeed(std::int64_t attempt, const BackupRecord& backup,
                   const std::vector<SumsRecord>& sums, std::optional<std::int64_t> ended) {
  return guarded(file_, [&] {
    Whole whole{db_};
    SQLite::Statement get{db_, attempt_columns + "WHERE id = ?"};
    get.bind(1, attempt);
    if (!get.executeStep()) throw Error{"there is no attempt " + std::to_string(attempt)};
    const Attempt begun = attempt_of(get);
    get.reset();
    if (!begun.image && begun.increment > 0)
      throw Error{"the image that increment " + std::to_string(begun.increment) + " of VM " +
                  std::to_string(begun.vm) + " belongs to was deleted"};
    if (is_recorded(db_, begun.vm, backup.source))
      throw Error{"snapshot " + backup.source + " of VM " + std::to_string(begun.vm) +
                  " is another backup's already"};
    const int image = begun.image ? *begun.image : new_image(db_, begun, backup.date);
    auto named = backup;
    named.capture = begun.capture;
    add_increment(db_, image, named);
    // A merge that was cut off still leaves the points that it was to leave.
    SQLite::Statement leave{db_, "UPDATE images SET keep = keep + 1 WHERE id = ?"};
    leave.bind(1, image);
    leave.exec();
    for (const auto& one : sums) add_sums(db_, image, backup.id, one);
    if (begun.mode == Mode::increment) {
      SQLite::Statement activate{db_, "UPDATE vms SET active_image = ? WHERE id = ?"};
      activate.bind(1, image);
      activate.bind(2, begun.vm);
      activate.exec();
    }
    end_attempt(db_, attempt, image, "", ended);
    whole.commit();
    return image;
  });
}

void Store::fail(std::int64_t attempt, const std::string& error) {
  guarded(file_, [&] {
    Whole whole{db_};
    end_attempt(db_, attempt, -1, error.empty() ? "failed" : error);
    if (error.find(broken_chain) != std::string::npos) {
      SQLite::Statement anew{
          db_,
          "UPDATE vms SET active_image = NULL WHERE id = (SELECT vm FROM attempts WHERE id = ?)"};
      anew.bind(1, attempt);
      anew.exec();
    }
    whole.commit();
  });
}

void Store::refuse(const Attempt& attempt, const std::string& error) {
  together([&] {
    if (!datastore(attempt.datastore)) return;
    auto failed = attempt;
    failed.disks = {0};  // which ones it would have had nobody knows
    fail(begin(failed), error);
  });
}

void Store::cancel(std::int64_t attempt) {
  guarded(file_, [&] {
    SQLite::Statement put{db_, "UPDATE attempts SET cancelled = 1 WHERE id = ?"};
    put.bind(1, attempt);
    put.exec();
  });
}

bool Store::recorded(int vm, const std::string& source) const {
  return guarded(file_, [&] { return is_recorded(db_, vm, source); });
}

}  // namespace state
