// SPDX-License-Identifier: Apache-2.0
// An upload until it is whole: <name>.partial, locked.
#pragma once

#include <map>
#include <string>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

class Partial {
 public:
  // The one that was cut off with this key, or a new one; under the name which the upload wants
  // unless that is taken.  Waits a while for one of both that somebody still holds.
  static Partial take(const Dir& vm, const Upload& upload);

  const std::string& name() const { return name_; }
  const Dir& dir() const { return dir_; }
  // The files that are whole, on disk, and found right.
  const std::map<std::string, Had>& done() const { return done_; }

  void note_done(const std::string& file, const Had& had);
  void note_undone(const std::string& file);
  // Gives it its name, when all in it is on disk already.
  void commit();
  void discard();

 private:
  Partial(const Dir& vm, std::string name, std::string key, Dir dir, Fd lock);
  static std::optional<Partial> resumed(const Dir& vm, const std::string& name,
                                        const Upload& upload);
  static std::optional<Partial> awaited(const Dir& vm, const Upload& upload);
  static std::optional<Partial> made(const Dir& vm, const std::string& name, const Upload& upload);
  void write_state() const;

  const Dir& vm_;
  std::string name_, key_;
  Dir dir_;
  Fd lock_;
  std::map<std::string, Had> done_;
};

}  // namespace rsync
