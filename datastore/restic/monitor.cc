// SPDX-License-Identifier: Apache-2.0
// Reports how full the place of the repositories is.  The core calls this every few minutes, so it
// is cheap and waits for nobody.

#include "common/command.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/left_hosts.h"
#include "datastore/lib/space.h"
#include "datastore/restic/lib/repository.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/monitor",
    .summary = "report the space of a restic backup datastore",
    .args = "DATASTORE_ID",
    .input = Input::base64_xml,
    .reply = "C<USED_MB=>, C<TOTAL_MB=> and C<FREE_MB=>, one per line.",
    .description =
        "Makes BASE_PATH, on this machine or on the SFTP server, if it is not there.\n\n"
        "Since it is called every few minutes, it also asks the hosts where a backup died to put "
        "right what was left (F<tm/host/backup_host>, C<recover --all>)."};

constexpr std::chrono::seconds limit{60};

Space local_space(const std::filesystem::path& base) {
  std::error_code failed;
  std::filesystem::create_directories(base, failed);
  if (failed) throw system_error("create the directory '" + base.string() + "'", failed.value());
  return Space::of(base);
}

Space server_space(const std::string& login, const std::string& base) {
  const auto on_server = [&](Command command) { return command.on(login).deadline(limit); };
  on_server({"mkdir", "-p", "--", base}).output();
  return Space::parse_df(on_server({"env", "LC_ALL=C", "df", "-P", "-B1M", "--", base}).output());
}

std::string monitor(const Request& request) {
  const auto node = request.xml().root().first("DATASTORE");
  if (!node) throw BadRequest{"the request has no DATASTORE"};
  const Datastore datastore{*node};
  const auto base = restic::base_path(datastore);
  const auto space = restic::parse_backend(datastore) == restic::Backend::local
                         ? local_space(base)
                         : server_space(restic::sftp_login(datastore), base.string());
  recover_left_hosts();
  return space.text();
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, monitor); }
