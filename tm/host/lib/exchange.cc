// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/exchange.h"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/one/action.h"
#include "common/random.h"

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

void remove_journal(const fs::path& vm_dir) {
  if (unlink(file_in(vm_dir).c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + file_in(vm_dir).string() + "'", errno);
  sync_directory(vm_dir);
}

// As in a swap, no place has an old one before all new ones are gone.  May itself have been broken
// off before.
void undo(Exchange& exchange, const fs::path& vm_dir) {
  for (const auto& place : exchange.places) settle(place);
  for (const auto& place : exchange.places) {
    if (place.had && !is_there(place, Which::old)) continue;
    if (place.is_file())
      remove(place, Which::current);
    else if (is_there(place, Which::current))
      move(place, Which::current, Which::fresh);
  }
  for (const auto& place : exchange.places)
    if (is_there(place, Which::old)) move(place, Which::old, Which::current);
  for (const auto& place : exchange.places) sync(place);
  exchange.phase = Phase::undone;
  exchange.save(vm_dir);
}

void undo_after(const Error& cause, Exchange& exchange, const fs::path& vm_dir) {
  try {
    undo(exchange, vm_dir);
  } catch (const Error& e) {
    throw Error{std::string{cause.what()} +
                "; the disks of the VM are not back in their places yet, either: " + e.what()};
  }
}

// Since the caller looked, a VM may have been started.  What it has open would be removed, with all
// that it writes there.
void insist_on_rest(const Exchange& exchange) {
  for (const auto& place : exchange.places)
    if (place.had && is_in_use(place, Which::old))
      throw Error{place.display() + " is in use: is the VM running?"};
}

// An old one is only removed when a new one has taken its place.
void finish(const Exchange& exchange, const fs::path& vm_dir) {
  for (const auto& place : exchange.places) {
    if (exchange.phase == Phase::done) remove(place, Which::old);
    remove(place, Which::fresh);
  }
  remove_journal(vm_dir);
}

}  // namespace

std::string Exchange::to_text() const {
  json out{{"version", 1}, {"vm", vm_id}, {"places", json::array()}};
  for (const auto& [value, name] : phases)
    if (value == phase) out["phase"] = name;
  for (const auto& place : places) out["places"].push_back(to_json(place));
  return out.dump(1) + "\n";
}

Exchange Exchange::parse(const std::string& text) {
  try {
    const json in = parse_json(text);
    if (in.at("version") != 1) throw Error{"the restore journal has an unknown version"};
    Exchange out{.vm_id = in.at("vm"), .phase = Phase::preparing, .places = {}};
    bool known = false;
    for (const auto& [value, name] : phases)
      if (in.at("phase") == name) out.phase = value, known = true;
    if (!known) throw Error{"the restore journal has an unknown phase"};
    for (const auto& one : in.at("places")) out.places.push_back(parse_place(one));
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
  for (auto& place : exchange.places)
    if (!place.is_file())
      place.tag = random_hex(8);
    else
      remove(place, Which::fresh);
  exchange.phase = Phase::preparing;
  exchange.save(vm_dir);
}

void swap_places(const fs::path& vm_dir) {
  auto exchange = Exchange::load(vm_dir);
  if (!exchange || exchange->phase != Phase::preparing)
    throw Error{"nothing is prepared for a restore in '" + vm_dir.string() + "'"};
  for (auto& place : exchange->places) {
    place.had = is_there(place, Which::current);
    place.active = is_active(place);
    if (is_there(place, Which::old))
      throw Error{display(place, Which::old) + " of an earlier restore is in the way"};
  }
  exchange->phase = Phase::swapping;
  exchange->save(vm_dir);
  try {
    for (const auto& place : exchange->places)
      if (place.had) move(place, Which::current, Which::old);
    insist_on_rest(*exchange);
    for (const auto& place : exchange->places)
      if (is_there(place, Which::fresh)) move(place, Which::fresh, Which::current);
    for (const auto& place : exchange->places) sync(place);
    insist_on_rest(*exchange);  // qemu opens a file a moment before it locks it
    exchange->phase = Phase::done;
    exchange->save(vm_dir);
  } catch (const Error& cause) {
    exchange->phase = Phase::swapping;
    undo_after(cause, *exchange, vm_dir);
    throw;
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
