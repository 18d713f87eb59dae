// SPDX-License-Identifier: Apache-2.0
// Orders about restores, and what they make.
#include <algorithm>

#include "common/error.h"
#include "common/one/template.h"
#include "drivers/lib/restore_order.h"
#include "drivers/vmvaultd/lib/desk.h"

namespace vmvaultd {

state::Origin Desk::origin(const state::ImageRecord& image, int increment, int disk) const {
  if (image.half_deleted() || image.increments.empty())
    throw WrongState{"image " + std::to_string(image.id) + " is being deleted"};
  if (image.state == state::ImageState::locked) {
    manager_.images_changed(image.vm);  // where that was cut off, it goes on
    throw WrongState{"image " + std::to_string(image.id) +
                     " is being merged: restore from it when that has ended"};
  }
  if (increment < 0) increment = image.increments.back().id;
  if (!image.increment(increment))
    throw BadRequest{"image " + std::to_string(image.id) + " has no increment " +
                     std::to_string(increment)};
  if (disk >= 0 && std::find(image.disks.begin(), image.disks.end(), disk) == image.disks.end())
    throw BadRequest{"image " + std::to_string(image.id) + " has no disk " + std::to_string(disk)};
  return {image.id, increment, disk < 0 ? -1 : disk};
}

// What is wrong with its file is no reason for the service to end.
std::filesystem::path Desk::directory(int image_datastore) const {
  try {
    return restores_.directory(home_, image_datastore);
  } catch (const Error& error) {
    throw WrongState{error.what()};
  }
}

Restored Desk::restore(const RestoreWish& wish) {
  const auto from = image(wish.image);
  const auto point = origin(from, wish.increment, wish.disk);
  const auto datastores = restores_.image_datastores();
  if (std::none_of(datastores.begin(), datastores.end(),
                   [&](const auto& one) { return one.id == wish.datastore; }))
    throw NoSuchObject{"image datastore", wish.datastore};
  const auto dir = directory(wish.datastore);
  const auto name = !wish.name.empty()
                        ? wish.name
                        : std::to_string(from.vm) + "-" + from.increment(point.increment)->source;
  if (name.size() > 128 || one_line(name) != name || name.find('/') != name.npos)
    throw BadRequest{"'" + one_line(name) + "' is no name for a machine"};
  Restored made;
  store_.together([&] {
    origin(image(point.image), point.increment, point.disk);  // a command may delete it by now
    if (point.disk < 0)
      made.template_id = restores_.add(state::TemplateRecord{.name = name,
                                                             .owner = wish.owner,
                                                             .created = clock_(),
                                                             .datastore = wish.datastore,
                                                             .no_ip = wish.no_ip,
                                                             .no_nic = wish.no_nic,
                                                             .origin = point});
    for (const int disk : from.disks)
      if (point.disk < 0 || disk == point.disk)
        made.images.push_back(restores_.add({.name = name + "-disk-" + std::to_string(disk),
                                             .owner = wish.owner,
                                             .datastore = wish.datastore,
                                             .is_os = disk == 0,
                                             .created = clock_(),
                                             .template_id = made.template_id,
                                             .origin = {point.image, point.increment, disk}},
                                            dir));
  });
  manager_.want_files();
  return made;
}

void Desk::restore_in_place(int id, int image_id, int increment, int disk) {
  const auto name = "VM " + std::to_string(id);
  vm(id);
  const auto from = image(image_id);
  if (from.vm != id)
    throw BadRequest{"image " + std::to_string(image_id) + " is a backup of VM " +
                     std::to_string(from.vm)};
  const auto point = origin(from, increment, disk);
  if (!manager_.knows(id)) throw WrongState{name + " is not defined on any host"};
  if (const auto host = manager_.scheduler().disabled(manager_.host_of(id)); !host.empty())
    throw WrongState{name + " is on " + host};
  if (!manager_.is_free(id)) throw WrongState{name + " is worked on"};
  if (!manager_.lock(id)) throw WrongState{"the command vmvault works on " + name};
  const state::RestoreRecord wish{.vm = id, .origin = point, .started = clock_()};
  store_.together([&] {
    origin(image(point.image), point.increment, point.disk);  // a command may delete it by now
    state::note_order(home_, wish);
    restores_.begin(wish);
  });
  manager_.begin_restores(clock_());
}

int Desk::add_template(const std::string& name, int owner, const std::string& text) {
  if (name.empty()) throw BadRequest{"a template has a name"};
  one::parse_template(text);
  return restores_.add(state::TemplateRecord{.name = name,
                                             .owner = owner,
                                             .created = clock_(),
                                             .state = state::ObjectState::ready,
                                             .text = text});
}

void Desk::delete_template(int id, const std::vector<int>& images) {
  const auto found = restores_.one_template(id);
  if (!found) throw NoSuchObject{"template", id};
  if (found->state == state::ObjectState::locked)
    throw WrongState{"template " + std::to_string(id) + " is still being made"};
  store_.together([&] {
    for (const int image : images) mark_disk_deleting(image);
    restores_.remove_template(id);
  });
  manager_.want_files();
}

int Desk::add_image_datastore(const std::string& name, const std::string& dir) {
  const std::filesystem::path path{dir};
  if (name.empty()) throw BadRequest{"a datastore has a name"};
  if (!path.is_absolute() || path.lexically_normal() != path || one_line(dir) != dir)
    throw BadRequest{"'" + one_line(dir) + "' is no absolute path of a directory"};
  for (const auto& all : {store_.datastores(), restores_.image_datastores()})
    for (const auto& one : all)
      if (one.name == name)
        throw BadRequest{"there is a datastore '" + one_line(name) + "' already"};
  return restores_.add_image_datastore(home_, name, path);
}

}  // namespace vmvaultd
