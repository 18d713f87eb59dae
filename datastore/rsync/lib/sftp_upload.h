// SPDX-License-Identifier: Apache-2.0
// A backup becomes a directory of a server that allows only SFTP: whole files, no deltas.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/sftp.h"

namespace rsync {

// What is uploaded lies in <base>/<vm>/<name>.partial, with a note of how much of it is on the
// server's disk, until commit().  Without one it stays, for the next upload with the same key; one
// with another key removes it.
class SftpUpload {
 public:
  // The next bytes of a file, at least one; 0: the end.
  using Source = std::function<std::size_t(std::span<std::byte> out)>;
  using OnBytes = std::function<void(std::uint64_t sent)>;

  SftpUpload(Sftp& sftp, const std::string& base, int vm, Upload upload);

  // How many of the first bytes of the file an interrupted upload has made durable.
  std::uint64_t had(const std::string& file) const;
  // The file, of which `source` gives what is behind the first `from` bytes, at most had().  Error
  // if there are not as many as was said.
  void put(const UploadFile& file, std::uint64_t from, const Source& source,
           const OnBytes& on_bytes = {});
  // All files that were put, under the final name.
  void commit();
  void discard();

 private:
  std::string path(const std::string& file) const { return partial_ + "/" + file; }
  void adopt_or_remove(const std::string& directory);
  void note(const std::string& file, std::uint64_t durable);

  Sftp& sftp_;
  std::string directory_, partial_;
  Upload upload_;
  std::map<std::string, std::uint64_t> durable_;
};

}  // namespace rsync
