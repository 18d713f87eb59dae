// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_partial.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "common/random.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/server_repository.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr const char* state_file = ".state";
constexpr const char* lock_file = ".lock";
constexpr const char* wanted_file = ".wanted";
constexpr std::string_view done_prefix = ".done.";
constexpr std::size_t longest_state = std::size_t{64} << 10;
constexpr int name_digits = 6;
// Whoever goes on after a lost connection comes back sooner than the server of that connection
// ends, which may not even have seen the loss yet.
constexpr std::chrono::seconds to_lose_us{10}, to_end{3};

std::string partial_of(const std::string& name) { return name + std::string{partial_suffix}; }
std::string done_of(const std::string& file) { return std::string{done_prefix} + file; }

// nullopt: nothing that can be read.
template <class Decode>
auto noted(const Dir& dir, const std::string& file, Decode decode)
    -> std::optional<decltype(decode(json{}))> try {
  return decode(json::parse(dir.text(file, longest_state)));
} catch (const json::exception&) {
  return std::nullopt;
} catch (const Error&) {
  return std::nullopt;
}

bool is_of(const Dir& dir, const std::string& key) {
  return noted(dir, state_file, [](const json& state) { return text_field(state, "key"); }) == key;
}

// Its holder may have to see first that it is wanted (is_wanted()).  If he looks right now, we are
// not seen; who comes again is.
std::optional<Fd> wanted(const Dir& vm, const std::string& name, const Dir& dir) {
  if (auto lock = lock_directory(vm, name, dir)) {
    dir.remove_file(wanted_file);  // of one that was killed
    return lock;
  }
  constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const Fd shown{openat(dir.fd(), wanted_file, flags, 0600)};
  if (shown) flock(shown.get(), LOCK_EX | LOCK_NB);
  try {
    auto lock = lock_directory_soon(vm, name, dir, to_lose_us);
    dir.remove_file(wanted_file);
    return lock;
  } catch (const Error&) {  // nobody waits for us either
    dir.remove_file(wanted_file);
    throw;
  }
}

Fd claimed(Fd fd, const std::string& path) {
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) throw Error{"'" + path + "' is being received already"};
  throw system_error("lock '" + path + "'", errno);
}

}  // namespace

Partial::Partial(const Dir& vm, std::string name, std::string token, Dir dir, Fd lock)
    : vm_{vm},
      name_{std::move(name)},
      token_{std::move(token)},
      dir_{std::move(dir)},
      lock_{std::move(lock)} {}

// To make another lock of one may take two steps: then it may have been taken for dead in between.
bool Partial::share(const std::string& key) {
  dir_.write(state_file, to_text({{"key", key}, {"token", token_}}));
  return flock(lock_.get(), LOCK_SH | LOCK_NB) == 0 && dir_.is(partial_of(name_));
}

std::optional<Partial> Partial::resumed(const Dir& vm, const std::string& name,
                                        const Upload& upload) {
  const auto dir = vm.find(partial_of(name));
  if (!dir || !is_of(*dir, upload.key)) return std::nullopt;
  auto lock = name == upload.name ? wanted(vm, partial_of(name), *dir)
                                  : lock_directory_soon(vm, partial_of(name), *dir, to_end);
  if (!lock || !is_of(*dir, upload.key)) return std::nullopt;
  // Whoever asks has noted the name that is wanted now, and no other.
  const bool free = name != upload.name && !vm.status(upload.name);
  const bool renamed = free && vm.rename(partial_of(name), partial_of(upload.name));
  const auto& own = renamed ? upload.name : name;
  Partial partial{vm, own, random_hex(token_digits), vm.at(partial_of(own)), *std::move(lock)};
  if (!partial.share(upload.key)) return std::nullopt;
  return partial;
}

std::optional<Partial> Partial::made(const Dir& vm, const std::string& name, const Upload& upload) {
  if (vm.status(name) || !vm.make(partial_of(name))) return std::nullopt;
  auto dir = vm.find(partial_of(name));
  if (!dir) return std::nullopt;  // taken for dead, since it was not locked yet
  auto lock = lock_directory(vm, partial_of(name), *dir);
  if (!lock) return std::nullopt;
  Partial partial{vm, name, random_hex(token_digits), *std::move(dir), *std::move(lock)};
  if (!partial.share(upload.key)) return std::nullopt;
  return partial;
}

