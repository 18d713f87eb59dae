// SPDX-License-Identifier: Apache-2.0
// Places where a backup of this front-end may have left something: <var dir>/hosts/<vm id>.
//
// Every backup that ended in an orderly way has taken its entries back.  What stays is put right by
// the next backup of the VM, whichever host that uses; and somebody who comes by regularly (a
// datastore's monitor) asks the host to.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

// Where the backups that run on this machine are registered (tm/host/lib/register.h).
std::filesystem::path register_of_this_host();

// Where one machine keeps what it needs for a backup of a VM.
struct LeftPlace {
  std::string host;
  bool bridge = false;        // the guest is on another host
  std::filesystem::path dir;  // empty: an older version did not say, and it was the VM's own
  bool operator==(const LeftPlace&) const = default;
};

std::vector<LeftPlace> left_places(int vm_id);
void enter_place(int vm_id, const LeftPlace& place);
void strike_out_place(int vm_id, const LeftPlace& place) noexcept;

// Runs `backup_host recover --all` on this machine, if anything is registered, and on every host
// that is entered for a VM on which nobody works any more.  Takes a minute and a half at most; what
// cannot be done is logged, not thrown.
void recover_left_hosts() noexcept;
