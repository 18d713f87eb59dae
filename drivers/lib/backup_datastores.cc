// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/backup_datastores.h"

#include <SQLiteCpp/Statement.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/error.h"
#include "common/file.h"
#include "common/one/location.h"
#include "drivers/lib/guarded.h"

namespace fs = std::filesystem;

namespace state {
namespace {

using Attributes = BackupDatastores::Attributes;

constexpr std::size_t longest_name = 128;
// Of the element itself.
constexpr std::array of_datastore{"NAME", "BASE_PATH", "DS_MAD", "TM_MAD", "TYPE", "DISK_TYPE"};
// Of all drivers; the others begin with the driver's name (contract 3.1).
constexpr std::array common{"BRIDGE_LIST", "DATASTORE_CAPACITY_CHECK", "LIMIT_MB", "TOTAL_MB"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string get(const Attributes& attributes, const std::string& name) {
  const auto found = attributes.find(name);
  return found == attributes.end() ? "" : found->second;
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

void check_driver(const std::string& name) {
  if (name.empty()) throw BadRequest{"a datastore of backups has a DS_MAD: restic, rsync..."};
  const bool is_word =
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == name.npos;
  const auto program = remotes_root() / "datastore" / name / "monitor";
  if (!is_word || access(program.c_str(), X_OK) != 0)
    throw BadRequest{"DS_MAD: there is no datastore driver '" + one_line(name) + "' here"};
}

// Of a value nothing is said: it may be a password.
void check_value(const std::string& name, const std::string& value) {
  const bool is_name = !name.empty() && name[0] >= 'A' && name[0] <= 'Z' &&
                       name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == name.npos;
  if (!is_name) throw BadRequest{"not the name of an attribute: '" + one_line(name) + "'"};
  for (const char c : value)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      throw BadRequest{name + " has a control character in it"};
}

void need(const Attributes& attributes, const std::string& name) {
  if (get(attributes, name).empty())
    throw BadRequest{"a datastore with DS_MAD = " + get(attributes, "DS_MAD") + " needs " + name};
}

void check_needs(const Attributes& attributes) {
  const auto driver = get(attributes, "DS_MAD");
  if (driver == "rsync") need(attributes, "RSYNC_HOST");
  if (driver != "restic") return;
  need(attributes, "RESTIC_PASSWORD");
  const auto backend = upper(get(attributes, "RESTIC_BACKEND"));
  if (backend.empty() || backend == "SFTP") {
    need(attributes, "RESTIC_SFTP_SERVER");
  } else if (backend == "S3") {
    for (const auto* name : {"BUCKET", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"})
      need(attributes, std::string{"RESTIC_S3_"} + name);
  } else if (backend != "LOCAL") {
    throw BadRequest{"RESTIC_BACKEND is SFTP, S3 or LOCAL, not '" + one_line(backend) + "'"};
  }
}

// Whose name nobody can give: the number alone may be another's.
constexpr const char* forget =
    "UPDATE datastores SET deleted = unixepoch(), name = char(10) || id WHERE id = ?";

// Uses of a datastore, each as what to say of the first one.
constexpr std::array uses{
    "SELECT 'is not empty: ' || iif(n = 1, 'image ', n || ' images: ') || group_concat(id, ', ') "
    "|| "
    "iif(n > 5, '...', '') FROM (SELECT id, count(*) OVER () AS n FROM images WHERE datastore = ?1 "
    "ORDER BY id LIMIT 5) GROUP BY n",
    "SELECT 'gets a backup of VM ' || vm || ', or what became of that is not known yet' FROM "
    "attempts WHERE datastore = ?1 AND ended IS NULL ORDER BY id",
    "SELECT 'is where a backup of VM ' || vm || CASE WHEN started < 0 THEN ' waits to go' ELSE "
    "' goes' END FROM requests WHERE datastore = ?1 ORDER BY serial",
    "SELECT 'is that of backup job ' || id || ' ''' || name || '''' FROM jobs WHERE datastore = ?1 "
    "ORDER BY id",
    // As due() has it.
    "SELECT 'is that of scheduled action ' || id || ' of VM ' || parent FROM actions WHERE "
    "datastore = ?1 AND subject = 'VM' AND time > done AND NOT (end_type = 1 AND end_value <= 0) "
    "AND NOT (end_type = 2 AND time > end_value) ORDER BY id",
    "SELECT 'is that of VM ' || id || ' (DATASTORE_ID of its BACKUP_CONFIG)' FROM settings WHERE "
    "subject = 'VM' AND name = 'DATASTORE_ID' AND value = CAST(?1 AS TEXT) ORDER BY id",
};

}  // namespace

bool is_datastore_rule(std::string_view name) {
  constexpr std::array all{"BACKUP_WINDOW", "KEEP_DAILY",  "KEEP_LAST",
                           "KEEP_MONTHLY",  "KEEP_WEEKLY", "KEEP_YEARLY",
                           "MAX_BACKUPS",   "PRIORITY",    "RPO"};
  return contains(all, name);
}

int BackupDatastores::next_id() const {
  return guarded(store_.file(), [&]() -> int {
    SQLite::Statement get{store_.database(),
                          "SELECT max(ifnull(max(id), 0), ?) + 1 FROM datastores"};
    get.bind(1, default_datastore);
    get.executeStep();
    return get.getColumn(0);
  });
}

void BackupDatastores::check_name(const std::string& name, int but) const {
  if (name.empty()) throw BadRequest{"a datastore has a NAME"};
  if (name.size() > longest_name || one_line(name) != name)
    throw BadRequest{"'" + one_line(name.substr(0, longest_name)) + "' is no name for a datastore"};
  guarded(store_.file(), [&] {
    SQLite::Statement get{store_.database(),
                          "SELECT id FROM datastores WHERE name = ? AND id <> ?"};
    get.bind(1, name);
    get.bind(2, but);
    if (get.executeStep())
      throw BadRequest{"datastore " + get.getColumn(0).getString() + " is called '" + name +
                       "' already"};
  });
}

Xml BackupDatastores::described(int id, const Attributes& attributes) const {
  const auto path = get(attributes, "BASE_PATH");
  auto document = Xml::create("DATASTORE");
  auto root = document.root();
  root.add("ID", std::to_string(id));
  root.add("NAME", get(attributes, "NAME"));
  root.add("DS_MAD", get(attributes, "DS_MAD"));
  root.add("TM_MAD", "-");  // whatever was asked for
  root.add("BASE_PATH", path.empty() ? (home_.var() / "datastores" / std::to_string(id)).string()
                                     : normal_path(path).string());
  root.add("TYPE", "3");
  root.add("DISK_TYPE", "0");
  root.add("STATE", "0");
  auto inner = root.add("TEMPLATE");
  inner.add("DS_MAD", get(attributes, "DS_MAD"));
  inner.add("TM_MAD", "-");
  inner.add("TYPE", "BACKUP_DS");
  for (const auto& [name, value] : attributes)
    if (!contains(of_datastore, name) && !value.empty()) inner.add(name, value);
  return document;
}

Xml BackupDatastores::plan(const Attributes& attributes) const {
  for (const auto& [name, value] : attributes) check_value(name, value);
  check_name(get(attributes, "NAME"));
  check_driver(get(attributes, "DS_MAD"));
  check_needs(attributes);
  return described(next_id(), attributes);
}

// The state file is locked meanwhile, so nobody else takes the number.  A file that is left when
// this is killed is replaced by that of the next one.
int BackupDatastores::add(const Attributes& attributes) {
  int id = -1;
  store_.together([&] {
    const auto document = plan(attributes);
    id = static_cast<int>(document.root().number_at("ID"));
    home_.write_datastore(id, document);
    store_.put_datastore(
        {.id = id, .name = get(attributes, "NAME"), .ds_mad = get(attributes, "DS_MAD")});
  });
  return id;
}

// One that cannot be read is no trouble of the state file's.
Xml BackupDatastores::description(int id) const {
  try {
    return home_.datastore(id);
  } catch (const Error& error) {
    throw BadRequest{error.what()};
  }
}

void BackupDatastores::update(int id, const Attributes& changes) {
  const auto document = description(id);
  document.at("TEMPLATE");  // or an Error that names it
  auto inner = document.root().first("TEMPLATE").value();
  const auto prefix = upper(document.root().at("DS_MAD")) + "_";
  for (const auto& [name, value] : changes) {
    check_value(name, value);
    if (contains(of_datastore, name)) throw BadRequest{name + " of a datastore is not changed"};
    auto old = inner.first(name);
    if (!old && !name.starts_with(prefix) && !contains(common, name))
      throw BadRequest{"'" + one_line(name) + "' is no attribute of this datastore"};
    if (id == default_datastore && name == "RESTIC_PASSWORD")
      throw BadRequest{"the password of datastore " + std::to_string(id) + " is that of '" +
                       home_.password_file().string() + "'"};
    if (old) old->remove();
    if (!value.empty()) inner.add(name, value);
  }
  Attributes all;
  for (const auto& one : inner.children()) all[one.name()] = one.text();
  check_needs(all);
  home_.write_datastore(id, document);
}

void BackupDatastores::rename(int id, const std::string& name) {
  store_.together([&] {
    check_name(name, id);
    SQLite::Statement put{store_.database(), "UPDATE datastores SET name = ? WHERE id = ?"};
    put.bind(1, name);
    put.bind(2, id);
    put.exec();
    const auto document = description(id);
    document.at("NAME");
    document.root().first("NAME").value().set_text(name);
    home_.write_datastore(id, document);
  });
}

std::string BackupDatastores::first(const char* sql, int id) const {
  SQLite::Statement get{store_.database(), sql};
  get.bind(1, id);
  return get.executeStep() ? get.getColumn(0).getString() : "";
}

std::string BackupDatastores::use(int id) const {
  const auto name = "datastore " + std::to_string(id);
  if (id == default_datastore) return name + " is vmvault's own, and stays";
  return guarded(store_.file(), [&]() -> std::string {
    for (const auto* sql : uses)
      if (const auto found = first(sql, id); !found.empty()) return name + " " + one_line(found);
    return "";
  });
}

void BackupDatastores::remove(int id) {
  store_.together([&] {
    SQLite::Statement put{store_.database(), forget};
    SQLite::Statement rules{store_.database(),
                            "DELETE FROM settings WHERE subject = 'DATASTORE' AND id = ?"};
    for (auto* statement : {&put, &rules}) {
      statement->bind(1, id);
      statement->exec();
    }
  });
}

void BackupDatastores::remove_leftovers() {
  guarded(store_.file(), [&] {
    SQLite::Statement get{store_.database(), "SELECT id FROM datastores WHERE deleted IS NOT NULL"};
    while (get.executeStep()) {
      const auto file = home_.datastore_file(get.getColumn(0));
      std::error_code later;  // the next time
      if (fs::remove(file, later)) sync_directory(file.parent_path());
    }
  });
}

}  // namespace state
