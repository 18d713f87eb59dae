// SPDX-License-Identifier: Apache-2.0
// Whether a chain of increments is what was backed up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/one/capture_result.h"
#include "common/one/chain.h"
#include "common/one/progress.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// One disk of one increment.  A problem is a sentence; empty: there is none.
struct DiskReport {
  int id = -1;
  std::string file;
  std::uint64_t size = 0;
  bool sums = false;    // there are checksums taken when it was captured
  bool proven = false;  // it was read, and is what they say
  std::string problem;
  std::optional<std::uint64_t> offset, guest_offset;  // of the problem: in the file, on the disk
};

struct IncrementReport {
  int id = 0;
  std::string snapshot;
  std::string problem;  // with what is not a disk's
  std::vector<DiskReport> disks;
};

struct Report {
  std::string repository;  // what restic's own check says
  std::vector<IncrementReport> increments;

  std::string to_json() const;
};

// disk.<id>.<anything>: the disk's id.
std::optional<int> disk_id_of(const std::string& name);
// One more problem of the same thing.
void add_problem(std::string& problem, const std::string& text);

class Verification {
 public:
  // `known`: a directory with what the caller has from the capture, which counts more than what
  // lies in the repository: sums.<disk>.<increment>, vmvault.json.<increment>; each may be missing.
  // Empty: nothing.
  Verification(const Restic& restic, const Chain& chain, std::filesystem::path known);

  // What costs little: restic's check of its metadata; that each snapshot is there, with each file
  // in its size.  Throws Error where that cannot be known, Cancelled.
  void check_structure();
  // Reads every file, merges each disk as a restore does, and compares.  After the other.
  void read_data();

  const Report& report() const { return report_; }

 private:
  using Sizes = std::map<std::string, std::uint64_t>;

  struct Part {
    Sizes files;                          // by path
    std::optional<CaptureResult> result;  // if it speaks of these files
    bool merged = false;                  // by a flatten: what is beside the disks is not of them
  };

  std::optional<std::string> ask(const std::vector<std::string>& args, const std::string& what,
                                 std::string& problem) const;
  void check_repository();
  bool list(std::size_t i);
  void learn(std::size_t i);
  void check_disks(std::size_t i);
  static void check_size(const Part& part, DiskReport& disk);
  void check_sums(const Part& part, const Sizes& sizes, DiskReport& disk) const;
  void compare_disks();
  // The text of a document; nullopt if there is none, or it cannot be read, which is noted.
  std::optional<std::string> file_of(std::size_t i, const std::string& name);
  std::optional<std::string> sums_of(std::size_t i, DiskReport& disk);
  void read_documents(std::size_t i);
  void read_disk(int id, Progress& progress);

  const Restic& restic_;
  std::filesystem::path known_;
  std::vector<Part> parts_;  // of the increments
  std::uint64_t read_ = 0;   // bytes of disks
  Report report_;
};

}  // namespace restic
