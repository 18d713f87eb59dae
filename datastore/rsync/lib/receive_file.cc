// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::size_t large = std::size_t{256} << 10;

}  // namespace

ReceiveFile::ReceiveFile(ReceiveSink& sink, int base) : sink_{sink}, base_{base} {
  if (base_ != -1)
    patch_.emplace(base_, [this](std::span<const std::byte> bytes) { add_bytes(bytes); });
}

void ReceiveFile::insist_on_base() const {
  if (base_ == -1) throw Error{"the upload copies from a base that it did not name"};
}

void ReceiveFile::add(Frame& frame) {
  if (patch_ && frame.kind != Kind::patch) patch_->insist_on_end();
  switch (frame.kind) {
    case Kind::data:
      if (frame.payload.size() < large) {
        add_bytes(frame.payload);
        return;
      }
      flush();
      sink_.add(std::move(frame.payload));
      frame.payload = sink_.buffer();
      return;
    case Kind::deflated:
      flush();
      sink_.add(inflated(frame.payload));
      return;
    case Kind::zeros:
      flush();
      sink_.add_zeros(zeros_of(frame));
      return;
    case Kind::copy:
      insist_on_base();
      add_copy(copy_of(frame));
      return;
    case Kind::patch:
      insist_on_base();
      patch_->add(frame.payload);
      return;
    case Kind::message:
      break;
  }
  throw Error{"a message in the middle of a file"};
}

void ReceiveFile::add_bytes(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (pending_.size() != longest_payload) pending_.resize(longest_payload);
    const auto part = bytes.first(std::min(bytes.size(), pending_.size() - used_));
    std::memcpy(pending_.data() + used_, part.data(), part.size());
    used_ += part.size();
    bytes = bytes.subspan(part.size());
    if (used_ == pending_.size()) flush();
  }
}

void ReceiveFile::add_copy(CopyRange range) {
  constexpr std::uint64_t largest = std::uint64_t{1} << 60;
  if (range.offset > largest || range.length > largest)
    throw Error{"the upload copies from beyond its base"};
  while (range.length != 0) {
    if (pending_.size() != longest_payload) pending_.resize(longest_payload);
    const auto count = std::min<std::uint64_t>(range.length, pending_.size() - used_);
    const ssize_t n =
        pread(base_, pending_.data() + used_, count, static_cast<off_t>(range.offset));
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read the base of an upload", errno);
    if (n == 0) throw Error{"the upload copies from beyond its base"};
    used_ += static_cast<std::size_t>(n);
    range.offset += static_cast<std::uint64_t>(n);
    range.length -= static_cast<std::uint64_t>(n);
    if (used_ == pending_.size()) flush();
  }
}

void ReceiveFile::flush() {
  if (used_ == 0) return;
  pending_.resize(used_);
  sink_.add(std::move(pending_));
  pending_ = sink_.buffer();
  used_ = 0;
}

void ReceiveFile::finish() {
  if (patch_) patch_->insist_on_end();
  flush();
}

}  // namespace rsync
