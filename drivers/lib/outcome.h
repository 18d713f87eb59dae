// SPDX-License-Identifier: Apache-2.0
// What a backup leaves in the machine's directory, and how it comes into the store.
//
// Besides the directory that is stored: backup.result, the capture's account; backup.sums.<file>,
// the checksums of its disks; and of a backup that the command made itself backup.reply.<attempt>,
// the orchestrator's answer.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "drivers/lib/home.h"
#include "drivers/lib/result.h"
#include "drivers/lib/store.h"

namespace state {

struct Reply {
  std::string source;
  std::int64_t size_mib = 0;
};

// "<id> <MiB> <format>" and its newline; nullopt for anything else, also for a part of it.
std::optional<Reply> parse_reply(const std::string& text);

std::filesystem::path reply_file(const Home& home, const Attempt& attempt);
std::optional<Reply> read_reply(const Home& home, const Attempt& attempt);

struct Stored {
  int image = -1;
  BackupRecord record;
  std::optional<CaptureResult> result;
};

// Why an increment that is stored is none, for people.
std::string deleted_meanwhile(const std::string& source);

// The attempt was good, and ended then (or now): it is in the store when this returns.  Throws as
// Store::succeed().
Stored record(Store& store, const Home& home, const Attempt& attempt, const Reply& reply,
              std::optional<std::int64_t> ended = {});

// What an earlier backup left.  Durably gone before the next attempt is on record: it would be
// taken for the next one's, if that is cut off before it has said anything.
void remove_leftovers(const std::filesystem::path& vm_dir);

}  // namespace state
