// SPDX-License-Identifier: Apache-2.0
// Takes the orders of people: checks them against what there is, and tells the manager.
#pragma once

#include <functional>

#include "drivers/lib/backup_datastores.h"
#include "drivers/lib/reading.h"
#include "drivers/lib/restores.h"
#include "drivers/vmvaultd/lib/manager.h"
#include "drivers/vmvaultd/lib/orders.h"

namespace vmvaultd {

class Desk : public Orders {
 public:
  Desk(state::Store& store, const state::Home& home, Manager& manager, std::function<Time()> clock)
      : store_{store},
        home_{home},
        pools_{store},
        restores_{store},
        datastores_{store, home},
        manager_{manager},
        clock_{std::move(clock)} {}

  void backup(int vm, int datastore, bool reset) override;
  void cancel(int vm) override;
  void configure_vm(int vm, const Attributes& config, bool append) override;
  Time usual_rpo(int vm) const override;

  void delete_image(int image, bool force = false) override;
  void flatten(int image, int keep) override;
  void protect(int image, bool is_protected) override;

  Restored restore(const RestoreWish& wish) override;
  void restore_in_place(int vm, int image, int increment, int disk) override;
  int add_template(const std::string& name, int owner, const std::string& text) override;
  void delete_template(int id, const std::vector<int>& images = {}) override;
  int add_image_datastore(const std::string& name, const std::string& dir) override;

  int create_job(const std::string& name, int owner, const Attributes& attributes) override;
  void update_job(int job, const Attributes& attributes, bool append) override;
  void rename_job(int job, const std::string& name) override;
  void set_job_priority(int job, int priority) override;
  void delete_job(int job) override;
  void execute_job(int job) override;
  void cancel_job(int job) override;
  void retry_job(int job) override;

  int add_action(const Action& action) override;
  void update_action(const Action& action) override;
  void remove_action(Subject subject, int parent, int action) override;

  int add_datastore(const Attributes& attributes) override;
  void configure_datastore(int datastore, const Attributes& attributes) override;
  void rename_datastore(int datastore, const std::string& name) override;
  void delete_datastore(int datastore) override;
  int add_host(const std::string& name, const std::string& uri) override;
  void delete_host(int host) override;
  void configure_host(int host, const Attributes& attributes) override;
  void set_host_status(int host, Host::Status status) override;
  void rename_host(int host, const std::string& name) override;

  const Scheduler& scheduler() const override { return manager_.scheduler(); }

 private:
  state::VmRecord vm(int id) const;
  state::ImageRecord image(int id) const;
  void insist_on_datastore(int id) const;
  void insist_on_no_job(int vm) const;
  bool is_of_images(int datastore) const;
  void delete_image_datastore(int datastore);
  std::filesystem::path directory(int image_datastore) const;
  bool mark_disk_deleting(int image);
  HostRecord host(int id) const;
  void check_host_name(const std::string& name) const;
  // Of another machine, and of no other host.
  void check_uri(const std::string& uri, int host) const;
  // Whose increments are not made now, and on which nobody else works.
  state::ImageRecord free_image(int id, std::optional<FileLock>& lock) const;
  // Nobody begins to read it while what is returned is kept.
  state::Reading insist_unneeded(const state::ImageRecord& image) const;
  // The point that is meant: its increment is known then.
  state::Origin origin(const state::ImageRecord& image, int increment, int disk) const;
  Job job(int id) const;
  Action action(Subject subject, int parent, int id) const;
  void insist_on_parent(const Action& action) const;
  Attributes job_attributes(int id) const;
  void put_job(int id, const Attributes& attributes);

  state::Store& store_;
  const state::Home& home_;
  Pools pools_;
  state::Restores restores_;
  state::BackupDatastores datastores_;
  Manager& manager_;
  std::function<Time()> clock_;
};

}  // namespace vmvaultd
