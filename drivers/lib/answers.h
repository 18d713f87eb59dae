// SPDX-License-Identifier: Apache-2.0
// What is asked about the objects, answered as XML documents in the core's form: for the service's
// API and for the command, which needs no service for it.
#pragma once

#include <optional>
#include <string>

#include "drivers/lib/home.h"
#include "drivers/lib/objects.h"
#include "drivers/lib/store.h"
#include "drivers/lib/users.h"
#include "drivers/lib/views.h"

namespace state {

class Answers {
 public:
  Answers(Store& store, const Home& home) : store_{store}, home_{home} {}

  // The pools: IMAGE_POOL, VM_POOL, VMTEMPLATE_POOL, BACKUPJOB_POOL, HOST_POOL, DATASTORE_POOL,
  // USER_POOL.
  std::string images(const Page& page) const;
  std::string vms(const Page& page) const;
  std::string jobs(const Page& page) const;
  std::string hosts() const;
  std::string datastores() const;
  std::string templates(const Page& page) const;
  std::string users(std::optional<int> only = std::nullopt) const;

  // One object; nullopt: there is none of this id.
  std::optional<std::string> image(int id) const;
  std::optional<std::string> vm(int id) const;
  std::optional<std::string> one_template(int id) const;
  std::optional<std::string> job(int id) const;
  std::optional<std::string> host(int id) const;
  std::optional<std::string> datastore(int id, bool secrets) const;
  std::optional<std::string> user(int id) const;

 private:
  objects::Owners owners() const { return objects::Owners{Users{store_}.all()}; }
  std::vector<std::string> of_images(const Page& page) const;
  std::vector<std::string> of_vms(const Page& page) const;
  std::string of_image_datastore(const DatastoreRecord& one, const objects::Owners& owners) const;
  std::string of_datastore(const DatastoreRecord& one, const objects::Owners& owners,
                           bool secrets) const;

  Store& store_;
  const Home& home_;
};

}  // namespace state
