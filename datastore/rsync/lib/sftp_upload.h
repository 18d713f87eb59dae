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

// Where the backups of a VM are, and whose uploads ours are (partial_name.h).
struct SftpPlace {
  std::string directory;  // <base>/<vm>
  std::string owner;      // empty: that of an older vmvault, which does not know

  std::string final_path(const std::string& name) const { return directory + "/" + name; }
  std::string partial_path(const std::string& name) const;
};

// What is uploaded lies in place.partial_path(name), with a note of how much of it is on the
// server's disk, until commit().  Without one it stays, for the next upload with the same key and
// owner; one of this owner with another key removes it.
class SftpUpload {
 public:
  // The next bytes of a file, at least one; 0: the end.
  using Source = std::function<std::size_t(std::span<std::byte> out)>;
  using OnBytes = std::function<void(std::uint64_t sent)>;

  SftpUpload(Sftp& sftp, SftpPlace place, Upload upload);

  // What an interrupted upload says that it has made durable of the file: a hint.  It may have
  // been written by anybody.
  std::optional<SftpNote::File> noted(const std::string& file) const;
  // Has the file these bytes, up to this offset?
  bool holds(const std::string& file, std::uint64_t end, std::span<const std::byte> bytes);
  // The file, of which `source` gives what is behind those that `sum` has seen.  Error if there
  // are not as many as was said.
  void put(const UploadFile& file, PrefixSum sum, const Source& source,
           const OnBytes& on_bytes = {});
  // All files that were put, under the final name, with the note: settle() is to follow.
  void commit();

  // Has commit() given that directory its name, for this very upload?  Only until settle().
  static bool committed(Sftp& sftp, const std::string& directory, const Upload& upload);
  // Ends a commit() in that directory; again if a connection was lost in it.  Error: it does not
  // hold the files of the upload, of their sizes, and no others.
  static void settle(Sftp& sftp, const std::string& directory, const Upload& upload);

 private:
  using Clock = std::chrono::steady_clock;

  std::string path(const std::string& file) const { return partial_ + "/" + file; }
  bool adopt(const std::string& directory);
  void note(SftpFile& there, const std::string& file, const PrefixSum& sum);
  void write_note();

  Sftp& sftp_;
  SftpPlace place_;
  std::string partial_;
  Upload upload_;
  SftpNote note_;
  Clock::duration cost_{};        // of the last note
  Clock::time_point noted_at_{};  // when that was written
};

// Removes the uploads of others, below <base>/<vm>, which nobody has written to for a day by the
// server's own clock.  What we may not remove stays.
void remove_dead_uploads(Sftp& sftp, const SftpPlace& place);

}  // namespace rsync
