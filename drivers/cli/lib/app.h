// SPDX-License-Identifier: Apache-2.0
// What every command of vmvault works with: the state, and the actions that do the work.
#pragma once

#include <string>

#include "common/command.h"
#include "common/file.h"
#include "drivers/lib/home.h"
#include "drivers/lib/store.h"
#include "drivers/lib/subject.h"

namespace cli {

class App {
 public:
  // Opens the state.  Where there is none, nothing is made: it is empty.
  explicit App(std::string libvirt_uri);
  // To be called before anything is kept: an Error in a copy.  The first time, makes the state, and
  // tells the user where the password is.
  void make_state();
  bool has_state() const { return there_; }
  // The state looks after its backups, or an Error (drivers/lib/place.h).  For what only changes
  // what there is already: make_state() and lock() insist, too.
  void insist_on_place();

  const std::string& uri() const { return uri_; }
  const state::Home& home() const { return home_; }
  state::Store& store() { return store_; }
  const state::Store& store() const { return store_; }

  // An action ("datastore/restic/rm") with the environment that ours need.
  Command action(const std::string& name) const;
  // An action of a datastore's driver.
  Command datastore_action(int datastore, const std::string& name) const;

  // The image, or an Error that says how to find what there is.
  state::ImageRecord image(int id) const;
  // Nobody else backs up this machine, or deletes from its chains, while the lock is held.  An
  // Error in a copy.
  FileLock lock(const state::VmRecord& vm);

 private:
  std::string uri_;
  state::Home home_;
  bool there_;
  state::Store store_;
};

// As guest::find_subject(); its notes are told.
guest::Subject found_subject(const App& app, const std::string& domain, bool force);

// Success, or an Error: `doing`, and the cause in the action's own words.  Cancelled if it was.
void insist(const Finished& finished, const std::string& doing);

}  // namespace cli
