// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "common/one/action.h"
#include "tm/host/lib/agent.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/pull_job.h"
#include "tm/host/lib/scratch.h"
#include "tm/host/lib/standstill.h"
#include "tm/host/lib/tracking.h"

namespace host {
namespace {

// The new checkpoint, unless the capture comes to a good end.
class NewCheckpoint {
 public:
  NewCheckpoint(const Domain& domain, int vm_id, int increment)
      : domain_{domain}, vm_id_{vm_id}, increment_{increment} {}
  NewCheckpoint(const NewCheckpoint&) = delete;
  ~NewCheckpoint() {
    if (begun_ && !kept_) undo();
  }
  void begun() { begun_ = true; }
  void commit() { kept_ = true; }

 private:
  void undo() noexcept try {
    Checkpoints checkpoints{domain_, vm_id_};
    if (checkpoints.has(increment_)) checkpoints.remove(increment_);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());
  }

  const Domain& domain_;
  int vm_id_, increment_;
  bool begun_ = false, kept_ = false;
};

class LiveOrigin : public Origin {
 public:
  LiveOrigin(Capture& capture, Hypervisor& hypervisor, Domain domain)
      : capture_{capture},
        request_{capture.request},
        hypervisor_{hypervisor},
        domain_{std::move(domain)},
        live_{inspect(domain_, request_.vm, request_.disk_ids, request_.vm_dir)},
        tracking_{capture, domain_, live_},
        checkpoint_{domain_, request_.vm.id, capture.own()} {
    capture_.domain_xml = live_.domain_xml;
    if (has_backup_job(domain_))
      throw Error{"VM " + std::to_string(request_.vm.id) +
                  " runs a backup job that another tool began: it must end first"};
    if (capture_.cbt()) tracking_.tidy();
    scratch_ = std::make_unique<Scratch>(request_, live_, capture_.journal);
    result = capture_.new_result();
    result.live = true;
    job_ = begin();
  }

  const std::vector<Part>& parts() const override { return tracking_.parts(); }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (const auto& part : tracking_.parts()) {
      CopyDisk copy;
      copy.source = {.socket = scratch_->socket(), .name = part.target, .bitmap = {}};
      if (part.since_parent) copy.source.bitmap = "vmvault-" + part.target;
      copy.base = capture_.parent() < 0 ? nbd::Base::none : nbd::Base::parent;
      copy.target = capture_.file_of(part.id);
      out.push_back(std::move(copy));
    }
    return out;
  }

  void end() override { job_->end(); }

  void commit(const std::vector<CopyDisk>& disks) override {
    if (capture_.cbt()) tracking_.mark(disks);
    checkpoint_.commit();
  }

 private:
  PullOrder order() const {
    PullOrder out{
        .socket = scratch_->socket(), .disks = {}, .others = live_.others, .checkpoint = {}};
    const auto parent = checkpoint_name(request_.vm.id, capture_.parent());
    for (const auto& part : tracking_.parts()) {
      PullDisk disk{.target = part.target, .scratch = scratch_->file_of(part.target), .since = {}};
      if (part.since_parent) disk.since = parent;
      disk.checkpoint = capture_.cbt() && part.bitmaps;
      if (disk.checkpoint) out.checkpoint = checkpoint_name(request_.vm.id, capture_.own());
      out.disks.push_back(std::move(disk));
    }
    return out;
  }

  // Freezes, begins, thaws.  The point in time is the begin.
  std::unique_ptr<PullJob> begin() {
    const MachineFiles files{request_, live_.keeps};
    Journal& journal = capture_.journal;
    journal.was_paused = state_of(domain_).paused();
    journal.job_begun = true;
    journal.save(request_.vm_dir);  // now, since nothing should be slow while the guest is frozen
    capture_.guard.watch(scratch_->dir(), scratch_->floor());
    auto still = freeze();
    result.time = utc_now();
    checkpoint_.begun();
    auto job = begin_job();
    still->end(files);
    return job;
  }

  std::unique_ptr<Standstill> freeze() try {
    return std::make_unique<Standstill>(capture_, hypervisor_, domain_, result);
  } catch (...) {
    capture_.journal.job_begun = false;
    throw;
  }

  std::unique_ptr<PullJob> begin_job() {
    const auto begin = [&] {
      return std::make_unique<PullJob>(hypervisor_, domain_, order(), capture_.journal,
                                       request_.vm_dir);
    };
    try {
      return begin();
    } catch (const VirtError& e) {  // a bitmap is missing or broken: nothing has begun
      if (!tracking_.any_since_parent()) throw;
      tracking_.lost(std::string{"change tracking was lost: "} + e.what());
    }
    return begin();
  }

  Capture& capture_;
  const HostRequest& request_;
  Hypervisor& hypervisor_;
  Domain domain_;
  LiveDomain live_;
  Tracking tracking_;
  std::unique_ptr<Scratch> scratch_;
  NewCheckpoint checkpoint_;  // goes after the job has ended
  std::unique_ptr<PullJob> job_;
};

}  // namespace

std::unique_ptr<Origin> open_live(Capture& capture, Hypervisor& hypervisor, Domain domain) {
  return std::make_unique<LiveOrigin>(capture, hypervisor, std::move(domain));
}

}  // namespace host
