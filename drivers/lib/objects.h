// SPDX-License-Identifier: Apache-2.0
// The objects as XML in the core's form (contract 5.1, 5.7, 5.8; share/xsd).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/one/progress.h"
#include "common/one/template.h"
#include "common/one/xml.h"
#include "drivers/lib/restores.h"
#include "drivers/lib/users.h"
#include "drivers/lib/views.h"

namespace objects {

// Names of users, by their ids.
class Owners {
 public:
  explicit Owners(const std::vector<state::UserRecord>& users);
  struct Owner {
    std::string name = "?";
    state::Group group = state::Group::users;
  };
  const Owner& of(int user) const;

 private:
  std::map<int, Owner> owners_;
  Owner unknown_{};
};

// What a machine is configured to: BACKUP_CONFIG (contract 4.1).
using Attributes = std::map<std::string, std::string, std::less<>>;

std::string image(const state::ImageView& image, const Owners& owners);
std::string disk_image(const state::DiskImage& image, const std::string& datastore,
                       const Owners& owners,
                       const std::optional<ProgressReport>& progress = {});  // of its download
std::string vm_template(const state::TemplateRecord& one, const Owners& owners);
std::string vm(
    const state::VmView& vm, const Attributes& config,
    const std::vector<state::ActionView>& actions, const Owners& owners,
    const std::optional<ProgressReport>& progress = {});  // of its backup, or its restore in place
std::string host(const state::HostView& host);
std::string job(const state::JobView& job, const std::vector<state::ActionView>& actions,
                const Owners& owners);
std::string user(const state::UserRecord& user, const std::vector<state::LoginToken>& tokens);
// As the file of the datastore has it; what is secret only for `secrets`.  `settings` are vmvault's
// own (RPO, KEEP_LAST..., ERROR).
std::string datastore(const XmlNode& file, const std::vector<int>& images,
                      const state::Space& space, const Attributes& settings, const Owners& owners,
                      bool secrets);
// A directory for disk images.
std::string image_datastore(const state::DatastoreRecord& one, const std::string& directory,
                            const std::vector<int>& images, const Owners& owners);
std::string scheduled_action(const state::ActionView& action);

// <IMAGE_POOL>...</IMAGE_POOL>
std::string pool(std::string_view name, const std::vector<std::string>& objects);

// Is an attribute of this name a password or a key?
bool is_secret(std::string_view name);

// TEMPLATE's content: the attributes of a template text as elements.
std::string attributes(const one::Template& attributes);

}  // namespace objects
