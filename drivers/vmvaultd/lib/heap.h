// SPDX-License-Identifier: Apache-2.0
// A heap of small numbers, each in it at most once, from which any can be taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vmvaultd {

// Where each number is in its heap.  Heaps that never hold the same number share one.
using Positions = std::vector<std::int32_t>;

template <class Key>
class Heap {
 public:
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  int top() const { return items_.front().number; }
  const Key& top_key() const { return items_.front().key; }

  // Puts the number there, or moves it to where its new key belongs.
  void put(int number, const Key& key, Positions& positions) {
    const auto index = static_cast<std::size_t>(number);
    if (positions.size() <= index) positions.resize(index + index / 2 + 16, -1);
    if (positions[index] < 0) {
      items_.push_back({key, number});
      rise(items_.size() - 1, positions);
      return;
    }
    const auto at = static_cast<std::size_t>(positions[index]);
    items_[at].key = key;
    sink(rise(at, positions), positions);
  }

  // Nothing happens when it is not there.
  void erase(int number, Positions& positions) {
    const auto index = static_cast<std::size_t>(number);
    if (positions.size() <= index || positions[index] < 0) return;
    const auto at = static_cast<std::size_t>(positions[index]);
    positions[index] = -1;
    const Item last = items_.back();
    items_.pop_back();
    if (at == items_.size()) return;
    items_[at] = last;
    sink(rise(at, positions), positions);
  }

 private:
  struct Item {
    Key key;
    std::int32_t number;
  };

  std::size_t rise(std::size_t at, Positions& positions) {
    const Item item = items_[at];
    while (at > 0 && item.key < items_[(at - 1) / 2].key) {
      set(at, items_[(at - 1) / 2], positions);
      at = (at - 1) / 2;
    }
    set(at, item, positions);
    return at;
  }

  void sink(std::size_t at, Positions& positions) {
    const Item item = items_[at];
    for (std::size_t child = 2 * at + 1; child < items_.size(); child = 2 * at + 1) {
      if (child + 1 < items_.size() && items_[child + 1].key < items_[child].key) ++child;
      if (!(items_[child].key < item.key)) break;
      set(at, items_[child], positions);
      at = child;
    }
    set(at, item, positions);
  }

  void set(std::size_t at, const Item& item, Positions& positions) {
    items_[at] = item;
    positions[static_cast<std::size_t>(item.number)] = static_cast<std::int32_t>(at);
  }

  std::vector<Item> items_;
};

// A heap with positions of its own.
template <class Key>
class Timers {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  int top() const { return heap_.top(); }
  const Key& top_key() const { return heap_.top_key(); }
  void put(int number, const Key& key) { heap_.put(number, key, positions_); }
  void erase(int number) { heap_.erase(number, positions_); }

 private:
  Heap<Key> heap_;
  Positions positions_;
};

}  // namespace vmvaultd
