// SPDX-License-Identifier: Apache-2.0
// An upload until it is whole: <name>.partial, in which one process or several work.
//
// Who takes it holds its lock alone for a moment, writes a new token into ".state", and from then
// on shares the lock with those who join by that token.  So nobody takes it, or removes it, as long
// as one of them lives, and nobody joins who was meant for an earlier time.  What is whole is noted
// in a file for each, ".done.<file>", by whoever received it.
//
// A process whose connection died without a word does not notice for hours.  But the same upload
// can come under the same name only from the sender who has lost that connection: as long as it
// waits for the lock it holds another one, on ".wanted", and whoever hears nothing gives way.
#pragma once

#include <map>
#include <string>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

class Partial {
 public:
  // The one that was cut off with this key, or a new one; under the name which the upload wants
  // unless that is taken.  Waits some seconds for processes that are about to end.  What a dead one
  // left under that name, and cannot be gone on with, is removed.
  static Partial take(const Dir& vm, const Upload& upload);
  // The one of this name, as one more of those who work on it.  Throws Error.
  static Partial join(const Dir& vm, const Upload& upload, const std::string& token);

  const std::string& name() const { return name_; }
  const std::string& token() const { return token_; }
  const Dir& dir() const { return dir_; }
  // The files that are whole, on disk, and found right: by now, by anybody.
  std::map<std::string, Had> done() const;

  // The file as it is, or a new one in its place; to read and to write, for nobody else as long as
  // it is open.  Error: somebody else has it.
  Fd claim(const std::string& file) const;
  Fd begin(const std::string& file) const;

  void note_done(const std::string& file, const Had& had) const;
  void note_undone(const std::string& file) const;

  // Does the sender of this upload wait, over another connection, for those who work on it to end?
  bool is_wanted() const;
  void leave() { lock_.reset(); }
  // Nobody else works on it, from now on.  Error: somebody does.
  void close() const;
  // Gives it its name, when all in it is on disk already, and it is closed.
  void commit();
  void discard();

 private:
  Partial(const Dir& vm, std::string name, std::string token, Dir dir, Fd lock);
  static std::optional<Partial> resumed(const Dir& vm, const std::string& name,
                                        const Upload& upload);
  static std::optional<Partial> made(const Dir& vm, const std::string& name, const Upload& upload);
  static void remove_dead(const Dir& vm, const Upload& upload);
  bool share(const std::string& key);

  const Dir& vm_;
  std::string name_, token_;
  Dir dir_;
  Fd lock_;
};

}  // namespace rsync
