// SPDX-License-Identifier: Apache-2.0
// The service's API: OpenNebula's methods, as far as they are about backups (share/doc/api.md).
//
// Several threads may ask at a time.  What reads, reads the state file; what changes something is
// an order that is carried out in the service's loop.  Who may do what is decided here: users touch
// what is theirs, and admins everything.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/lib/home.h"
#include "drivers/vmvaultd/lib/inbox.h"
#include "drivers/vmvaultd/lib/logins.h"
#include "drivers/vmvaultd/lib/metrics.h"
#include "drivers/vmvaultd/lib/orders.h"

namespace api {

struct World {
  const state::Home& home;
  vmvaultd::Inbox& inbox;
  vmvaultd::Orders& orders;  // in the loop only
  std::filesystem::path first_users_file{};
  // In the loop: what the scheduler and the drivers say of themselves.  None: no metrics.
  std::function<vmvaultd::Measured()> measure{};
  std::function<void(char severity, const std::string& text)> log{};  // from any thread
};

class Api {
 public:
  Api(World world, vmvaultd::ServerAccount account);
  Api(const Api&) = delete;

  // The body of the answer to this body; `way`: as the listener's.
  std::string answer(std::string_view body, const std::string& way);
  // nullopt: it is switched off.
  std::optional<std::string> metrics();

 private:
  class Lease;
  std::string carry_out(std::string_view body, const std::string& way);

  World world_;
  vmvaultd::Logins logins_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<state::Store>> stores_;  // that nobody uses now
};

}  // namespace api
