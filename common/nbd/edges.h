// SPDX-License-Identifier: Apache-2.0
// Where a disk holds data.
#pragma once

#include <cstdint>
#include <vector>

namespace nbd {

// Offsets where what is true of a disk begins and ends, in turn, ascending.  What lies before the
// first one is not known; {0, 0} is a disk of which it is nowhere true.  Empty: nothing is known.
using Edges = std::vector<std::uint64_t>;

// Behind all that is in `edges`, which begins as {0, 0}.
inline void append(Edges& edges, std::uint64_t begin, std::uint64_t end) {
  if (edges.back() == begin) {
    edges.back() = end;
    return;
  }
  edges.push_back(begin);
  edges.push_back(end);
}

// Moves along the edges, forth only.
class Along {
 public:
  explicit Along(const Edges& edges) : edges_{edges} {}  // must outlive this

  // Is it true at this offset?  Not less than that of the call before.
  bool at(std::uint64_t offset) {
    while (next_ < edges_.size() && edges_[next_ + 1] <= offset) next_ += 2;
    return next_ < edges_.size() && edges_[next_] <= offset;
  }
  // The next offset behind the one of that call where it changes, or `end`.
  std::uint64_t change(std::uint64_t offset, std::uint64_t end) const {
    if (next_ >= edges_.size()) return end;
    return edges_[next_] > offset ? edges_[next_] : edges_[next_ + 1];
  }

 private:
  const Edges& edges_;
  std::size_t next_ = 0;
};

}  // namespace nbd
