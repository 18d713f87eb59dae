// SPDX-License-Identifier: Apache-2.0
// The sender's side of an upload (protocol.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/error.h"
#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/wire.h"

namespace rsync {

// The connection was lost, or the program over there: a later one may go on.
struct Lost : Error {
  using Error::Error;
};

// Every call throws Lost, Cancelled, or an Error for what the server refuses.
class Conversation {
 public:
  Conversation(std::unique_ptr<Link> link, const Request& request);

  const Greeting& greeting() const { return greeting_; }
  Wire& wire() { return wire_; }  // for the frames of a file

  // What the server has of the file: the question, and the answer, with nothing in between.  It may
  // have to read all of that.
  void ask_had(const std::string& file);
  Had had();
  std::optional<Base> base_for(const std::string& file);

  void begin(const FileBegin& file);
  FileResult end(const FileEnd& file);
  // The whole side file, which has so many bytes.
  std::string fetch(const std::string& side, const std::string& of, std::uint64_t size);
  std::string commit();  // the name
  void leave();          // of one that has joined; nothing is written by it any more
  void discard();        // nothing of the upload is there any more

  std::uint64_t sent() const { return link_->sent(); }
  std::uint64_t received() const { return link_->received(); }

 private:
  std::size_t read(std::span<std::byte> out);
  void write(std::span<const std::byte> bytes);
  template <class T>
  T answer();

  std::unique_ptr<Link> link_;
  bool lost_ = false;
  Wire wire_{[this](std::span<std::byte> out) { return read(out); },
             [this](std::span<const std::byte> bytes) { write(bytes); }};
  Greeting greeting_;
};

// A request that is answered by a text.  Throws Error if it fails, and Cancelled.
std::string ask(Link& link, const Request& request);

}  // namespace rsync