// Cut off before it said whose it is, or in its last step, when it does not say so any more.
void Partial::remove_dead(const Dir& vm, const Upload& upload) {
  const auto name = partial_of(upload.name);
  const auto dir = vm.find(name);
  if (!dir || is_of(*dir, upload.key)) return;
  if (const auto lock = lock_directory(vm, name, *dir); lock && !is_of(*dir, upload.key))
    remove_backup(vm, name);
}

Partial Partial::take(const Dir& vm, const Upload& upload) {
  if (auto partial = resumed(vm, upload.name, upload)) return *std::move(partial);
  for (const auto& entry : vm.entries())
    if (const auto name = without_suffix(entry.name, partial_suffix);
        name && name != upload.name && entry.is_dir())
      if (auto partial = resumed(vm, *name, upload)) return *std::move(partial);
  remove_dead(vm, upload);
  if (auto partial = made(vm, upload.name, upload)) return *std::move(partial);
  for (int tries = 0; tries < 100; ++tries)
    if (auto partial = made(vm, random_hex(name_digits), upload)) return *std::move(partial);
  throw Error{"no name is free in '" + vm.path() + "'"};
}

Partial Partial::join(const Dir& vm, const Upload& upload, const std::string& token) {
  const auto name = partial_of(upload.name);
  const Error late{"the upload '" + vm.in(name) + "' is not what it was when this one was begun"};
  auto dir = vm.find(name);
  if (!dir) throw late;
  Fd lock{openat(dir->fd(), lock_file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!lock || flock(lock.get(), LOCK_SH | LOCK_NB) != 0) throw late;
  const auto state = noted(*dir, state_file, [](const json& document) {
    return text_field(document, "key") + text_field(document, "token");
  });
  if (state != upload.key + token || !dir->is(name)) throw late;
  return {vm, upload.name, token, *std::move(dir), std::move(lock)};
}

std::map<std::string, Had> Partial::done() const {
  std::map<std::string, Had> done;
  for (const auto& entry : dir_.entries()) {
    if (!entry.name.starts_with(done_prefix)) continue;
    const auto file = entry.name.substr(done_prefix.size());
    const auto had = noted(dir_, entry.name, [](const json& document) {
      return Had{size_field(document, "size"), true, sha256_field(document, "sha256")};
    });
    if (!had || !is_file_name(file)) continue;
    // What was done is on disk; a file of another size is none of ours.
    const auto info = dir_.status(file);
    if (info && S_ISREG(info->st_mode) && static_cast<std::uint64_t>(info->st_size) == had->size)
      done[file] = *had;
  }
  return done;
}

// Those who look, all channels of one upload perhaps, do not take each other for one who wants it.
bool Partial::is_wanted() const {
  const Fd shown{openat(dir_.fd(), wanted_file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  return shown && flock(shown.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Fd Partial::claim(const std::string& file) const {
  return claimed(dir_.reopen(file), dir_.in(file));
}

Fd Partial::begin(const std::string& file) const {
  const auto info = dir_.status(file);
  const auto old = info && S_ISREG(info->st_mode) ? claim(file) : Fd{};
  dir_.remove_file(file);
  return claimed(dir_.create(file), dir_.in(file));
}

void Partial::note_done(const std::string& file, const Had& had) const {
  dir_.write(done_of(file), to_text({{"size", had.size}, {"sha256", had.sha256}}));
}

void Partial::note_undone(const std::string& file) const {
  if (!dir_.status(done_of(file))) return;
  dir_.remove_file(done_of(file));
  dir_.sync();
}

void Partial::close() const {
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 || !dir_.is(partial_of(name_)))
    throw Error{"somebody else still writes to '" + dir_.path() + "'"};
}

void Partial::commit() {
  for (const auto& entry : dir_.entries())
    if (entry.name.starts_with('.') && entry.name != lock_file) dir_.remove_file(entry.name);
  dir_.sync();
  if (!vm_.rename(partial_of(name_), name_)) throw Error{"'" + vm_.in(name_) + "' is in the way"};
  vm_.sync();
  // Only now: without it, the directory would pass for a dead one.
  dir_.remove_file(lock_file);
  dir_.sync();
}

void Partial::discard() { remove_backup(vm_, partial_of(name_)); }

}  // namespace rsync
