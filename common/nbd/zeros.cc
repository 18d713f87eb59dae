// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/zeros.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <vector>

#include "common/error.h"
#include "common/nbd/connection.h"
#include "common/qcow2/plan.h"

namespace nbd {
namespace {

using qcow2::cluster_size;
using qcow2::Content;
using qcow2::Extent;

constexpr std::uint64_t piece = 8 * cluster_size;  // one sample of each
constexpr std::uint64_t sample = 4096;
constexpr std::size_t in_flight = 16;

struct Range {
  std::uint64_t offset, length;
};

bool is_zero(std::span<const std::byte> bytes) {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Reads ranges of at most a piece, many at a time.
class Reader {
 public:
  Reader(const Export& source, std::chrono::seconds deadline,
         const std::shared_ptr<Limiter>& limiter)
      : source_{source},
        deadline_{deadline},
        limiter_{limiter},
        buffer_(in_flight * piece),
        handle_{connect(source, {}, deadline, nullptr)} {}

  using Seen = std::function<void(const Range&, std::span<const std::byte>)>;
  void read(std::span<const Range> ranges, const Seen& seen) {
    for (std::size_t at = 0; at < ranges.size(); at += in_flight) {
      const auto some = ranges.subspan(at, std::min(in_flight, ranges.size() - at));
      for (std::size_t i = 0; i < some.size(); ++i) send(i, some[i]);
      wait_for(some.size());
      for (std::size_t i = 0; i < some.size(); ++i)
        seen(some[i], {buffer_of(i), static_cast<std::size_t>(some[i].length)});
    }
  }

 private:
  std::byte* buffer_of(std::size_t i) { return buffer_.data() + i * piece; }

  void send(std::size_t i, const Range& range) {
    if (limiter_) {
      const auto turn = limiter_->admit(range.length);
      while (Clock::now() < turn) wait({&handle_, 1}, turn, nullptr);
    }
    completions_[i] = {};
    if (nbd_aio_pread(handle_.get(), buffer_of(i), range.length, range.offset,
                      completions_[i].callback(), 0) < 0)
      throw Error{"cannot read " + display(source_) + ": " + nbd_get_error()};
  }

  void wait_for(std::size_t count) {
    const auto until = Clock::now() + deadline_;
    const auto end = completions_.begin() + static_cast<std::ptrdiff_t>(count);
    const auto done = [](const Completion& one) { return one.done; };
    while (!std::all_of(completions_.begin(), end, done)) {
      if (Clock::now() >= until)
        throw Error{"cannot read " + display(source_) + ": no answer within " +
                    std::to_string(deadline_.count()) + " s"};
      wait({&handle_, 1}, until, nullptr);
    }
    for (auto it = completions_.begin(); it != end; ++it)
      if (it->error != 0) throw system_error("read " + display(source_), it->error);
  }

  const Export& source_;
  const std::chrono::seconds deadline_;
  const std::shared_ptr<Limiter> limiter_;
  std::vector<std::byte> buffer_;
  std::array<Completion, in_flight> completions_;
  Handle handle_;  // last: it writes into these
};

// The whole clusters of long data extents, in pieces.
std::vector<Range> pieces_of(const qcow2::Extents& extents) {
  std::vector<Range> out;
  for (const auto& one : extents) {
    if (one.content != Content::data) continue;
    const std::uint64_t end = one.end() / cluster_size * cluster_size;
    std::uint64_t at = (one.offset + cluster_size - 1) / cluster_size * cluster_size;
    while (at + 2 * cluster_size <= end) {
      const std::uint64_t next = std::min(end, (at / piece + 1) * piece);
      out.push_back({at, next - at});
      at = next;
    }
  }
  return out;
}

// `zeros` are whole clusters within data extents, ascending.
qcow2::Extents cut_out(const qcow2::Extents& extents, const qcow2::Extents& zeros) {
  qcow2::Extents out;
  auto zero = zeros.begin();
  for (Extent rest : extents) {
    for (; zero != zeros.end() && zero->offset < rest.end(); ++zero) {
      if (zero->offset > rest.offset)
        append(out, {rest.offset, zero->offset - rest.offset, rest.content});
      append(out, *zero);
      rest.length = rest.end() - zero->end();
      rest.offset = zero->end();
    }
    if (rest.length > 0) append(out, rest);
  }
  return out;
}

}  // namespace

qcow2::Extents without_zeros(const Export& source, const Map& map, std::chrono::seconds deadline,
                             const std::shared_ptr<Limiter>& limiter) {
  const auto pieces = pieces_of(map.extents);
  if (pieces.empty()) return map.extents;
  Reader reader{source, deadline, limiter};
  std::vector<Range> samples, suspects;
  for (const auto& one : pieces)
    samples.push_back({one.offset + one.length / 2 / sample * sample, sample});
  std::size_t next = 0;
  reader.read(samples, [&](const Range&, std::span<const std::byte> bytes) {
    if (is_zero(bytes)) suspects.push_back(pieces[next]);
    ++next;
  });
  qcow2::Extents zeros;
  reader.read(suspects, [&](const Range& range, std::span<const std::byte> bytes) {
    for (std::uint64_t at = 0; at < range.length; at += cluster_size)
      if (is_zero(bytes.subspan(at, cluster_size)))
        append(zeros, {range.offset + at, cluster_size, Content::zero});
  });
  return cut_out(map.extents, zeros);
}

}  // namespace nbd
