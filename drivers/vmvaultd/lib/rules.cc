// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/rules.h"

#include "common/error.h"
#include "common/number.h"

namespace vmvaultd {
namespace {

using Settings = state::Store::Settings;

template <class T>
void take(T& value, const Settings& settings, const char* name) {
  const auto found = settings.find(name);
  if (found == settings.end()) return;
  if (const auto number = parse_int(found->second, -1)) value = *number;
}

const Settings& of_id(const std::map<int, Settings>& all, int id) {
  static const Settings none;
  const auto found = all.find(id);
  return found == all.end() ? none : found->second;
}

}  // namespace

Rules with(Rules usual, const Settings& settings) {
  take(usual.rpo, settings, "RPO");
  take(usual.datastore, settings, "DATASTORE_ID");
  take(usual.priority, settings, "PRIORITY");
  take(usual.keep.last, settings, "KEEP_LAST");
  take(usual.keep.daily, settings, "KEEP_DAILY");
  take(usual.keep.weekly, settings, "KEEP_WEEKLY");
  take(usual.keep.monthly, settings, "KEEP_MONTHLY");
  take(usual.keep.yearly, settings, "KEEP_YEARLY");
  return usual;
}

std::optional<int> checked_limit(const std::string& value) {
  if (value.empty()) return std::nullopt;
  if (const auto found = parse_int(value, 0)) return found;
  throw BadRequest{"MAX_BACKUPS is a number, 0 or more, not '" + one_line(value) + "'"};
}

Datastore use_of(Datastore datastore, const Settings& settings,
                 const std::optional<Window>& usual) {
  datastore.limit.reset();
  datastore.window = usual;
  if (const auto limit = settings.find("MAX_BACKUPS"); limit != settings.end())
    datastore.limit = parse_int(limit->second, 0);
  if (const auto hours = settings.find("BACKUP_WINDOW"); hours != settings.end())
    datastore.window = Window::parse(hours->second);
  return datastore;
}

const Settings& RuleBook::of_datastore(int datastore) const {
  return of_id(datastores_, datastore);
}

RuleBook::RuleBook(const state::Store& store, const Rules& usual)
    : usual_{usual},
      vms_{store.all_settings(state::Store::Subject::vm)},
      datastores_{store.all_settings(state::Store::Subject::datastore)} {}

Rules RuleBook::of(int vm) const { return of(vm, with(usual_, of_id(vms_, vm)).datastore); }

Rules RuleBook::of(int vm, int datastore) const {
  return with(with(usual_, of_id(datastores_, datastore)), of_id(vms_, vm));
}

}  // namespace vmvaultd
