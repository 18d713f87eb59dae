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

  // --- backup images (contract 1.11, 1.12) ---
  // WrongState for one that is protected, worked on, or that has increments still being made.
  virtual void delete_image(int image) = 0;
  // The oldest increments become one, so that `keep` stay.
  virtual void flatten(int image, int keep) = 0;
  virtual void protect(int image, bool is_protected) = 0;

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
  // RPO, PRIORITY, KEEP_*, MAX_BACKUPS, BACKUP_WINDOW of a backup datastore; empty values go.
  virtual void configure_datastore(int datastore, const Attributes& attributes) = 0;
  // One of this name: changed, or new.  `limit`: MAX_BACKUPS_HOST of its own.
  virtual int put_host(const std::string& name, const std::string& uri,
                       const std::string& emulator_cpus, std::optional<int> limit) = 0;
  virtual void remove_host(int host) = 0;

  // Why each that waits does, what runs, limits.
  virtual const Scheduler& scheduler() const = 0;
};

}  // namespace vmvaultd
