// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/zeros.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <set>
#include <vector>

#include "common/error.h"
#include "common/nbd/connection.h"
#include "common/qcow2/plan.h"

namespace nbd {
namespace {

using qcow2::cluster_size;
using qcow2::Content;
using qcow2::Extent;

constexpr std::uint64_t piece = 8 * cluster_size;  // one sample of each, at most
constexpr std::uint64_t group = 8 * piece;         // where two samples are data, all of it is
constexpr std::uint64_t longest = 4 * piece;       // that is read at a time
constexpr std::uint64_t sample = 4096;

struct Range {
  std::uint64_t offset, length;
};

bool is_zero(std::span<const std::byte> bytes) {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Reads ranges, many at a time; they are seen in their order.
class Reader {
 public:
  Reader(const Export& source, std::chrono::seconds deadline,
         const std::shared_ptr<Limiter>& limiter)
      : source_{source},
        deadline_{deadline},
        limiter_{limiter},
        buffer_(room),
        handle_{connect(source, {}, deadline, nullptr)} {}

  using Seen = std::function<void(const Range&, std::span<const std::byte>)>;
  void read(std::span<const Range> ranges, std::uint64_t most, const Seen& seen) {
    const std::size_t window = std::min<std::size_t>(slots_.size(), room / most);
    for (std::size_t next = 0, oldest = 0; oldest < ranges.size(); ++oldest) {
      for (; next < ranges.size() && next - oldest < window; ++next)
        send(slots_[next % window], buffer_.data() + next % window * most, ranges[next]);
      Slot& slot = slots_[oldest % window];
      wait_for(slot);
      seen(ranges[oldest], {slot.at, static_cast<std::size_t>(ranges[oldest].length)});
    }
  }

 private:
  static constexpr std::size_t room = 16 * piece;

  struct Slot {
    std::byte* at = nullptr;
    Clock::time_point until;
    Completion completion;
  };

  void send(Slot& slot, std::byte* at, const Range& range) {
    if (limiter_) {
      const auto turn = limiter_->admit(range.length);
      while (Clock::now() < turn) wait({&handle_, 1}, turn, nullptr);
    }
    slot.at = at;
    slot.completion = {};
    slot.until = Clock::now() + deadline_;
    if (nbd_aio_pread(handle_.get(), at, range.length, range.offset, slot.completion.callback(),
                      0) < 0)
      throw Error{"cannot read " + display(source_) + ": " + nbd_get_error()};
  }

  void wait_for(const Slot& slot) {
    while (!slot.completion.done) {
      if (Clock::now() >= slot.until)
        throw Error{"cannot read " + display(source_) + ": no answer within " +
                    std::to_string(deadline_.count()) + " s"};
      wait({&handle_, 1}, slot.until, nullptr);
    }
    if (slot.completion.error != 0)
      throw system_error("read " + display(source_), slot.completion.error);
  }

  const Export& source_;
  const std::chrono::seconds deadline_;
  const std::shared_ptr<Limiter> limiter_;
  std::vector<std::byte> buffer_;
  std::array<Slot, 64> slots_;
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

// Which of these pieces (by their numbers, ascending) have zeros in the middle.
std::vector<std::size_t> zero_in(Reader& reader, const std::vector<Range>& pieces,
                                 const std::vector<std::size_t>& which) {
  std::vector<Range> samples;
  for (const auto i : which)
    samples.push_back({pieces[i].offset + pieces[i].length / 2 / sample * sample, sample});
  std::vector<std::size_t> out;
  std::size_t next = 0;
  reader.read(samples, sample, [&](const Range&, std::span<const std::byte> bytes) {
    if (is_zero(bytes)) out.push_back(which[next]);
    ++next;
  });
  return out;
}

// What may be zeros, in parts as long as are read at a time.
std::vector<Range> suspects_of(Reader& reader, const std::vector<Range>& pieces) {
  const auto group_of = [&](std::size_t i) { return pieces[i].offset / group; };
  std::vector<std::size_t> first, others;
  for (std::size_t i = 0, begin = 0; i < pieces.size(); ++i) {
    if (group_of(i) != group_of(begin)) begin = i;
    (i == begin || i == begin + group / piece / 2 ? first : others).push_back(i);
  }
  auto found = zero_in(reader, pieces, first);
  std::set<std::uint64_t> groups;
  for (const auto i : found) groups.insert(group_of(i));
  std::erase_if(others, [&](const auto i) { return !groups.contains(group_of(i)); });
  const auto more = zero_in(reader, pieces, others);
  found.insert(found.end(), more.begin(), more.end());
  std::sort(found.begin(), found.end());
  std::vector<Range> out;
  for (const auto i : found) {
    const auto& one = pieces[i];
    if (!out.empty() && out.back().offset + out.back().length == one.offset &&
        out.back().length + one.length <= longest)
      out.back().length += one.length;
    else
      out.push_back(one);
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
  const auto suspects = suspects_of(reader, pieces);
  qcow2::Extents zeros;
  reader.read(suspects, longest, [&](const Range& range, std::span<const std::byte> bytes) {
    for (std::uint64_t at = 0; at < range.length; at += cluster_size)
      if (is_zero(bytes.subspan(at, cluster_size)))
        append(zeros, {range.offset + at, cluster_size, Content::zero});
  });
  return cut_out(map.extents, zeros);
}

}  // namespace nbd
