// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/fetcher.h"

#include <algorithm>

#include "common/error.h"

namespace nbd {
namespace {

// Two at a time cost qemu less than one of the double size, and hold up the guest's own less.
constexpr std::uint64_t request_size = std::uint64_t{1} << 19;

}  // namespace

bool Fetcher::Job::done() const {
  return std::all_of(requests.begin(), requests.end(), [](const auto& one) { return one.done; });
}

void Fetcher::begin(std::uint64_t offset, const Block& block) {
  if (!handle_) handle_ = connect(source_, {}, deadline_, stop_);
  Job& job = jobs_.emplace_back(Job{.number = block.number, .until = {}, .requests = {}});
  for (auto out = block.bytes; !out.empty();) {
    const auto place = plan_.place(offset);
    const auto length = std::min({place.length, out.size(), request_size});
    const auto wanted = std::min(length, plan_.virtual_size() - place.guest_offset);
    send(job, place.guest_offset, out.first(wanted));
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(wanted),
              out.begin() + static_cast<std::ptrdiff_t>(length), std::byte{0});
    offset += length;
    out = out.subspan(length);
  }
  job.until = Clock::now() + deadline_;
}

void Fetcher::send(Job& job, std::uint64_t guest_offset, std::span<std::byte> out) {
  if (limiter_) {
    const auto turn = limiter_->admit(out.size());
    while (Clock::now() < turn) wait({&handle_, 1}, turn, stop_);
  }
  job.requests.emplace_back();
  if (nbd_aio_pread(handle_.get(), out.data(), out.size(), guest_offset,
                    job.requests.back().callback(), 0) < 0)
    throw Error{"cannot read " + display(source_) + ": " + nbd_get_error()};
}

std::vector<std::uint64_t> Fetcher::take() {
  for (;;) {
    if (auto out = take_done(); !out.empty() || jobs_.empty()) return out;
    // The oldest was asked for first, so it is late first.
    const auto until = jobs_.front().until;
    if (Clock::now() >= until)
      throw Error{"cannot read " + display(source_) + ": no answer within " +
                  std::to_string(deadline_.count()) + " s"};
    wait({&handle_, 1}, until, stop_);
  }
}

std::vector<std::uint64_t> Fetcher::take_done() {
  std::vector<std::uint64_t> out;
  for (auto job = jobs_.begin(); job != jobs_.end();) {
    for (const auto& one : job->requests)
      if (one.error != 0) throw system_error("read " + display(source_), one.error);
    if (!job->done()) {
      ++job;
      continue;
    }
    out.push_back(job->number);
    job = jobs_.erase(job);
  }
  return out;
}

}  // namespace nbd
