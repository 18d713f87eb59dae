// SPDX-License-Identifier: Apache-2.0
// A stream in both directions to a program on the server of an rsync datastore.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/error.h"

namespace rsync {

// The server lets us in, and starts no programs.
struct NoPrograms : Error {
  using Error::Error;
};

// For one thread at a time; several links may be used at the same time.  The destructor ends the
// conversation: the program sees the end of its stdin.  Every call throws Error when the connection
// is lost or nothing moves for the timeout, and Cancelled.
class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // At least one byte, as many as have come and `out` holds; 0: the program writes no more.
  virtual std::size_t read(std::span<std::byte> out) = 0;
  virtual void write(std::span<const std::byte> bytes) = 0;  // all of them
  virtual void close_input() = 0;                            // the end of its stdin

  struct End {
    int status = 0;    // as a shell counts
    std::string said;  // its stderr, or the end of it
  };
  virtual End wait() = 0;  // after read() gave 0

  // What this link has carried by now, in bytes.
  virtual std::uint64_t sent() const = 0;
  virtual std::uint64_t received() const = 0;
};

}  // namespace rsync
