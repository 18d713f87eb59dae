// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/lock.h"

#include <csignal>

#include "common/error.h"
#include "tm/host/lib/journal.h"

namespace fs = std::filesystem;

namespace host {

FileLock lock_vm(const HostRequest& request, std::chrono::seconds limit) {
  if (!fs::is_directory(request.vm_dir))
    throw Error{"the directory of VM " + std::to_string(request.vm.id) + ", '" +
                request.vm_dir.string() + "', does not exist on this host"};
  return FileLock::lock(request.vm_dir / "backup.lock", limit,
                        "the backup of VM " + std::to_string(request.vm.id));
}

void ask_exporter_to_end(const HostRequest& request) {
  const auto journal = Journal::load(request.vm_dir);
  if (!journal || journal->exporter <= 0 || journal->boot_id != boot_id()) return;
  if (FileLock::try_lock(request.vm_dir / "backup.lock")) return;  // it is dead
  const auto name = read_file_if_any("/proc/" + std::to_string(journal->exporter) + "/comm");
  if (name == "backup_host\n") kill(journal->exporter, SIGTERM);
}

}  // namespace host
