// SPDX-License-Identifier: Apache-2.0
// Stores what prebackup left in a VM's backup directory as one snapshot of a restic repository.

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/running.h"
#include "datastore/lib/capture_failure.h"
#include "datastore/lib/require_chain.h"
#include "datastore/restic/lib/flatten_plan.h"
#include "datastore/restic/lib/known_as.h"
#include "datastore/restic/lib/requests.h"
#include "datastore/restic/lib/upload.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/backup",
    .summary = "store the backup directory of a VM as a restic snapshot",
    .args = "HOST:DIR DISKS DEPLOY_ID JOB_ID VM_ID DATASTORE_ID",
    .input = Input::xml,
    .reply =
        "One line C<SNAPSHOT MIB FORMAT>: the first 8 digits of the snapshot's id, the size of the "
        "disk files rounded up to MiB (at least 1), and C<raw>, or C<rbd> for legacy files of "
        "Ceph.",
    .description =
        "restic runs on the VM's host, or on the bridge that the core has chosen.  The files are "
        "read from the backup directory there: all F<disk.*>, F<vm.xml>, and F<domain.xml>, "
        "F<vmvault.json>, F<nvram.fd> and the checksums F<sums.*> if they are there.  (Those of a "
        "view only by "
        "restic 0.15 and newer: older ones would read the disks twice for them.)  Each of DISKS "
        "must have its file of "
        "this increment.  JOB_ID is C<-> for none.\n\n"
        "A repository that is not there is made, but not for an increment of an older backup.\n\n"
        "A backup that fails or is cancelled leaves no snapshot.  A cancellation breaks the "
        "connection of a view in the backup directory, so that nobody is stuck in a read of it.\n\n"
        "VMVAULT_RUN in the environment (16 hexadecimal digits) is a name by which "
        "F<datastore/restic/discard> can remove the snapshot afterwards."};

void require_snapshots(const restic::Restic& restic, const Chain& chain) {
  const auto found = restic.find({});
  require_chain(
      restic::as_stored(found, chain),
      [&](const auto& source) { return restic::known_as(found, source) != nullptr; },
      "the " + restic.repository().display());
}

std::string backup(const Request& request) {
  const auto asked = VmRequest::parse(request);
  const auto& vm = asked.vm;
  const Running running{asked.vm_id, "backup"};
  const auto restic = restic::open(asked);
  const auto directory = backup_dir(asked.location.dir, asked.vm_id);
  const auto reads = restic.version() < restic::reads_one_at_a_time ? Reads::several_at_once
                                                                    : Reads::one_at_a_time;
  const auto selection = select_files(restic.machine().list(directory), directory, reads);
  require_disks(selection, parse_disk_ids(request["DISKS"]), vm.backup.own_id(), directory);
  if (vm.backup.parent_id() >= 0 || vm.backup.stored)
    restic.insist();
  else
    restic.ensure();
  if (vm.backup.chain) require_snapshots(restic, *vm.backup.chain);
  try {
    restic::upload(restic, directory, selection, asked.vm_id,
                   [&](const auto& snapshot) { write_reply(selection.reply(snapshot)); });
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {  // restic only knows that it could not read
    if (const auto why = failure_of_capture(restic.machine(), directory); !why.empty())
      throw Error{why};
    throw;
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, backup); }
