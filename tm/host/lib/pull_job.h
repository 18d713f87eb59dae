// SPDX-License-Identifier: Apache-2.0
// One libvirt backup job in pull mode: begun with its checkpoint in one qemu transaction, ended by
// the destructor.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tm/host/lib/hypervisor.h"
#include "tm/host/lib/journal.h"

namespace host {

struct PullDisk {
  std::string target;
  std::filesystem::path scratch;     // libvirt makes and removes it
  std::optional<std::string> since;  // increment: since this checkpoint; else all of the disk
  bool checkpoint = false;           // gets the new checkpoint's bitmap
  // The name of the bitmap in the NBD export.
  std::string exported_bitmap() const { return "vmvault-" + target; }
};

struct PullOrder {
  std::filesystem::path socket;
  std::vector<PullDisk> disks;
  std::vector<std::string> others;        // targets that are not backed up
  std::optional<std::string> checkpoint;  // name of the new one, for the disks that want it
};

std::string backup_xml(const PullOrder& order);

// perhaps: whoever asked libvirt for it has no answer, and it may wait there for another job's end.
enum class Begun { surely, perhaps };

// Ends the domain's backup job if its NBD server listens on `socket`, that is: if it is ours.
// True when no job of ours is left, nor can begin any more.
bool abort_own_job(Hypervisor& hypervisor, const std::string& domain_uuid,
                   const std::filesystem::path& socket, Begun begun) noexcept;

class PullJob {
 public:
  // Throws VirtError with libvirt's code, Busy while the domain runs another job; then nothing has
  // begun.
  PullJob(Hypervisor& hypervisor, const Domain& domain, const PullOrder& order, Journal& journal,
          const std::filesystem::path& vm_dir);
  PullJob(const PullJob&) = delete;
  PullJob& operator=(const PullJob&) = delete;
  ~PullJob() { finish(Begun::surely); }

  // Ends the job, and lets a guest go on that qemu paused for lack of scratch space.
  void end();

 private:
  bool finish(Begun begun) noexcept;
  void forget() noexcept;  // the note of it

  Hypervisor& hypervisor_;
  Journal& journal_;
  std::filesystem::path vm_dir_;
  std::filesystem::path socket_;
  bool begun_ = false;
};

// A guest that qemu paused for an I/O error while our job ran is resumed.
void resume_after_io_error(Hypervisor& hypervisor, const Journal& journal) noexcept;

}  // namespace host
