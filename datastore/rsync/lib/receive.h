// SPDX-License-Identifier: Apache-2.0
// An upload, from the server's side (protocol.h).
#pragma once

#include <map>
#include <string>

#include "common/sums.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/receive_bases.h"
#include "datastore/rsync/lib/receive_sink.h"
#include "datastore/rsync/lib/server_partial.h"
#include "datastore/rsync/lib/wire.h"

namespace rsync {

class Receive {
 public:
  // Begins, or takes up, an upload.  Throws Error.
  Receive(const Dir& vm, const Upload& upload, Wire& wire);
  // Joins one.
  Receive(const Dir& vm, const Upload& upload, const std::string& token, Wire& wire);

  // The whole conversation.  Throws Error after having told the other end, too.
  void run();

  // Is there nothing to wait for any more, if nothing comes?  See Partial.
  bool is_wanted_elsewhere() const { return partial_.is_wanted(); }

 private:
  enum class Part { owner, guest };
  Receive(const Dir& vm, const Upload& upload, Wire& wire, Partial partial, Part part);
  void converse();
  void give_room() noexcept;
  bool answer_question(const ClientMessage& message);
  void greet();
  const UploadFile& wanted(const std::string& file) const;
  void tell_had(const std::string& file);
  void receive(const FileBegin& begin);
  Fd open(const FileBegin& begin, sums::Hash& hash);
  FileEnd receive_frames(ReceiveSink& sink, int base);
  void set_attributes(int fd, const UploadFile& file) const;
  void send_side(const Fetch& fetch);
  void commit();
  void answer(const ServerMessage& message);

  const Upload& upload_;
  Wire& wire_;
  Partial partial_;
  const Part part_;
  ReceiveBases bases_;
  // Of files that were cut off, and have been asked for.
  struct Begun {
    Fd fd;
    std::uint64_t size = 0;
    sums::Hash hash;
  };
  std::map<std::string, Begun> begun_;
  Frame frame_{};
};

}  // namespace rsync
