// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/tracking.h"

#include <algorithm>
#include <ctime>

#include "common/one/action.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/image_token.h"

namespace host {
namespace {

std::uint64_t capacity(const Domain& domain, const std::string& target) {
  virDomainBlockInfo info{};
  if (virDomainGetBlockInfo(domain.get(), target.c_str(), &info, 0) != 0)
    throw VirtError{"ask for the size of disk '" + target + "'"};
  return info.capacity;
}

Part describe(const LiveDisk& disk) {
  Part out{
      .id = disk.id, .target = disk.target, .format = disk.format, .image = disk.file, .why = ""};
  if (out.format != "qcow2") return out;
  const int version = qcow2_version(out.image);
  if (version == 0)
    throw Error{"'" + out.image.string() + "' is no qcow2 file, but the domain says so"};
  out.bitmaps = version >= 3;
  return out;
}

}  // namespace

Tracking::Tracking(const Capture& capture, const Domain& domain, const LiveDomain& live)
    : capture_{capture},
      domain_{domain},
      live_{live},
      marks_{capture.request.vm_dir},
      checkpoints_{domain, capture.request.vm.id} {
  for (const auto& disk : live_.disks) {
    Part& part = parts_.emplace_back(describe(disk));
    if (capture_.parent() < 0) continue;
    if (auto why = unfit(capture_, marks_, part, capacity(domain_, part.target)))
      part.why = *std::move(why);
    else
      part.since_parent = true;
    part.parent_bitmap = marks_.bitmap(capture_.request.vm.id, capture_.parent());
    part.before = marks_.data(capture_.parent(), part.id);
  }
  if (capture_.parent() >= 0) find_parent();
}

void Tracking::lost(const std::string& why) {
  for (auto& part : parts_) {
    if (!part.since_parent) continue;
    part.since_parent = false;
    part.why = why;
  }
}

std::vector<std::string> Tracking::targets_since_parent() const {
  std::vector<std::string> out;
  for (const auto& part : parts_)
    if (part.since_parent) out.push_back(part.target);
  return out;
}

// libvirt must know the parent's checkpoint, and it must be the one that we made.
void Tracking::find_parent() {
  const int parent = capture_.parent();
  const auto name = marks_.bitmap(capture_.request.vm.id, parent);
  const auto targets = targets_since_parent();
  if (targets.empty()) return;
  if (const auto created = checkpoints_.created(name)) {
    for (auto& part : parts_) {
      const auto mark = marks_.find(parent, part.id);
      if (!part.since_parent || !mark || mark->created == 0 || mark->created == *created) continue;
      part.since_parent = false;
      part.why = "the checkpoint of increment " + std::to_string(parent) + " was made anew";
    }
    return;
  }
  // The domain was defined anew (a migration, a power cycle under OpenNebula), or the VM was off
  // when the parent was taken: the bitmaps are in the images, libvirt must be told.
  try {
    const auto mark = marks_.find(parent, parts_.front().id);
    const std::int64_t when = mark && mark->created != 0 ? mark->created : std::time(nullptr);
    checkpoints_.redefine(name, when, targets, everything_but(targets), true);
  } catch (const VirtError& e) {
    lost(std::string{"change tracking was lost: "} + e.what());
  }
}

std::vector<std::string> Tracking::everything_but(const std::vector<std::string>& targets) const {
  std::vector<std::string> out{live_.others};
  for (const auto& disk : live_.disks)
    if (std::find(targets.begin(), targets.end(), disk.target) == targets.end())
      out.push_back(disk.target);
  return out;
}

void Tracking::tidy() {
  marks_.write(capture_.own(), {}, capture_.kept_increment());  // of bitmaps that go
  tell_of_unknown_bitmaps();
  for (const auto& name : checkpoints_.names())
    if (name != kept_bitmap()) checkpoints_.remove(name);
}

// Bitmaps of ours in the images that libvirt does not know: it must, to remove them.
void Tracking::tell_of_unknown_bitmaps() {
  std::map<std::string, std::vector<std::string>> unknown;
  for (const auto& part : parts_) {
    if (!part.bitmaps) continue;
    for (const auto& bitmap : image_info(part.image, "qcow2", Access::shared).bitmaps) {
      if (checkpoint_increment(capture_.request.vm.id, bitmap.name) &&
          bitmap.name != kept_bitmap() && !checkpoints_.has(bitmap.name))
        unknown[bitmap.name].push_back(part.target);
    }
  }
  for (const auto& [name, targets] : unknown) try {
      checkpoints_.redefine(name, std::time(nullptr), targets, everything_but(targets), false);
    } catch (const VirtError& e) {
      log(Level::warn, e.what());
    }
}

void Tracking::remove_namesake() {
  std::vector<std::string> targets;
  for (const auto& part : parts_)
    if (part.bitmaps) targets.push_back(part.target);
  const auto own = capture_.own_bitmap();
  checkpoints_.redefine(own, std::time(nullptr), targets, everything_but(targets), false);
  checkpoints_.remove(own);
}

std::string Tracking::kept_bitmap() const {
  return marks_.bitmap(capture_.request.vm.id, capture_.kept_increment());
}

void Tracking::announce() const {
  for (const auto& part : parts_)
    if (part.bitmaps) leave_token(part.image, capture_.own_bitmap());
}

void Tracking::mark(const std::vector<CopyDisk>& copies) {
  const auto own = capture_.own_bitmap();
  const auto created = Checkpoints{domain_, capture_.request.vm.id}.created(own);
  std::map<int, Mark> marks;
  for (size_t i = 0; i < parts_.size(); ++i)
    if (parts_[i].bitmaps && created)
      marks[parts_[i].id] = {.bitmap = own,
                             .size = copies[i].virtual_size,
                             .image = identity_of(parts_[i].image),
                             .created = *created,
                             .data = copies[i].data,
                             .token = token_of(parts_[i].image, own),
                             .capture = capture_.request.vm.backup.capture,
                             .length = length_of(parts_[i].image),
                             .backing = backing_of(parts_[i].image)};
  marks_.write(capture_.own(), marks, capture_.kept_increment());
  for (const auto& part : parts_)
    sweep_tokens(part.image, capture_.request.vm.id, kept_bitmap(), own);
}

}  // namespace host
