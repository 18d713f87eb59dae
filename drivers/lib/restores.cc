// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/restores.h"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/VariadicBind.h>

#include <array>

#include "common/error.h"
#include "common/random.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/whole.h"

namespace fs = std::filesystem;

namespace state {
namespace {

Xml image_datastore(int id, const std::string& name, const fs::path& dir) {
  auto document = Xml::create("DATASTORE");
  auto root = document.root();
  root.add("ID", std::to_string(id));
  root.add("NAME", name);
  root.add("DS_MAD", "fs");
  root.add("TM_MAD", "qcow2");
  root.add("BASE_PATH", dir.string());
  root.add("TYPE", "0");
  auto attributes = root.add("TEMPLATE");
  attributes.add("DS_MAD", "fs");
  attributes.add("TM_MAD", "qcow2");
  attributes.add("TYPE", "IMAGE_DS");
  return document;
}

constexpr std::array words{"LOCKED", "READY", "ERROR", "DELETE"};

ObjectState state_of(const std::string& word) {
  for (std::size_t i = 0; i < words.size(); ++i)
    if (word == words[i]) return static_cast<ObjectState>(i);
  throw Error{"'" + one_line(word) + "' is no state of an image"};
}

template <class... Values>
void execute(Store& store, const char* sql, const Values&... values) {
  guarded(store.file(), [&] {
    SQLite::Statement statement{store.database(), sql};
    SQLite::bind(statement, values...);
    statement.exec();
  });
}

DiskImage image_of(const SQLite::Statement& row) {
  return {.id = row.getColumn(0),
          .name = row.getColumn(1),
          .owner = row.getColumn(2),
          .datastore = row.getColumn(3),
          .is_os = row.getColumn(4).getString() == "OS",
          .state = state_of(row.getColumn(5)),
          .created = row.getColumn(6).getInt64(),
          .source = row.getColumn(7).getString(),
          .size_mib = row.getColumn(8).getInt64(),
          .error = row.getColumn(9),
          .template_id = row.getColumn(10),
          .origin = {row.getColumn(11), row.getColumn(12), row.getColumn(13)}};
}

TemplateRecord template_of(const SQLite::Statement& row) {
  return {.id = row.getColumn(0),
          .name = row.getColumn(1),
          .owner = row.getColumn(2),
          .created = row.getColumn(3).getInt64(),
          .state = state_of(row.getColumn(4)),
          .error = row.getColumn(5),
          .text = row.getColumn(6),
          .datastore = row.getColumn(7),
          .no_ip = row.getColumn(8).getInt() != 0,
          .no_nic = row.getColumn(9).getInt() != 0,
          .origin = {row.getColumn(10), row.getColumn(11), -1}};
}

template <class Make>
auto read(Store& store, const std::string& sql, int id, Make make) {
  return guarded(store.file(), [&] {
    std::vector<decltype(make(std::declval<SQLite::Statement&>()))> all;
    SQLite::Statement get{store.database(), sql + " WHERE ?1 = -1 OR id = ?1 ORDER BY id"};
    get.bind(1, id);
    while (get.executeStep()) all.push_back(make(get));
    return all;
  });
}

template <class T>
std::optional<T> first(std::vector<T> all) {
  return all.empty() ? std::nullopt : std::optional{std::move(all.front())};
}

std::vector<DiskImage> read_images(Store& store, int id) {
  return read(store,
              "SELECT id, name, owner, datastore, type, state, created, source, size_mib, error, "
              "template, image, increment, disk FROM disk_images",
              id, image_of);
}

std::vector<TemplateRecord> read_templates(Store& store, int id) {
  return read(store,
              "SELECT id, name, owner, created, state, error, text, datastore, no_ip, no_nic, "
              "image, increment FROM templates",
              id, template_of);
}

}  // namespace

std::string to_text(ObjectState state) { return words.at(static_cast<std::size_t>(state)); }

int Restores::add(const TemplateRecord& it) {
  execute(store_,
          "INSERT INTO templates (name, owner, created, state, text, datastore, no_ip, no_nic, "
          "image, increment) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          it.name, it.owner, it.created, to_text(it.state), it.text, it.datastore, it.no_ip ? 1 : 0,
          it.no_nic ? 1 : 0, it.origin.image, it.origin.increment);
  return static_cast<int>(store_.database().getLastInsertRowid());
}

int Restores::add(const DiskImage& it, const fs::path& dir) {
  return guarded(store_.file(), [&]() -> int {
    Whole whole{store_.database()};
    // An older state that is put back gives numbers away again: a machine may use the file by then.
    const int id = store_.database().execAndGet(
        "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'images' RETURNING seq");
    execute(store_,
            "INSERT INTO disk_images (id, name, owner, datastore, type, created, source, template, "
            "image, increment, disk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id, it.name, it.owner, it.datastore, it.is_os ? "OS" : "DATABLOCK", it.created,
            (dir / (std::to_string(id) + "-" + random_hex(8) + ".qcow2")).string(), it.template_id,
            it.origin.image, it.origin.increment, it.origin.disk);
    whole.commit();
    return id;
  });
}

std::optional<DiskImage> Restores::disk_image(int id) const {
  return id < 0 ? std::nullopt : first(read_images(store_, id));
}
std::vector<DiskImage> Restores::disk_images() const { return read_images(store_, -1); }
std::optional<TemplateRecord> Restores::one_template(int id) const {
  return id < 0 ? std::nullopt : first(read_templates(store_, id));
}
std::vector<TemplateRecord> Restores::templates() const { return read_templates(store_, -1); }

void Restores::end_disk_image(int id, std::int64_t size_mib, const std::string& error) {
  execute(store_, "UPDATE disk_images SET state = ?2, size_mib = ?3, error = ?4 WHERE id = ?1", id,
          error.empty() ? "READY" : "ERROR", size_mib, error);
}

void Restores::end_template(int id, const std::string& text, const std::string& error) {
  execute(store_, "UPDATE templates SET state = ?2, text = ?3, error = ?4 WHERE id = ?1", id,
          error.empty() ? "READY" : "ERROR", text, error);
}

void Restores::mark_deleting(int id) {
  execute(store_, "UPDATE disk_images SET state = 'DELETE' WHERE id = ?", id);
}
void Restores::remove_disk_image(int id) {
  execute(store_, "DELETE FROM disk_images WHERE id = ?", id);
}
void Restores::remove_template(int id) {
  execute(store_, "DELETE FROM templates WHERE id = ?", id);
}

void Restores::begin(const RestoreRecord& it) {
  execute(store_,
          "INSERT OR REPLACE INTO restores (vm, image, increment, disk, started) VALUES (?, ?, ?, "
          "?, ?)",
          it.vm, it.origin.image, it.origin.increment, it.origin.disk, it.started);
}

void Restores::note_begun(int vm) {
  execute(store_, "UPDATE restores SET begun = unixepoch() WHERE vm = ?", vm);
}

void Restores::end(int vm, const std::string& error) {
  store_.together([&] {
    execute(store_, "UPDATE restores SET ended = unixepoch(), error = ? WHERE vm = ?", error, vm);
    if (error.empty()) store_.forget_active(vm);
  });
}

void Restores::end_cut_off(int vm, const std::string& error) {
  store_.together([&] {
    end(vm, error);
    store_.forget_active(vm);
  });
}

std::optional<RestoreRecord> Restores::restore_of(int vm) const {
  return guarded(store_.file(), [&]() -> std::optional<RestoreRecord> {
    SQLite::Statement get{
        store_.database(),
        "SELECT image, increment, disk, started, ended, error, begun FROM restores "
        "WHERE vm = ?"};
    get.bind(1, vm);
    if (!get.executeStep()) return std::nullopt;
    RestoreRecord record{.vm = vm,
                         .origin = {get.getColumn(0), get.getColumn(1), get.getColumn(2)},
                         .started = get.getColumn(3).getInt64(),
                         .begun = !get.getColumn(6).isNull(),
                         .ended = {},
                         .error = get.getColumn(5)};
    if (!get.getColumn(4).isNull()) record.ended = get.getColumn(4).getInt64();
    return record;
  });
}

std::vector<int> Restores::open_restores() const {
  return guarded(store_.file(), [&] {
    std::vector<int> all;
    SQLite::Statement get{store_.database(), "SELECT vm FROM restores WHERE ended IS NULL"};
    while (get.executeStep()) all.push_back(get.getColumn(0));
    return all;
  });
}

std::set<int> Restores::origins() const {
  return guarded(store_.file(), [&] {
    std::set<int> all;
    SQLite::Statement get{store_.database(),
                          "SELECT image FROM disk_images WHERE state = 'LOCKED' UNION SELECT image "
                          "FROM templates WHERE state = 'LOCKED' UNION SELECT image FROM restores "
                          "WHERE ended IS NULL"};
    while (get.executeStep()) all.insert(get.getColumn(0));
    return all;
  });
}

// Below those of backups, as long as there is room.
int Restores::next_datastore() const {
  return guarded(store_.file(), [&]() -> int {
    auto& db = store_.database();
    SQLite::Statement below{db, "SELECT ifnull(max(id), 0) + 1 FROM datastores WHERE id < ?"};
    SQLite::Statement above{db, "SELECT max(ifnull(max(id), 0), ?) + 1 FROM datastores"};
    for (auto* get : {&below, &above}) {
      get->bind(1, default_datastore);
      get->executeStep();
    }
    const int first = below.getColumn(0);
    return first < default_datastore ? first : above.getColumn(0).getInt();
  });
}

int Restores::add_image_datastore(const Home& home, const std::string& name, const fs::path& dir) {
  int id = -1;
  store_.together([&] {
    id = next_datastore();
    home.write_datastore(id, image_datastore(id, name, dir));
    execute(store_, "INSERT INTO datastores (id, name, ds_mad, type) VALUES (?, ?, 'fs', 'IMAGE')",
            id, name);
  });
  return id;
}

std::vector<DatastoreRecord> Restores::image_datastores() const {
  return guarded(store_.file(), [&] {
    std::vector<DatastoreRecord> all;
    SQLite::Statement get{store_.database(),
                          "SELECT id, name, ds_mad FROM datastores WHERE type = 'IMAGE' AND "
                          "deleted IS NULL ORDER BY id"};
    while (get.executeStep())
      all.push_back({.id = get.getColumn(0), .name = get.getColumn(1), .ds_mad = get.getColumn(2)});
    return all;
  });
}

fs::path Restores::directory(const Home& home, int image_datastore) const {
  return home.datastore(image_datastore).at("BASE_PATH");
}

std::string emulator_cpus(Store& store) {
  auto& db = store.database();
  return guarded(store.file(), [&]() -> std::string {
    SQLite::Statement get{db, "SELECT emulator_cpus FROM hosts WHERE name = 'localhost'"};
    return get.executeStep() ? get.getColumn(0).getString() : "";
  });
}

}  // namespace state
