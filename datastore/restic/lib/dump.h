// SPDX-License-Identifier: Apache-2.0
// A file of a snapshot as a stream of bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "datastore/lib/held.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// Each of many side by side has one thread: more would only cost memory.
enum class Threads { as_configured, one };

class Dump {
 public:
  // Starts `restic dump` at once; its end is ours.  `patience`: how long it may give nothing, in
  // seconds; then a read fails.  (restic tries for a quarter of an hour to read what is not there.)
  Dump(const Restic& restic, std::string snapshot, std::filesystem::path path, Threads threads,
       std::optional<std::chrono::seconds> patience = std::nullopt);
  Dump(const Dump&) = delete;
  Dump& operator=(const Dump&) = delete;
  // Ends it; one that has given nothing yet may need a few seconds until it can be ended.
  ~Dump();
  // The next bytes; 0: the end, and restic has succeeded.  Throws an Error that says what could not
  // be read, Cancelled.
  std::size_t read(std::span<std::byte> out);
  // Waits until it gives something, or has ended: it cannot do so before that, and has its lock.
  // Throws Cancelled, Error.
  void await();

 private:
  void start();
  bool wait();
  bool is_stuck() const;
  bool again(const Finished& finished);

  const Restic& restic_;
  std::string snapshot_;
  std::filesystem::path path_;
  Threads threads_;
  LockWait wait_;
  int connections_ = 1, stuck_ = 0;
  std::optional<Held> held_;
  std::optional<std::chrono::seconds> patience_;
  std::chrono::steady_clock::time_point started_;
  bool begun_ = false;
};

}  // namespace restic
