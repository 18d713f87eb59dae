// SPDX-License-Identifier: Apache-2.0
// Orders about datastores.
#include <algorithm>

#include "common/error.h"
#include "common/number.h"
#include "drivers/lib/vm_config.h"
#include "drivers/vmvaultd/lib/desk.h"

namespace vmvaultd {
namespace {

Attributes checked_rules(const Attributes& rules) {
  Attributes configs = rules;
  for (const char* name : {"MAX_BACKUPS", "BACKUP_WINDOW"}) configs.erase(name);
  auto checked = state::checked_config(configs);
  for (const auto& [name, value] : rules) {
    if (name == "MAX_BACKUPS") checked_limit(value);
    if (name == "BACKUP_WINDOW" && !value.empty()) Window::parse(value);
    checked[name] = value;
  }
  return checked;
}

// The rules of `attributes` go to the first, what its driver is told to the second.
std::pair<Attributes, Attributes> parted(const Attributes& attributes) {
  Attributes rules, description;
  for (const auto& one : attributes)
    (state::is_datastore_rule(one.first) ? rules : description).insert(one);
  return {checked_rules(rules), description};
}

std::string of_datastore(int id) { return "datastore " + std::to_string(id); }

}  // namespace

int Desk::add_datastore(const Attributes& attributes) {
  const auto parts = parted(attributes);
  int id = -1;
  store_.together([&] {
    id = datastores_.add(parts.second);
    store_.put_settings(state::Store::Subject::datastore, id, parts.first);
  });
  manager_.settings_changed(clock_());
  return id;
}

void Desk::configure_datastore(int id, const Attributes& attributes) {
  insist_on_datastore(id);
  const auto [rules, description] = parted(attributes);
  if (!description.empty()) datastores_.update(id, description);
  store_.put_settings(state::Store::Subject::datastore, id, rules);
  manager_.settings_changed(clock_());
}

bool Desk::is_of_images(int id) const {
  const auto all = restores_.image_datastores();
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.id == id; });
}

void Desk::rename_datastore(int id, const std::string& name) {
  if (!is_of_images(id)) insist_on_datastore(id);
  datastores_.rename(id, name);
}

void Desk::delete_datastore(int id) {
  if (is_of_images(id)) return delete_image_datastore(id);
  insist_on_datastore(id);
  if (manager_.usual().datastore == id)
    throw WrongState{of_datastore(id) + " is DATASTORE_ID of vmvaultd.conf"};
  store_.together([&] {
    if (const auto use = datastores_.use(id); !use.empty()) throw WrongState{use};
    datastores_.remove(id);
  });
  datastores_.remove_leftovers();
  manager_.settings_changed(clock_());
}

void Desk::delete_image_datastore(int id) {
  const auto name = of_datastore(id);
  const auto is_in_it = [&](const auto& one) { return one.datastore == id; };
  const auto images = restores_.disk_images();
  if (std::any_of(images.begin(), images.end(), is_in_it)) throw WrongState{name + " has images"};
  const auto templates = restores_.templates();
  if (std::any_of(templates.begin(), templates.end(), [&](const auto& one) {
        return is_in_it(one) && one.state == state::ObjectState::locked;
      }))
    throw WrongState{name + " is being restored to"};
  datastores_.remove(id);
  datastores_.remove_leftovers();
}

}  // namespace vmvaultd
