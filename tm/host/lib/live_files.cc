// SPDX-License-Identifier: Apache-2.0
// The files of a running guest: one libvirt transaction starts backup and checkpoint.
#include <memory>

#include "common/one/action.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/domain_job.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/pull_job.h"
#include "tm/host/lib/scratch.h"
#include "tm/host/lib/storage.h"
#include "tm/host/lib/tracking.h"

namespace host {
namespace {

// The new checkpoint, unless the capture comes to a good end.
class NewCheckpoint {
 public:
  NewCheckpoint(const Domain& domain, int vm_id, std::string name)
      : domain_{domain}, vm_id_{vm_id}, name_{std::move(name)} {}
  NewCheckpoint(const NewCheckpoint&) = delete;
  ~NewCheckpoint() {
    if (begun_ && !kept_) undo();
  }
  void begun() { begun_ = true; }
  void commit() { kept_ = true; }

 private:
  void undo() noexcept try {
    Checkpoints checkpoints{domain_, vm_id_};
    if (checkpoints.has(name_)) checkpoints.remove(name_);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());
  }

  const Domain& domain_;
  int vm_id_;
  std::string name_;
  bool begun_ = false, kept_ = false;
};

class RunningFiles : public Storage {
 public:
  RunningFiles(Capture& capture, Hypervisor& hypervisor, std::shared_ptr<const RunningGuest> guest)
      : capture_{capture},
        request_{capture.request},
        hypervisor_{hypervisor},
        guest_{std::move(guest)},
        tracking_{capture, guest_->domain, guest_->live},
        checkpoint_{guest_->domain, request_.vm.id, capture.own_bitmap()} {
    insist_on_no_job(guest_->domain, request_.vm.id);
    if (capture_.cbt()) tracking_.tidy();
    scratch_ = std::make_unique<Scratch>(request_, guest_->live, capture_.journal);
  }
  ~RunningFiles() override {
    if (!taken_) capture_.journal.job_begun = false;
  }

  void announce() override {
    if (capture_.cbt()) tracking_.announce();
    capture_.journal.job_begun = true;
    capture_.journal.save(request_.vm_dir);
    capture_.guard.watch(scratch_->dir(), scratch_->floor());
  }

  void take() override {
    taken_ = true;
    checkpoint_.begun();
    job_ = begin_job();
  }

  void serve() override {}  // qemu does

  std::size_t moments() const override { return 1; }
  const std::vector<Part>& parts() const override { return tracking_.parts(); }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (const auto& part : tracking_.parts()) {
      CopyDisk copy;
      copy.source = {.socket = scratch_->socket(), .name = part.target, .bitmap = {}};
      if (part.since_parent) copy.source.bitmap = "vmvault-" + part.target;
      copy.before = part.before;
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
        .socket = scratch_->socket(), .disks = {}, .others = guest_->live.others, .checkpoint = {}};
    for (const auto& part : tracking_.parts()) {
      PullDisk disk{.target = part.target, .scratch = scratch_->file_of(part.target), .since = {}};
      if (part.since_parent) disk.since = part.parent_bitmap;
      disk.checkpoint = capture_.cbt() && part.bitmaps;
      if (disk.checkpoint) out.checkpoint = capture_.own_bitmap();
      out.disks.push_back(std::move(disk));
    }
    return out;
  }

  std::unique_ptr<PullJob> new_job() {
    return std::make_unique<PullJob>(hypervisor_, guest_->domain, order(), capture_.journal,
                                     request_.vm_dir);
  }

  std::unique_ptr<PullJob> new_job_without_namesake() {
    try {
      return new_job();
    } catch (const VirtError&) {
      throw;
    } catch (const Error& e) {  // nothing has begun
      if (std::string_view{e.what()}.find("Bitmap already exists") == std::string_view::npos) throw;
      tracking_.remove_namesake();
    }
    return new_job();
  }

  std::unique_ptr<PullJob> begin_job() {
    try {
      return new_job_without_namesake();
    } catch (const VirtError& e) {  // a bitmap is missing or broken: nothing has begun
      if (!tracking_.any_since_parent()) throw;
      tracking_.lost(std::string{"change tracking was lost: "} + e.what());
    }
    return new_job_without_namesake();
  }

  Capture& capture_;
  const HostRequest& request_;
  Hypervisor& hypervisor_;
  const std::shared_ptr<const RunningGuest> guest_;
  Tracking tracking_;
  std::unique_ptr<Scratch> scratch_;
  NewCheckpoint checkpoint_;  // goes after the job has ended
  std::unique_ptr<PullJob> job_;
  bool taken_ = false;
};

}  // namespace

std::unique_ptr<Storage> running_files(Capture& capture, Hypervisor& hypervisor,
                                       std::shared_ptr<const RunningGuest> guest) {
  if (guest->live.disks.empty()) return nullptr;
  return std::make_unique<RunningFiles>(capture, hypervisor, std::move(guest));
}

}  // namespace host
