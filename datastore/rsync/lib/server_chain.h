// SPDX-License-Identifier: Apache-2.0
// A chain of increments on the server, as a reader sees it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/verification.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

// What a flatten leaves in the directory of a merged increment: the chain that it stands for.
inline constexpr const char* flat_document = "vmvault-flat.json";

// nullopt: it is none.  Throws Error when that cannot be read.
std::optional<Chain> flat_chain(const Dir& backup);
// The chain from its last merged increment on: what is before that has no part in it any more.
Chain standing(const Dir& vm, const Chain& chain);
void write_flat_chain(const Dir& backup, const Chain& chain);

// The directories, held open.
class OpenChain {
 public:
  struct Part {
    Increment increment;
    Dir dir;
    bool flat = false;  // a merged one
  };
  // Begins at the last merged increment of `chain`: what is before that has no part in it any more,
  // and need not be there.  Error: another one is missing.
  static OpenChain open(const Dir& vm, const Chain& chain);

  const std::vector<Part>& parts() const { return parts_; }  // oldest first
  Chain chain() const;
  std::vector<int> disks() const;  // of the last one, ascending

  struct File {
    std::string name;  // for messages
    Fd fd;
    std::uint64_t size = 0;
    std::optional<std::string> sums = {};  // with checked_files(): what it must agree with
  };
  // The files of a disk, oldest first.  Error: one is missing.
  std::vector<File> files(int disk) const;
  // The same, with checksums: see sums_of() in part_sums.h.
  std::vector<File> checked_files(int disk, const Texts& known) const;

 private:
  static std::string file_of(const Part& part, int disk);
  static std::optional<OpenChain> try_open(const Dir& vm, const Chain& chain, std::string& missing);
  std::vector<Part> parts_;
};

// "disk.0.3"
std::string disk_file(int disk, int increment);
// The merged disk, of files of any layout.  Throws Error.  The files must outlive it.
qcow2::Merge merge(const std::vector<OpenChain::File>& files, qcow2::Hidden hidden);
// The same, and what is read of a file that has sums is held against them: an Error where it is not
// what was backed up.
qcow2::Merge checked_merge(const std::vector<OpenChain::File>& files, qcow2::Hidden hidden);

}  // namespace rsync
