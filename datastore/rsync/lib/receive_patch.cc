// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_patch.h"

#include <unistd.h>

#include <cerrno>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::size_t out_size = std::size_t{256} << 10;

}  // namespace

rs_result Patch::read_base(void* self, rs_long_t offset, size_t* length, void** out) {
  const auto& patch = *static_cast<Patch*>(self);
  ssize_t n;
  do {
    n = pread(patch.base_, *out, *length, offset);
  } while (n == -1 && errno == EINTR);
  if (n == -1) return RS_IO_ERROR;
  if (n == 0) return RS_INPUT_ENDED;
  *length = static_cast<size_t>(n);
  return RS_DONE;
}

void Patch::begin() {
  rs_trace_set_level(RS_LOG_EMERG);  // it would write to our stderr
  job_.reset(rs_patch_begin(read_base, this));
  if (!job_) throw Error{"librsync has no memory"};
  out_.resize(out_size);
}

void Patch::add(std::span<const std::byte> part) {
  left_.insert(left_.end(), part.begin(), part.end());
  rs_buffers_t buffers{};
  buffers.next_in = reinterpret_cast<char*>(left_.data());
  buffers.avail_in = left_.size();
  for (bool more = true; more;) {
    if (!job_) {
      if (buffers.avail_in == 0) break;
      begin();
    }
    buffers.next_out = reinterpret_cast<char*>(out_.data());
    buffers.avail_out = out_.size();
    const auto before = buffers.avail_in;
    const auto result = rs_job_iter(job_.get(), &buffers);
    if (result != RS_DONE && result != RS_BLOCKED)
      throw Error{std::string{"a delta does not fit its base: "} + rs_strerror(result)};
    const auto made = out_.size() - buffers.avail_out;
    if (made != 0) on_result_(std::span{out_}.first(made));
    if (result == RS_DONE) job_.reset();
    more = result == RS_DONE || made != 0 || buffers.avail_in != before;
  }
  left_.erase(left_.begin(), left_.end() - static_cast<std::ptrdiff_t>(buffers.avail_in));
}

void Patch::insist_on_end() const {
  if (job_ || !left_.empty()) throw Error{"a delta is cut short"};
}

}  // namespace rsync
