// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/datastore.h"

#include <algorithm>
#include <cctype>
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

int next_id(const App& app) {
  int id = state::default_datastore;
  for (const auto& one : app.store().datastores()) id = std::max(id, one.id);
  return id + 1;
}

bool is_attribute(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isupper(c) != 0 || std::isdigit(c) != 0 || c == '_';
  }) && std::isupper(static_cast<unsigned char>(name.front())) != 0;
}

Xml description(int id, const NewDatastore& wanted, const Location& place) {
  auto document = Xml::create("DATASTORE");
  auto root = document.root();
  root.add("ID", std::to_string(id));
  root.add("NAME", wanted.name);
  root.add("DS_MAD", wanted.kind);
  root.add("TM_MAD", "-");
  root.add("BASE_PATH", place.dir.string());
  root.add("TYPE", "3");
  auto attributes = root.add("TEMPLATE");
  attributes.add("DS_MAD", wanted.kind);
  attributes.add("TYPE", "BACKUP_DS");
  const auto at = place.host.find('@');
  attributes.add("RSYNC_HOST", at == place.host.npos ? place.host : place.host.substr(at + 1));
  if (at != place.host.npos) attributes.add("RSYNC_USER", place.host.substr(0, at));
  for (const auto& one : wanted.attributes) {
    const auto equals = one.find('=');
    const auto name = one.substr(0, equals);
    if (equals == one.npos || !is_attribute(name))
      throw BadRequest{"not an attribute NAME=VALUE: '" + printable(one) + "'"};
    attributes.add(name, one.substr(equals + 1));
  }
  return document;
}

}  // namespace

void add_datastore(App& app, const NewDatastore& asked) {
  auto wanted = asked;
  const auto place = Location::parse(wanted.place);
  if (wanted.name.empty()) wanted.name = place.host + ":" + place.dir.string();
  for (const auto& one : app.store().datastores())
    if (one.name == wanted.name)
      throw Error{"datastore " + std::to_string(one.id) + " is called '" + one.name + "' already"};
  const int id = next_id(app);
  const auto document = description(id, wanted, place);
  insist(app.action("datastore/" + wanted.kind + "/monitor")
             .arg(std::to_string(id))
             .input(base64_encode(messages::datastore_action(document).dump()) + "\n")
             .run(),
         "the datastore cannot be used");
  app.make_state();
  app.home().write_datastore(id, document);
  app.store().put_datastore({.id = id, .name = wanted.name, .ds_mad = wanted.kind});
  std::printf("datastore %d '%s' added, described in %s\n", id, printable(wanted.name).c_str(),
              printable(app.home().datastore_file(id).string()).c_str());
}

int chosen_datastore(const App& app, std::optional<int> asked) {
  if (!asked) {
    const auto text = setting("DATASTORE");
    if (!text) return state::default_datastore;
    asked = parse_int(*text, 0);
    if (!asked)
      throw BadRequest{"the setting DATASTORE is not a number: '" + printable(*text) + "'"};
  }
  if (!app.store().datastore(*asked))
    throw BadRequest{"there is no datastore " + std::to_string(*asked) +
                     " ('vmvault datastore list' shows what there is)"};
  return *asked;
}

}  // namespace cli
