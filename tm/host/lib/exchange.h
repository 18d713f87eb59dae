// SPDX-License-Identifier: Apache-2.0
// Files and directories that are exchanged for others all together, or not at all, whoever dies in
// the middle.
//
// For each place the new file is made beside it, as <place>.vmvault-new.  Then each old one becomes
// <place>.vmvault-old, and the new one takes the place.  The old ones stay until all are done.
// <vm dir>/restore.journal says how far that is; it is fsynced before each step.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace host {

struct Exchange {
  enum class Phase {
    preparing,  // new ones are being made; nothing has changed
    swapping,   // some places may have their new ones: to be undone
    undone,     // what was swapped is as it was before
    done,       // all places have their new ones: old ones are to be removed
  };
  struct Place {
    std::filesystem::path path;
    bool had = false;  // something was there before
  };

  int vm_id = -1;
  Phase phase = Phase::preparing;
  std::vector<Place> places;

  std::string to_text() const;
  static Exchange parse(const std::string& text);  // Error for anything that we did not write
  static std::optional<Exchange> load(const std::filesystem::path& vm_dir);
  void save(const std::filesystem::path& vm_dir) const;
};

std::filesystem::path new_of(const std::filesystem::path& place);
std::filesystem::path old_of(const std::filesystem::path& place);

// Makes a journal, after the removal of what earlier ones left.  The caller holds the VM's lock, as
// for all of these.
void prepare_exchange(const std::filesystem::path& vm_dir, Exchange exchange);

// Each place gets its new file; one that has none becomes empty.  Throws Error, when everything is
// as before.  Not to be cancelled.
void swap_places(const std::filesystem::path& vm_dir);

// For whoever finds the journal of a dead one: undoes a swap, or completes one that was done.
// One that only prepares is left alone.
void settle_exchange(const std::filesystem::path& vm_dir);

enum class Outcome { restored, undone };
// The same, and removes what was prepared, and the journal.  No journal: it was done and is over.
Outcome end_exchange(const std::filesystem::path& vm_dir);

}  // namespace host
