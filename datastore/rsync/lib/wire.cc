// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/wire.h"

#include <endian.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::size_t head_size = 5;
constexpr std::size_t collected = std::size_t{64} << 10;
constexpr std::size_t read_at_once = std::size_t{64} << 10;

bool is_kind(std::byte byte) {
  switch (static_cast<Kind>(byte)) {
    case Kind::message:
    case Kind::data:
    case Kind::deflated:
    case Kind::zeros:
    case Kind::copy:
    case Kind::patch:
      return true;
  }
  return false;
}

template <std::size_t count>
std::array<std::byte, count * 8> packed(const std::array<std::uint64_t, count>& numbers) {
  std::array<std::byte, count * 8> bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t number = htobe64(numbers[i]);
    std::memcpy(bytes.data() + i * 8, &number, 8);
  }
  return bytes;
}

std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint64_t number;
  std::memcpy(&number, bytes.data() + at, 8);
  return be64toh(number);
}

void insist_on(const Frame& frame, Kind kind, std::size_t size) {
  if (frame.kind != kind || frame.payload.size() != size)
    throw Error{"a frame of the upload has the wrong size"};
}

}  // namespace

void Wire::send(Kind kind, std::span<const std::byte> payload) {
  if (payload.size() > longest_payload) throw std::logic_error{"a frame too long"};
  const std::uint32_t length = htobe32(static_cast<std::uint32_t>(payload.size()));
  unsent_.push_back(static_cast<std::byte>(kind));
  const auto* bytes = reinterpret_cast<const std::byte*>(&length);
  unsent_.insert(unsent_.end(), bytes, bytes + sizeof length);
  if (payload.size() >= collected) {
    flush();
    write_(payload);
    return;
  }
  unsent_.insert(unsent_.end(), payload.begin(), payload.end());
  if (unsent_.size() >= collected) flush();
}

void Wire::send(std::string_view message) {
  if (message.size() > longest_payload) throw Error{"a message of the upload is too long"};
  send(Kind::message, std::as_bytes(std::span{message}));
}

void Wire::send_zeros(std::uint64_t length) { send(Kind::zeros, packed<1>({length})); }

void Wire::send_copy(std::uint64_t offset, std::uint64_t length) {
  send(Kind::copy, packed<2>({offset, length}));
}

void Wire::flush() {
  if (unsent_.empty()) return;
  write_(unsent_);
  unsent_.clear();
}

void Wire::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    if (next_ == come_.size() && out.size() < read_at_once) {
      come_.resize(read_at_once);
      next_ = 0;
      come_.resize(read_(come_));
      if (come_.empty()) throw Error{"the other end of the upload has gone"};
    }
    std::size_t count = std::min(out.size(), come_.size() - next_);
    if (count != 0) {
      std::memcpy(out.data(), come_.data() + next_, count);
      next_ += count;
    } else {
      count = read_(out);
      if (count == 0) throw Error{"the other end of the upload has gone"};
    }
    out = out.subspan(count);
  }
}

void Wire::receive(Frame& frame) {
  flush();
  std::array<std::byte, head_size> head;
  fill(head);
  if (!is_kind(head[0])) throw Error{"a frame of the upload is of no known kind"};
  std::uint32_t length;
  std::memcpy(&length, head.data() + 1, sizeof length);
  length = be32toh(length);
  if (length > longest_payload) throw Error{"a frame of the upload is too long"};
  frame.kind = static_cast<Kind>(head[0]);
  frame.payload.resize(length);
  fill(frame.payload);
}

Frame Wire::receive() {
  Frame frame{};
  receive(frame);
  return frame;
}

std::string Wire::receive_message() {
  const Frame frame = receive();
  if (frame.kind != Kind::message) throw Error{"a frame of the upload is not a message"};
  return {reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()};
}

std::uint64_t zeros_of(const Frame& frame) {
  insist_on(frame, Kind::zeros, 8);
  return number_at(frame.payload, 0);
}

CopyRange copy_of(const Frame& frame) {
  insist_on(frame, Kind::copy, 16);
  return {number_at(frame.payload, 0), number_at(frame.payload, 8)};
}

std::optional<std::vector<std::byte>> deflated(std::span<const std::byte> bytes, int level) {
  if (bytes.size() > longest_payload) throw std::logic_error{"a frame too long"};
  std::vector<std::byte> payload(4 + compressBound(bytes.size()));
  const std::uint32_t count = htobe32(static_cast<std::uint32_t>(bytes.size()));
  std::memcpy(payload.data(), &count, sizeof count);
  uLongf length = payload.size() - 4;
  if (compress2(reinterpret_cast<Bytef*>(payload.data() + 4), &length,
                reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), level) != Z_OK)
    throw Error{"cannot compress a part of the upload"};
  if (4 + length >= bytes.size()) return std::nullopt;
  payload.resize(4 + length);
  return payload;
}

std::vector<std::byte> inflated(std::span<const std::byte> payload) {
  const Error bad{"a compressed frame of the upload is damaged"};
  std::uint32_t count;
  if (payload.size() < sizeof count) throw bad;
  std::memcpy(&count, payload.data(), sizeof count);
  count = be32toh(count);
  if (count > longest_payload) throw bad;
  std::vector<std::byte> bytes(count);
  const auto stream = payload.subspan(4);
  uLongf length = count;
  uLong used = stream.size();
  if (count == 0 || uncompress2(reinterpret_cast<Bytef*>(bytes.data()), &length,
                                reinterpret_cast<const Bytef*>(stream.data()), &used) != Z_OK)
    throw bad;
  if (length != count || used != stream.size()) throw bad;
  return bytes;
}

}  // namespace rsync
