// SPDX-License-Identifier: Apache-2.0
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "common/error.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/store.h"

namespace state {
namespace {

constexpr auto immediate = SQLite::TransactionBehavior::IMMEDIATE;

const std::string attempt_columns =
    "SELECT id, vm, image, increment, datastore, mode, disks, dir, started, ended, error FROM "
    "attempts ";

std::string text(Mode mode) { return mode == Mode::full ? "FULL" : "INCREMENT"; }
Mode mode_of(const std::string& word) { return word == "FULL" ? Mode::full : Mode::increment; }

std::string joined(const std::vector<int>& ids) {
  std::string out;
  for (const int id : ids) out += (out.empty() ? "" : ":") + std::to_string(id);
  return out;
}

std::optional<int> number_or_null(const SQLite::Column& column) {
  return column.isNull() ? std::nullopt : std::optional{column.getInt()};
}

BackupRecord backup_of(const SQLite::Statement& row) {
  return {.id = row.getColumn(0),
          .source = row.getColumn(1),
          .size_mib = row.getColumn(2).getInt64(),
          .bytes = static_cast<std::uint64_t>(row.getColumn(3).getInt64()),
          .date = row.getColumn(4).getInt64(),
          .dir = row.getColumn(5).getString(),
          .result = row.getColumn(6),
          .proven =
              row.getColumn(7).isNull() ? std::nullopt : std::optional{row.getColumn(7).getInt64()},
          .damage = row.getColumn(8)};
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
              .ended = {},
              .error = row.getColumn(10)};
  if (!row.getColumn(9).isNull()) one.ended = row.getColumn(9).getInt64();
  return one;
}

int new_image(SQLite::Database& db, const Attempt& attempt, std::int64_t date) {
  SQLite::Statement put{db,
                        "INSERT INTO images (vm, datastore, mode, disks, created) VALUES (?, ?, ?, "
                        "?, ?)"};
  put.bind(1, attempt.vm);
  put.bind(2, attempt.datastore);
  put.bind(3, text(attempt.mode));
  put.bind(4, joined(attempt.disks));
  put.bind(5, date);
  put.exec();
  return static_cast<int>(db.getLastInsertRowid());
}

void add_increment(SQLite::Database& db, int image, const BackupRecord& backup) {
  SQLite::Statement put{db,
                        "INSERT INTO increments (image, id, source, size_mib, bytes, date, dir, "
                        "result) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"};
  put.bind(1, image);
  put.bind(2, backup.id);
  put.bind(3, backup.source);
  put.bind(4, backup.size_mib);
  put.bind(5, static_cast<std::int64_t>(backup.bytes));
  put.bind(6, backup.date);
  put.bind(7, backup.dir.string());
  put.bind(8, backup.result);
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

bool is_recorded(const SQLite::Database& db, int vm, const std::string& source) {
  SQLite::Statement get{db,
                        "SELECT 1 FROM increments JOIN images ON images.id = increments.image "
                        "WHERE images.vm = ? AND increments.source = ?"};
  get.bind(1, vm);
  get.bind(2, source);
  return get.executeStep();
}

void end_attempt(SQLite::Database& db, std::int64_t attempt, int image, const std::string& error) {
  SQLite::Statement put{
      db,
      "UPDATE attempts SET ended = unixepoch(), image = coalesce(?, image), error "
      "= ? WHERE id = ?"};
  if (image != -1) put.bind(1, image);
  put.bind(2, error);
  put.bind(3, attempt);
  put.exec();
}

}  // namespace

std::vector<ImageRecord> Store::read_images(std::optional<int> id) const {
  // One snapshot of the file: no image without its increments.
  SQLite::Transaction whole{db_};
  std::vector<ImageRecord> all;
  SQLite::Statement get{
      db_,
      "SELECT id, vm, datastore, mode, disks, created, state FROM images WHERE ?1 "
      "IS NULL OR id = ?1 ORDER BY id"};
  SQLite::Statement parts{
      db_,
      "SELECT id, source, size_mib, bytes, date, dir, result, proven, damage FROM increments "
      "WHERE image = ? ORDER BY id"};
  if (id) get.bind(1, *id);
  while (get.executeStep()) {
    all.push_back({.id = get.getColumn(0),
                   .vm = get.getColumn(1),
                   .datastore = get.getColumn(2),
                   .mode = mode_of(get.getColumn(3)),
                   .disks = parse_disk_ids(get.getColumn(4).getString()),
                   .created = get.getColumn(5).getInt64(),
                   .state = get.getColumn(6).getString() == "READY" ? ImageState::ready
                                                                    : ImageState::deleting,
                   .increments = {}});
    parts.reset();
    parts.bind(1, all.back().id);
    while (parts.executeStep()) all.back().increments.push_back(backup_of(parts));
  }
  return all;
}

std::optional<ImageRecord> Store::image(int id) const {
  return guarded(file_, [&]() -> std::optional<ImageRecord> {
    auto found = read_images(id);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
  });
}

std::vector<ImageRecord> Store::images() const {
  return guarded(file_, [&] { return read_images(std::nullopt); });
}

std::vector<Attempt> Store::attempts(const std::string& where, int vm) const {
  return guarded(file_, [&] {
    std::vector<Attempt> all;
    SQLite::Statement get{db_, attempt_columns + "WHERE vm = ? AND " + where};
    get.bind(1, vm);
    while (get.executeStep()) all.push_back(attempt_of(get));
    return all;
  });
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
    SQLite::Statement put{
        db_,
        "INSERT INTO attempts (vm, image, increment, datastore, mode, disks, dir, "
        "started) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"};
    put.bind(1, attempt.vm);
    if (attempt.image) put.bind(2, *attempt.image);
    put.bind(3, attempt.increment);
    put.bind(4, attempt.datastore);
    put.bind(5, text(attempt.mode));
    put.bind(6, joined(attempt.disks));
    put.bind(7, attempt.dir.string());
    put.bind(8, attempt.started);
    put.exec();
    return static_cast<std::int64_t>(db_.getLastInsertRowid());
  });
}

