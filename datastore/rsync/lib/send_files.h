// SPDX-License-Identifier: Apache-2.0
// The files of a backup go to the server: what of them it has, and what each is made from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "datastore/rsync/lib/cache.h"
#include "datastore/rsync/lib/send_base.h"
#include "datastore/rsync/lib/send_file.h"
#include "datastore/rsync/lib/send_plan.h"

namespace rsync {

struct SendOptions {
  bool archive = true, sparse = true;
  bool whole = false;  // no deltas
  int level = 0;       // of compression
};

// Another file of the upload has failed.
struct Stopped : Error {
  Stopped() : Error{"another file of the upload has failed"} {}
};

// Lasts over several connections.  For several threads, each with a conversation and a file of its
// own.
class FilesSender {
 public:
  using Progress = std::function<void(std::uint64_t done)>;  // bytes of all files; one at a time

  // The plan must stay.
  FilesSender(std::filesystem::path directory, const Plan& plan, SendOptions options,
              SideCache cache, Progress progress)
      : directory_{std::move(directory)},
        plan_{plan},
        options_{options},
        cache_{std::move(cache)},
        progress_{std::move(progress)} {}

  // One of the directory, with the side files that belong to it; what the server has is skipped.
  // Throws as send_file(), and Stopped.
  void send(Conversation& server, const std::string& name);

  // What is being sent throws Stopped, until start().
  void stop();
  void start();

  // All of it is there.
  void forget_outdated() const { bases_.forget_outdated(); }

  struct Summary {
    Counts counts;
    std::string base;  // a backup that deltas were made of
    bool again = false;
  };
  Summary summary() const;

 private:
  void send_document(Conversation& server, const UploadFile& file);
  void send_full(Conversation& server, const UploadFile& file);
  template <class Entries>
  void send_side(Conversation& server, const std::string& name, const Entries& entries,
                 const Sides& sides, const KnownBase* base);
  SentFile send_bytes(Conversation& server, const FileJob& job);
  FileJob job_for(Conversation& server, const UploadFile& file) const;
  bool is_done(Conversation& server, const std::string& name) const;
  std::optional<Sides> take_sides(const std::string& name);
  void keep_sides(const std::string& name, Sides sides);
  void note(const SentFile& sent, const std::string& name);
  void at(const std::string& name, std::uint64_t done);

  const std::filesystem::path directory_;
  const Plan& plan_;
  const SendOptions options_;
  const SideCache cache_;
  const Progress progress_;
  BaseFinder bases_{cache_};

  mutable std::mutex mutex_;  // of what follows
  bool stopped_ = false;
  std::map<std::string, std::string> sent_;    // SHA-256 of those that the server has
  std::map<std::string, Sides> sides_;         // of disks that it has, until it has them, too
  std::map<std::string, std::uint64_t> done_;  // by file
  std::uint64_t done_bytes_ = 0;
  Summary summary_;
};

}  // namespace rsync
