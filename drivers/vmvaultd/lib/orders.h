// SPDX-License-Identifier: Apache-2.0
// Everything that people may order of the service.
//
// For its loop: other threads call these through the Inbox.  None of them waits for a driver; what
// they have changed is durable when they return.  Refused orders throw as refusals.h has it, and
// have changed nothing.  Who may order what is the caller's business.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/vmvaultd/lib/inbox.h"
#include "drivers/vmvaultd/lib/refusals.h"
#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

// Attributes of a template, by name in upper case: "KEEP_LAST" -> "7".
using Attributes = std::map<std::string, std::string, std::less<>>;

struct RestoreWish {
  int image = -1, increment = -1, disk = -1;
  int datastore = -1;  // of images
  std::string name{};  // of the machine; empty: <VM id>-<the store's name>
  bool no_ip = false, no_nic = false;
  int owner = 0;
};
struct Restored {
  int template_id = -1;  // -1: one disk only
  std::vector<int> images{};
};

class Orders {
 public:
  virtual ~Orders() = default;

  // --- machines (contract 1.3, 1.8, 4.1) ---
  // A backup, as soon as the limits allow it; one that waits already is the same.  `datastore` -1:
  // the machine's own, or the service's.
  virtual void backup(int vm, int datastore, bool reset) = 0;
  // Of what waits and of what runs, which ends soon.  WrongState when there is neither.
  virtual void cancel(int vm) = 0;
  // Its BACKUP_CONFIG (vm_config.h), whole or (`append`) only what is named.  WrongState while it
  // is backed up.
  virtual void configure_vm(int vm, const Attributes& config, bool append) = 0;
  // The RPO that holds for it while it has none of its own, seconds; 0: none.
  virtual Time usual_rpo(int vm) const = 0;

  // --- backup images (contract 1.11, 1.12) ---
  // WrongState for one that is protected, worked on, or that has increments still being made.  Of a
  // disk image, too: its file goes.
  // `force`: it is gone here also when its datastore says no.
  virtual void delete_image(int image, bool force = false) = 0;
  // The oldest increments become one, so that `keep` stay.
  virtual void flatten(int image, int keep) = 0;
  virtual void protect(int image, bool is_protected) = 0;

  // --- restores (contract 1.9, 1.10) ---
  // New objects: disk images in an image datastore, and (`disk` -1) a template with a domain.xml.
  // They are there at once, LOCKED until their files are.
  virtual Restored restore(const RestoreWish& wish) = 0;
  // In the place of the disks of a machine that is powered off (drivers/lib/restores.h says what
  // became of it).  Increment -1: the last; disk -1: all.  WrongState where its host is not
  // enabled.
  virtual void restore_in_place(int vm, int image, int increment, int disk) = 0;
  virtual int add_template(const std::string& name, int owner, const std::string& text) = 0;
  // With these of its images, or nothing of it goes.
  virtual void delete_template(int id, const std::vector<int>& images = {}) = 0;
  // A directory for disk images.
  virtual int add_image_datastore(const std::string& name, const std::string& dir) = 0;

  // --- backup jobs (contract 5.7); their template's attributes ---
  virtual int create_job(const std::string& name, int owner, const Attributes& attributes) = 0;
  virtual void update_job(int job, const Attributes& attributes, bool append) = 0;
  virtual void rename_job(int job, const std::string& name) = 0;
  virtual void set_job_priority(int job, int priority) = 0;
  virtual void delete_job(int job) = 0;
  virtual void execute_job(int job) = 0;
  virtual void cancel_job(int job) = 0;
  virtual void retry_job(int job) = 0;

  // --- scheduled actions (contract 5.8) ---
  // Its id is ignored, and a new one returned.
  virtual int add_action(const Action& action) = 0;
  // The one of this id, of this VM or job.
  virtual void update_action(const Action& action) = 0;
  virtual void remove_action(Subject subject, int parent, int action) = 0;

  // --- datastores and hosts ---
  // For backups: what its driver is told (drivers/lib/backup_datastores.h), and rules as below.
  virtual int add_datastore(const Attributes& attributes) = 0;
  // RPO, PRIORITY, KEEP_*, MAX_BACKUPS, BACKUP_WINDOW of a backup datastore, where an empty value
  // goes back to the service's; and what its driver is told.
  virtual void configure_datastore(int datastore, const Attributes& attributes) = 0;
  virtual void rename_datastore(int datastore, const std::string& name) = 0;
  // Of either kind; what is stored there stays.  WrongState while an image is in it, or will be, or
  // something is to be backed up to it.
  virtual void delete_datastore(int datastore) = 0;
  // A host whose libvirt is there (drivers/lib/host_uri.h); its id.
  virtual int add_host(const std::string& name, const std::string& uri) = 0;
  // WrongState for this machine, and while a backup or a restore runs there.  What was backed up
  // stays.
  virtual void delete_host(int host) = 0;
  // MAX_BACKUPS (of its own), EMULATOR_CPUS, URI (of another machine's); an empty value goes.
  virtual void configure_host(int host, const Attributes& attributes) = 0;
  // Disabled: nothing begins there, and its machines are still known; offline: it is not asked for
  // them either.  What has begun goes on.
  virtual void set_host_status(int host, Host::Status status) = 0;
  // It is reached as before: its URI stays.  WrongState for this machine.
  virtual void rename_host(int host, const std::string& name) = 0;

  // Why each that waits does, what runs, limits.
  virtual const Scheduler& scheduler() const = 0;
};

}  // namespace vmvaultd
