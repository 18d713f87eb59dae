// SPDX-License-Identifier: Apache-2.0
// A chain of increments on a server that allows only SFTP, as a reader sees it: as server_chain.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "common/qcow2/disk_file.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/verification.h"
#include "datastore/rsync/lib/part_sums.h"
#include "datastore/rsync/lib/sftp.h"

namespace rsync {

class SftpChain {
 public:
  // `directory`: of the VM.  Begins at the last merged increment of the chain.  Error: one that
  // belongs to it is missing.
  SftpChain(std::shared_ptr<Sftp> sftp, std::string directory, const Chain& chain);

  struct Part {
    Increment increment;
    std::string directory;
    std::map<std::string, std::uint64_t> files;
  };
  const std::vector<Part>& parts() const { return parts_; }  // oldest first
  std::vector<int> disks() const;                            // of the last one

  // The merged disk, of files of any layout.  The chain must outlive it.
  qcow2::Merge merge(int disk, qcow2::Hidden hidden) const;
  // The same, but what is read of a file that has checksums (sums_of() in part_sums.h) is held
  // against those: an Error where it is not what was backed up.  `proven`: all files of the disk
  // have some.
  struct CheckedMerge {
    qcow2::Merge merge;
    bool proven = false;
  };
  CheckedMerge checked_merge(int disk, qcow2::Hidden hidden, const Texts& known) const;
  // The same as a file.
  qcow2::Source open(int disk) const;

 private:
  std::string file_of(const Part& part, int disk) const;
  PartFile part_file(const Part& part, const std::string& file) const;
  qcow2::ReadAt reader_of(const Part& part, const std::string& file) const;
  bool look(const Chain& chain, std::string& missing);

  std::shared_ptr<Sftp> sftp_;
  std::string directory_;
  std::vector<Part> parts_;
};

// The regular files of a backup, with their sizes; nullopt: there is no such directory.
std::optional<std::map<std::string, std::uint64_t>> files_of(Sftp& sftp,
                                                             const std::string& directory);
// The bytes of a file, which must be as many.
qcow2::Source whole_file(std::shared_ptr<Sftp> sftp, const std::string& path, std::uint64_t size);
// What the marker of a merged increment says; nullopt: it is none.
std::optional<Chain> flat_chain(Sftp& sftp, const std::string& directory);
std::string flat_text(const Chain& chain);
inline constexpr const char* sftp_flat_document = "vmvault-flat.json";

}  // namespace rsync
