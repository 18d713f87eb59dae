// SPDX-License-Identifier: Apache-2.0
// Objects by their id, in places that are small numbers and stay the same as long as they live.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vmvaultd {

template <class T>
class Table {
 public:
  // The place of the object with this id; -1 if there is none.
  int find(int id) const {
    const auto found = places_.find(id);
    return found == places_.end() ? -1 : found->second;
  }
  bool has(int id) const { return find(id) >= 0; }

  // Its place; of a new one if there is none.
  int place(int id) {
    const auto [found, is_new] = places_.try_emplace(id, 0);
    if (is_new) found->second = add();
    return found->second;
  }

  void remove(int id) {
    const auto found = places_.find(id);
    if (found == places_.end()) return;
    objects_[static_cast<std::size_t>(found->second)] = T{};
    free_.push_back(found->second);
    places_.erase(found);
  }

  T& operator[](int at) { return objects_[static_cast<std::size_t>(at)]; }
  const T& operator[](int at) const { return objects_[static_cast<std::size_t>(at)]; }
  const std::unordered_map<int, int>& places() const { return places_; }

 private:
  int add() {
    if (free_.empty()) {
      objects_.emplace_back();
      return static_cast<int>(objects_.size()) - 1;
    }
    const int at = free_.back();
    free_.pop_back();
    return at;
  }

  std::vector<T> objects_;
  std::vector<int> free_;
  std::unordered_map<int, int> places_;
};

}  // namespace vmvaultd
