// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

#include "common/error.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "common/one/rpc_session.h"
#include "common/one/rpc_socket.h"
#include "drivers/cli/lib/tree.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

constexpr const char* usual_var = "/var/lib/vmvault";

bool is_file_of_ours(const fs::path& file) { return access(file.c_str(), R_OK | W_OK) == 0; }

// The directory of this user's state, or, where there is none, of the one that this machine's
// service has.
fs::path var_with_service() {
  const auto own = var_path();
  const bool has_one = fs::exists(own / "state.db") || getenv("VMVAULT_VAR");
  return has_one ? own : fs::path{usual_var};
}

}  // namespace

App& Context::app() {
  if (!app_) app_.emplace(uri.empty() ? libvirt_uri() : uri);
  return *app_;
}

std::string Context::named_endpoint() const {
  if (!endpoint.empty()) return endpoint;
  const char* url = getenv("ONE_XMLRPC");
  return url ? url : "";
}

bool Context::reads_state() {
  if (!named_endpoint().empty()) return false;
  return is_file_of_ours(state::Home{var_path()}.database()) || !running_service();
}

const Core* Context::running_service() {
  if (looked_) return service_ ? &*service_ : nullptr;
  looked_ = true;
  if (const auto url = named_endpoint(); !url.empty()) {
    // Beside a socket of ours is who made it.
    constexpr std::string_view socket = "unix:";
    const auto first = url.starts_with(socket)
                           ? fs::path{url.substr(socket.size())}.parent_path() / "one_auth"
                           : fs::path{};
    service_ = Core{.endpoint = url, .session = rpc::session(first)};
    return &*service_;
  }
  const auto var = var_with_service();
  const auto socket = var / "vmvaultd.socket";
  if (!somebody_listens(socket)) return nullptr;
  service_ = Core{.endpoint = "unix:" + socket.string(), .session = rpc::session(var / "one_auth")};
  return &*service_;
}

const Core& Context::service() {
  if (const auto* found = running_service()) return *found;
  throw Error{
      "this is done by the service, and none answers here: start it ('systemctl start vmvaultd'), "
      "or say where one is (--endpoint or ONE_XMLRPC)"};
}

}  // namespace cli
