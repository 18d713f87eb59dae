// SPDX-License-Identifier: Apache-2.0
// Ends the running backup of a VM.  The backup itself removes what it has made so far.

#include "common/one/action.h"
#include "datastore/lib/cancel.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/backup_cancel",
    .summary = "cancel the running backup of a VM",
    .args = "HOST:DIR DEPLOY_ID",
    .input = Input::xml,
    .reply = "Nothing.",
    .description =
        "Asks the prebackup and the backup of this very VM to end, also those of OpenNebula's own "
        "drivers (by their command lines, word by word); its postbackup, which gives the guest its "
        "peace back, is left alone.  A VM without a running backup is a success."};

std::string cancel(const Request& request) {
  datastore::cancel_backup(request);
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, cancel); }
