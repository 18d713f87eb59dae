// SPDX-License-Identifier: Apache-2.0
// Hosts where a backup of this front-end may have left something: <var dir>/hosts/<vm id>.
//
// Every backup that ended in an orderly way has taken its entry back.  For what stays, somebody
// who comes by regularly (a datastore's monitor) asks the host to put things right.
#pragma once

#include <filesystem>
#include <string>

// Where the backups that run on this machine are registered (tm/host/lib/register.h).
std::filesystem::path register_of_this_host();

void enter_host(int vm_id, const std::string& host);
void strike_out_host(int vm_id) noexcept;

// Runs `backup_host recover --all` on this machine, if anything is registered, and on every host
// that is entered for a VM on which nobody works any more.  Takes at most a minute; what cannot be
// done is logged, not thrown.
void recover_left_hosts() noexcept;
