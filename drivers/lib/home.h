// SPDX-License-Identifier: Apache-2.0
// The embedded default: where a machine without an OpenNebula keeps its backups and what they need.
//
//   <var>/state.db            machines, images, increments (drivers/lib/store.h)
//   <var>/restic.password     the repository's password, mode 0600: the one truth
//   <var>/datastores/100.xml  the datastore as the drivers read it, mode 0600; others beside it
//   <var>/repo/<vm id>        the restic repositories
//   <var>/hosts/<host>.uri    the URI of another host's libvirt, as it is there
//   <var>/vms/<uuid>          a machine's directory; <var>/vms/<vm id> is a link to it
//   <var>/vms/<vm id>.restore a restore in place that is not begun (drivers/lib/restore_order.h)
//   <var>/work.*              what a command needs while it works
//   <var>/reading.lock        who reads which image (drivers/lib/reading.h)
//   <var>/vms/<uuid>/host     the host of its last backup, where that was ever another one
#pragma once

#include <filesystem>
#include <string>

#include "common/file.h"
#include "common/one/xml.h"

namespace state {

inline constexpr int default_datastore = 100;

class Home {
 public:
  // Takes the directory as it is, and makes nothing.  BadRequest for a path that the wire cannot
  // carry (blanks and control characters: contract 1.3).
  explicit Home(std::filesystem::path var);

  const std::filesystem::path& var() const { return var_; }
  std::filesystem::path database() const { return var_ / "state.db"; }
  std::filesystem::path password_file() const { return var_ / "restic.password"; }
  std::filesystem::path repository() const { return var_ / "repo"; }
  std::filesystem::path datastore_file(int id) const;
  std::filesystem::path vm_dir(const std::string& uuid) const { return var_ / "vms" / uuid; }
  // The same directory by the machine's id: the name that the drivers are given, since a URL
  // tells the machine by the digits before "/backup/" (contract 3.11).
  std::filesystem::path vm_link(int id) const { return var_ / "vms" / std::to_string(id); }
  // How far a restore in the place of its disks is (common/one/progress.h).
  std::filesystem::path restore_progress(int vm) const {
    return vm_link(vm).string() + ".progress";
  }

  // That it was ordered (drivers/lib/restore_order.h).
  std::filesystem::path restore_order(int vm) const { return vm_link(vm).string() + ".restore"; }

  // How far the download of a disk image is.
  std::filesystem::path image_progress(int disk_image) const {
    return var_ / "images" / (std::to_string(disk_image) + ".progress");
  }

  // How far its backup is: the orchestrator's (vmm/lib/state.h).
  std::filesystem::path backup_progress(int vm) const {
    return var_ / "vmm" / (std::to_string(vm) + ".progress");
  }

  // The same on another host, whose own vmvault has numbers of its own.
  std::filesystem::path dir_on(const std::string& host, const std::string& uuid, int id) const {
    return host == "localhost" ? vm_link(id) : vm_dir(uuid) / std::to_string(id);
  }

  // Makes what is missing: directories, password, datastore 100.  True if the password is new.
  // For root the directories may be passed through by qemu's user, but not listed; secrets are
  // files of mode 0600.  An Error when the password is lost while a repository needs it, and as
  // refuse_lost_state().
  // What was left by those who were killed (drivers/lib/work_dir.h) goes.
  bool prepare() const;

  // Of the state directory, for moments.
  FileLock lock() const;

  // An Error where a new state file would take the place of one that is lost: repositories are
  // here, and there is none, or an empty one.
  void refuse_lost_state() const;

  // The description of another datastore, for the drivers.  Replaces what is there.
  void write_datastore(int id, const Xml& datastore) const;

  // Where its libvirt is, for drivers (common/one/core.h).
  void note_host(const std::string& host, const std::string& uri) const;

  // Where the machine was backed up last.
  std::string last_host(const std::string& uuid) const;
  void note_last_host(const std::string& uuid, const std::string& host) const;

  // A machine's directory and its link.
  void prepare_vm(int id, const std::string& uuid) const;

  // The datastore with its secrets, as prepare() left it.  An Error names it when it is unknown,
  // and when its repositories are not where it says, but here: the directory was moved.
  Xml datastore(int id) const;

  // The repositories of the default datastore are those of another state directory: a sentence with
  // what to do, or nothing.
  std::string why_of_another() const;
  // They are here and not where its description says: it is corrected.
  void take_repositories() const;

 private:
  bool has_repositories() const;
  bool make_password() const;
  void make_datastore() const;
  Xml described(int id) const;
  bool is_of_another_state(const std::filesystem::path& base) const;
  bool has_moved(const Xml& datastore) const;
  std::filesystem::path var_;
};

}  // namespace state
