// SPDX-License-Identifier: Apache-2.0
// Who says a session (contract 2.12):
//
//   user:password                    the password of a user
//   user:token                       what one.user.login has given out
//   serveradmin:user:token           what a driver has made in the name of that user
//
// Any thread may ask.  Guessing is slow: each user has a few failures free, and then one every
// three seconds; another user is not held up by that, nor is whoever has logged in by this session
// before.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <semaphore>
#include <string>

#include "common/error.h"
#include "drivers/lib/users.h"

namespace vmvaultd {

struct Caller {
  int id = -1;
  std::string name{};
  bool admin = false;
  bool owns(int owner) const { return admin || owner == id; }
};

struct NotAuthenticated : Error {
  using Error::Error;
};

// The account in whose name drivers speak for a user, and the key of its tokens.
struct ServerAccount {
  std::string name, password;
};

class Logins {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Logins(ServerAccount account);

  // Throws NotAuthenticated, the same for every reason but too many failures.  `way` tells apart
  // where callers come from: failures over one do not count over another.
  Caller who(state::Users& users, const std::string& session, const std::string& way,
             std::int64_t now, Clock::time_point clock = Clock::now());

 private:
  // Failures that are still free.
  struct Bucket {
    double left = 0;
    Clock::time_point since{};
  };
  struct Known {
    int user = -1;
    std::string hash{};  // of the password that was right
  };

  bool take(const std::string& key, double most, double per_second, Clock::time_point clock);
  void give_back(const std::string& key);
  bool by_password(const state::UserRecord& user, const std::string& session,
                   const std::string& secret, const std::string& way, Clock::time_point clock);
  static bool by_token(state::Users& users, int user, const std::string& secret, std::int64_t now);
  void waste_time(const std::string& secret, Clock::time_point clock);

  ServerAccount account_;
  std::string key_, nobodys_hash_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
  std::map<std::string, Known> known_;
  std::counting_semaphore<2> places_{2};  // for what takes time and memory
};

// At the start of the service.  The first user's password is that of the file ("user:password");
// where neither is there, both are made.  The same for the account of the drivers.
void prepare_first_user(state::Users& users, const std::filesystem::path& file);
ServerAccount prepare_account(const std::filesystem::path& file);

}  // namespace vmvaultd
