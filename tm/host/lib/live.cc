// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ctime>

#include "common/one/action.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/pull_job.h"
#include "tm/host/lib/quiet.h"
#include "tm/host/lib/scratch.h"

namespace host {
namespace {

std::uint64_t capacity(const Domain& domain, const std::string& target) {
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(domain.get(), target.c_str(), &info, 0) != 0)
    throw VirtError{"ask for the size of disk '" + target + "'"};
  return info.capacity;
}

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
        marks_{request_.vm_dir},
        checkpoints_{domain, request_.vm.id} {
    capture_.domain_xml = live_.domain_xml;
  }

  Result run() {
    if (has_backup_job(domain_))
      throw Error{"VM " + std::to_string(request_.vm.id) +
                  " runs a backup job that another tool began: it must end first"};
    choose();
    if (capture_.cbt()) tidy_checkpoints();
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
    for (size_t i = 0; i < parts_.size(); ++i)
      result.disks.push_back(disk_result(capture_, parts_[i], copies[i]));
    if (capture_.cbt()) write_marks(copies);
    checkpoint.commit();
    return result;
  }

 private:
  // What each disk is going to be, as far as it can be known before libvirt is asked to begin.
  void choose() {
    for (const auto& disk : live_.disks) {
      Part part{.id = disk.id,
                .target = disk.target,
                .format = disk.format,
                .image = disk.file,
                .why = ""};
      if (part.format == "qcow2") {
        const int version = qcow2_version(part.image);
        if (version == 0)
          throw Error{"'" + part.image.string() + "' is no qcow2 file, but the domain says so"};
        part.bitmaps = version >= 3;
      }
      if (capture_.parent() >= 0) {
        if (auto why = unfit(capture_, marks_, part, capacity(domain_, part.target)))
          part.why = *std::move(why);
        else
          part.since_parent = true;
      }
      parts_.push_back(std::move(part));
    }
    if (capture_.parent() >= 0) find_parent();
  }

  void all_whole(const std::string& why) {
    for (auto& part : parts_) {
      if (!part.since_parent) continue;
      part.since_parent = false;
      part.why = why;
    }
  }

  std::vector<std::string> targets_since_parent() const {
    std::vector<std::string> out;
    for (const auto& part : parts_)
      if (part.since_parent) out.push_back(part.target);
    return out;
  }

  // libvirt must know the parent's checkpoint, and it must be the one that we made.
  void find_parent() {
    const int parent = capture_.parent();
    const auto targets = targets_since_parent();
    if (targets.empty()) return;
    if (const auto created = checkpoints_.created(parent)) {
      for (auto& part : parts_) {
        const auto mark = marks_.find(parent, part.id);
        if (!part.since_parent || !mark || mark->created == 0 || mark->created == *created)
          continue;
        part.since_parent = false;
        part.why = "the checkpoint of increment " + std::to_string(parent) + " was made anew";
      }
      return;
    }
    // The domain was defined anew (a migration, a power cycle under OpenNebula), or the VM was off
    // when the parent was taken: the bitmaps are in the images, libvirt must be told.
    try {
      const auto mark = marks_.find(parent, parts_.front().id);
      const std::int64_t when = mark && mark->created != 0 ? mark->created : std::time(nullptr);
      checkpoints_.redefine(parent, when, targets, everything_but(targets), true);
    } catch (const VirtError& e) {
      all_whole(std::string{"change tracking was lost: "} + e.what());
    }
  }

  std::vector<std::string> everything_but(const std::vector<std::string>& targets) const {
    std::vector<std::string> out{live_.others};
    for (const auto& disk : live_.disks)
      if (std::find(targets.begin(), targets.end(), disk.target) == targets.end())
        out.push_back(disk.target);
    return out;
  }

  // Keeps the parent, removes all older ones and what a failed attempt left (design.md 3.1).
  void tidy_checkpoints() {
    tell_of_unknown_bitmaps();
    for (const int increment : checkpoints_.increments())
      if (increment != capture_.parent()) checkpoints_.remove(increment);
  }

  // Bitmaps of ours in the images that libvirt does not know: it must, to remove them.
  void tell_of_unknown_bitmaps() {
    std::map<int, std::vector<std::string>> unknown;
    for (const auto& part : parts_) {
      if (!part.bitmaps) continue;
      for (const auto& bitmap : image_info(part.image, "qcow2", Access::shared).bitmaps) {
        const auto increment = checkpoint_increment(request_.vm.id, bitmap.name);
        if (increment && *increment != capture_.parent() && !checkpoints_.has(*increment))
          unknown[*increment].push_back(part.target);
      }
    }
    for (const auto& [increment, targets] : unknown) try {
        checkpoints_.redefine(increment, std::time(nullptr), targets, everything_but(targets),
                              false);
      } catch (const VirtError& e) {
        log(Level::warn, e.what());
      }
  }

  PullOrder order(const Scratch& scratch) const {
    PullOrder out{
        .socket = scratch.socket(), .disks = {}, .others = live_.others, .checkpoint = {}};
    const auto parent = checkpoint_name(request_.vm.id, capture_.parent());
    for (const auto& part : parts_) {
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
    const auto quiet = freeze(result);
    result.time = utc_now();
    checkpoint.begun();
    auto job = begin_job(scratch);
    settle(quiet.get(), result);
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
      if (targets_since_parent().empty()) throw;
      all_whole(std::string{"change tracking was lost: "} + e.what());
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
    for (const auto& part : parts_) {
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

  void write_marks(const std::vector<CopyDisk>& copies) {
    const auto created = Checkpoints{domain_, request_.vm.id}.created(capture_.own());
    std::map<int, Mark> marks;
    for (size_t i = 0; i < parts_.size(); ++i)
      if (parts_[i].bitmaps && created)
        marks[parts_[i].id] = {.bitmap = checkpoint_name(request_.vm.id, capture_.own()),
                               .size = copies[i].virtual_size,
                               .image = inode_of(parts_[i].image),
                               .created = *created};
    marks_.write(capture_.own(), marks, capture_.parent());
  }

  Capture& capture_;
  const HostRequest& request_;
  Hypervisor& hypervisor_;
  const Domain& domain_;
  LiveDomain live_;
  Marks marks_;
  Checkpoints checkpoints_;
  std::vector<Part> parts_;
};

}  // namespace

Result capture_live(Capture& capture, Hypervisor& hypervisor, const Domain& domain) {
  return LiveCapture{capture, hypervisor, domain}.run();
}

}  // namespace host
