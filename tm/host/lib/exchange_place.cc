// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/exchange_place.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/rbd/manage.h"
#include "tm/host/lib/image_lock.h"
#include "tm/host/lib/lvm_snapshots.h"
#include "tm/host/lib/rbd_snapshots.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace host {
namespace {

fs::path path_of(const ExchangePlace& place, Which which) {
  if (which == Which::current) return place.path;
  return which == Which::fresh ? new_of(place.path) : old_of(place.path);
}

rbd::Access access() { return ceph_access(Shielded::yes); }

// A volume, and what else there is in its group.
struct Group {
  lvm::Volume volume;
  std::vector<lvm::Info> all;
  Group(const ExchangePlace& place, Which which)
      : volume{volume_of(place, which)},
        all{lvm::volumes(volume.group, lvm_access(Shielded::yes))} {}
  const lvm::Info* info() const { return lvm::find(all, volume.name); }
};

void move_volume(const ExchangePlace& place, Which from, Which to) {
  const auto access = lvm_access(Shielded::yes);
  const auto now = volume_of(place, to);
  const GroupLocks locks{{now.group}};
  const Group group{place, from};
  if (const auto* info = group.info(); info && info->active)
    lvm::deactivate({group.volume}, access);
  lvm::rename(group.volume, now, access);
}

void remove_volume(const ExchangePlace& place, Which which) {
  const GroupLocks locks{{place.volume->group}};
  const Group group{place, which};
  if (!group.info()) return;
  std::vector<lvm::Volume> gone;
  if (which == Which::old)
    for (const auto& one : group.all)
      if (is_snapshot_of(place.volume->name, one.name))
        gone.push_back(group.volume.beside(one.name));
  gone.push_back(group.volume);
  lvm::remove(gone, lvm_access(Shielded::yes));
}

bool is_tag(const std::string& text) {
  return text.size() == 8 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

std::string ExchangePlace::display() const { return host::display(*this, Which::current); }

fs::path new_of(const fs::path& place) { return place.string() + ".vmvault-new"; }
fs::path old_of(const fs::path& place) { return place.string() + ".vmvault-old"; }

rbd::Image image_of(const ExchangePlace& place, Which which) {
  rbd::Image out = place.image.value();
  if (which == Which::fresh) out.name += ".vmvault-new-" + place.tag;
  if (which == Which::old) out.name += ".vmvault-old-" + place.tag;
  return out;
}

lvm::Volume volume_of(const ExchangePlace& place, Which which) {
  lvm::Volume out = place.volume.value();
  if (which == Which::fresh) out.name += ".vmvault-new-" + place.tag;
  if (which == Which::old) out.name += ".vmvault-old-" + place.tag;
  return out;
}

std::string display(const ExchangePlace& place, Which which) {
  if (place.volume) return "the volume " + volume_of(place, which).display();
  return place.image ? "the Ceph image " + image_of(place, which).display()
                     : "'" + path_of(place, which).string() + "'";
}

bool is_there(const ExchangePlace& place, Which which) {
  if (place.volume) return Group{place, which}.info() != nullptr;
  if (place.image) return rbd::info(image_of(place, which), access()).has_value();
  std::error_code error;
  const auto type = fs::symlink_status(path_of(place, which), error).type();
  if (type == fs::file_type::none)
    throw system_error("look at " + display(place, which), error.value());
  return type != fs::file_type::not_found;
}

void move(const ExchangePlace& place, Which from, Which to) {
  if (place.volume) return move_volume(place, from, to);
  if (place.image) return rbd::rename(image_of(place, from), image_of(place, to), access());
  const auto old = path_of(place, from), now = path_of(place, to);
  if (std::rename(old.c_str(), now.c_str()) != 0)
    throw system_error("rename '" + old.string() + "' to '" + now.string() + "'", errno);
}

void remove(const ExchangePlace& place, Which which) {
  if (place.volume) return remove_volume(place, which);
  if (!place.image) return remove_tree(path_of(place, which));
  if (rbd::remove(image_of(place, which), access()) == rbd::Removal::has_clones)
    log(Level::warn, display(place, which) + " has clones, so it stays");
}

bool is_in_use(const ExchangePlace& place, Which which) {
  if (place.image) return rbd::watchers(image_of(place, which), access()) > 0;
  if (place.volume) {
    const Group group{place, which};
    return group.info() && group.info()->open;
  }
  // Of the layers of a disk each by itself: what a link names may be another place's.
  const auto path = path_of(place, which);
  std::error_code none;
  const auto type = fs::symlink_status(path, none).type();
  if (type == fs::file_type::regular) return is_open_in_qemu(path);
  if (type != fs::file_type::directory) return false;
  const auto files = entries_of(path);
  return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
    return fs::is_regular_file(fs::symlink_status(file, none)) && is_open_in_qemu(file);
  });
}

void settle(const ExchangePlace& place) {
  if (!place.image) return;
  const auto current = image_of(place, Which::current);
  for (const auto other : {Which::old, Which::fresh})
    rbd::insist_on_one_name(current, image_of(place, other), access());
}

bool is_active(const ExchangePlace& place) {
  if (!place.volume) return false;
  const Group group{place, Which::current};
  return group.info() && group.info()->active;
}

void sync(const ExchangePlace& place) {
  if (place.is_file()) sync_directory(place.path.parent_path());
  if (!place.volume || !place.active) return;
  const Group group{place, Which::current};
  if (const auto* info = group.info(); info && !info->active)
    lvm::activate({group.volume}, lvm_access(Shielded::yes));
}

json to_json(const ExchangePlace& place) {
  if (place.volume)
    return {{"volume", place.volume->display()},
            {"pool", place.pool},
            {"active", place.active},
            {"tag", place.tag},
            {"had", place.had}};
  if (!place.image) return {{"path", place.path.string()}, {"had", place.had}};
  return {
      {"image", place.image->display()},   {"user", place.image->user}, {"conf", place.image->conf},
      {"key_file", place.image->key_file}, {"tag", place.tag},          {"had", place.had}};
}

ExchangePlace parse_place(const json& in) {
  ExchangePlace out;
  out.had = in.at("had");
  if (in.contains("volume")) {
    out.volume = lvm::parse_volume(in.at("volume").get<std::string>());
    out.pool = in.at("pool");
    if (!out.pool.empty()) lvm::parse_volume(out.volume->group + "/" + out.pool);
    out.active = in.at("active");
    out.tag = in.at("tag");
    if (!is_tag(out.tag)) throw Error{"the restore journal names a foreign volume"};
    return out;
  }
  if (in.contains("image")) {
    out.image = rbd::parse_image(in.at("image").get<std::string>());
    out.image->user = in.at("user");
    out.image->conf = in.at("conf");
    out.image->key_file = in.at("key_file");
    out.tag = in.at("tag");
    if (!is_tag(out.tag)) throw Error{"the restore journal names a foreign image"};
    return out;
  }
  out.path = in.at("path").get<std::string>();
  if (normal_path(out.path.string()) != out.path)
    throw Error{"the restore journal names a path that is not normal"};
  return out;
}

}  // namespace host
