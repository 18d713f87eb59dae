// SPDX-License-Identifier: Apache-2.0
// What the scheduler knows, in the state file: read at the beginning, and written as it changes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/lib/store.h"
#include "drivers/vmvaultd/lib/model.h"

namespace vmvaultd {

struct HostRecord {
  Host host;  // an id below 0: it gets one when it is put
  std::string name;
  std::string uri;            // of its libvirt
  std::string emulator_cpus;  // EMULATOR_CPUS
};

class Pools {
 public:
  // All functions throw as those of the store.  What several of them change is one change within
  // Store::together().
  explicit Pools(state::Store& store) : store_{store} {}

  // With this policy, which no file of state holds.
  State load(const Policy& policy) const;
  void save(const Changes& changes);

  // Changed, or, with an id below 0, new; its id, which is never another's.
  int put(const HostRecord& host);
  void remove_host(int id);
  std::vector<HostRecord> hosts() const;
  // How the datastore of this id is used; the store knows what it is.
  void put(const Datastore& datastore);

  // Ids that are never given twice, for what is put into the scheduler then.
  int new_job(const std::string& name, int owner, const std::string& job_template);
  int new_action();
  void rename_job(int id, const std::string& name);
  std::string job_template(int id) const;
  void put_job_template(int id, const std::string& text);

 private:
  void save_vm(const Vm& vm);
  void save_job(const Job& job);
  void save_action(const Action& action);
  void save_requests(int vm, const std::vector<Request>& requests);
  void remove(const char* table, const std::vector<int>& ids);

  state::Store& store_;
};

}  // namespace vmvaultd
