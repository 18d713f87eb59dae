// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/facts.h"

#include <SQLiteCpp/Statement.h>

#include <unordered_map>

#include "drivers/lib/guarded.h"
#include "drivers/lib/store_rows.h"
#include "drivers/lib/whole.h"

namespace state {
namespace {

using ById = std::unordered_map<int, VmFacts*>;

void add_backups(const SQLite::Database& db, const ById& by_id) {
  SQLite::Statement get{
      db,
      "SELECT vm, count(DISTINCT image), count(*), sum(increments.bytes) FROM increments JOIN "
      "images ON images.id = increments.image WHERE state = 'READY' GROUP BY vm"};
  while (get.executeStep()) {
    const auto found = by_id.find(get.getColumn(0));
    if (found == by_id.end()) continue;
    auto& facts = *found->second;
    facts.images = get.getColumn(1);
    facts.increments = get.getColumn(2);
    facts.bytes = static_cast<std::uint64_t>(get.getColumn(3).getInt64());
  }
}

// SQLite takes the other columns of a row with max() from the row that has it.
void add_newest(const SQLite::Database& db, std::int64_t now, const ById& by_id) {
  SQLite::Statement get{db, "SELECT attempts.vm, max(attempts.id), date, increments.bytes " +
                                good_backups + "AND date <= ? GROUP BY attempts.vm"};
  get.bind(1, now);
  while (get.executeStep())
    if (const auto found = by_id.find(get.getColumn(0)); found != by_id.end()) {
      found->second->newest = get.getColumn(2).getInt64();
      found->second->newest_bytes = static_cast<std::uint64_t>(get.getColumn(3).getInt64());
    }
}

void add_attempts(const SQLite::Database& db, const ById& by_id) {
  SQLite::Statement last{
      db, "SELECT vm, max(id), ended, error FROM attempts WHERE ended IS NOT NULL GROUP BY vm"};
  while (last.executeStep())
    if (const auto found = by_id.find(last.getColumn(0)); found != by_id.end()) {
      found->second->last_ended = last.getColumn(2).getInt64();
      found->second->last_error = last.getColumn(3).getString();
    }
  SQLite::Statement good{db,
                         "SELECT vm, max(id), ended - started FROM attempts WHERE ended IS NOT "
                         "NULL AND error = '' GROUP BY vm"};
  while (good.executeStep())
    if (const auto found = by_id.find(good.getColumn(0)); found != by_id.end())
      found->second->duration = std::max<std::int64_t>(good.getColumn(2).getInt64(), 0);
}

}  // namespace

std::vector<VmFacts> vm_facts(Store& store, std::int64_t now) {
  return guarded(store.file(), [&] {
    auto& db = store.database();
    // One moment of all tables, which keeps nobody from writing.
    std::optional<SQLite::Transaction> whole;
    if (sqlite3_get_autocommit(db.getHandle()) != 0) whole.emplace(db);
    std::vector<VmFacts> all;
    for (auto& vm : store.vms()) all.push_back({.vm = std::move(vm)});
    ById by_id;
    for (auto& one : all) by_id[one.vm.id] = &one;
    add_backups(db, by_id);
    add_newest(db, now, by_id);
    add_attempts(db, by_id);
    return all;
  });
}

}  // namespace state
