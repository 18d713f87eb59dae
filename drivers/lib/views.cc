// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/views.h"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include "drivers/lib/guarded.h"
#include "drivers/lib/store_rows.h"

namespace state {
namespace {

// What is read within is of one moment.
class Moment {
 public:
  explicit Moment(SQLite::Database& db) {
    if (sqlite3_get_autocommit(db.getHandle()) != 0) whole_.emplace(db);
  }

 private:
  std::optional<SQLite::Transaction> whole_;
};

// The end of a statement on a table with ids; `owner`: its column, or NULL; `also`: what else must
// hold.
std::string paged(const std::string& table, const std::string& owner,
                  const std::string& also = "TRUE") {
  return " WHERE (?1 IS NULL OR " + owner + " = ?1) AND " + table + ".id BETWEEN ?2 AND ?3 AND " +
         also + " ORDER BY " + table + ".id LIMIT ?4 OFFSET ?5";
}

void bind(SQLite::Statement& get, const Page& page) {
  if (page.owner) get.bind(1, *page.owner);
  get.bind(2, page.least);
  get.bind(3, page.most);
  get.bind(4, page.count);
  get.bind(5, page.offset);
}

std::vector<int> numbers(SQLite::Statement& get) {
  std::vector<int> all;
  while (get.executeStep()) all.push_back(get.getColumn(0));
  get.reset();
  return all;
}

ImageState state_of(const SQLite::Column& state, bool keep, bool error) {
  if (state.getString() == "READY") return keep ? ImageState::locked : ImageState::ready;
  return error ? ImageState::error : ImageState::deleting;
}

void add_increments(SQLite::Database& db, std::vector<ImageView>& all) {
  SQLite::Statement get{db,
                        "SELECT id, source, size_mib, bytes, date, dir, proven, damage FROM "
                        "increments WHERE image = ? ORDER BY id"};
  for (auto& one : all) {
    get.reset();
    get.bind(1, one.image.id);
    while (get.executeStep())
      one.image.increments.push_back(
          {.id = get.getColumn(0),
           .source = get.getColumn(1),
           .size_mib = get.getColumn(2).getInt64(),
           .bytes = static_cast<std::uint64_t>(get.getColumn(3).getInt64()),
           .date = get.getColumn(4).getInt64(),
           .dir = get.getColumn(5).getString(),
           .proven = get.getColumn(6).isNull() ? std::nullopt
                                               : std::optional{get.getColumn(6).getInt64()},
           .damage = get.getColumn(7)});
  }
}

}  // namespace

std::vector<ImageView> Views::images(const Page& page) const {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    const Moment moment{db};
    std::vector<ImageView> all;
    SQLite::Statement get{
        db,
        "SELECT images.id, images.vm, images.datastore, mode, images.disks, created, state, keep, "
        "images.error, protected, images.owner, datastores.name, vms.name FROM images JOIN "
        "datastores ON datastores.id = images.datastore JOIN vms ON vms.id = images.vm" +
            paged("images", "images.owner")};
    bind(get, page);
    while (get.executeStep())
      all.push_back({.image = {.id = get.getColumn(0),
                               .vm = get.getColumn(1),
                               .datastore = get.getColumn(2),
                               .mode = mode_of(get.getColumn(3)),
                               .disks = parse_disk_ids(get.getColumn(4).getString()),
                               .created = get.getColumn(5).getInt64(),
                               .state = state_of(get.getColumn(6), !get.getColumn(7).isNull(),
                                                 !get.getColumn(8).getString().empty()),
                               .keep = number_or_null(get.getColumn(7)),
                               .error = get.getColumn(8),
                               .is_protected = get.getColumn(9).getInt() != 0,
                               .owner = get.getColumn(10)},
                     .datastore = get.getColumn(11),
                     .vm = get.getColumn(12)});
    add_increments(db, all);
    return all;
  });
}

std::vector<VmView> Views::vms(const Page& page) const {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    const Moment moment{db};
    std::vector<VmView> all;
    SQLite::Statement get{
        db,
        "SELECT vms.id, vms.uuid, vms.name, vms.active_image, vms.owner, scheduled_vms.host, "
        "hosts.name, job_vms.job, (SELECT max(id) FROM increments WHERE image = vms.active_image), "
        "restores.error, hosts.up, restores.vm IS NOT NULL AND restores.ended IS NULL FROM vms "
        "LEFT JOIN scheduled_vms ON scheduled_vms.id = vms.id LEFT JOIN hosts ON hosts.id = "
        "scheduled_vms.host LEFT JOIN job_vms ON job_vms.vm = vms.id LEFT JOIN restores ON "
        "restores.vm = vms.id" +
            paged("vms", "vms.owner",
                  "(?6 IS NULL OR (coalesce(scheduled_vms.host, -1) >= 0) = ?6)")};
    bind(get, page);
    if (page.there) get.bind(6, *page.there ? 1 : 0);
    while (get.executeStep())
      all.push_back({.vm = {.id = get.getColumn(0),
                            .uuid = get.getColumn(1),
                            .name = get.getColumn(2),
                            .active_image = number_or_null(get.getColumn(3)),
                            .owner = get.getColumn(4)},
                     .host = number_or_null(get.getColumn(5)).value_or(-1),
                     .host_name = get.getColumn(6),
                     .host_up = number_or_null(get.getColumn(10)).value_or(1) != 0,
                     .job = number_or_null(get.getColumn(7)).value_or(-1),
                     .images = {},
                     .last_increment = number_or_null(get.getColumn(8)).value_or(-1),
                     .restoring = get.getColumn(11).getInt() != 0,
                     .error = get.getColumn(9).getString()});
    SQLite::Statement images{db, "SELECT id FROM images WHERE vm = ? ORDER BY id"};
    for (auto& one : all) {
      images.bind(1, one.vm.id);
      one.images = numbers(images);
    }
    std::map<int, VmView*> by_id;
    for (auto& one : all) by_id[one.vm.id] = &one;
    for (auto& attempt : store_.unfinished())
      if (const auto found = by_id.find(attempt.vm); found != by_id.end())
        found->second->running = std::move(attempt);
    if (all.size() != 1) return all;
    auto& one = all.front();
    if (auto last = store_.last_attempt(one.vm.id); last && !last->error.empty())
      one.last_failed = std::move(last);
    SQLite::Statement disks{db, "SELECT id, target, source FROM disks WHERE vm = ? ORDER BY id"};
    disks.bind(1, one.vm.id);
    while (disks.executeStep())
      one.disks.push_back(
          {disks.getColumn(0), disks.getColumn(1).getString(), disks.getColumn(2).getString()});
    return all;
  });
}

