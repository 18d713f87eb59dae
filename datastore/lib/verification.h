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
#include "common/qcow2/stream.h"

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
  std::string repository;  // what is wrong with all of it
  std::vector<IncrementReport> increments;

  std::string to_json() const;
};

// disk.<id>.<anything>: the disk's id.
std::optional<int> disk_id_of(const std::string& name);
// One more problem of the same thing.
void add_problem(std::string& problem, const std::string& text);

// A chain of increments as a store keeps it.  Each call may throw an Error: it cannot be known
// whether the backup is good; or Cancelled.
class StoredChain {
 public:
  using Sizes = std::map<std::string, std::uint64_t>;  // of files, by name

  StoredChain() = default;
  StoredChain(const StoredChain&) = delete;
  StoredChain& operator=(const StoredChain&) = delete;
  virtual ~StoredChain() = default;

  // What is wrong with the place itself; empty: nothing that is known.  Called before all others.
  virtual std::string check() = 0;
  // What the i-th increment is called there: "the snapshot aaaa0000".
  virtual std::string name(std::size_t i) const = 0;
  // Its files; nullopt: it cannot be read, and why was added to `problem`.
  virtual std::optional<Sizes> files(std::size_t i, std::string& problem) = 0;
  // The text of a small one; nullopt as above.
  virtual std::optional<std::string> document(std::size_t i, const std::string& file,
                                              std::string& problem) = 0;
  // Is this the text of a vm.xml?
  virtual bool is_vm(const std::string& text) const = 0;
  // Begins to read one.  What the source throws is taken for a fault of the file.
  virtual qcow2::Source open(std::size_t i, const std::string& file) = 0;
  // Throws Error when the place cannot be used (any more): what could not be read meanwhile may be
  // no fault of the backup.
  virtual void insist() = 0;
};

using Texts = std::map<std::string, std::string>;
// The files of a directory, by name; of "": none.
Texts texts_in(const std::filesystem::path& directory);

class Verification {
 public:
  // `known`: what the caller has from the capture, by name, which counts more than what is stored:
  // sums.<disk>.<increment>, vmvault.json.<increment>; each may be missing.
  Verification(StoredChain& stored, const Chain& chain, Texts known);

  // What costs little: the check of the place; that each increment is there, with each file in its
  // size.  Throws Error where that cannot be known, Cancelled.
  void check_structure();
  // Reads every file, merges each disk as a restore does, and compares.  After the other.
  void read_data();

  const Report& report() const { return report_; }

 private:
  using Sizes = StoredChain::Sizes;

  struct Part {
    Sizes files;
    std::optional<CaptureResult> result;  // if it speaks of these files
    bool merged = false;                  // by a flatten: what is beside the disks is not of them
  };

  void learn(std::size_t i);
  void check_disks(std::size_t i);
  void check_documents(std::size_t i);  // such as the NVRAM
  static void check_size(const Part& part, DiskReport& disk);
  void check_sums(const Part& part, DiskReport& disk) const;
  void compare_disks();
  // The text of a document; nullopt if there is none, or it cannot be read, which is noted.
  std::optional<std::string> file_of(std::size_t i, const std::string& name);
  std::optional<std::string> sums_of(std::size_t i, DiskReport& disk);
  void read_documents(std::size_t i);
  bool is_as_captured(std::size_t i, const std::string& name, const std::string& text) const;
  void read_disk(int id, Progress& progress);

  StoredChain& stored_;
  Texts known_;
  std::vector<Part> parts_;  // of the increments
  std::uint64_t read_ = 0;   // bytes of disks
  Report report_;
};
