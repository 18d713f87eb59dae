// SPDX-License-Identifier: Apache-2.0
// A backup becomes a directory of a server that allows only SFTP: whole files, no deltas.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/sftp.h"
#include "datastore/rsync/lib/sftp_note.h"

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

  // What an interrupted upload says that it has made durable of the file: a hint.  It may have
  // been written by anybody.
  std::optional<SftpNote::File> noted(const std::string& file) const;
  // Has the file these bytes, up to this offset?
  bool holds(const std::string& file, std::uint64_t end, std::span<const std::byte> bytes);
  // The file, of which `source` gives what is behind those that `sum` has seen.  Error if there
  // are not as many as was said.
  void put(const UploadFile& file, PrefixSum sum, const Source& source,
           const OnBytes& on_bytes = {});
  // All files that were put, under the final name.
  void commit();
  void discard();

 private:
  using Clock = std::chrono::steady_clock;

  std::string path(const std::string& file) const { return partial_ + "/" + file; }
  std::optional<SftpNote> note_in(const std::string& directory);
  void adopt_or_remove(const std::string& directory);
  void note(SftpFile& there, const std::string& file, const PrefixSum& sum);
  void write_note();

  Sftp& sftp_;
  std::string directory_, partial_;
  Upload upload_;
  SftpNote note_;
  Clock::duration cost_{};        // of the last note
  Clock::time_point noted_at_{};  // when that was written
};

}  // namespace rsync
