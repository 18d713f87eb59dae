// SPDX-License-Identifier: Apache-2.0
// Datastores for backups come and go (contract 3.1, 5.1).
//
// One that went is a row without a name: its number is never another's, and the history of backups
// still knows it.  What is stored there is nobody's business here.
#pragma once

#include <string>
#include <string_view>

#include "drivers/lib/home.h"
#include "drivers/lib/store.h"

namespace state {

class BackupDatastores {
 public:
  // By name in upper case, as in the core's templates.
  using Attributes = Store::Settings;

  BackupDatastores(Store& store, const Home& home) : store_{store}, home_{home} {}

  // What its driver would be given of a datastore with these attributes if it were added now.
  // Without BASE_PATH its directory is <var>/datastores/<id>, as the core has it.  BadRequest,
  // which quotes no secret, for what cannot be one: no NAME or one that is taken, a DS_MAD that has
  // no driver here, attributes that its driver needs...
  Xml plan(const Attributes& attributes) const;
  // The same, and it is there: its id, above all that there ever were.
  int add(const Attributes& attributes);

  // What is said of it to its driver is replaced; an empty value goes.  BadRequest for what is not
  // changed (its driver, its directory...) or no attribute of its driver.
  void update(int id, const Attributes& changes);
  // Of images, too.  BadRequest for a name that cannot be, or is taken.
  void rename(int id, const std::string& name);

  // Why it has to stay, as one sentence; empty: it may go.
  std::string use(int id) const;
  // It is no more; the caller has asked for its use() in the same Store::together().  Of images,
  // too.
  void remove(int id);
  // Files with secrets of those that are no more, after a crash in between.
  void remove_leftovers();

 private:
  int next_id() const;
  void check_name(const std::string& name, int but = -1) const;
  Xml description(int id) const;
  Xml described(int id, const Attributes& attributes) const;
  std::string first(const char* sql, int id) const;

  Store& store_;
  const Home& home_;
};

// Of the service's scheduler, not of the driver: KEEP_LAST, RPO, MAX_BACKUPS...
bool is_datastore_rule(std::string_view name);

}  // namespace state
