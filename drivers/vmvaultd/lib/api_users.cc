// SPDX-License-Identifier: Apache-2.0
#include <ctime>

#include "common/file.h"
#include "common/random.h"
#include "drivers/lib/password.h"
#include "drivers/vmvaultd/lib/api_methods.h"

namespace api {
namespace {

constexpr std::size_t most_tokens = 100, shortest_token = 20, longest_attributes = 65536;
constexpr int keep = -1;

// Argument 1: a user, or -1 for who asks.  Only admins touch others.
state::UserRecord whom(Request& request) {
  int id = request.number(1);
  if (id == keep) id = request.caller().id;
  if (!request.caller().admin && id != request.caller().id)
    throw Failure{Code::authorization, "User [" + std::to_string(request.caller().id) +
                                           "] : Not authorized to manage USER [" +
                                           std::to_string(id) + "]"};
  auto found = request.users().user(id);
  if (!found) throw no_such("USER", id);
  return *std::move(found);
}

std::string checked_password(const std::string& password) {
  if (password.empty() || password.find('\n') != password.npos)
    throw Failure{Code::api, "a password has to be one line, and not empty"};
  return password;
}

Argument allocate(Request& request) {
  request.need_admin();
  const auto password = checked_password(request.text(2));
  const auto driver = request.call().text(3, "core");
  if (driver != "core" && !driver.empty())
    throw Failure{Code::allocate, "users are known by the driver core only"};
  state::UserRecord user{.name = request.text(1), .password = hash_password(password)};
  if (user.name == "serveradmin") throw Failure{Code::allocate, "that name is the drivers'"};
  for (const auto group : request.call().numbers(4, {}))
    if (group == 0) user.group = state::Group::admins;
  return std::int64_t{request.users().add(user)};
}

Argument remove(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  if (id == request.caller().id) throw Failure{Code::action, "nobody removes themselves"};
  if (!request.users().remove(id)) throw no_such("USER", id);
  return std::int64_t{id};
}

Argument passwd(Request& request) {
  auto user = whom(request);
  const auto password = checked_password(request.text(2));
  user.password = hash_password(password);
  auto users = request.users();
  request.store().together([&] {
    users.change(user);
    users.remove_tokens(user.id);
  });
  // The file counts when the service starts.
  const auto& file = request.world().first_users_file;
  if (user.id == state::first_user && read_file_if_any(file))
    write_file(file, user.name + ":" + password + "\n", 0600);
  return std::int64_t{user.id};
}

// (name, token, seconds, group): a token for so long; -1: for ever; 0: it is none any more.
Argument login(Request& request) {
  const auto user = request.users().user(request.text(1));
  if (!user || (!request.caller().admin && user->id != request.caller().id))
    throw Failure{Code::authorization, "Not authorized to make a token for another user"};
  auto users = request.users();
  auto token = request.text(2);
  const int seconds = request.number(3);
  const std::int64_t now = std::time(nullptr);
  users.forget_tokens(now);
  if (seconds == 0) {
    if (token.empty())
      users.remove_tokens(user->id);
    else
      users.remove_token(user->id, digest(token));
    return token;
  }
  if (seconds < -1) throw Failure{Code::api, "a token cannot hold for less than no time"};
  if (token.empty()) token = random_hex(40);
  if (token.size() < shortest_token) throw Failure{Code::api, "the token is too short"};
  if (users.tokens(user->id).size() >= most_tokens)
    throw Failure{Code::action, "there are too many tokens: reset them (seconds 0)"};
  users.add_token(user->id,
                  {.digest = digest(token), .expires = seconds == -1 ? -1 : now + seconds});
  return token;
}

Argument change_group(Request& request) {
  request.need_admin();
  auto user = whom(request);
  const int group = request.number(2);
  if (group != 0 && group != 1) throw no_such("GROUP", group);
  if (user.id == state::first_user && group != 0)
    throw Failure{Code::action, "the first user stays an administrator"};
  user.group = static_cast<state::Group>(group);
  request.users().change(user);
  return std::int64_t{user.id};
}

Argument enable(Request& request) {
  request.need_admin();
  auto user = whom(request);
  user.enabled = request.call().flag(2);
  if (user.id == state::first_user && !user.enabled)
    throw Failure{Code::action, "the first user stays enabled"};
  request.users().change(user);
  return std::int64_t{user.id};
}

// (id, template, 0 replace | 1 merge)
Argument update(Request& request) {
  auto user = whom(request);
  auto wanted = parse(request.text(2));
  if (request.call().number(3, 0) != 0) {
    auto all = parse(user.attributes);
    for (const auto& one : wanted) {
      std::erase_if(all, [&](const auto& old) { return old.name == one.name; });
      all.push_back(one);
    }
    wanted = std::move(all);
  }
  user.attributes = one::to_text(wanted);
  if (user.attributes.size() > longest_attributes)
    throw Failure{Code::api, "the template is too long"};
  request.users().change(user);
  return std::int64_t{user.id};
}

Argument info(Request& request) { return request.answers().user(whom(request).id).value(); }

Argument pool(Request& request) {
  if (request.caller().admin) return request.answers().users();
  return request.answers().users(request.caller().id);
}

}  // namespace

void add_user_methods(Methods& methods) {
  methods["one.user.allocate"] = allocate;
  methods["one.user.delete"] = remove;
  methods["one.user.passwd"] = passwd;
  methods["one.user.login"] = login;
  methods["one.user.chgrp"] = change_group;
  methods["one.user.enable"] = enable;
  methods["one.user.update"] = update;
  methods["one.user.info"] = info;
  methods["one.userpool.info"] = pool;
}

}  // namespace api
