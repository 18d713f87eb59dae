// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/answers.h"

#include "common/error.h"

namespace state {
namespace {

std::optional<std::string> first(std::vector<std::string> all) {
  return all.empty() ? std::nullopt : std::optional{std::move(all.front())};
}

bool is_on(const Page& page, int id, int owner) {
  return id >= page.least && id <= page.most && (!page.owner || owner == *page.owner);
}

std::vector<std::string> of_jobs(const Views& views, const Page& page,
                                 const objects::Owners& owners) {
  std::vector<std::string> out;
  for (const auto& one : views.jobs(page))
    out.push_back(objects::job(one, views.actions("BACKUPJOB", one.id), owners));
  return out;
}

}  // namespace

// Backups, and disks that were made of them, by their ids.
std::vector<std::string> Answers::of_images(const Page& page) const {
  const Views views{store_};
  const auto names = owners();
  Page part = page;
  if (page.offset > 0 || page.count >= 0) {
    const auto ids = views.image_ids(page);
    if (ids.empty()) return {};
    part = {.owner = page.owner, .least = ids.front(), .most = ids.back()};
  }
  std::map<int, std::string> all;
  for (const auto& one : views.images(part)) all[one.image.id] = objects::image(one, names);
  std::map<int, std::string> datastores;
  for (const auto& one : Restores{store_}.image_datastores()) datastores[one.id] = one.name;
  for (const auto& one : Restores{store_}.disk_images())
    if (is_on(part, one.id, one.owner))
      all[one.id] = objects::disk_image(one, datastores[one.datastore], names,
                                        one.state == ObjectState::locked
                                            ? read_progress(home_.image_progress(one.id).string())
                                            : std::nullopt);
  std::vector<std::string> out;
  for (auto& [id, text] : all) out.push_back(std::move(text));
  return out;
}

std::vector<std::string> Answers::of_vms(const Page& page) const {
  const Views views{store_};
  const auto names = owners();
  const auto config = store_.all_settings(Store::Subject::vm);
  std::vector<std::string> out;
  for (const auto& one : views.vms(page)) {
    const auto found = config.find(one.vm.id);
    const auto progress = one.running ? read_progress(home_.backup_progress(one.vm.id).string())
                          : one.restoring
                              ? read_progress(home_.restore_progress(one.vm.id).string())
                              : std::nullopt;
    out.push_back(objects::vm(one, found == config.end() ? objects::Attributes{} : found->second,
                              views.actions("VM", one.vm.id), names, progress));
  }
  return out;
}

// Its file may be gone: it is still to be seen.
std::string Answers::of_image_datastore(const DatastoreRecord& one,
                                        const objects::Owners& owners) const {
  auto found = one;
  std::string directory;
  try {
    directory = Restores{store_}.directory(home_, one.id);
  } catch (const Error& error) {
    found.error = one_line(error.what());
  }
  return objects::image_datastore(found, directory, Views{store_}.images_in(one.id), owners);
}

std::string Answers::of_datastore(const DatastoreRecord& one, const objects::Owners& owners,
                                  bool secrets) const {
  auto attributes = store_.settings(Store::Subject::datastore, one.id);
  if (!one.usable) attributes["ERROR"] = one.error.empty() ? "it cannot be used" : one.error;
  std::optional<Xml> document;
  try {
    document.emplace(home_.datastore(one.id));
    if (auto name = document->root().first("NAME")) name->set_text(one.name);
  } catch (const Error& error) {
    document.emplace(Xml::create("DATASTORE"));
    document->root().add("ID", std::to_string(one.id));
    document->root().add("NAME", one.name);
    document->root().add("DS_MAD", one.ds_mad);
    attributes["ERROR"] = one_line(error.what());
  }
  return objects::datastore(document->root(), Views{store_}.images_in(one.id), store_.space(one.id),
                            attributes, owners, secrets);
}

std::string Answers::images(const Page& page) const {
  return objects::pool("IMAGE_POOL", of_images(page));
}

std::string Answers::vms(const Page& page) const { return objects::pool("VM_POOL", of_vms(page)); }

std::string Answers::jobs(const Page& page) const {
  return objects::pool("BACKUPJOB_POOL", of_jobs(Views{store_}, page, owners()));
}

std::string Answers::templates(const Page& page) const {
  const auto names = owners();
  std::vector<std::string> out;
  for (const auto& one : Restores{store_}.templates())
    if (is_on(page, one.id, one.owner)) out.push_back(objects::vm_template(one, names));
  return objects::pool("VMTEMPLATE_POOL", out);
}

std::optional<std::string> Answers::one_template(int id) const {
  const auto found = Restores{store_}.one_template(id);
  return found ? std::optional{objects::vm_template(*found, owners())} : std::nullopt;
}

std::string Answers::hosts() const {
  std::vector<std::string> out;
  for (const auto& one : Views{store_}.hosts({})) out.push_back(objects::host(one));
  return objects::pool("HOST_POOL", out);
}

std::string Answers::datastores() const {
  const auto names = owners();
  std::vector<std::string> out;
  for (const auto& one : Restores{store_}.image_datastores())
    out.push_back(of_image_datastore(one, names));
  for (const auto& one : store_.datastores()) out.push_back(of_datastore(one, names, false));
  return objects::pool("DATASTORE_POOL", out);
}

std::string Answers::users(std::optional<int> only) const {
  const Users users{store_};
  std::vector<std::string> out;
  for (const auto& one : users.all())
    if (!only || one.id == *only) out.push_back(objects::user(one, users.tokens(one.id)));
  return objects::pool("USER_POOL", out);
}

std::optional<std::string> Answers::image(int id) const { return first(of_images(only(id))); }

std::optional<std::string> Answers::vm(int id) const { return first(of_vms(only(id))); }

std::optional<std::string> Answers::job(int id) const {
  return first(of_jobs(Views{store_}, only(id), owners()));
}

std::optional<std::string> Answers::host(int id) const {
  const auto all = Views{store_}.hosts(only(id));
  return all.empty() ? std::nullopt : std::optional{objects::host(all.front())};
}

std::optional<std::string> Answers::datastore(int id, bool secrets) const {
  for (const auto& one : Restores{store_}.image_datastores())
    if (one.id == id) return of_image_datastore(one, owners());
  const auto found = store_.datastore(id);
  return found ? std::optional{of_datastore(*found, owners(), secrets)} : std::nullopt;
}

std::optional<std::string> Answers::user(int id) const {
  const Users users{store_};
  const auto found = users.user(id);
  return found ? std::optional{objects::user(*found, users.tokens(id))} : std::nullopt;
}

}  // namespace state
