// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_partial.h"

#include <poll.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "common/cancel.h"
#include "common/random.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/server_repository.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr const char* state_file = ".state";
constexpr std::size_t longest_state = std::size_t{16} << 20;
constexpr int name_digits = 6;
constexpr std::chrono::seconds patience{10};
constexpr int between_looks = 50;  // ms

std::string partial_of(const std::string& name) { return name + std::string{partial_suffix}; }

// What was noted; nullopt: nothing that can be read, or of another upload.
std::optional<std::map<std::string, Had>> state_of(const Dir& dir, const std::string& key) try {
  const auto document = json::parse(dir.text(state_file, longest_state));
  if (text_field(document, "key") != key) return std::nullopt;
  std::map<std::string, Had> done;
  for (const auto& [file, had] : object_field(document, "done").items())
    done[file] = {size_field(had, "size"), sha256_field(had, "sha256"), true};
  return done;
} catch (const json::exception&) {
  return std::nullopt;
} catch (const Error&) {
  return std::nullopt;
}

}  // namespace

Partial::Partial(const Dir& vm, std::string name, std::string key, Dir dir, Fd lock)
    : vm_{vm},
      name_{std::move(name)},
      key_{std::move(key)},
      dir_{std::move(dir)},
      lock_{std::move(lock)} {}

std::optional<Partial> Partial::resumed(const Dir& vm, const std::string& name,
                                        const Upload& upload) {
  auto dir = vm.find(partial_of(name));
  if (!dir || !state_of(*dir, upload.key)) return std::nullopt;
  auto lock = lock_directory(vm, partial_of(name), *dir);
  if (!lock) return std::nullopt;
  auto done = state_of(*dir, upload.key);
  if (!done) return std::nullopt;
  // Whoever asks has noted the name that is wanted now, and no other.
  const bool free = name != upload.name && !vm.status(upload.name);
  const bool renamed = free && vm.rename(partial_of(name), partial_of(upload.name));
  const auto& own = renamed ? upload.name : name;
  Partial partial{vm, own, upload.key, vm.at(partial_of(own)), *std::move(lock)};
  // What was done is on disk; a file of another size is none of ours.
  for (const auto& [file, had] : *done) {
    const auto info = partial.dir_.status(file);
    if (info && S_ISREG(info->st_mode) && static_cast<std::uint64_t>(info->st_size) == had.size)
      partial.done_[file] = had;
  }
  return partial;
}

std::optional<Partial> Partial::made(const Dir& vm, const std::string& name, const Upload& upload) {
  if (vm.status(name) || !vm.make(partial_of(name))) return std::nullopt;
  auto dir = vm.find(partial_of(name));
  if (!dir) return std::nullopt;  // taken for dead, since it was not locked yet
  auto lock = lock_directory(vm, partial_of(name), *dir);
  if (!lock) return std::nullopt;
  Partial partial{vm, name, upload.key, *std::move(dir), *std::move(lock)};
  partial.write_state();
  return partial;
}

// Whoever goes on after a lost connection comes back sooner than the server of that connection
// ends, which may not even have seen the loss yet.
std::optional<Partial> Partial::awaited(const Dir& vm, const Upload& upload) {
  using Clock = std::chrono::steady_clock;
  for (const auto end = Clock::now() + patience; Clock::now() < end;) {
    if (auto partial = resumed(vm, upload.name, upload)) return partial;
    const auto dir = vm.find(partial_of(upload.name));
    if (!dir || !state_of(*dir, upload.key)) break;
    pollfd asked[] = {{cancel::fd(), POLLIN, 0}};
    poll(asked, 1, between_looks);
    cancel::check();
  }
  return std::nullopt;
}

Partial Partial::take(const Dir& vm, const Upload& upload) {
  if (auto partial = awaited(vm, upload)) return *std::move(partial);
  for (const auto& entry : vm.entries())
    if (const auto name = without_suffix(entry.name, partial_suffix); name && entry.is_dir())
      if (auto partial = resumed(vm, *name, upload)) return *std::move(partial);
  if (auto partial = made(vm, upload.name, upload)) return *std::move(partial);
  for (int tries = 0; tries < 100; ++tries)
    if (auto partial = made(vm, random_hex(name_digits), upload)) return *std::move(partial);
  throw Error{"no name is free in '" + vm.path() + "'"};
}

void Partial::write_state() const {
  json document{{"key", key_}, {"done", json::object()}};
  for (const auto& [file, had] : done_)
    document["done"][file] = {{"size", had.size}, {"sha256", had.sha256}};
  dir_.write(state_file, to_text(document));
}

void Partial::note_done(const std::string& file, const Had& had) {
  done_[file] = had;
  write_state();
}

void Partial::note_undone(const std::string& file) {
  if (done_.erase(file) != 0) write_state();
}

void Partial::commit() {
  dir_.remove_file(state_file);
  dir_.sync();
  if (!vm_.rename(partial_of(name_), name_)) throw Error{"'" + vm_.in(name_) + "' is in the way"};
  vm_.sync();
  // Only now: without it, the directory would pass for a dead one.
  dir_.remove_file(".lock");
  dir_.sync();
}

void Partial::discard() { remove_backup(vm_, partial_of(name_)); }

}  // namespace rsync
