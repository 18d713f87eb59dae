// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/ready_queue.h"

namespace vmvaultd {
namespace {

template <class T>
T& grown(std::vector<T>& all, int at, const T& fresh = T{}) {
  const auto index = static_cast<std::size_t>(at);
  if (all.size() <= index) all.resize(index + index / 2 + 16, fresh);
  return all[index];
}

}  // namespace

ReadyQueue::HostLanes& ReadyQueue::host_at(int host) { return grown(hosts_, host); }

ReadyQueue::Shelf& ReadyQueue::shelf_at(int shelf) { return grown(shelves_, shelf); }

int ReadyQueue::lane_of(int host, int shelf) {
  auto& lanes = host_at(host).lanes;
  for (const int lane : lanes)
    if (lanes_[static_cast<std::size_t>(lane)].shelf == shelf) return lane;
  shelf_at(shelf);
  lanes.push_back(static_cast<int>(lanes_.size()));
  lanes_.push_back({host, shelf, {}});
  return lanes.back();
}

void ReadyQueue::put(int request, const Key& key, int host, int shelf) {
  const int lane = lane_of(host, shelf);
  int& now_in = grown(lane_of_request_, request, -1);
  if (now_in != lane) erase(request);
  now_in = lane;
  lanes_[static_cast<std::size_t>(lane)].requests.put(request, key, request_positions_);
  relist(lane);
}

void ReadyQueue::erase(int request) {
  int& lane = grown(lane_of_request_, request, -1);
  if (lane < 0) return;
  lanes_[static_cast<std::size_t>(lane)].requests.erase(request, request_positions_);
  relist(lane);
  lane = -1;
}

void ReadyQueue::relist(int number) {
  const auto& lane = lanes_[static_cast<std::size_t>(number)];
  auto& shelf = shelf_at(lane.shelf);
  if (host_at(lane.host).open && !lane.requests.empty())
    shelf.lanes.put(number, lane.requests.top_key(), lane_positions_);
  else
    shelf.lanes.erase(number, lane_positions_);
}

void ReadyQueue::set_host(int host, bool open) {
  auto& lanes = host_at(host);
  if (lanes.open == open) return;
  lanes.open = open;
  for (const int lane : lanes.lanes) relist(lane);
}

void ReadyQueue::set_shelf(int shelf, bool open) { shelf_at(shelf).open = open; }

std::optional<int> ReadyQueue::top() const {
  const Shelf* best = nullptr;
  for (const auto& shelf : shelves_)
    if (shelf.open && !shelf.lanes.empty() &&
        (best == nullptr || shelf.lanes.top_key() < best->lanes.top_key()))
      best = &shelf;
  if (best == nullptr) return std::nullopt;
  return lanes_[static_cast<std::size_t>(best->lanes.top())].requests.top();
}

std::vector<int> ReadyQueue::tops(int host) const {
  std::vector<int> found;
  for (const int lane : hosts_[static_cast<std::size_t>(host)].lanes)
    if (const auto& requests = lanes_[static_cast<std::size_t>(lane)].requests; !requests.empty())
      found.push_back(requests.top());
  return found;
}

}  // namespace vmvaultd
