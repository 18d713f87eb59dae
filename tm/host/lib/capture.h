// SPDX-License-Identifier: Apache-2.0
// One capture: what live and offline ones share, and the two ways.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tm/host/lib/copy_disks.h"
#include "tm/host/lib/hypervisor.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/marks.h"
#include "tm/host/lib/result.h"
#include "tm/lib/host_request.h"

namespace host {

struct Capture {
  const HostRequest& request;
  Journal& journal;
  std::string domain_xml;  // filled where there is a domain

  int parent() const { return request.vm.backup.parent_id(); }
  int own() const { return request.vm.backup.own_id(); }
  bool cbt() const { return request.vm.backup.mode == Mode::increment; }
  std::filesystem::path file_of(int disk) const;  // in the backup dir
  Result new_result() const;
};

// One disk of a capture, and what it is going to be.
struct Part {
  int id = -1;
  std::string target;
  std::string format;
  std::filesystem::path image;
  bool bitmaps = false;       // the image can hold one: qcow2 version 3
  bool since_parent = false;  // only what changed since the parent
  std::string why;            // why not, where it could have been expected
};

// Does the mark of the parent still fit this disk?  If not, says why the increment must be whole.
std::optional<std::string> unfit(const Capture& capture, const Marks& marks, const Part& part,
                                 std::uint64_t size_now);

DiskResult disk_result(const Capture& capture, const Part& part, const CopyDisk& copy);

// A running guest.  One libvirt transaction starts backup and checkpoint; the data are copied to
// the backup dir; the job is ended.  When it throws, the guest runs as before and the chain is as
// it was.
Result capture_live(Capture& capture, Hypervisor& hypervisor, const Domain& domain);

// A VM that is off.  Throws VmStarted when somebody opened an image for writing first.
struct VmStarted : Error {
  using Error::Error;
};
Result capture_offline(Capture& capture);

}  // namespace host
