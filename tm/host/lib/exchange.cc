// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/exchange.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "tm/host/lib/register.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace host {
namespace {

using Phase = Exchange::Phase;

constexpr std::pair<Phase, const char*> phases[] = {{Phase::preparing, "preparing"},
                                                    {Phase::swapping, "swapping"},
                                                    {Phase::undone, "undone"},
                                                    {Phase::done, "done"}};

fs::path file_in(const fs::path& vm_dir) { return vm_dir / "restore.journal"; }

bool is_there(const fs::path& path) { return fs::exists(fs::symlink_status(path)); }

void move(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0)
    throw system_error("rename '" + from.string() + "' to '" + to.string() + "'", errno);
}

void sync(const Exchange& exchange) {
  for (const auto& place : exchange.places) sync_directory(place.path.parent_path());
}

void remove_all(const Exchange& exchange, fs::path (*of)(const fs::path&)) {
  for (const auto& place : exchange.places) remove_tree(of(place.path));
}

void remove_journal(const fs::path& vm_dir) {
  if (unlink(file_in(vm_dir).c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + file_in(vm_dir).string() + "'", errno);
  sync_directory(vm_dir);
}

// The last place first.  May itself have been broken off before.
void undo(Exchange& exchange, const fs::path& vm_dir) {
  for (auto place = exchange.places.rbegin(); place != exchange.places.rend(); ++place) {
    const bool moved = is_there(old_of(place->path));
    if (moved || !place->had) remove_tree(place->path);
    if (moved) move(old_of(place->path), place->path);
  }
  sync(exchange);
  exchange.phase = Phase::undone;
  exchange.save(vm_dir);
}

// An old one is only removed when a new one has taken its place.
void finish(const Exchange& exchange, const fs::path& vm_dir) {
  if (exchange.phase == Phase::done) remove_all(exchange, old_of);
  remove_all(exchange, new_of);
  remove_journal(vm_dir);
}

void insist_on_paths(const Exchange& exchange) {
  for (const auto& place : exchange.places)
    if (normal_path(place.path.string()) != place.path)
      throw Error{"the restore journal names a path that is not normal"};
}

}  // namespace

fs::path new_of(const fs::path& place) { return place.string() + ".vmvault-new"; }
fs::path old_of(const fs::path& place) { return place.string() + ".vmvault-old"; }

std::string Exchange::to_text() const {
  json out{{"version", 1}, {"vm", vm_id}, {"places", json::array()}};
  for (const auto& [value, name] : phases)
    if (value == phase) out["phase"] = name;
  for (const auto& place : places)
    out["places"].push_back({{"path", place.path.string()}, {"had", place.had}});
  return out.dump(1) + "\n";
}

Exchange Exchange::parse(const std::string& text) {
  try {
    const json in = json::parse(text);
    if (in.at("version") != 1) throw Error{"the restore journal has an unknown version"};
    Exchange out{.vm_id = in.at("vm"), .phase = Phase::preparing, .places = {}};
    bool known = false;
    for (const auto& [value, name] : phases)
      if (in.at("phase") == name) out.phase = value, known = true;
    if (!known) throw Error{"the restore journal has an unknown phase"};
    for (const auto& one : in.at("places"))
      out.places.push_back({one.at("path").get<std::string>(), one.at("had")});
    insist_on_paths(out);
    return out;
  } catch (const json::exception& e) {
    throw Error{"the restore journal is damaged: " + std::string{e.what()}};
  }
}

std::optional<Exchange> Exchange::load(const fs::path& vm_dir) {
  const auto text = read_file_if_any(file_in(vm_dir));
  if (!text) return std::nullopt;
  return parse(*text);
}

void Exchange::save(const fs::path& vm_dir) const { write_file(file_in(vm_dir), to_text()); }

void prepare_exchange(const fs::path& vm_dir, Exchange exchange) {
  if (Exchange::load(vm_dir)) end_exchange(vm_dir);
  remove_all(exchange, new_of);
  exchange.phase = Phase::preparing;
  exchange.save(vm_dir);
}

void swap_places(const fs::path& vm_dir) {
  auto exchange = Exchange::load(vm_dir);
  if (!exchange || exchange->phase != Phase::preparing)
    throw Error{"nothing is prepared for a restore in '" + vm_dir.string() + "'"};
  for (auto& place : exchange->places) {
    place.had = is_there(place.path);
    if (is_there(old_of(place.path)))
      throw Error{"'" + old_of(place.path).string() + "' of an earlier restore is in the way"};
  }
  enter(vm_dir);
  exchange->phase = Phase::swapping;
  exchange->save(vm_dir);
  try {
    for (const auto& place : exchange->places) {
      if (place.had) move(place.path, old_of(place.path));
      if (is_there(new_of(place.path))) move(new_of(place.path), place.path);
    }
    sync(*exchange);
    exchange->phase = Phase::done;
    exchange->save(vm_dir);
  } catch (const Error&) {
    exchange->phase = Phase::swapping;
    undo(*exchange, vm_dir);
    throw;
  }
  try {
    finish(*exchange, vm_dir);
    strike_out(vm_dir);
  } catch (const Error& e) {
    log(Level::warn, std::string{"the disks are restored; the old ones go later: "} + e.what());
  }
}

void settle_exchange(const fs::path& vm_dir) {
  auto exchange = Exchange::load(vm_dir);
  if (!exchange) return;
  if (exchange->phase == Phase::swapping) {
    log(Level::warn, "a restore of VM " + std::to_string(exchange->vm_id) +
                         " died while it exchanged disks: the old ones are back");
    undo(*exchange, vm_dir);
  }
  if (exchange->phase == Phase::done) finish(*exchange, vm_dir);
}

Outcome end_exchange(const fs::path& vm_dir) {
  settle_exchange(vm_dir);
  const auto exchange = Exchange::load(vm_dir);
  if (!exchange) return Outcome::restored;
  finish(*exchange, vm_dir);
  return Outcome::undone;
}

}  // namespace host
