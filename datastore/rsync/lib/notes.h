// SPDX-License-Identifier: Apache-2.0
// Backups on the server of which nobody has been told, or may not have been.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "datastore/rsync/lib/store.h"

namespace rsync {

// Their names, in a file that outlives us: <var dir>/rsync-run.<datastore>.<vm>.  Changes are
// durable when a call returns.  For one process at a time: see Running.  Those of a copy of the
// file, or from before the last boot, are only named in the log: they may be good backups by now.
class Notes {
 public:
  Notes(int datastore, int vm);

  // A backup of this name may appear from now on; `run` is what the orchestrator calls it, or
  // empty.
  void add(const std::string& name, const std::string& run);
  // It is one now.  By its run, if it has one, it is still found.
  void claim(const std::string& name);
  void drop(const std::string& name);
  void drop_claimed();  // whoever wanted to discard them would have done so

  // The names of this run, which are nobody's from now on.
  std::vector<std::string> disown(const std::string& run);
  std::vector<std::string> unclaimed() const;

 private:
  struct Note {
    std::string name, run;
    bool claimed = false;
  };
  void save() const;

  std::filesystem::path file_;
  std::vector<Note> notes_;
};

// Removes from the store what these notes call unclaimed.  What cannot be removed now is logged,
// and stays for the next time.
void remove_unclaimed(Notes& notes, Store& store, int vm);

// The name that a backup gets, until it is known to be good.
class Unclaimed {
 public:
  // A new name.  The run is VMVAULT_RUN of the environment, if it is there.
  Unclaimed(Notes& notes, Store& store, int vm, const Store::Listing& taken);
  Unclaimed(const Unclaimed&) = delete;
  Unclaimed& operator=(const Unclaimed&) = delete;
  // Unclaimed: no backup of the name stays, and after a cancellation nothing of it; or a line of
  // the log says that something may.
  ~Unclaimed();

  const std::string& name() const { return name_; }
  // From now on it is a backup, and `tell` says so; it is none if that throws.
  void claim(const std::function<void()>& tell);

 private:
  Notes& notes_;
  Store& store_;
  int vm_;
  std::string name_;
  bool claimed_ = false;
};

// BadRequest unless it is the name of a run: 16 hexadecimal digits.
void check_run(const std::string& run);

}  // namespace rsync
