// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/datastore.h"

#include <cstdio>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "drivers/cli/lib/json.h"
#include "drivers/lib/messages.h"

namespace cli {
namespace {

std::string no_datastore(int id) {
  return "there is no datastore " + std::to_string(id) +
         " ('vmvault datastore list' shows what there is)";
}

// What its driver says of it, before it is there.
void try_out(const App& app, const Xml& document) {
  insist(app.action("datastore/" + document.root().at("DS_MAD") + "/monitor")
             .arg(document.root().at("ID"))
             .input(base64_encode(messages::datastore_action(document).dump()) + "\n")
             .run(),
         "the datastore cannot be used");
}

Attributes attributes_of(const NewDatastore& wanted) {
  const auto place = Location::parse(wanted.place);
  const auto at = place.host.find('@');
  Attributes all{
      {"NAME", wanted.name.empty() ? place.host + ":" + place.dir.string() : wanted.name},
      {"DS_MAD", wanted.kind},
      {"BASE_PATH", place.dir.string()},
      {"RSYNC_HOST", at == place.host.npos ? place.host : place.host.substr(at + 1)}};
  if (at != place.host.npos) all["RSYNC_USER"] = place.host.substr(0, at);
  for (const auto& one : wanted.attributes) {
    const auto equals = one.find('=');
    if (equals == one.npos)
      throw BadRequest{"not an attribute NAME=VALUE: '" + printable(one) + "'"};
    all[one.substr(0, equals)] = one.substr(equals + 1);
  }
  return all;
}

}  // namespace

int add_datastore(App& app, const Attributes& attributes) {
  for (const auto& [name, value] : attributes)
    if (state::is_datastore_rule(name))
      throw BadRequest{name + " is for the service, which sets it: 'vmvault datastore update'"};
  try_out(app, state::BackupDatastores{app.store(), app.home()}.plan(attributes));
  app.make_state();
  return state::BackupDatastores{app.store(), app.home()}.add(attributes);
}

void add_datastore(App& app, const NewDatastore& wanted) {
  const auto attributes = attributes_of(wanted);
  for (const auto& one : app.store().datastores())
    if (one.name == attributes.at("NAME"))
      throw Error{"datastore " + std::to_string(one.id) + " is called '" + one.name + "' already"};
  const int id = add_datastore(app, attributes);
  std::printf("datastore %d '%s' added, described in %s\n", id,
              printable(attributes.at("NAME")).c_str(),
              printable(app.home().datastore_file(id).string()).c_str());
}

void remove_datastore(App& app, int id) {
  if (!app.store().datastore(id)) throw Error{no_datastore(id)};
  if (setting("DATASTORE") == std::to_string(id))
    throw Error{"datastore " + std::to_string(id) + " is named by the setting DATASTORE"};
  state::BackupDatastores datastores{app.store(), app.home()};
  app.store().together([&] {
    if (const auto use = datastores.use(id); !use.empty()) throw Error{use};
    datastores.remove(id);
  });
  datastores.remove_leftovers();
}

int chosen_datastore(const App& app, std::optional<int> asked) {
  if (!asked) {
    const auto text = setting("DATASTORE");
    if (!text) return state::default_datastore;
    asked = parse_int(*text, 0);
    if (!asked)
      throw BadRequest{"the setting DATASTORE is not a number: '" + printable(*text) + "'"};
  }
  if (!app.store().datastore(*asked)) throw Error{no_datastore(*asked)};
  return *asked;
}

}  // namespace cli
