// SPDX-License-Identifier: Apache-2.0
// One capture: what live and offline ones share, and the two ways.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tm/host/lib/copy_disks.h"
#include "tm/host/lib/documents.h"
#include "tm/host/lib/guard.h"
#include "tm/host/lib/hypervisor.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/marks.h"
#include "tm/host/lib/result.h"
#include "tm/lib/host_request.h"

namespace host {

// What this process is about to do to the VM: nothing yet.  Without a hypervisor (nullptr), only to
// its disks.
Journal new_journal(const HostRequest& request, Hypervisor* hypervisor);

// The VM's domain; nullopt: libvirt knows none.
std::optional<Domain> domain_of(Hypervisor& hypervisor, const HostRequest& request);

struct Capture {
  const HostRequest& request;
  Journal& journal;
  Guard& guard;
  std::string domain_xml = {};  // filled where there is a domain
  std::vector<Kept> kept = {};  // filled at the point in time

  int parent() const { return request.vm.backup.parent_id(); }
  int own() const { return request.vm.backup.own_id(); }
  int kept_increment() const { return request.vm.backup.kept_id(); }
  bool cbt() const { return request.vm.backup.mode == Mode::increment; }
  // The mode is one of files; disks of other storages know no other way than their own.
  bool layered() const {
    return cbt() && request.vm.backup.increment_mode == IncrementMode::snapshot &&
           !request.file_disks().empty();
  }
  std::filesystem::path file_of(int disk) const;  // in the backup dir
  std::string own_bitmap() const;
  Result new_result() const;
  Keeps keeps() const;  // of the domain_xml
};

// One disk of a capture, and what it is going to be.
struct Part {
  int id = -1;
  std::string target;
  std::string format;
  std::filesystem::path image;
  bool bitmaps = false;            // the image can hold one: qcow2 version 3
  bool since_parent = false;       // only what changed since the parent
  std::string parent_bitmap = {};  // since_parent, of a file
  std::string why;                 // why not, where it could have been expected
  nbd::Edges before = {};          // since_parent: what the disk held then, if known
};

// The same for a VM that runs, noted in the journal.  Throws Error when it does not (any more).
Domain running_domain(Capture& capture, Hypervisor& hypervisor);
// Notes in the journal, which somebody else saves, whether the guest stands still already.
void note_state(Journal& journal, const Domain& domain);
// For one that is off: notes it, if there is one, and reads its definition.
void look_at_stopped(Capture& capture, Hypervisor& hypervisor);

// Does the mark of the parent still fit this disk?  If not, says why the increment must be whole.
std::optional<std::string> unfit(const Capture& capture, const Marks& marks, const Part& part,
                                 std::uint64_t size_now);

DiskResult disk_result(const Capture& capture, const Part& part, const CopyDisk& copy);
DocumentResult document_result(const Kept& kept);

// With KEEP_SUMS=YES: leaves the sums of a disk in the VM dir, as backup.<name>, for who starts
// backups on this machine.
void keep_sums(const Capture& capture, const std::string& name, const std::string& sums);

// Disks as they were at one point in time, in an NBD server, for as long as this object lives.  The
// destructor undoes: the guest runs as before, and the chain is as it was, unless commit() was
// called.
class Origin {
 public:
  virtual ~Origin() = default;

  virtual const std::vector<Part>& parts() const = 0;
  virtual std::vector<CopyDisk> disks() const = 0;  // in the order of the parts
  // Nobody reads any more.  Throws Error when the server cannot be ended.
  virtual void end() = 0;
  // The backup has all that the next increment builds upon: marks it.
  virtual void commit(const std::vector<CopyDisk>& disks) = 0;

  Result result;  // without its disks
};

// A running guest.  One libvirt transaction starts backup and checkpoint.
std::unique_ptr<Origin> open_live(Capture& capture, Hypervisor& hypervisor, Domain domain);

// The disks of a guest that is on another host: who called us lets it stand still there.
std::unique_ptr<Origin> open_on_bridge(Capture& capture);

// A running guest with INCREMENT_MODE=SNAPSHOT: new layers for its disks.
std::unique_ptr<Origin> open_layered_live(Capture& capture, Hypervisor& hypervisor,
                                          const Domain& domain);
std::unique_ptr<Origin> open_layered_offline(Capture& capture, Hypervisor& hypervisor);

// Merges what earlier increments with INCREMENT_MODE=SNAPSHOT have left, as far as the core has
// them now; nothing if there were none.
void look_after_layers(const HostRequest& request, Hypervisor& hypervisor);

// A VM that is off: nobody can start it meanwhile.  Throws Error when somebody has an image open.
std::unique_ptr<Origin> open_offline(Capture& capture);

}  // namespace host
