// SPDX-License-Identifier: Apache-2.0
// A backup that was asked for, in a directory that outlives the driver: <var
// dir>/mad/<hypervisor>/<vm id>.<random>.
//
//   lock      held by its keeper, the process that runs the backup (see keeper.h)
//   keeper    which process that is
//   log       lines for the core, as they come; `told` of its bytes have gone there
//   before    what the VM had of backups when this one was asked for; none: an older version's
//   unwanted  nobody waits for the result any more
//   result    the line that answers the request; durable before anybody is told of it
//   sent      the same, once it was written to the core's pipe: whether the core has read it, only
//             the VM's state tells
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/file.h"
#include "common/handle.h"
#include "common/process.h"

namespace front {

class Record {
 public:
  // A new one, with its directory.  Throws Error.
  static Record make(const std::filesystem::path& parent, std::int64_t vm_id);
  // Those that are there.
  static std::vector<Record> all(const std::filesystem::path& parent);
  // The one of this directory; nullopt if its name is none of a record.
  static std::optional<Record> at(const std::filesystem::path& path);

  std::int64_t vm_id() const { return vm_id_; }
  const std::filesystem::path& path() const { return path_; }

  // The lock; nullopt while a keeper has it.
  std::optional<FileLock> try_lock() const { return FileLock::try_lock(path_ / "lock"); }
  void keep() const;                               // this process is its keeper
  std::optional<Process> keeper() const;           // if it has begun
  void note_before(const std::string& had) const;  // durable when it returns
  std::optional<std::string> before() const;
  // Whole lines of the log that the core was not told yet; from now on it is.
  std::string take_log() const;

  void unwant() const noexcept;
  bool unwanted() const;
  void finish(const std::string& line) const;  // durable when it returns
  std::optional<std::string> result() const;   // that is not sent
  std::optional<std::string> sent() const;
  std::optional<std::int64_t> ended() const;  // when the result was there, in seconds
  bool sent_long_ago() const;                 // so that nobody needs it any more
  void mark_sent() const noexcept;
  void remove() const noexcept;

 private:
  Record(std::filesystem::path path, std::int64_t vm_id) : path_{std::move(path)}, vm_id_{vm_id} {}

  std::filesystem::path path_;
  std::int64_t vm_id_;
};

}  // namespace front
