// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_frames.h"

#include <algorithm>
#include <utility>

namespace rsync {

Counts& Counts::operator+=(const Counts& other) {
  data += other.data;
  copied += other.copied;
  patched += other.patched;
  zeros += other.zeros;
  skipped += other.skipped;
  return *this;
}

void FrameWriter::finish() {
  if (const auto begin = std::exchange(begin_, nullptr)) begin();
}

// How many of the next bytes are not to be sent.
std::uint64_t FrameWriter::skip(std::uint64_t length) {
  const auto skipped = position_ < from_ ? std::min(from_ - position_, length) : 0;
  position_ += length;
  counts_.skipped += skipped;
  if (skipped < length) finish();
  return skipped;
}

void FrameWriter::zeros(std::uint64_t length) {
  length -= skip(length);
  if (length == 0) return;
  wire_.send_zeros(length);
  counts_.zeros += length;
}

void FrameWriter::copy(std::uint64_t from, std::uint64_t length) {
  const auto skipped = skip(length);
  if (skipped == length) return;
  wire_.send_copy(from + skipped, length - skipped);
  counts_.copied += length - skipped;
}

void FrameWriter::data(std::span<const std::byte> bytes) {
  bytes = bytes.subspan(skip(bytes.size()));
  counts_.data += bytes.size();
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), longest_payload)))
    send_data(bytes.first(std::min(bytes.size(), longest_payload)));
}

void FrameWriter::send_data(std::span<const std::byte> bytes) {
  if (level_ != 0)
    if (const auto packed = deflated(bytes, level_)) return wire_.send(Kind::deflated, *packed);
  wire_.send(Kind::data, bytes);
}

// A delta cannot begin in its middle.
void FrameWriter::patch(std::string_view delta, std::span<const std::byte> result) {
  if (position_ < from_) return data(result);
  skip(result.size());
  counts_.patched += result.size();
  for (auto rest = std::as_bytes(std::span{delta}); !rest.empty();) {
    const auto part = rest.first(std::min(rest.size(), longest_payload));
    wire_.send(Kind::patch, part);
    rest = rest.subspan(part.size());
  }
}

}  // namespace rsync
