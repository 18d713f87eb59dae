// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common/one/action.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/pull_job.h"
#include "tm/host/lib/quiet.h"
#include "tm/host/lib/scratch.h"
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

class LiveCapture {
 public:
  LiveCapture(Capture& capture, Hypervisor& hypervisor, const Domain& domain)
      : capture_{capture},
        request_{capture.request},
        hypervisor_{hypervisor},
        domain_{domain},
        live_{inspect(domain, request_.vm, request_.disk_ids, request_.vm_dir)},
        tracking_{capture, domain, live_} {
    capture_.domain_xml = live_.domain_xml;
  }

  Result run() {
    if (has_backup_job(domain_))
      throw Error{"VM " + std::to_string(request_.vm.id) +
                  " runs a backup job that another tool began: it must end first"};
    if (capture_.cbt()) tracking_.tidy();
    const Scratch scratch{request_, live_, capture_.journal};
    Result result = capture_.new_result();
    result.live = true;
    NewCheckpoint checkpoint{domain_, request_.vm.id, capture_.own()};
    std::vector<CopyDisk> copies;
    {
      const auto job = begin(scratch, checkpoint, result);
      copies = prepare_copies(scratch);
      copy_disks(copies, [&] { check_guest(scratch); });
      job->end();
    }
    for (size_t i = 0; i < copies.size(); ++i)
      result.disks.push_back(disk_result(capture_, tracking_.parts()[i], copies[i]));
    if (capture_.cbt()) tracking_.mark(copies);
    checkpoint.commit();
    return result;
  }

 private:
  PullOrder order(const Scratch& scratch) const {
    PullOrder out{
        .socket = scratch.socket(), .disks = {}, .others = live_.others, .checkpoint = {}};
    const auto parent = checkpoint_name(request_.vm.id, capture_.parent());
    for (const auto& part : tracking_.parts()) {
      PullDisk disk{.target = part.target, .scratch = scratch.file_of(part.target), .since = {}};
      if (part.since_parent) disk.since = parent;
      disk.checkpoint = capture_.cbt() && part.bitmaps;
      if (disk.checkpoint) out.checkpoint = checkpoint_name(request_.vm.id, capture_.own());
      out.disks.push_back(std::move(disk));
    }
    return out;
  }

  // Freezes, begins, thaws.  The point in time is the begin.
  std::unique_ptr<PullJob> begin(const Scratch& scratch, NewCheckpoint& checkpoint,
                                 Result& result) {
    Journal& journal = capture_.journal;
    journal.was_paused = state_of(domain_).paused();
    journal.job_begun = true;
    journal.save(request_.vm_dir);
    std::unique_ptr<PullJob> job;
    try {
      const auto quiet = freeze(result);
      result.time = utc_now();
      checkpoint.begun();
      job = begin_job(scratch);
      settle(quiet.get(), result);
    } catch (...) {
      if (!job) journal.job_begun = false;  // otherwise its destructor says so
      throw;
    }
    return job;
  }

  std::unique_ptr<PullJob> begin_job(const Scratch& scratch) {
    const auto begin = [&] {
      return std::make_unique<PullJob>(hypervisor_, domain_, order(scratch), capture_.journal,
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

  std::unique_ptr<Quiet> freeze(Result& result) {
    const QuietOptions options{
        .how = request_.vm.backup.freeze,
        .agent_timeout = std::chrono::seconds{request_.number("AGENT_TIMEOUT", 10)},
        .deadline = std::chrono::seconds{request_.number("FREEZE_DEADLINE", 30)}};
    try {
      return std::make_unique<Quiet>(hypervisor_, domain_, capture_.journal, request_.vm_dir,
                                     options);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      if (!may_fall_back()) throw;
      result.inconsistent_why = e.what();
      log(Level::warn, std::string{e.what()} + "; the backup goes on without (FS_FREEZE_FALLBACK)");
      return nullptr;
    }
  }

  // Was the guest quiet until the job had begun?  Then it may go on.
  void settle(Quiet* quiet, Result& result) {
    if (request_.vm.backup.freeze == Freeze::none) {
      result.consistent = capture_.journal.was_paused;
      if (!result.consistent) result.inconsistent_why = "no freeze was asked for";
    } else if (quiet) {
      result.consistent = quiet->in_force();
      quiet->end();
      result.freeze_seconds = quiet->seconds();
      if (!result.consistent) {
        result.inconsistent_why = "the freeze ended before the backup had begun";
        if (!may_fall_back()) throw Error{result.inconsistent_why};
      }
    }
  }

  bool may_fall_back() const { return request_.setting("FS_FREEZE_FALLBACK", "NO") == "YES"; }

  std::vector<CopyDisk> prepare_copies(const Scratch& scratch) const {
    std::vector<CopyDisk> out;
    for (const auto& part : tracking_.parts()) {
      CopyDisk copy;
      copy.source = {.socket = scratch.socket(), .name = part.target, .bitmap = {}};
      if (part.since_parent) copy.source.bitmap = "vmvault-" + part.target;
      copy.base = capture_.parent() < 0 ? nbd::Base::none : nbd::Base::parent;
      copy.target = capture_.file_of(part.id);
      out.push_back(std::move(copy));
    }
    return out;
  }

  void check_guest(const Scratch& scratch) const {
    scratch.check_floor();
    if (!capture_.journal.was_paused && state_of(domain_).paused_by_io_error())
      throw Error{"qemu paused the guest for an I/O error while the backup ran"};
  }

  Capture& capture_;
  const HostRequest& request_;
  Hypervisor& hypervisor_;
  const Domain& domain_;
  LiveDomain live_;
  Tracking tracking_;
};

}  // namespace

Result capture_live(Capture& capture, Hypervisor& hypervisor, const Domain& domain) {
  return LiveCapture{capture, hypervisor, domain}.run();
}

}  // namespace host
