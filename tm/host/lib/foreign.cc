// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/foreign.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/number.h"
#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/domain_job.h"
#include "tm/host/lib/live_chain.h"
#include "tm/host/lib/pull_job.h"

namespace fs = std::filesystem;

namespace host {
namespace {

using Snapshot = Owned<virDomainSnapshot, virDomainSnapshotFree>;

std::string who(const HostRequest& request) { return "VM " + std::to_string(request.vm.id); }

// "<prefix><disk id>.qcow2"
bool is_named(const fs::path& file, std::string_view prefix) {
  const std::string name = file.filename();
  return file.extension() == ".qcow2" && name.starts_with(prefix) &&
         parse_int(std::string_view{name}.substr(prefix.size(), name.size() - prefix.size() - 6));
}

std::vector<fs::path> files_in(const fs::path& dir, std::string_view prefix) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{dir, error})
    if (is_named(entry.path(), prefix)) out.push_back(entry.path());
  return out;
}

void discard(const fs::path& file) {
  if (unlink(file.c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + file.string() + "'", errno);
}

// The disk of the domain whose active layer is this file.
std::string disk_on(const Domain& domain, const fs::path& file) {
  const Xml xml =
      Xml::from_libvirt(take(virDomainGetXMLDesc(domain.get(), 0), "read a domain's XML"));
  for (const auto& disk : xml.root().find_all("devices/disk")) {
    const auto source = disk.first("source");
    const auto target = disk.first("target");
    if (source && target && same_file(source->attribute("file").value_or(""), file))
      return target->attribute("dev").value_or("");
  }
  return "";
}

bool has_job(const Domain& domain, const std::string& target, int type) {
  virDomainBlockJobInfo info{};
  return virDomainGetBlockJobInfo(domain.get(), target.c_str(), &info, 0) == 1 && info.type == type;
}

void merge_overlay(const Domain& domain, const std::string& target, const fs::path& overlay) {
  const std::string doing = "merge '" + overlay.string() + "' into disk '" + target + "'";
  constexpr int type = VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT;
  const auto chain = live_chain(domain, target);
  if (chain.size() < 2 || chain[1].index.empty())
    throw Error{"cannot " + doing + ": there is nothing below it"};
  log(Level::warn, "a backup of another tool left the guest on a layer of its own: " + doing);
  // The tool may have begun it itself, before it died.
  if (!has_job(domain, target, type) &&
      virDomainBlockCommit(domain.get(), target.c_str(), chain[1].index.c_str(), nullptr, 0,
                           VIR_DOMAIN_BLOCK_COMMIT_ACTIVE) != 0)
    throw VirtError{doing};
  wait_until_ready(domain, target, type, doing);
  if (virDomainBlockJobAbort(domain.get(), target.c_str(), VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) != 0)
    throw VirtError{doing};
  if (uses(domain, overlay)) throw Error{"cannot " + doing + ": the guest still writes to it"};
}

// Only of what was a moment ago the active layer, and is in no disk any more.
void repair_overlays(const Domain& domain, const fs::path& tmp) {
  for (const auto& overlay : files_in(tmp, "overlay_")) {
    const std::string target = disk_on(domain, overlay);
    if (target.empty()) continue;
    merge_overlay(domain, target, overlay);
    discard(overlay);
  }
}

void forget_snapshot(const HostRequest& request, const Domain& domain) {
  const std::string name = "one-" + std::to_string(request.vm.id) + "-backup";
  const Snapshot record{virDomainSnapshotLookupByName(domain.get(), name.c_str(), 0)};
  if (!record) return;
  if (virDomainSnapshotDelete(record.get(), VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY) != 0)
    throw VirtError{"remove the record of the snapshot " + name};
}

void remove_scratch(const fs::path& vm_dir) {
  for (const auto& file : files_in(vm_dir / "tmp", "scracth.")) discard(file);
  for (const char* name : {"backup.xml", "checkpoint.xml"}) discard(vm_dir / "tmp" / name);
  discard(vm_dir / "backup.socket");
}

void tell_of_overlays(const HostRequest& request) {
  for (const auto& overlay : files_in(request.vm_dir / "tmp", "overlay_")) {
    struct stat info {};
    if (stat(overlay.c_str(), &info) == 0 && info.st_size == 0) {
      discard(overlay);  // made, and never used
      continue;
    }
    log(Level::error, "'" + overlay.string() + "', which another tool's backup of " + who(request) +
                          " left, may hold what the guest wrote last, and no disk uses it: it is "
                          "not in this backup, and is kept");
  }
}

}  // namespace

void repair_foreign(const HostRequest& request, Hypervisor& hypervisor) {
  const auto domain =
      request.vm.deploy_id.empty() ? std::nullopt : hypervisor.find(request.vm.deploy_id);
  if (domain && is_active(*domain)) {
    if (!abort_own_job(hypervisor, uuid_of(*domain), request.vm_dir / "backup.socket",
                       Begun::surely))
      throw Error{"the backup job that another tool left in " + who(request) +
                  " could not be ended"};
    repair_overlays(*domain, request.vm_dir / "tmp");
    forget_snapshot(request, *domain);
    if (!has_backup_job(*domain)) remove_scratch(request.vm_dir);
  }
  tell_of_overlays(request);
  rmdir((request.vm_dir / "tmp").c_str());  // if nothing is left in it
}

}  // namespace host
