// SPDX-License-Identifier: Apache-2.0
// Stores what prebackup left in a VM's backup directory as a directory on a server.

#include "common/error.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/running.h"
#include "datastore/lib/capture_failure.h"
#include "datastore/lib/require_chain.h"
#include "datastore/lib/vm_request.h"
#include "datastore/rsync/lib/merged_part.h"
#include "datastore/rsync/lib/notes.h"
#include "datastore/rsync/lib/server_chain.h"
#include "datastore/rsync/lib/upload.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/backup",
    .summary = "store the backup directory of a VM on an rsync server",
    .args = "HOST:DIR DISKS DEPLOY_ID JOB_ID VM_ID DATASTORE_ID",
    .input = Input::xml,
    .reply =
        "One line C<NAME MIB FORMAT>: the name of the new directory, 6 hexadecimal digits, the "
        "size of the disk files rounded up to MiB (at least 1), and C<raw>, or C<rbd> for legacy "
        "files of Ceph.",
    .description =
        "The files go from the VM's host, or from the bridge that the core has chosen, to the "
        "server, by F<datastore/rsync/send> there; the front-end carries none of their data.  They "
        "are those of the backup directory: all F<disk.*>, F<vm.xml>, and F<domain.xml>, "
        "F<vmvault.json>, F<nvram.fd> and the checksums F<sums.*> if they are there.  Each of "
        "DISKS must have its file of this increment.\n\n"
        "They appear under their name when all of them are durable there.  An upload that was cut "
        "off is taken up again by the next one of the same files; a cancelled one leaves nothing.  "
        "A cancellation breaks the connection of a view in the backup directory, so that nobody "
        "is stuck in a read of it.\n\n"
        "VMVAULT_RUN in the environment (16 hexadecimal digits) is a name by which "
        "F<datastore/rsync/discard> can remove the backup afterwards."};

// Where there is nothing at all it may be no more than a file system that is not mounted.
void require_parent(const BackupConfig& config, const rsync::Store::Listing& there,
                    const std::string& place) {
  if (there.empty() && config.stored)
    throw Error{"no backup is in " + place + ", not even " + *config.stored +
                ", which was stored there: is its file system mounted?"};
  if (there.empty() && config.parent_id() >= 0)
    throw Error{"what this increment is based on is not there: no backup is in " + place};
  if (!config.chain) return;
  require_chain(
      rsync::from_last_merged(*config.chain,
                              [&](const auto& one) {
                                const auto found = there.find(one.source);
                                return found != there.end() &&
                                       found->second.contains(rsync::flat_document);
                              }),
      [&](const auto& source) { return there.contains(source); }, place);
}

void send(const rsync::Store& store, const rsync::Cargo& cargo, const std::string& name) try {
  rsync::upload(store, cargo, name);
} catch (const Cancelled&) {
  throw;
} catch (const Error&) {  // it only knows that it could not read
  if (const auto why = failure_of_capture(cargo.machine, cargo.directory); !why.empty())
    throw Error{why};
  throw;
}

std::string backup(const Request& request) {
  const auto asked = VmRequest::parse(request);
  const rsync::Settings settings{asked.datastore};
  const Running running{asked.vm_id, "backup"};
  const auto machine = asked.machine();
  const auto directory = backup_dir(asked.location.dir, asked.vm_id);
  const auto selection = select_files(machine.list(directory), directory, Reads::one_at_a_time);
  require_disks(selection, parse_disk_ids(request["DISKS"]), asked.vm.backup.own_id(), directory);
  rsync::with_store(settings, [&](rsync::Store& store) {
    const auto there = store.list(asked.vm_id, {});
    require_parent(asked.vm.backup, there, settings.place(asked.vm_id));
    rsync::Notes notes{settings.datastore_id, asked.vm_id};
    notes.drop_claimed();
    remove_unclaimed(notes, store, asked.vm_id);
    rsync::Unclaimed mine{notes, store, asked.vm_id, there};
    send(store,
         {.machine = machine, .directory = directory, .selection = selection, .vm = asked.vm_id},
         mine.name());
    mine.claim([&] { write_reply(selection.reply(mine.name())); });
  });
  return "";
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, backup); }
