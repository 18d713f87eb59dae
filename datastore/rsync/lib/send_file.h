// SPDX-License-Identifier: Apache-2.0
// One file of a backup goes to the server.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "datastore/rsync/lib/send_conversation.h"
#include "datastore/rsync/lib/send_frames.h"

namespace rsync {

// An older version of a file over there, and what is known of it here.
struct KnownBase {
  Base base;
  Blocks blocks;
  Signature signature;
};

// What the next version of a file can be made from.
struct Sides {
  Blocks blocks;
  Signature signature;
  std::vector<BlockRun> runs;  // what of it was in the base
  bool from_base = false;      // it was sent as a delta
};

struct FileJob {
  UploadFile file;
  std::optional<Had> had = {};      // of an upload that was cut off, as the greeting says
  const KnownBase* base = nullptr;  // null: it is sent whole
  bool sides = false;               // make its Sides
  int level = 0;                    // of compression
};

struct SentFile {
  std::string sha256 = {};
  std::optional<Sides> sides = {};
  Counts counts = {};
  bool again = false;  // it was sent a second time, whole: something known of it was wrong
};

// Reads the file once, or again when the server finds that it did not get it right.  Throws Lost,
// Cancelled, and Error for what cannot be read or stored.
SentFile send_file(Conversation& server, const std::filesystem::path& path, const FileJob& job,
                   const std::function<void(std::uint64_t)>& done);

// A file of entries per block (its Blocks, its Signature) is sent as what changed in it, too.
SentFile send_entries(Conversation& server, const FileJob& job, const std::string& content,
                      std::size_t header_size, std::size_t entry_size, const Sides& sides);
template <class Entries>
SentFile send_entries(Conversation& server, const FileJob& job, const Entries& entries,
                      const Sides& sides) {
  return send_entries(server, job, entries.file(), Entries::header_size, Entries::entry_size,
                      sides);
}

}  // namespace rsync
