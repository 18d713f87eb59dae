// SPDX-License-Identifier: Apache-2.0
// Logical volumes of LVM, by its own programs: they come with the version that made the volumes.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lvm {

struct Volume {
  std::string group, name;

  std::string display() const { return group + "/" + name; }
  std::filesystem::path device() const { return "/dev/" + display(); }
  std::string mapper_name() const;  // that of the device mapper, which doubles hyphens
  Volume beside(const std::string& other) const { return {group, other}; }
  auto operator<=>(const Volume&) const = default;
};

// "group/name".  BadRequest for anything else, and for what is no name to LVM.
Volume parse_volume(std::string_view text);

struct Access {
  // For each program: a device that hangs would be waited for without end.
  std::chrono::seconds deadline{120};
  // A cancellation does not stop it: for what undoes.
  bool shielded = false;
};

struct Info {
  std::string name, pool, origin;  // a volume of the same group, or empty
  std::optional<std::uint64_t> thin_id;
  std::uint64_t size = 0;            // bytes
  double used_metadata_percent = 0;  // of a pool; of one that is not active: unknown, and 0
  bool active = false;
  bool open = false;  // by somebody, whatever he does with it
  std::vector<std::string> tags;
};

// All of a group.  These throw Error in LVM's words, and Cancelled.
std::vector<Info> volumes(const std::string& group, const Access& access);
std::vector<Info> parse_volumes(const std::string& json);  // for tests: what lvs says
const Info* find(const std::vector<Info>& all, std::string_view name);

// Thin ones need no size.  They cost the pool nothing yet, and are not active.
// No tag if it is empty.
void create_snapshot(const Volume& of, const std::string& name, const std::string& tag,
                     const Access& access);
void activate(const std::vector<Volume>& volumes, const Access& access);
void deactivate(const std::vector<Volume>& volumes, const Access& access);
void remove(const std::vector<Volume>& volumes, const Access& access);
void rename(const Volume& from, const Volume& to, const Access& access);
// Active.  In a pool it is thin.
void create(const Volume& volume, const std::string& pool, std::uint64_t size,
            const Access& access);
void add_tag(const Volume& volume, const std::string& tag, const Access& access);
void remove_tag(const Volume& volume, const std::string& tag, const Access& access);

// A pool that is as large as all its volumes and `more` cannot run full, which its guests would
// feel.  `all` are those of its group.  Error if that has no room for it, or the pool's metadata is
// nearly full.
void make_room(const Volume& pool, const std::vector<Info>& all, std::uint64_t more,
               const Access& access);

// A program that was killed may have left it standing still, and whoever uses it with it.
void resume_if_suspended(const Volume& volume, const Access& access);

// What is read where nothing was written: another volume than this one, and not zeros?  It must be
// active.
bool has_external_origin(const Volume& volume, const Access& access);

}  // namespace lvm
