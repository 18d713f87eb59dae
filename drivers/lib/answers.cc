// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/answers.h"

#include "common/error.h"

namespace state {
namespace {

std::optional<std::string> first(std::vector<std::string> all) {
  return all.empty() ? std::nullopt : std::optional{std::move(all.front())};
}

std::vector<std::string> of_images(const std::vector<ImageView>& all,
                                   const objects::Owners& owners) {
  std::vector<std::string> out;
  for (const auto& one : all) out.push_back(objects::image(one, owners));
  return out;
}

std::vector<std::string> of_jobs(const Views& views, const Page& page,
                                 const objects::Owners& owners) {
  std::vector<std::string> out;
  for (const auto& one : views.jobs(page))
    out.push_back(objects::job(one, views.actions("BACKUPJOB", one.id), owners));
  return out;
}

}  // namespace

std::vector<std::string> Answers::of_vms(const Page& page) const {
  const Views views{store_};
  const auto names = owners();
  std::vector<std::string> out;
  for (const auto& one : views.vms(page))
    out.push_back(objects::vm(one, {}, views.actions("VM", one.vm.id), names));
  return out;
}

std::string Answers::of_datastore(int id, const objects::Owners& owners, bool secrets) const {
  return objects::datastore(home_.datastore(id).root(), Views{store_}.images_in(id), owners,
                            secrets);
}

std::string Answers::images(const Page& page) const {
  return objects::pool("IMAGE_POOL", of_images(Views{store_}.images(page), owners()));
}

std::string Answers::vms(const Page& page) const { return objects::pool("VM_POOL", of_vms(page)); }

std::string Answers::jobs(const Page& page) const {
  return objects::pool("BACKUPJOB_POOL", of_jobs(Views{store_}, page, owners()));
}

std::string Answers::hosts() const {
  std::vector<std::string> out;
  for (const auto& one : Views{store_}.hosts({})) out.push_back(objects::host(one));
  return objects::pool("HOST_POOL", out);
}

std::string Answers::datastores() const {
  const auto names = owners();
  std::vector<std::string> out;
  for (const auto& one : store_.datastores()) {
    try {
      out.push_back(of_datastore(one.id, names, false));
    } catch (const Error&) {
      // Its file is gone: the others are still to be seen.
      out.push_back(objects::datastore(
          Xml{"<DATASTORE><ID>" + std::to_string(one.id) + "</ID></DATASTORE>"}.root(), {}, names,
          false));
    }
  }
  return objects::pool("DATASTORE_POOL", out);
}

std::string Answers::users(std::optional<int> only) const {
  const Users users{store_};
  std::vector<std::string> out;
  for (const auto& one : users.all())
    if (!only || one.id == *only) out.push_back(objects::user(one, users.tokens(one.id)));
  return objects::pool("USER_POOL", out);
}

std::optional<std::string> Answers::image(int id) const {
  return first(of_images(Views{store_}.images(only(id)), owners()));
}

std::optional<std::string> Answers::vm(int id) const { return first(of_vms(only(id))); }

std::optional<std::string> Answers::job(int id) const {
  return first(of_jobs(Views{store_}, only(id), owners()));
}

std::optional<std::string> Answers::host(int id) const {
  const auto all = Views{store_}.hosts(only(id));
  return all.empty() ? std::nullopt : std::optional{objects::host(all.front())};
}

std::optional<std::string> Answers::datastore(int id, bool secrets) const {
  if (!store_.datastore(id)) return std::nullopt;
  return of_datastore(id, owners(), secrets);
}

std::optional<std::string> Answers::user(int id) const {
  const Users users{store_};
  const auto found = users.user(id);
  return found ? std::optional{objects::user(*found, users.tokens(id))} : std::nullopt;
}

}  // namespace state
