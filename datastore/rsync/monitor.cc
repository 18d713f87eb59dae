// SPDX-License-Identifier: Apache-2.0
// Reports how full the backup server is.  The core calls this every few minutes, so it is cheap and
// waits for nobody.

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/left_hosts.h"
#include "datastore/rsync/lib/store.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/monitor",
    .summary = "report the space of an rsync backup datastore",
    .args = "DATASTORE_ID",
    .input = Input::base64_xml,
    .reply = "C<USED_MB=>, C<TOTAL_MB=> and C<FREE_MB=>, one per line.",
    .description =
        "Makes BASE_PATH on the server if it is not there, and brings our helper to it.  A server "
        "that cannot be reached is an error, never an answer without numbers.\n\n"
        "Since it is called every few minutes, it also asks the hosts where a backup died to put "
        "right what was left (F<tm/host/backup_host>, C<recover --all>)."};

std::string monitor(const Request& request) {
  const auto node = request.xml().root().first("DATASTORE");
  if (!node) throw BadRequest{"the request has no DATASTORE"};
  Space space;
  rsync::with_store(rsync::Settings{Datastore{*node}},
                    [&](rsync::Store& store) { space = store.space(); });
  recover_left_hosts();
  return space.text();
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, monitor); }
