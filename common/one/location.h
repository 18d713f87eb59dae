// SPDX-License-Identifier: Apache-2.0
// Where things are: hosts, directories of a VM, the tree that this program was installed in.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

// "host:dir" of a command.  The directory is absolute and normal (no "//", "." or ".."): the
// core writes "/var/lib/one//datastores/0/12".
struct Location {
  std::string host;
  std::filesystem::path dir;

  // BadRequest when either part is missing, the host begins with '-', the path is relative
  // or holds "..", or either has a control character.
  static Location parse(std::string_view text);
};

// Absolute, without "//" and trailing "/"; BadRequest as Location::parse.
std::filesystem::path normal_path(std::string_view text);

// True for "localhost", loopback addresses, and this machine's own name, short or long
// (a user name before '@' makes no difference): no ssh is needed.
bool is_this_machine(std::string_view host);

// The root of the tree of actions that this program belongs to ("/var/lib/one/remotes",
// "PREFIX/libexec/vmvault", "build"): found from /proc/self/exe by the program's own
// contract name ("tm/qcow2/prebackup" is two levels below it).  VMVAULT_REMOTES overrides.
std::filesystem::path remotes_root();

// The root of the tree that `executable` lies in: "R" for "R/tm/qcow2/prebackup", else
// "P/libexec/vmvault" for "P/bin/vmvault".
std::filesystem::path tree_of(const std::filesystem::path& executable);

// The root of the same tree on other machines: SCRIPTS_REMOTE_DIR of the core's configuration,
// /var/tmp/one if there is none.  VMVAULT_REMOTE_DIR overrides.
std::filesystem::path remote_root();

// The core's own directory for variable files: $ONE_LOCATION/var, else /var/lib/one (contract 0.1).
std::filesystem::path core_var();

// Where a program of ours keeps what must outlive it: VMVAULT_VAR, else $ONE_LOCATION/var/vmvault,
// else /var/lib/one/vmvault where /var/lib/one is ours to write, else /var/lib/vmvault for root,
// else $XDG_STATE_HOME/vmvault (~/.local/state/vmvault).  Made with mode 0700 if need be.
std::filesystem::path var_dir();
// The same, but not made.
std::filesystem::path var_path();
