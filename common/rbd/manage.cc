// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/manage.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>

#include "common/rbd/program.h"

using nlohmann::json;

namespace rbd {
namespace {

// An image with millions of objects, or one of disks as large as they get.  A cluster that does not
// answer is noticed by the limits of single operations.
constexpr std::chrono::hours longest{48};

constexpr std::string_view wanted[] = {"layering", "exclusive-lock", "object-map", "fast-diff",
                                       "deep-flatten"};

Info parse_info(const json& in) {
  Info out{.id = in.value("id", ""),
           .size = in.at("size"),
           .object_size = in.at("object_size"),
           .data_pool = in.value("data_pool", ""),
           .features = {}};
  for (const auto& one : in.value("features", json::array()))
    if (std::find(std::begin(wanted), std::end(wanted), one.get<std::string>()) != std::end(wanted))
      out.features.push_back(one);
  return out;
}

template <class Use>
auto parsed(const std::string& text, const std::string& doing, const Use& use) {
  try {
    return use(json::parse(text));
  } catch (const json::exception& e) {
    throw Error{"cannot " + doing + ": " + e.what()};
  }
}

bool has_clones(const Image& image, const std::string& snapshot, const Access& access) {
  const auto doing = "list the clones" + of(image);
  const auto text =
      insist(program(image, {"children", "--format=json", "--snap=" + snapshot}, access), doing);
  return parsed(text, doing, [](const json& in) { return !in.empty(); });
}

std::set<std::string> listed(const Image& image, const Access& access) {
  const auto doing = "list the Ceph images of " + image.pool;
  auto command = program_for_cluster(image, {"ls", "--format=json"}, access);
  command.arg("--pool=" + image.pool);
  if (!image.name_space.empty()) command.arg("--namespace=" + image.name_space);
  return parsed(insist(command, doing), doing,
                [](const json& in) { return in.get<std::set<std::string>>(); });
}

}  // namespace

std::optional<Info> info(const Image& image, const Access& access) {
  const auto doing = "look at the Ceph image " + image.display();
  const auto finished = finish(program(image, {"info", "--format=json"}, access), doing);
  if (finished.status == ENOENT) return std::nullopt;
  if (!finished.ok()) throw failure(doing, finished);
  return parsed(finished.out, doing, parse_info);
}

std::size_t watchers(const Image& image, const Access& access) {
  const auto doing = "look who uses the Ceph image " + image.display();
  const auto finished = finish(program(image, {"status", "--format=json"}, access), doing);
  if (finished.status == ENOENT) return 0;
  if (!finished.ok()) throw failure(doing, finished);
  return parsed(finished.out, doing, [](const json& in) { return in.at("watchers").size(); });
}

void create(const Image& image, std::uint64_t size, const std::optional<Info>& like,
            const Access& access) {
  auto command = program(image, {"create", "--size=" + std::to_string(size) + "B"}, access);
  if (like) {
    command.arg("--object-size=" + std::to_string(like->object_size) + "B");
    if (!like->data_pool.empty()) command.arg("--data-pool=" + like->data_pool);
    for (const auto& one : like->features) command.arg("--image-feature=" + one);
  }
  insist(command, "make the Ceph image " + image.display());
}

void rename(const Image& from, const Image& to, const Access& access) {
  insist(program_for_cluster(from, {"rename", from.display(), to.display()}, access),
         "rename the Ceph image " + from.display() + " to " + to.name);
}

void insist_on_one_name(const Image& one, const Image& other, const Access& access) {
  const auto first = info(one, access), second = info(other, access);
  if (!first || !second || first->id.empty() || first->id != second->id) return;
  const auto names = listed(one, access);
  for (const auto* image : {&one, &other}) {
    if (names.contains(image->name)) continue;
    // Where RBD keeps the id that belongs to a name (librbd/ImageCtx, util::id_obj_name).
    insist(rados(*image, {"rm", "rbd_id." + image->name}, access),
           "take the name " + image->name + " from the Ceph image " + image->display());
    return;
  }
}

Removal remove(const Image& image, const Access& access) {
  if (!info(image, access)) return Removal::removed;
  const auto all = snapshots(image, access);
  for (const auto& one : all)
    if (has_clones(image, one.name, access)) return Removal::has_clones;
  for (const auto& one : all) remove_snapshot(image, one.name, access);
  const auto finished = program(image, {"rm", "--no-progress"}, access).deadline(longest).run();
  if (!finished.ok() && finished.status != ENOENT)
    throw failure("remove the Ceph image " + image.display(), finished);
  return Removal::removed;
}

void import_diff(const Image& image, int fd, const Access& access) {
  auto command = program_for_cluster(image, {"import-diff", "--no-progress"}, access);
  command.arg("-").arg(image.display()).read_from(fd).deadline(longest);
  insist(command, "write the Ceph image " + image.display());
}

void export_diff(const Image& image, int fd, const Access& access) {
  auto command = program_for_cluster(image, {"export-diff", "--no-progress"}, access);
  command.arg(image.display()).arg("-").write_to(fd).deadline(longest);
  insist(command, "read the Ceph image " + image.display());
}

}  // namespace rbd
