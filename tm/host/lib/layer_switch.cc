// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/layer_switch.h"

#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/agent.h"
#include "tm/host/lib/domain_job.h"
#include "tm/host/lib/layer_merge.h"

namespace fs = std::filesystem;

namespace host {
namespace {

using Snapshot = Owned<virDomainSnapshot, virDomainSnapshotFree>;

// The processors stand still as long as this object lives.
class Pause {
 public:
  Pause(Capture& capture, Hypervisor& hypervisor, const Domain& domain)
      : capture_{capture}, hypervisor_{hypervisor} {
    if (!capture_.journal.resume_owed || state_of(domain).paused()) return;
    if (capture_.request.vm.backup.freeze == Freeze::none)  // else it counts already
      capture_.guard.standing_still(Freeze::suspend, capture_.journal.domain, deadline());
    if (virDomainSuspend(domain.get()) == 0) return;
    const VirtError error{"pause the guest"};
    release();
    throw error;
  }
  Pause(const Pause&) = delete;
  Pause& operator=(const Pause&) = delete;
  ~Pause() { release(); }

  void end() {
    if (release()) return;
    if (capture_.journal.resume_owed)
      throw Error{"the guest could not be resumed; its guard goes on trying"};
    throw Error{"the links of the disks could not be set right; the guard goes on trying"};
  }

 private:
  std::chrono::seconds deadline() const {
    return std::chrono::seconds{capture_.request.number("FREEZE_DEADLINE", 30)};
  }

  bool release() noexcept try {
    Journal& journal = capture_.journal;
    if (journal.switches.empty()) return true;
    finish_switch(journal, hypervisor_, capture_.request.vm_dir);
    if (capture_.request.vm.backup.freeze == Freeze::none) capture_.guard.freed();
    forget_switch(capture_);
    return true;
  } catch (const std::exception& e) {
    log(Level::error, e.what());
    return false;
  }

  Capture& capture_;
  Hypervisor& hypervisor_;
};

// Why the links of some disks may be behind still; "" if they are not.
std::string set_links(const Journal& journal, const Domain& domain, const fs::path& vm_dir) {
  std::string why;
  for (const auto& [disk, target] : journal.switches) try {
      follow_running({.vm_dir = vm_dir, .id = disk, .target = target, .running = &domain});
    } catch (const std::exception& e) {
      why += (why.empty() ? "" : "; ") + std::string{e.what()};
    }
  return why;
}

}  // namespace

void announce_switch(Capture& capture, const Domain& domain, const std::vector<NewLayer>& layers) {
  Journal& journal = capture.journal;
  note_state(journal, domain);
  journal.resume_owed = !journal.was_paused && capture.request.vm.backup.freeze != Freeze::suspend;
  for (const auto& layer : layers) journal.switches.push_back({layer.disk, layer.target});
  journal.save(capture.request.vm_dir);
}

void forget_switch(Capture& capture) {
  capture.journal.switches.clear();
  capture.journal.resume_owed = false;
  capture.journal.save(capture.request.vm_dir);
}

void switch_layers(Capture& capture, Hypervisor& hypervisor, const Domain& domain,
                   const std::vector<NewLayer>& layers, const std::function<void()>& change) {
  try {
    insist_on_no_job(domain, capture.request.vm.id);
  } catch (...) {
    forget_switch(capture);
    throw;
  }
  Pause pause{capture, hypervisor, domain};
  change();
  for (const auto& layer : layers) relink(layer.link, layer.link_text);
  pause.end();
}

// qemu knows its files: whatever the links say, the guest may go on.
void finish_switch(Journal& journal, Hypervisor& hypervisor, const fs::path& vm_dir) {
  if (journal.switches.empty()) return;
  const auto domain = hypervisor.find(journal.domain);
  if (!domain || !is_active(*domain)) return;
  const std::string why = set_links(journal, *domain, vm_dir);
  if (journal.resume_owed &&
      !set_free(hypervisor, journal.domain, Freeze::suspend, std::chrono::seconds{30}))
    throw Error{"the guest of VM " + std::to_string(journal.vm_id) +
                " that a backup had paused could not be resumed"};
  if (why.empty()) return;
  journal.resume_owed = false;
  throw Error{"nobody knows whether the disks of VM " + std::to_string(journal.vm_id) +
              " are those that its guest runs on: " + why};
}

void snapshot(const Domain& domain, const std::string& name, const std::vector<NewLayer>& layers,
              const std::vector<std::string>& other_targets) {
  const Xml document = Xml::create("domainsnapshot");
  XmlNode root = document.root();
  root.add("name", name);
  XmlNode disks = root.add("disks");
  for (const auto& layer : layers) {
    XmlNode disk = disks.add("disk");
    disk.set_attribute("name", layer.target);
    disk.set_attribute("snapshot", "external");
    disk.add("driver").set_attribute("type", "qcow2");
    disk.add("source").set_attribute("file", layer.file.string());
  }
  for (const auto& target : other_targets) {
    XmlNode disk = disks.add("disk");
    disk.set_attribute("name", target);
    disk.set_attribute("snapshot", "no");
  }
  constexpr unsigned flags =
      VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC |
      VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT | VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA;
  const Snapshot made{virDomainSnapshotCreateXML(domain.get(), document.dump().c_str(), flags)};
  if (!made) throw VirtError{"give the running guest a new layer"};
}

}  // namespace host
