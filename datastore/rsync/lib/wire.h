// SPDX-License-Identifier: Apache-2.0
// Frames: what the two ends of an upload say to each other.  A byte for the kind, the length of the
// payload in four bytes (big endian), the payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rsync {

enum class Kind : std::uint8_t {
  message = 'J',   // JSON, see protocol.h
  data = 'D',      // the next bytes of the file
  deflated = 'z',  // the same, compressed: their number in four bytes, and a zlib stream
  zeros = 'Z',     // so many zero bytes follow in the file: the number in eight bytes
  copy = 'C',      // the next bytes are those of the base: offset and length, eight bytes each
  patch = 'P',     // a part of a librsync delta against the base, whose result are the next bytes
};

inline constexpr std::size_t longest_payload = std::size_t{1} << 20;

struct Frame {
  Kind kind;
  std::vector<std::byte> payload;
};

class Wire {
 public:
  using Read = std::function<std::size_t(std::span<std::byte>)>;  // as Link::read
  using Write = std::function<void(std::span<const std::byte>)>;  // as Link::write
  Wire(Read read, Write write) : read_{std::move(read)}, write_{std::move(write)} {}

  // Small frames are collected and written together with the next large one, or by flush().
  void send(Kind kind, std::span<const std::byte> payload);
  void send(std::string_view message);  // JSON
  void send_zeros(std::uint64_t length);
  void send_copy(std::uint64_t offset, std::uint64_t length);
  void flush();

  // Throws Error: the other end has gone, a kind that there is not, too long.  flush()es first.
  Frame receive();
  void receive(Frame& frame);     // the same, in the memory that it has
  std::string receive_message();  // Error unless it is a message

 private:
  void fill(std::span<std::byte> out);

  Read read_;
  Write write_;
  std::vector<std::byte> unsent_;
  std::vector<std::byte> come_;  // and not yet asked for, from next_ on
  std::size_t next_ = 0;
};

// The numbers of a payload.  Throw Error for another length.
std::uint64_t zeros_of(const Frame& frame);
struct CopyRange {
  std::uint64_t offset, length;
};
CopyRange copy_of(const Frame& frame);

// The payload of Kind::deflated for these bytes, at most longest_payload of them; nullopt: it would
// not be shorter than they are.
std::optional<std::vector<std::byte>> deflated(std::span<const std::byte> bytes, int level);
// And back.  Throws Error for what is none, or stands for more than longest_payload.
std::vector<std::byte> inflated(std::span<const std::byte> payload);

}  // namespace rsync
