// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

#include "common/qcow2/overlay.h"
#include "common/qcow2/stream.h"

namespace qcow2 {
namespace {

Segments merged(const std::vector<Layer>& files) {
  if (files.empty()) throw std::logic_error{"nothing to merge"};
  Segments segments;
  for (std::size_t i = 0; i < files.size(); ++i)
    segments = overlay(segments, files[i].extents, files[i].virtual_size, i);
  return segments;
}

Plan plan_of(const Segments& segments, const std::vector<Layer>& files, Hidden zeros) {
  const auto virtual_size = files.back().virtual_size;
  Extents all;
  if (zeros == Hidden::zero)
    for (const Layer& file : files) all.insert(all.end(), file.extents.begin(), file.extents.end());
  const auto zero = hidden(segments, std::move(all), virtual_size);
  Extents extents;
  auto next = zero.begin();
  for (const Segment& segment : segments) {
    for (; next != zero.end() && next->offset < segment.offset; ++next) append(extents, *next);
    append(extents, {segment.offset, segment.length, Content::data});
  }
  for (; next != zero.end(); ++next) append(extents, *next);
  return {virtual_size, extents};
}

std::vector<Layer> layers(std::vector<StreamReader> streams) {
  std::vector<Layer> files;
  for (auto& stream : streams) {
    const auto shared = std::make_shared<StreamReader>(std::move(stream));
    files.push_back({.virtual_size = shared->plan().virtual_size(),
                     .extents = shared->plan().extents(),
                     .read = [shared](auto offset, auto out) { shared->read(offset, out); },
                     .finish = [shared] { shared->finish(); }});
  }
  return files;
}

}  // namespace

struct Merge::State {
  State(std::vector<Layer> oldest_first, Hidden zeros)
      : files{std::move(oldest_first)},
        segments{merged(files)},
        plan{plan_of(segments, files, zeros)} {}

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

  std::vector<Layer> files;
  Segments segments;
  Plan plan;
  std::size_t next = 0;  // the first segment that is not wholly read
};

Merge::Merge(std::vector<StreamReader> oldest_first)
    : Merge{layers(std::move(oldest_first)), Hidden::left_out} {}

Merge::Merge(std::vector<Layer> oldest_first, Hidden hidden)
    : state_{std::make_unique<State>(std::move(oldest_first), hidden)} {}

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
    for (const Layer& file : state_->files)
      if (file.finish) file.finish();
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
