// SPDX-License-Identifier: Apache-2.0
// How far a step is, for whoever watches it: one small JSON document in the file that
// VMVAULT_PROGRESS names.  Without that variable nothing is written.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

class Progress {
 public:
  // `step` is "capture", "upload" or "restore"; `total` in bytes (0: not known yet).
  Progress(std::string step, std::uint64_t total);
  void total(std::uint64_t bytes) { total_ = bytes; }
  // So many bytes are done.  Cheap: writes at most four times a second, and when done reaches
  // total. Never throws: progress is not worth a backup.  Not for two threads at a time.
  void at(std::uint64_t done) noexcept;

 private:
  std::string step_;
  std::uint64_t total_;
  std::optional<std::chrono::steady_clock::time_point> written_;
};

// What the file says now: {"step":"capture","done":1048576,"total":4194304}; nullopt for none, or
// while it is being written.
struct ProgressReport {
  std::string step;
  std::uint64_t done = 0, total = 0;
};
std::optional<ProgressReport> read_progress(const std::string& path);
