// SPDX-License-Identifier: Apache-2.0
// What people have set, and what datastores say of themselves.
#include <SQLiteCpp/Statement.h>

#include "drivers/lib/guarded.h"
#include "drivers/lib/store.h"
#include "drivers/lib/whole.h"

namespace state {
namespace {

const char* word(Store::Subject subject) {
  return subject == Store::Subject::vm ? "VM" : "DATASTORE";
}

}  // namespace

Store::Settings Store::settings(Subject subject, int id) const {
  return guarded(file_, [&] {
    Settings all;
    SQLite::Statement get{db_, "SELECT name, value FROM settings WHERE subject = ? AND id = ?"};
    get.bind(1, word(subject));
    get.bind(2, id);
    while (get.executeStep()) all[get.getColumn(0)] = get.getColumn(1).getString();
    return all;
  });
}

void Store::put_settings(Subject subject, int id, const Settings& settings) {
  guarded(file_, [&] {
    Whole whole{db_};
    for (const auto& [name, value] : settings) {
      SQLite::Statement put{
          db_, value.empty()
                   ? "DELETE FROM settings WHERE subject = ?1 AND id = ?2 AND name = ?3"
                   : "INSERT INTO settings (subject, id, name, value) VALUES (?1, ?2, ?3, ?4) ON "
                     "CONFLICT DO UPDATE SET value = excluded.value"};
      put.bind(1, word(subject));
      put.bind(2, id);
      put.bind(3, name);
      if (!value.empty()) put.bind(4, value);
      put.exec();
    }
    whole.commit();
  });
}

std::map<int, Store::Settings> Store::all_settings(Subject subject) const {
  return guarded(file_, [&] {
    std::map<int, Settings> all;
    SQLite::Statement get{db_, "SELECT id, name, value FROM settings WHERE subject = ?"};
    get.bind(1, word(subject));
    while (get.executeStep())
      all[get.getColumn(0).getInt()][get.getColumn(1)] = get.getColumn(2).getString();
    return all;
  });
}

void Store::put_space(int datastore, const Space& space) {
  guarded(file_, [&] {
    SQLite::Statement put{db_,
                          "UPDATE datastores SET used_mib = ?, total_mib = ?, free_mib = ?, "
                          "monitored = unixepoch() WHERE id = ?"};
    put.bind(1, space.used_mib);
    put.bind(2, space.total_mib);
    put.bind(3, space.free_mib);
    put.bind(4, datastore);
    put.exec();
  });
}

void Store::put_trouble(int datastore, const std::string& why) {
  guarded(file_, [&] {
    SQLite::Statement put{db_, "UPDATE datastores SET error = ?1 WHERE id = ?2 AND error <> ?1"};
    put.bind(1, why);
    put.bind(2, datastore);
    put.exec();
  });
}

Space Store::space(int datastore) const {
  return guarded(file_, [&]() -> Space {
    SQLite::Statement get{
        db_, "SELECT used_mib, total_mib, free_mib, monitored FROM datastores WHERE id = ?"};
    get.bind(1, datastore);
    if (!get.executeStep()) return {};
    return {.used_mib = get.getColumn(0).getInt64(),
            .total_mib = get.getColumn(1).getInt64(),
            .free_mib = get.getColumn(2).getInt64(),
            .time = get.getColumn(3).getInt64()};
  });
}

std::optional<int> Store::job_of(int vm) const {
  return guarded(file_, [&]() -> std::optional<int> {
    SQLite::Statement get{db_, "SELECT job FROM job_vms WHERE vm = ?"};
    get.bind(1, vm);
    return get.executeStep() ? std::optional<int>{get.getColumn(0).getInt()} : std::nullopt;
  });
}

std::string Store::job_template_of(int vm) const {
  return guarded(file_, [&]() -> std::string {
    SQLite::Statement get{
        db_, "SELECT template FROM jobs JOIN job_vms ON job_vms.job = jobs.id WHERE vm = ?"};
    get.bind(1, vm);
    return get.executeStep() ? get.getColumn(0).getString() : "";
  });
}

void Store::forget_active(int vm) {
  guarded(file_, [&] {
    SQLite::Statement set{db_, "UPDATE vms SET active_image = NULL WHERE id = ?"};
    set.bind(1, vm);
    set.exec();
  });
}

}  // namespace state
