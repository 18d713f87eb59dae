// SPDX-License-Identifier: Apache-2.0
// The backups that are ours: from the request to the answer, also over the death of this driver.
#pragma once

#include <poll.h>

#include <filesystem>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "common/file.h"
#include "common/handle.h"
#include "drivers/lib/driver_record.h"
#include "drivers/lib/mad_message.h"
#include "drivers/lib/mad_pool.h"
#include "drivers/vmm/lib/outbound.h"

namespace front {

class Backups {
 public:
  struct Places {
    std::filesystem::path records;  // made if need be
    std::filesystem::path remotes;
    int slots = 15;  // backups that run at a time
  };

  // Takes over what an earlier driver has left: a result goes to the core if the VM still waits for
  // one.  An earlier one that still lives may have to read what its core said last: until it is
  // gone, nobody knows what was begun, so that it is waited for, for a minute.  Throws
  // std::exception when the directory cannot be had.
  Backups(Places places, Outbound& out);

  // A BACKUP that vmm/kvm/backup serves.  What the VM had before is over: the core asks for a
  // backup only when it does not wait for another.
  void begin(const mad::Message& message);
  // A BACKUPCANCEL.  False: no backup of ours runs for this VM.
  bool cancel(const mad::Message& message);
  // A DRIVER_CANCEL: stopped, and nobody hears of it.
  void drop(std::int64_t vm_id);
  void watch(std::vector<pollfd>& fds) const;
  int timeout() const;  // for poll(): milliseconds, or -1
  void advance();       // never waits
  // Everything goes on without us.
  void let_go() noexcept;

 private:
  struct Kept {
    Record record;
    std::optional<mad::Work> keeper{};    // of a backup that this driver began
    std::optional<mad::Work> question{};  // whether the core waits for the result
    bool over = false;                    // no keeper any more
    bool stopped = false;                 // by us
    bool to_stop = false;                 // as soon as we know whom
    bool unwanted = false;
    bool lost = false;  // the core waits for a later one, of which there is nothing
  };

  void adopt();
  void stop(Kept& kept);
  bool has_ended(Kept& kept);
  // True: there is nothing more to do for it.
  bool go_on(Kept& kept);
  void ask(Kept& kept);
  bool is_wanted(int answer, const Record& record) const;
  std::ptrdiff_t questions() const;
  void forget(const Record& record);
  void deliver(const Kept& kept);
  void log(char severity, std::int64_t vm_id, const std::string& text);

  Places places_;
  Outbound& out_;
  std::optional<FileLock> alone_;  // no other driver takes orders here
  std::list<Kept> kept_;
  mad::Pool cancels_{15};
  Fd changes_;  // of the records' logs
};

}  // namespace front
