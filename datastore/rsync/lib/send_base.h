// SPDX-License-Identifier: Apache-2.0
// What a disk can be built from over there, with what must be known of it here.
#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "datastore/rsync/lib/cache.h"
#include "datastore/rsync/lib/send_conversation.h"
#include "datastore/rsync/lib/send_file.h"

namespace rsync {

// For several threads, each with a conversation of its own.
class BaseFinder {
 public:
  explicit BaseFinder(const SideCache& cache) : cache_{cache} {}

  // From the cache or from the server.  nullopt: there is none that can be used.  Throws Lost and
  // Cancelled.
  std::optional<KnownBase> find(Conversation& server, const std::string& disk);

  // The new backup is there: those that were found are of no use any more, but for those kept.
  void keep(const std::string& sha256);
  void forget_outdated() const;

 private:
  std::string side_file(Conversation& server, const Base& base, const std::string& name,
                        std::uint64_t size);

  const SideCache cache_;
  std::mutex mutex_;
  std::set<std::string> found_, kept_;
};

}  // namespace rsync
