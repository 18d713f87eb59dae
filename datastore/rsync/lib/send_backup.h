// SPDX-License-Identifier: Apache-2.0
// A whole backup goes to the server, its disks side by side.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "datastore/rsync/lib/send_files.h"
#include "datastore/rsync/lib/send_request.h"

namespace rsync {

class BackupSender {
 public:
  enum class Way {
    transfers,
    undoes,  // not to be cancelled: over a connection of its own
  };
  // The program on the server, started once more; any thread may ask.
  using Open = std::function<std::unique_ptr<Link>(Way)>;

  BackupSender(const SendRequest& request, SendOptions options, Open open, SideCache cache,
               FilesSender::Progress progress);

  // Goes on after a lost connection for as long as each one brings something.  Returns the name
  // under which all is durable.  Otherwise nothing has that name; what a lost connection has left
  // there is for the next upload of the same files.
  std::string send();

  std::string report() const;  // how it went, for the log

 private:
  Plan plan() const;
  Request request(const std::string& doing) const;
  std::string send_once();
  void insist_on_name(Conversation& server) const;
  void send_disks(Conversation& server, const std::vector<std::string>& disks);
  std::size_t channels_for(const std::vector<std::string>& disks) const;
  std::unique_ptr<Conversation> join(const Greeting& greeting);
  void count(const Conversation& server);
  bool is_there();
  bool has_full() const;
  void undo() noexcept;

  const SendRequest request_;
  const SendOptions options_;
  const Open open_;
  const Plan plan_;
  FilesSender files_;
  // By the server, when the newest connection began, and one; 0: there was none.
  std::uint64_t had_ = 0;
  bool committing_ = false;  // the answer of one may have got lost, or still be to come
  std::atomic<std::uint64_t> wire_ = 0;
  std::atomic<int> channels_ = 0;  // that disks came by, at most
  int connections_ = 0;
};

}  // namespace rsync
