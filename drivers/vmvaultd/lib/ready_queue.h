// SPDX-License-Identifier: Apache-2.0
// Which of those that wait is next: the first of those whose host and whose shelf are open.
//
// A shelf stands for what many have in common: a datastore and a window.  Those of one host and one
// shelf form a lane, and of a lane only the first matters; so nobody who waits for a busy host
// stands before others, and a step costs the logarithm of what waits, however much of it cannot
// start.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "drivers/vmvaultd/lib/calendar.h"
#include "drivers/vmvaultd/lib/heap.h"

namespace vmvaultd {

struct Key {
  Time time = 0;          // smaller is earlier
  std::uint64_t tie = 0;  // between equals
  auto operator<=>(const Key&) const = default;
};

class ReadyQueue {
 public:
  // Puts it there, or moves it.  Hosts and shelves are small numbers; both are closed at first.
  void put(int request, const Key& key, int host, int shelf);
  void erase(int request);

  void set_host(int host, bool open);
  void set_shelf(int shelf, bool open);

  std::optional<int> top() const;
  // The first of each lane of the host, whatever is open.
  std::vector<int> tops(int host) const;

 private:
  struct Lane {
    int host = -1, shelf = -1;
    Heap<Key> requests;
  };
  struct HostLanes {
    bool open = false;
    std::vector<int> lanes;
  };
  struct Shelf {
    bool open = false;
    Heap<Key> lanes;  // of open hosts, that are not empty
  };

  HostLanes& host_at(int host);
  Shelf& shelf_at(int shelf);
  int lane_of(int host, int shelf);
  void relist(int lane);

  std::vector<Lane> lanes_;
  std::vector<HostLanes> hosts_;
  std::vector<Shelf> shelves_;
  std::vector<int> lane_of_request_;  // -1: it is in none
  Positions request_positions_, lane_positions_;
};

}  // namespace vmvaultd
