// SPDX-License-Identifier: Apache-2.0
// What the state library keeps, as plain values.  The words are the core's (contract 5.1).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "common/one/vm.h"

namespace state {

struct VmRecord {
  int id = -1;
  std::string uuid, name;
  std::optional<int> active_image;  // the chain that the next increment goes to
  int owner = 0;                    // a user (users.h)
};

struct DatastoreRecord {
  int id = -1;
  std::string name, ds_mad;
  bool usable = true;   // the last time when its driver was asked
  std::string error{};  // why it was not
};

// Of a datastore, when its driver was asked last.
struct Space {
  std::int64_t used_mib = 0, total_mib = 0, free_mib = 0;
  std::int64_t time = 0;  // 0: never
};

// One restore point of an image.
struct BackupRecord {
  int id = 0;                   // of the increment
  std::string source{};         // the store's name for it
  std::int64_t size_mib = 0;    // as the datastore driver reported it
  std::uint64_t bytes = 0;      // of its disk files
  std::int64_t date = 0;        // seconds since 1970
  std::filesystem::path dir{};  // where the files lay when they were stored: part of every URL
  std::string result{};         // vmvault.json of the capture; empty if it was lost
  std::string capture{};        // what its marks on the host bear; empty: an older version's
  // When it was last read back, with all before it, and was what had been captured.
  std::optional<std::int64_t> proven{};
  std::string damage{};  // what the last check found wrong; empty: nothing
};

// Checksums of a disk, as its capture took them (common/one/sums_file.h).
struct SumsRecord {
  std::string file;  // "sums.0.3"
  std::string sums;
};

enum class ImageState { ready, locked, deleting, error };
std::string to_text(ImageState state);  // READY, LOCKED, DELETE or ERROR

// A backup image: one full (Mode::full), or a full with its increments.
struct ImageRecord {
  int id = -1;
  int vm = -1;
  int datastore = -1;
  Mode mode = Mode::full;
  std::vector<int> disks{};
  std::int64_t created = 0;
  ImageState state = ImageState::ready;
  std::optional<int> keep{};               // of one that is locked: what its flatten leaves
  std::string error{};                     // of its last flatten or delete; empty if that went well
  bool is_protected = false;               // no rule deletes it
  int owner = 0;                           // the machine's, when it was begun
  bool is_forced = false;                  // its delete ends well, whatever its store says
  std::vector<BackupRecord> increments{};  // by id; never empty in a ready image

  bool half_deleted() const { return state == ImageState::deleting || state == ImageState::error; }
  const BackupRecord* increment(int increment_id) const;  // nullptr if there is none such
  int last_increment() const { return increments.empty() ? -1 : increments.back().id; }
  Chain chain() const;
};

// A backup that was begun.  It is written before anything is done, so that one that died in
// the middle is known of.
struct Attempt {
  std::int64_t id = -1;
  int vm = -1;
  std::optional<int> image;  // none: it begins a new one
  int increment = 0;
  int datastore = -1;
  Mode mode = Mode::full;
  std::vector<int> disks{};
  std::filesystem::path dir;  // the backup dir
  std::int64_t started = 0;
  std::string capture{};  // what its marks are to bear: no other backup's
  std::optional<std::int64_t> ended;
  std::string error;       // of one that ended; empty if it went well
  bool service = false;    // the service's: its driver has the answer (ADR 29)
  bool cancelled = false;  // somebody wants it no more
};

}  // namespace state
