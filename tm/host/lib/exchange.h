// SPDX-License-Identifier: Apache-2.0
// Files, directories, images in Ceph and volumes of LVM that are exchanged for others all together,
// or not at all, whoever dies in the middle.
//
// For each place the new one is made beside it (see exchange_place.h).  Then all old ones are moved
// aside, and only when no place has one any more, the new ones move in: a VM that is started in the
// middle lacks a disk, but never has some of each.  The old ones stay until all are done.
// <vm dir>/restore.journal says how far that is; it is fsynced before each step.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tm/host/lib/exchange_place.h"

namespace host {

struct Exchange {
  enum class Phase {
    preparing,  // new ones are being made; nothing has changed
    swapping,   // some places may have their new ones: to be undone
    undone,     // what was swapped is as it was before
    done,       // all places have their new ones: old ones are to be removed
  };
  using Place = ExchangePlace;

  int vm_id = -1;
  Phase phase = Phase::preparing;
  std::vector<Place> places;

  std::string to_text() const;
  static Exchange parse(const std::string& text);  // Error for anything that we did not write
  static std::optional<Exchange> load(const std::filesystem::path& vm_dir);
  void save(const std::filesystem::path& vm_dir) const;
};

// Makes a journal, after the removal of what earlier ones left.  The caller holds the VM's lock, as
// for all of these, and so do programs that he starts: they may outlive him.
void prepare_exchange(const std::filesystem::path& vm_dir, Exchange exchange);

// Each place gets its new one; one that has none becomes empty.  The old ones and the journal stay
// for end_exchange(), since their removal may take hours (Ceph).  Throws Error, when everything is
// as before, or the cluster that could say so does not answer; also when an old one is in use then.
// The caller has entered vm_dir (register.h).  Not to be cancelled.
void swap_places(const std::filesystem::path& vm_dir);

// For whoever finds the journal of a dead one: undoes a swap, or completes one that was done.
// One that only prepares is left alone.
void settle_exchange(const std::filesystem::path& vm_dir);

enum class Outcome { restored, undone };
// The same, and removes what was prepared, and the journal.  No journal: it was done and is over.
Outcome end_exchange(const std::filesystem::path& vm_dir);

}  // namespace host
