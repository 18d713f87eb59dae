// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/users.h"

#include <SQLiteCpp/Statement.h>

#include "common/error.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/whole.h"

namespace state {
namespace {

constexpr std::size_t longest_name = 128;

const char* table(Owned what) {
  constexpr const char* names[] = {"vms", "images", "jobs", "disk_images", "templates"};
  return names[static_cast<int>(what)];
}

// A colon ends it in a session, and blanks and quotes would be read otherwise by people.
void check_name(const std::string& name) {
  bool good = !name.empty() && name.size() <= longest_name;
  for (const char c : name)
    good = good && static_cast<unsigned char>(c) > ' ' && c != 0x7f &&
           std::string_view{":\"'<>&/\\"}.find(c) == std::string_view::npos;
  if (!good) throw BadRequest{"'" + one_line(name) + "' cannot be the name of a user"};
}

void bind(SQLite::Statement& put, const UserRecord& user) {
  put.bind(2, user.name);
  put.bind(3, user.password);
  put.bind(4, static_cast<int>(user.group));
  put.bind(5, user.enabled ? 1 : 0);
  put.bind(6, user.attributes);
}

}  // namespace

const char* name_of(Group group) { return group == Group::admins ? "oneadmin" : "users"; }

int Users::add(const UserRecord& user) {
  check_name(user.name);
  return guarded(store_.file(), [&] {
    Whole whole{store_.database()};
    if (!read(std::nullopt, user.name).empty())
      throw BadRequest{"the name '" + user.name + "' is taken"};
    SQLite::Statement put{store_.database(),
                          "INSERT INTO users (id, name, password, user_group, enabled, attributes) "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"};
    if (user.id >= 0)
      put.bind(1, user.id);
    else
      put.bind(1);
    bind(put, user);
    put.exec();
    const int id = static_cast<int>(store_.database().getLastInsertRowid());
    whole.commit();
    return id;
  });
}

bool Users::change(const UserRecord& user) {
  check_name(user.name);
  return guarded(store_.file(), [&] {
    Whole whole{store_.database()};
    const auto same = read(std::nullopt, user.name);
    if (!same.empty() && same.front().id != user.id)
      throw BadRequest{"the name '" + user.name + "' is taken"};
    SQLite::Statement put{store_.database(),
                          "UPDATE users SET name = ?2, password = ?3, user_group = ?4, enabled = "
                          "?5, attributes = ?6 WHERE id = ?1"};
    put.bind(1, user.id);
    bind(put, user);
    const bool found = put.exec() > 0;
    whole.commit();
    return found;
  });
}

bool Users::remove(int id) {
  if (id == first_user) throw BadRequest{"the first user cannot be removed"};
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    Whole whole{db};
    for (const auto what :
         {Owned::vm, Owned::image, Owned::job, Owned::disk_image, Owned::vm_template}) {
      SQLite::Statement inherit{
          db, std::string{"UPDATE "} + table(what) + " SET owner = ?1 WHERE owner = ?2"};
      inherit.bind(1, first_user);
      inherit.bind(2, id);
      inherit.exec();
    }
    SQLite::Statement drop{db, "DELETE FROM users WHERE id = ?"};
    drop.bind(1, id);
    const bool found = drop.exec() > 0;
    whole.commit();
    return found;
  });
}

std::vector<UserRecord> Users::read(std::optional<int> id,
                                    const std::optional<std::string>& name) const {
  std::vector<UserRecord> all;
  SQLite::Statement get{store_.database(),
                        "SELECT id, name, password, user_group, enabled, attributes FROM users "
                        "WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR name = ?2) ORDER BY id"};
  if (id) get.bind(1, *id);
  if (name) get.bind(2, *name);
  while (get.executeStep())
    all.push_back({.id = get.getColumn(0),
                   .name = get.getColumn(1),
                   .password = get.getColumn(2),
                   .group = get.getColumn(3).getInt() == 0 ? Group::admins : Group::users,
                   .enabled = get.getColumn(4).getInt() != 0,
                   .attributes = get.getColumn(5)});
  return all;
}

std::optional<UserRecord> Users::user(int id) const {
  return guarded(store_.file(), [&]() -> std::optional<UserRecord> {
    auto found = read(id, std::nullopt);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
  });
}

std::optional<UserRecord> Users::user(const std::string& name) const {
  return guarded(store_.file(), [&]() -> std::optional<UserRecord> {
    auto found = read(std::nullopt, name);
    return found.empty() ? std::nullopt : std::optional{std::move(found.front())};
  });
}

std::vector<UserRecord> Users::all() const {
  return guarded(store_.file(), [&] { return read(std::nullopt, std::nullopt); });
}

void Users::add_token(int user, const LoginToken& token) {
  guarded(store_.file(), [&] {
    SQLite::Statement put{store_.database(),
                          "INSERT INTO login_tokens (user, digest, expires) VALUES (?, ?, ?) ON "
                          "CONFLICT (user, digest) DO UPDATE SET expires = excluded.expires"};
    put.bind(1, user);
    put.bind(2, token.digest);
    put.bind(3, token.expires);
    put.exec();
  });
}

void Users::remove_token(int user, const std::string& digest) {
  guarded(store_.file(), [&] {
    SQLite::Statement drop{store_.database(),
                           "DELETE FROM login_tokens WHERE user = ? AND digest = ?"};
    drop.bind(1, user);
    drop.bind(2, digest);
    drop.exec();
  });
}

void Users::remove_tokens(int user) {
  guarded(store_.file(), [&] {
    SQLite::Statement drop{store_.database(), "DELETE FROM login_tokens WHERE user = ?"};
    drop.bind(1, user);
    drop.exec();
  });
}

void Users::forget_tokens(std::int64_t expired_at) {
  guarded(store_.file(), [&] {
    SQLite::Statement drop{store_.database(),
                           "DELETE FROM login_tokens WHERE expires >= 0 AND expires <= ?"};
    drop.bind(1, expired_at);
    drop.exec();
  });
}

std::vector<LoginToken> Users::tokens(int user) const {
  return guarded(store_.file(), [&] {
    std::vector<LoginToken> all;
    SQLite::Statement get{
        store_.database(),
        "SELECT digest, expires FROM login_tokens WHERE user = ? ORDER BY expires, digest"};
    get.bind(1, user);
    while (get.executeStep())
      all.push_back({.digest = get.getColumn(0), .expires = get.getColumn(1).getInt64()});
    return all;
  });
}

std::optional<int> Users::owner(Owned what, int id) const {
  return guarded(store_.file(), [&]() -> std::optional<int> {
    SQLite::Statement get{store_.database(),
                          std::string{"SELECT owner FROM "} + table(what) + " WHERE id = ?"};
    get.bind(1, id);
    if (!get.executeStep()) return std::nullopt;
    return get.getColumn(0).getInt();
  });
}

bool Users::set_owner(Owned what, int id, int user) {
  return guarded(store_.file(), [&] {
    SQLite::Statement put{store_.database(),
                          std::string{"UPDATE "} + table(what) + " SET owner = ? WHERE id = ?"};
    put.bind(1, user);
    put.bind(2, id);
    return put.exec() > 0;
  });
}

}  // namespace state
