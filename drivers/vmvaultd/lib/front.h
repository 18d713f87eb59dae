// SPDX-License-Identifier: Apache-2.0
// The service as others reach it: its sockets, the HTTP server on them, and the API behind that.
#pragma once

#include <memory>
#include <string>

#include "drivers/lib/home.h"
#include "drivers/vmvaultd/lib/api.h"
#include "drivers/vmvaultd/lib/http_server.h"

namespace vmvaultd {

struct FrontSettings {
  int port = 12633;  // 0: no TCP
  std::string address = "127.0.0.1";
  std::filesystem::path socket{};  // empty: vmvaultd.socket in the state's directory
  std::string group{};             // that may connect to it, besides the owner
  bool metrics = true;
};

// Where the secrets are: <var>/one_auth is the first user's, <var>/server_auth the drivers'.
std::filesystem::path first_users_file(const state::Home& home);
std::filesystem::path account_file(const state::Home& home);

class Front {
 public:
  // Makes what is missing of those files, and listens.  `world` need not name the file.
  Front(const FrontSettings& settings, api::World world);
  Front(const Front&) = delete;
  // Closes the inbox: nobody else would answer those who wait there.
  ~Front();

 private:
  Inbox& inbox_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<HttpServer> server_;  // goes first
};

}  // namespace vmvaultd
