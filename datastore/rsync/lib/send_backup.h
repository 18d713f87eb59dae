// SPDX-License-Identifier: Apache-2.0
// A whole backup goes to the server.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datastore/rsync/lib/cache.h"
#include "datastore/rsync/lib/send_base.h"
#include "datastore/rsync/lib/send_file.h"
#include "datastore/rsync/lib/send_request.h"

namespace rsync {

struct SendOptions {
  bool archive = true, sparse = true;
  bool whole = false;  // no deltas
  int level = 0;       // of compression
};

class BackupSender {
 public:
  enum class End { may_be_cancelled, undoes };
  // A new connection to the program on the server.
  using Open = std::function<std::unique_ptr<Link>(End)>;
  using Progress = std::function<void(std::uint64_t done)>;

  BackupSender(const SendRequest& request, SendOptions options, Open open, SideCache cache,
               Progress progress);

  // Goes on after a lost connection for as long as each one brings something.  Returns the name
  // under which all is durable.  Otherwise nothing has that name; what a lost connection has left
  // there is for the next upload of the same files.
  std::string send();

  std::string report() const;  // how it went, for the log

 private:
  void find_files();
  std::string key() const;
  std::string send_once();
  void send_all(Conversation& server);
  void send_disk(Conversation& server, const UploadFile& file);
  template <class Entries>
  void send_side(Conversation& server, const std::string& name, const Entries& entries,
                 const Sides& sides, const KnownBase* base);
  bool is_done(Conversation& server, const std::string& name) const;
  FileJob job_for(Conversation& server, const UploadFile& file) const;
  bool is_there();
  void undo() noexcept;
  void note(const SentFile& sent, const std::string& name);
  const UploadFile& upload_file(const std::string& name) const;

  const SendRequest request_;
  const SendOptions options_;
  const Open open_;
  const SideCache cache_;
  const Progress progress_;
  BaseFinder bases_{cache_};
  std::vector<UploadFile> files_;
  std::string key_;
  std::map<std::string, std::string> sent_;  // SHA-256 of those that the server has
  std::map<std::string, Sides> sides_;       // by disk, until they are sent
  std::uint64_t before_ = 0;                 // bytes of the files that are done
  // By the server, when the newest connection began, and one; 0: there was none.
  std::uint64_t had_ = 0;
  bool committing_ = false;
  Counts counts_;
  std::uint64_t wire_ = 0, total_ = 0;
  std::string base_name_;
  int connections_ = 0;
  bool again_ = false;
};

}  // namespace rsync
