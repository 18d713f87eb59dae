// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

#include "common/qcow2/overlay.h"
#include "common/qcow2/stream.h"

namespace qcow2 {
namespace {

Segments merged(const std::vector<StreamReader>& files) {
  if (files.empty()) throw std::logic_error{"nothing to merge"};
  Segments segments;
  for (std::size_t i = 0; i < files.size(); ++i) segments = overlay(segments, files[i].plan(), i);
  return segments;
}

// Nothing is behind the merged file: what is zero need not be said.
Plan plan_of(const Segments& segments, std::uint64_t virtual_size) {
  Extents extents;
  for (const Segment& segment : segments)
    append(extents, {segment.offset, segment.length, Content::data});
  return {virtual_size, extents};
}

}  // namespace

struct Merge::State {
  explicit State(std::vector<StreamReader> oldest_first)
      : files{std::move(oldest_first)},
        segments{merged(files)},
        plan{plan_of(segments, files.back().plan().virtual_size())} {}

  // The guest's bytes; calls go forward.
  void read(std::uint64_t offset, std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0});
    const std::uint64_t end = offset + out.size();
    while (next < segments.size() && segments[next].offset < end) {
      const Segment& segment = segments[next];
      const std::uint64_t from = std::max(offset, segment.offset);
      const std::uint64_t to = std::min(end, segment.end());
      files[segment.file].read(from, out.subspan(from - offset, to - from));
      if (segment.end() > end) return;
      ++next;
    }
  }

  std::vector<StreamReader> files;
  Segments segments;
  Plan plan;
  std::size_t next = 0;  // the first segment that is not wholly read
};

Merge::Merge(std::vector<StreamReader> oldest_first)
    : state_{std::make_unique<State>(std::move(oldest_first))} {}

Merge::~Merge() = default;

const Plan& Merge::plan() const { return state_->plan; }

void Merge::read(std::uint64_t offset, std::span<std::byte> out) {
  const Plan& plan = state_->plan;
  while (!out.empty()) {
    std::span<std::byte> part;
    if (offset < plan.metadata_size()) {
      part = out.first(std::min<std::uint64_t>(out.size(), plan.metadata_size() - offset));
      plan.read_metadata(offset, part);
    } else {
      const auto place = plan.place(offset);
      part = out.first(std::min<std::uint64_t>(out.size(), place.length));
      state_->read(place.guest_offset, part);
    }
    offset += part.size();
    out = out.subspan(part.size());
  }
  if (offset == plan.file_size())
    for (StreamReader& file : state_->files) file.finish();
}

void Merge::write(const Sink& sink) {
  std::vector<std::byte> buffer(1 << 20);
  for (std::uint64_t at = 0; at < plan().file_size();) {
    const auto part =
        std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), plan().file_size() - at));
    read(at, part);
    sink(part);
    at += part.size();
  }
}

}  // namespace qcow2
