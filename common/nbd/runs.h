// SPDX-License-Identifier: Apache-2.0
// What a server says about a disk, one context at a time: private to common/nbd.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/nbd/export.h"

namespace nbd {

// One context's answers, as runs from the front of the disk without a gap.
class Runs {
 public:
  // Of what `context` says about a range (flags, or a number), `counts` finds what matters.
  using Counts = std::function<bool(std::uint32_t)>;
  Runs(std::string context, Counts counts, std::uint64_t size)
      : context_{std::move(context)}, counts_{std::move(counts)}, size_{size} {}

  struct Run {
    std::uint64_t end;
    bool set;
  };

  const std::string& context() const { return context_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t end() const { return runs_.empty() ? 0 : runs_.back().end; }  // known up to here
  const std::vector<Run>& get() const { return runs_; }

  // libnbd gives pairs of a length and what is said of it.  They may repeat what is known, and
  // exceed the disk; what lies behind a gap is ignored.
  void add(std::uint64_t offset, std::span<const std::uint32_t> pairs);

 private:
  std::string context_;
  Counts counts_;
  std::uint64_t size_;
  std::vector<Run> runs_;
};

// What counts where a bit of it is set.
inline Runs::Counts flag(std::uint32_t bit) {
  return [bit](std::uint32_t flags) { return (flags & bit) != 0; };
}

// First what reads as zeros, then what is dirty, if that matters.  All known to the end.  Map::data
// stays empty.
Map combine(std::span<const Runs> answers, Base base);

// Map::data, by what is not allocated.  Known to the end.
Edges allocated(const Runs& holes);

}  // namespace nbd