std::vector<HostView> Views::hosts(const Page& page) const {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    const Moment moment{db};
    std::vector<HostView> all;
    SQLite::Statement get{
        db, "SELECT id, name, uri, emulator_cpus, up, status, max_backups FROM hosts" +
                paged("hosts", "NULL")};
    bind(get, page);
    while (get.executeStep())
      all.push_back({.id = get.getColumn(0),
                     .name = get.getColumn(1),
                     .uri = get.getColumn(2),
                     .emulator_cpus = get.getColumn(3),
                     .up = get.getColumn(4).getInt() != 0,
                     .status = get.getColumn(5),
                     .max_backups = number_or_null(get.getColumn(6))});
    SQLite::Statement vms{db, "SELECT id FROM scheduled_vms WHERE host = ? ORDER BY id"};
    for (auto& one : all) {
      vms.bind(1, one.id);
      one.vms = numbers(vms);
    }
    return all;
  });
}

std::vector<JobView> Views::jobs(const Page& page) const {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    const Moment moment{db};
    std::vector<JobView> all;
    SQLite::Statement get{db,
                          "SELECT id, owner, name, template, datastore, priority, execution, "
                          "reset, last_time, last_duration FROM jobs" +
                              paged("jobs", "owner")};
    bind(get, page);
    while (get.executeStep())
      all.push_back({.id = get.getColumn(0),
                     .owner = get.getColumn(1),
                     .name = get.getColumn(2),
                     .job_template = get.getColumn(3),
                     .datastore = get.getColumn(4),
                     .priority = get.getColumn(5),
                     .execution = get.getColumn(6),
                     .reset = get.getColumn(7).getInt() != 0,
                     .last_time = get.getColumn(8).getInt64(),
                     .last_duration = get.getColumn(9).getInt64()});
    SQLite::Statement vms{db,
                          "SELECT vm, coalesce(job_state, '') FROM job_vms LEFT JOIN scheduled_vms "
                          "ON scheduled_vms.id = vm WHERE job = ? ORDER BY place"};
    for (auto& one : all) {
      vms.reset();
      vms.bind(1, one.id);
      while (vms.executeStep()) {
        one.vms.push_back(vms.getColumn(0));
        one.states[vms.getColumn(1).getString()].push_back(vms.getColumn(0));
      }
    }
    return all;
  });
}

std::vector<ActionView> Views::actions(const std::string& subject, int parent) const {
  return guarded(store_.file(), [&] {
    std::vector<ActionView> all;
    SQLite::Statement get{
        store_.database(),
        "SELECT id, subject, parent, time, repeat, days, end_type, end_value, "
        "done, datastore, reset, message, anchor FROM actions WHERE subject = ? AND "
        "parent = ? ORDER BY id"};
    get.bind(1, subject);
    get.bind(2, parent);
    while (get.executeStep())
      all.push_back({.id = get.getColumn(0),
                     .subject = get.getColumn(1),
                     .parent = get.getColumn(2),
                     .time = get.getColumn(3).getInt64(),
                     .repeat = get.getColumn(4),
                     .days = get.getColumn(5),
                     .end_type = get.getColumn(6),
                     .end_value = get.getColumn(7).getInt64(),
                     .anchor = get.getColumn(12).getInt64(),
                     .done = get.getColumn(8).getInt64(),
                     .datastore = get.getColumn(9),
                     .reset = get.getColumn(10).getInt() != 0,
                     .message = get.getColumn(11)});
    return all;
  });
}

std::vector<int> Views::image_ids(const Page& page) const {
  return guarded(store_.file(), [&] {
    SQLite::Statement get{store_.database(),
                          "SELECT every.id FROM (SELECT id, owner FROM images UNION ALL SELECT id, "
                          "owner FROM disk_images) AS every" +
                              paged("every", "owner")};
    bind(get, page);
    return numbers(get);
  });
}

std::vector<int> Views::images_in(int datastore) const {
  return guarded(store_.file(), [&] {
    SQLite::Statement get{store_.database(),
                          "SELECT id FROM images WHERE datastore = ?1 UNION ALL SELECT id FROM "
                          "disk_images WHERE datastore = ?1 ORDER BY id"};
    get.bind(1, datastore);
    return numbers(get);
  });
}

}  // namespace state
