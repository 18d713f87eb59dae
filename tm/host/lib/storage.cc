// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/storage.h"

#include <iterator>

namespace host {

void Storages::add(std::unique_ptr<Storage> storage) {
  if (storage) storages_.push_back(std::move(storage));
}

void Storages::announce() {
  for (const auto& one : storages_) one->announce();
}

void Storages::take() {
  for (const auto& one : storages_) one->take();
}

void Storages::serve() {
  for (const auto& one : storages_) {
    one->serve();
    parts_.insert(parts_.end(), one->parts().begin(), one->parts().end());
  }
}

bool Storages::several_moments() const {
  std::size_t moments = 0;
  for (const auto& one : storages_) moments += one->moments();
  return moments > 1;
}

std::vector<CopyDisk> Storages::disks() const {
  std::vector<CopyDisk> out;
  for (const auto& one : storages_) {
    auto disks = one->disks();
    std::move(disks.begin(), disks.end(), std::back_inserter(out));
  }
  return out;
}

void Storages::end() {
  for (const auto& one : storages_) one->end();
}

void Storages::commit(const std::vector<CopyDisk>& disks) {
  auto at = disks.begin();
  for (const auto& one : storages_) {
    const auto next = at + static_cast<std::ptrdiff_t>(one->parts().size());
    one->commit({at, next});
    at = next;
  }
}

}  // namespace host
