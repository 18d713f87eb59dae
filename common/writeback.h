// SPDX-License-Identifier: Apache-2.0
// Keeps the disk busy while a file is written from its beginning to its end: not all is left to the
// last fsync, and what the disk has not taken yet fills no more than a part of the memory.
#pragma once

#include <cstdint>

class Writeback {
 public:
  // Nothing is written before `from`.
  explicit Writeback(int fd, std::uint64_t from = 0) : fd_{fd}, from_{from}, asked_{from} {}

  // All before `offset` is written.  May wait for the disk.  Only a hint, see sync_file_range(2):
  // what it cannot do, or what goes wrong meanwhile, is the last fsync's.
  void reached(std::uint64_t offset);

 private:
  int fd_;
  std::uint64_t from_;
  std::uint64_t asked_;  // the system has been asked to write what is before
};
