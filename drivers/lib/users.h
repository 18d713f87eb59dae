// SPDX-License-Identifier: Apache-2.0
// Who may ask the service for something, and what belongs to whom.
//
// There are two groups: those in `admins` may do everything, and users what concerns their own.
// User 0 is always there.  All functions throw as those of the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/lib/store.h"

namespace state {

inline constexpr int first_user = 0;
inline constexpr const char* first_user_name = "oneadmin";

enum class Group { admins = 0, users = 1 };
const char* name_of(Group group);  // "oneadmin", "users"

struct UserRecord {
  int id = -1;
  std::string name{};
  std::string password{};  // its hash (password.h); empty: none is right
  Group group = Group::users;
  bool enabled = true;
  std::string attributes{};  // template text that is nobody's but theirs
  bool is_admin() const { return group == Group::admins; }
};

// A secret that stands for the password for a while.
struct LoginToken {
  std::string digest{};
  std::int64_t expires = -1;  // seconds since 1970; -1: never
};

// What has an owner.
enum class Owned { vm, image, job, disk_image, vm_template };

class Users {
 public:
  explicit Users(Store& store) : store_{store} {}

  // The id, which is never given again.  BadRequest for a name that is taken or cannot be one.
  int add(const UserRecord& user);
  // All but the id.  False: there is none.
  bool change(const UserRecord& user);
  // What was theirs is the first user's.  False: there is none.  BadRequest for the first.
  bool remove(int id);

  std::optional<UserRecord> user(int id) const;
  std::optional<UserRecord> user(const std::string& name) const;
  std::vector<UserRecord> all() const;  // by id

  void add_token(int user, const LoginToken& token);
  void remove_token(int user, const std::string& digest);
  void remove_tokens(int user);
  std::vector<LoginToken> tokens(int user) const;
  void forget_tokens(std::int64_t expired_at);

  std::optional<int> owner(Owned what, int id) const;  // nullopt: there is no such thing
  bool set_owner(Owned what, int id, int user);        // false: there is no such thing

 private:
  std::vector<UserRecord> read(std::optional<int> id, const std::optional<std::string>& name) const;
  Store& store_;
};

}  // namespace state