int Store::succeed(std::int64_t attempt, const BackupRecord& backup,
                   const std::vector<SumsRecord>& sums) {
  return guarded(file_, [&] {
    SQLite::Transaction whole{db_, immediate};
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
    add_increment(db_, image, backup);
    for (const auto& one : sums) add_sums(db_, image, backup.id, one);
    if (begun.mode == Mode::increment) {
      SQLite::Statement activate{db_, "UPDATE vms SET active_image = ? WHERE id = ?"};
      activate.bind(1, image);
      activate.bind(2, begun.vm);
      activate.exec();
    }
    end_attempt(db_, attempt, image, "");
    whole.commit();
    return image;
  });
}

void Store::fail(std::int64_t attempt, const std::string& error) {
  guarded(file_, [&] { end_attempt(db_, attempt, -1, error.empty() ? "failed" : error); });
}

bool Store::recorded(int vm, const std::string& source) const {
  return guarded(file_, [&] { return is_recorded(db_, vm, source); });
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

std::vector<SumsRecord> Store::sums(const std::string& source) const {
  return guarded(file_, [&] {
    std::vector<SumsRecord> all;
    SQLite::Statement get{db_,
                          "SELECT file, sums FROM sums JOIN increments ON increments.image = "
                          "sums.image AND increments.id = sums.increment WHERE source = ?"};
    get.bind(1, source);
    while (get.executeStep())
      all.push_back({.file = get.getColumn(0), .sums = get.getColumn(1).getString()});
    return all;
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

// With the old rows goes what was noted of them.
void Store::flatten(int image, const BackupRecord& merged) {
  guarded(file_, [&] {
    SQLite::Transaction whole{db_, immediate};
    SQLite::Statement remove{db_, "DELETE FROM increments WHERE image = ? AND id <= ?"};
    remove.bind(1, image);
    remove.bind(2, merged.id);
    remove.exec();
    add_increment(db_, image, merged);
    whole.commit();
  });
}

void Store::mark_deleting(int image) {
  guarded(file_, [&] {
    SQLite::Statement mark{db_, "UPDATE images SET state = 'DELETE' WHERE id = ?"};
    mark.bind(1, image);
    mark.exec();
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
