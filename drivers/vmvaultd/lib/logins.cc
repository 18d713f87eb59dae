// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/logins.h"

#include <algorithm>
#include <optional>

#include "common/file.h"
#include "common/one/server_token.h"
#include "common/random.h"
#include "drivers/lib/password.h"

namespace fs = std::filesystem;

namespace vmvaultd {
namespace {

constexpr double free_failures = 10, failures_per_second = 1.0 / 3;
// Of names that nobody has: only so much time is spent on them.
constexpr double free_strangers = 20, strangers_per_second = 2;
constexpr std::size_t most_known = 4096;
constexpr std::size_t longest_session = 4096;
constexpr const char* account_name = "serveradmin";
constexpr const char* refusal = "User couldn't be authenticated, aborting call.";

struct Credentials {
  std::string name, secret;
};

std::optional<Credentials> read_credentials(const fs::path& file) {
  const auto text = read_file_if_any(file);
  if (!text) return std::nullopt;
  auto line = text->substr(0, text->find('\n'));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  const auto colon = line.find(':');
  if (colon == line.npos || colon == 0 || colon + 1 == line.size())
    throw Error{"'" + file.string() + "' holds no user:password"};
  return Credentials{line.substr(0, colon), line.substr(colon + 1)};
}

Credentials make_credentials(const fs::path& file, const std::string& name) {
  Credentials made{name, random_hex(32)};
  write_file(file, made.name + ":" + made.secret + "\n", 0600);
  return made;
}

}  // namespace

Logins::Logins(ServerAccount account)
    : account_{std::move(account)},
      key_{random_hex(64)},
      nobodys_hash_{hash_password(random_hex(32))} {}

Caller Logins::who(state::Users& users, const std::string& session, const std::string& way,
                   std::int64_t now, Clock::time_point clock) {
  const auto colon = session.find(':');
  if (colon == session.npos || session.size() > longest_session) throw NotAuthenticated{refusal};
  auto name = session.substr(0, colon), secret = session.substr(colon + 1);
  const bool vouched = name == account_.name;
  if (vouched) {
    const auto second = secret.find(':');
    if (second == secret.npos) throw NotAuthenticated{refusal};
    name = secret.substr(0, second);
    secret.erase(0, second + 1);
  }
  const auto user = users.user(name);
  bool good = false;
  if (vouched)
    good = is_server_token(secret, account_.name, account_.password, name, now);
  else if (user && user->enabled)
    good =
        by_token(users, user->id, secret, now) || by_password(*user, session, secret, way, clock);
  else
    waste_time(secret, clock);
  if (!good || !user || !user->enabled) throw NotAuthenticated{refusal};
  return {.id = user->id, .name = user->name, .admin = user->is_admin()};
}

bool Logins::by_token(state::Users& users, int user, const std::string& secret, std::int64_t now) {
  const auto wanted = digest(secret);
  const auto tokens = users.tokens(user);
  return std::any_of(tokens.begin(), tokens.end(), [&](const state::LoginToken& token) {
    return same_secret(token.digest, wanted) && (token.expires < 0 || token.expires > now);
  });
}

bool Logins::by_password(const state::UserRecord& user, const std::string& session,
                         const std::string& secret, const std::string& way,
                         Clock::time_point clock) {
  if (user.password.empty()) return false;
  const auto name = digest(key_ + session);
  {
    const std::lock_guard lock{mutex_};
    const auto found = known_.find(name);
    if (found != known_.end() && found->second.user == user.id &&
        found->second.hash == user.password)
      return true;
  }
  // Taken before it is known whether it fails, so that many at a time are not more than one by one.
  const auto key = std::to_string(user.id) + " " + way;
  if (!take(key, free_failures, failures_per_second, clock))
    throw NotAuthenticated{"User couldn't be authenticated: too many failures, wait some seconds."};
  places_.acquire();
  const bool good = is_password(secret, user.password);
  places_.release();
  if (!good) return false;
  give_back(key);
  const std::lock_guard lock{mutex_};
  if (known_.size() >= most_known) known_.clear();
  known_[name] = {.user = user.id, .hash = user.password};
  return true;
}

// So that names cannot be told from each other by the time that a refusal takes.
void Logins::waste_time(const std::string& secret, Clock::time_point clock) {
  if (!take("", free_strangers, strangers_per_second, clock)) return;
  places_.acquire();
  is_password(secret, nobodys_hash_);
  places_.release();
}

bool Logins::take(const std::string& key, double most, double per_second, Clock::time_point clock) {
  const std::lock_guard lock{mutex_};
  auto [found, is_new] = buckets_.try_emplace(key, Bucket{.left = most, .since = clock});
  auto& bucket = found->second;
  const std::chrono::duration<double> passed = clock - bucket.since;
  bucket.left = std::min(most, bucket.left + std::max(passed.count(), 0.0) * per_second);
  bucket.since = clock;
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

void Logins::give_back(const std::string& key) {
  const std::lock_guard lock{mutex_};
  buckets_[key].left += 1;
}

void prepare_first_user(state::Users& users, const fs::path& file) {
  auto first = users.user(state::first_user);
  auto given = read_credentials(file);
  if (!first || (!given && !first->password.empty())) return;
  if (!given) given = make_credentials(file, first->name);
  if (given->name != first->name)
    throw Error{"'" + file.string() + "' is not of '" + first->name + "'"};
  if (is_password(given->secret, first->password)) return;
  first->password = hash_password(given->secret);
  users.change(*first);
}

ServerAccount prepare_account(const fs::path& file) {
  auto given = read_credentials(file);
  if (!given) given = make_credentials(file, account_name);
  return {.name = given->name, .password = given->secret};
}

}  // namespace vmvaultd
