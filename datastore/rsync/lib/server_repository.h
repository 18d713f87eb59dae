// SPDX-License-Identifier: Apache-2.0
// The backups of one VM on the server: <base>/<vm>/<six hexadecimal digits>/.
//
// Beside them may lie, until somebody removes them: <name>.partial, an upload; <name>.flat and
// <name>.old, a flatten; <name>.<anything>.gone, what is being removed.  Who works in the first
// two holds a lock on the file ".lock" in them (flock), by which others know that he lives.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

inline constexpr std::string_view partial_suffix = ".partial";
inline constexpr std::string_view flat_suffix = ".flat";
inline constexpr std::string_view old_suffix = ".old";

// The name of the backup in front of this suffix; nullopt: something else.
std::optional<std::string> without_suffix(std::string_view name, std::string_view suffix);

// The lock of such a directory; nullopt: somebody else holds it, or it is not there any more.
std::optional<Fd> lock_directory(const Dir& parent, const std::string& name, const Dir& dir);
// The same, but waits so long for a holder that is about to end.
std::optional<Fd> lock_directory_soon(const Dir& parent, const std::string& name, const Dir& dir,
                                      std::chrono::milliseconds at_most);

class Repository {
 public:
  Repository(std::string base, int vm);

  std::optional<Dir> find() const;  // the VM's directory
  Dir at() const;                   // Error: not there
  Dir make() const;

  // Of these names, or of all: their files; nullopt: it is not there.
  using Files = std::vector<Dir::Entry>;
  std::map<std::string, std::optional<Files>> list(const std::vector<std::string>& names) const;

  // With what a flatten left beside them, and the leftovers of dead uploads; an upload of one of
  // the names may need some seconds to die.  The names that were there.
  std::vector<std::string> remove(const std::vector<std::string>& names) const;

 private:
  std::string base_;
  std::string vm_;
};

// Its files as far as backups have such: nothing that begins with a dot.
Repository::Files files_of(const Dir& backup);
// Moved out of sight first, so that half of it is never found.  false: it was not there.
bool remove_backup(const Dir& vm, const std::string& name);
// Uploads that nobody works on, and what was being removed.
void remove_leftovers(const Dir& vm);

}  // namespace rsync
