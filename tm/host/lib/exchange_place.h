// SPDX-License-Identifier: Apache-2.0
// A place whose content is exchanged: that of a file or directory, of an image in Ceph, or of a
// volume of LVM.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/lvm/volume.h"
#include "common/rbd/image.h"

namespace host {

struct ExchangePlace {
  std::filesystem::path path;  // empty: it is an image or a volume
  bool had = false;            // something was there before
  std::optional<rbd::Image> image = {};
  std::string tag = {};  // makes the names of an image's others unique, since its old one may stay
  std::optional<lvm::Volume> volume = {};
  std::string pool = {};  // of the volume; empty: it is in none
  bool active = false;    // the volume was, and is to be when it is back

  bool is_file() const { return !image && !volume; }
  std::string display() const;
};

// What belongs to the place.
enum class Which { current, fresh, old };

// <place>.vmvault-new and <place>.vmvault-old.
std::filesystem::path new_of(const std::filesystem::path& place);
std::filesystem::path old_of(const std::filesystem::path& place);
// <image>.vmvault-new-<tag>, and the same with "old".
rbd::Image image_of(const ExchangePlace& place, Which which);
lvm::Volume volume_of(const ExchangePlace& place, Which which);

// These throw Error, and are not cancelled.  A move needs an empty place to go to.  A volume is
// not active when it is moved; with an old one go the snapshots that backups have of it.
std::string display(const ExchangePlace& place, Which which);
bool is_there(const ExchangePlace& place, Which which);
void move(const ExchangePlace& place, Which from, Which to);
// Nothing if there is none.  The old image stays, and a warning says so, if it has clones.
void remove(const ExchangePlace& place, Which which);
// Has somebody opened what belongs to the place: a qemu, or one of its tools?
bool is_in_use(const ExchangePlace& place, Which which);
// A move that was cut off has happened, or has not.
void settle(const ExchangePlace& place);
bool is_active(const ExchangePlace& place);  // a volume
// What was moved is durable, and as active as it was.
void sync(const ExchangePlace& place);

nlohmann::json to_json(const ExchangePlace& place);
ExchangePlace parse_place(const nlohmann::json& in);  // Error, json::exception

}  // namespace host
