// SPDX-License-Identifier: Apache-2.0
// Change tracking of a running domain: what of each disk an increment has to hold.
#pragma once

#include <string>
#include <vector>

#include "tm/host/lib/capture.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/live_disk.h"

namespace host {

class Tracking {
 public:
  // Decides for every disk, as far as it can be known before libvirt is asked to begin: since the
  // parent where bitmap, marks and image fit together, else everything, and why.
  Tracking(const Capture& capture, const Domain& domain, const LiveDomain& live);

  const std::vector<Part>& parts() const { return parts_; }
  bool any_since_parent() const { return !targets_since_parent().empty(); }
  // libvirt says that a bitmap is missing or broken: no disk is taken since the parent.
  void lost(const std::string& why);

  // Keeps the parent, removes older checkpoints and what a failed attempt left (design.md 3.1).
  void tidy();
  // qemu has a bitmap of the new checkpoint's name that neither libvirt nor the image file knows:
  // in the overlay that a snapshot of others has made, which gets copies of all that there are.
  // Throws VirtError.
  void remove_namesake();
  // The new checkpoint is about to begin.
  void announce() const;
  // The new checkpoint has begun, and the backup is whole: marks it for the next increment.
  void mark(const std::vector<CopyDisk>& copies);

 private:
  void find_parent();
  std::string kept_bitmap() const;
  void tell_of_unknown_bitmaps();
  std::vector<std::string> targets_since_parent() const;
  std::vector<std::string> everything_but(const std::vector<std::string>& targets) const;

  const Capture& capture_;
  const Domain& domain_;
  const LiveDomain& live_;
  Marks marks_;
  Checkpoints checkpoints_;
  std::vector<Part> parts_;
};

}  // namespace host
