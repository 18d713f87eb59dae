// SPDX-License-Identifier: Apache-2.0
// Chains of increments, and the URL by which a disk of one is downloaded (contract 3.11 and 4.8).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct Increment {
  int id = 0;
  std::string source;  // the store's own name for it: hexadecimal digits
  bool operator==(const Increment&) const = default;
};

// Oldest first; ids ascend, but need not be adjacent (a flatten leaves a hole).
class Chain {
 public:
  Chain() = default;
  explicit Chain(std::vector<Increment> increments);  // BadRequest: empty, ids do not ascend

  // "0:aaaa0000,1:bbbb1111".  BadRequest for anything else; sources are 1 to 64 hexadecimal digits.
  static Chain parse(std::string_view text);
  std::string text() const;

  const std::vector<Increment>& increments() const { return increments_; }
  const Increment& last() const { return increments_.back(); }
  // The chain that restores increment `id`: everything up to it; -1: the whole chain.
  // BadRequest, naming the id, when it is not in the chain.
  Chain up_to(int id) const;

 private:
  std::vector<Increment> increments_;
};

// An error with these words: what an increment builds on is not where it was stored, and never will
// be. Whoever keeps the records begins a new chain.
inline constexpr std::string_view broken_chain = "the chain is broken";

// <proto>://<datastore>/<job or empty>/<chain>/<absolute path of the last file>
struct DiskUrl {
  std::string protocol;  // "restic", "restic+rbd", "rsync", "rsync+rbd"
  int datastore_id = -1;
  std::optional<int> job_id;
  Chain chain;
  std::filesystem::path path;  // absolute; its base name is disk.<disk id>.<increment id>

  static DiskUrl parse(std::string_view text);  // BadRequest; also takes 6.6's form without job
  std::string text() const;
  bool is_disk() const;  // the base name is disk.<number>.<something>: not the state of a TPM
  int disk_id() const;   // from the base name; BadRequest if it has none
  // The VM: the digits before "/backup/<file>" in the path; BadRequest if there are none.
  int vm_id() const;
  // The file of that disk in increment `increment_id` of the same directory.
  std::filesystem::path file(int increment_id) const;
};
