// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/restic.h"

#include <algorithm>
#include <filesystem>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/limits.h"
#include "common/one/location.h"
#include "datastore/restic/lib/flatten_plan.h"
#include "datastore/restic/lib/hosts.h"
#include "datastore/restic/lib/known_as.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

using std::chrono::seconds;

// The datastore's own word first, then the installation's.
seconds lock_wait(const Datastore& datastore) {
  constexpr seconds usual{300};
  const auto limit = datastore.number("RESTIC_LOCK_WAIT", -1);
  if (limit >= 0) return seconds{limit};
  const auto value = parse_int(setting("RESTIC_LOCK_WAIT").value_or(""));
  return value ? seconds{*value} : usual;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> missing_of(const Chain& chain, const std::vector<Snapshot>& all) {
  std::vector<std::string> missing;
  for (const auto& one : chain.increments())
    if (!known_as(all, one.source)) missing.push_back(one.source);
  return missing;
}

// In a directory that becomes a repository.
constexpr const char* init_lock = "vmvault.init";

bool holds_nothing(const fs::path& repository) {
  for (const char* part : {"data", "index", "snapshots"}) {
    if (!fs::exists(repository / part)) continue;
    for (const auto& entry : fs::recursive_directory_iterator{repository / part})
      if (!entry.is_directory()) return false;
  }
  return true;
}

}  // namespace

Restic::Restic(const Datastore& datastore, const std::string& repository_id, Machine machine)
    : repository_{datastore, repository_id},
      machine_{std::move(machine)},
      limits_{limits_of(datastore, "RESTIC")},
      lock_wait_{restic::lock_wait(datastore)} {
  if (repository_.backend() == Backend::local && !machine_.here())
    throw Error{"the " + repository_.display() +
                " is on this machine (RESTIC_BACKEND=LOCAL), but the files are on " +
                machine_.name() +
                ": use RESTIC_BACKEND=SFTP, or another datastore that it reaches"};
  version_ = check_version();
  if (!machine_.here()) note_host(repository_, machine_.host());
}

Version Restic::check_version() const {
  const std::string remedy = ": install restic " + std::to_string(oldest.major) + "." +
                             std::to_string(oldest.minor) + " or newer there";
  const auto finished =
      machine_.command({.argv = {"restic", "version"}, .env = {}, .list = {}, .lines = true}).run();
  if (finished.status == ssh_failed)
    throw Error{"cannot reach " + machine_.name() + ": " + last_line(finished.err)};
  if (finished.status == 127)
    throw Error{"vmvault is not installed on " + machine_.name() + " (" +
                one_line(last_line(finished.err)) +
                "): copy it there, for example with 'onehost sync --force'"};
  if (!finished.ok())
    throw Error{"cannot run restic on " + machine_.name() + " (" +
                one_line(last_line(finished.err)) + ")" + remedy};
  const auto version = parse_version(finished.out);
  if (version < oldest)
    throw Error{"restic on " + machine_.name() + " is too old (" +
                one_line(finished.out.substr(0, 40)) + ")" + remedy};
  return version;
}

RunRequest Restic::request(const std::vector<std::string>& args, Moves moves) const {
  RunRequest request{.argv = {"restic"},
                     .env = repository_.environment(),
                     .list = {},
                     .lines = moves != Moves::out};
  const auto add = [&](const std::vector<std::string>& words) {
    request.argv.insert(request.argv.end(), words.begin(), words.end());
  };
  add(repository_.options());
  if (moves != Moves::nothing) add(repository_.transfer_options());
  add(args);
  return request;
}

Command Restic::command(const std::vector<std::string>& args, Moves moves) const {
  return machine_.command(request(args, moves));
}

RunRequest Restic::backup_request(const std::vector<std::string>& args,
                                  const std::filesystem::path& directory) const {
  auto backup = request(args, Moves::in);
  backup.view = directory;
  backup.temporary = {.path = setting("RESTIC_TMPDIR").value_or("/dev/shm"),
                      .needed_mb = repository_.pack_files_mb()};
  return backup;
}

Command Restic::backup_command(const std::vector<std::string>& args,
                               const std::filesystem::path& directory) const {
  auto backup = backup_request(args, directory);
  // The directory itself may be a view, which is on no disk.
  if (limits_.any())
    backup.order = {.group = group_of(repository_.datastore_id()),
                    .limits = limits_,
                    .directory = directory.parent_path()};
  return machine_.command(backup);
}

Finished Restic::when_unlocked(const Command& call, Care care) const {
  LockWait wait{*this, care};
  for (const Command attempt = with_care(call, care);;) {
    auto finished = attempt.run();
    if (!wait.again(finished)) return finished;
  }
}

Finished Restic::ask(const std::vector<std::string>& args, Care care) const try {
  return when_unlocked(command(args).deadline(answer_limit()), care);
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  throw Error{"the " + repository_.display() + " does not answer: " + error.what()};
}

Error Restic::failure(std::string_view doing, const Finished& finished) const {
  const std::string start =
      "cannot " + std::string{doing} + " in the " + repository_.display() + ": ";
  const auto why = repository_.without_secrets(reason(finished.err));
  switch (classify(finished.status, finished.err)) {
    case Outcome::wrong_password:
      return Error{
          start +
          "the password of the datastore (vmvault's restic.password, or RESTIC_PASSWORD) is wrong"};
    case Outcome::no_repository:
      return Error{start + "there is no restic repository at " + repository_.location()};
    case Outcome::locked: {
      const auto owner = lock_owner(finished.err);
      return Error{start + "it is still locked after " + std::to_string(lock_wait_.count()) + " s" +
                   (owner ? ", by " + repository_.without_secrets(owner->text()) : ": " + why)};
    }
    default:
      return Error{start + why};
  }
}

std::string Restic::output(const std::vector<std::string>& args, std::string_view doing,
                           Care care) const {
  auto finished = when_unlocked(command(args), care);
  if (!finished.ok()) throw failure(doing, finished);
  return std::move(finished.out);
}

bool Restic::absent() const {
  const auto finished = ask({"cat", "config", "--no-lock"});
  if (finished.ok()) return false;
  if (classify(finished.status, finished.err) == Outcome::no_repository) return true;
  throw failure("open the data", finished);
}

void Restic::insist() const {
  if (absent())
    throw Error{"the " + repository_.display() +
                ", which holds the earlier increments of the chain, is not there (" +
                repository_.location() + ")"};
}

// Two first backups at once would give a repository two keys of which one is dead.
FileLock Restic::creation_lock() const {
  const fs::path place = repository_.location();
  const bool local = repository_.backend() == Backend::local;
  // Other state directories, also on other machines, may use the place, too.  Of what is elsewhere
  // only this front-end is known: all actions of a datastore run on the machine of its core.
  const fs::path path =
      local ? place / init_lock
            : var_dir() / ("restic-init." + std::to_string(repository_.datastore_id()) + "." +
                           repository_.id());
  std::error_code error;
  if (local && fs::create_directories(place, error))
    fs::permissions(place, fs::perms::owner_all, error);
  if (error)
    throw Error{"cannot make the " + repository_.display() + " at " + place.string() + ": " +
                error.message()};
  return FileLock::lock(path, seconds{120}, "the creation of the " + repository_.display());
}

void Restic::ensure() const {
  if (!absent()) return;
  const auto lock = creation_lock();
  if (absent()) create();
  // Who still waits for this one finds a repository.
  std::error_code ignored;
  if (repository_.backend() == Backend::local)
    fs::remove(fs::path{repository_.location()} / init_lock, ignored);
}

void Restic::create() const {
  // What looks like a repository without its config file has lost it, and init would lock its data
  // away; or its init was killed, and left a key that would be taken for that of the next one.
  const fs::path keys = fs::path{repository_.location()} / "keys";
  if (repository_.backend() == Backend::local && fs::exists(keys)) {
    if (!holds_nothing(keys.parent_path()))
      throw Error{"the " + repository_.display() + " has lost its file 'config' (" +
                  repository_.location() + "): restore that file, or move the directory away"};
    fs::remove_all(keys);
  }
  const auto made = command({"init"}).run();
  if (made.ok()) {
    log(Level::info, "created the " + repository_.display());
    return;
  }
  // Somebody on another machine may have been faster.
  if (!command({"cat", "config", "--no-lock"}).run().ok()) throw failure("create", made);
}

std::vector<Snapshot> Restic::find(const std::vector<std::string>& ids) const {
  std::vector<std::string> args{"snapshots", "--json", "--no-lock"};
  args.insert(args.end(), ids.begin(), ids.end());
  const auto finished = ask(args);
  if (classify(finished.status, finished.err) == Outcome::no_snapshot) return {};
  if (!finished.ok()) throw failure("list the snapshots", finished);
  return parse_snapshots(finished.out);
}

std::vector<Snapshot> Restic::find_tagged(const std::string& tag, Care care) const {
  const auto finished = ask({"snapshots", "--json", "--no-lock", "--tag=" + tag}, care);
  if (finished.ok()) return parse_snapshots(finished.out);
  if (classify(finished.status, finished.err) == Outcome::no_repository) return {};
  throw failure("list the snapshots", finished);
}

Restic::Found Restic::as_stored(const Chain& chain) const {
  std::vector<std::string> ids;
  for (const auto& increment : chain.increments()) ids.push_back(increment.source);
  Found found{.chain = chain, .snapshots = find(ids)};
  if (missing_of(chain, found.snapshots).empty()) return found;
  found.snapshots = find({});
  found.chain = restic::as_stored(found.snapshots, chain);
  for (const auto& id : missing_of(found.chain, found.snapshots))
    if (const auto* merged = merged_into(found.snapshots, id))
      throw Error{"the " + repository_.display() + " has no snapshot " + id + " of the chain " +
                  chain.text() + " any more: a flatten has merged it into a later increment, " +
                  short_id(merged->id)};
  return found;
}

std::vector<StoredIncrement> Restic::find_all_of(const Chain& chain) const {
  const auto [stored, found] = as_stored(chain);
  if (const auto missing = missing_of(stored, found); !missing.empty())
    throw Error{"the " + repository_.display() + " has no snapshot " + joined(missing) +
                " of the chain " + chain.text()};
  std::vector<StoredIncrement> parts;
  for (const auto& one : stored.increments())
    parts.push_back({.increment = one.id, .snapshot = *known_as(found, one.source)});
  auto& first = parts.front();
  first.merged = stored.text() != chain.text();
  if (first.merged)
    log(Level::info, "what the chain " + chain.text() + " has up to increment " +
                         std::to_string(first.increment) + " is read from the snapshot " +
                         short_id(first.snapshot.id) + ", into which a flatten has merged it");
  return parts;
}

void Restic::forget(const std::vector<std::string>& ids,
                    const std::optional<std::vector<std::string>>& limits, Care care) const {
  std::vector<std::string> args{"forget"};
  if (limits) {
    args.push_back("--prune");
    args.insert(args.end(), limits->begin(), limits->end());
  }
  args.insert(args.end(), ids.begin(), ids.end());
  output(args, "remove the snapshots " + joined(ids), care);
}

void Restic::prune(const std::vector<std::string>& limits) const {
  std::vector<std::string> args{"prune"};
  args.insert(args.end(), limits.begin(), limits.end());
  output(args, "remove what no snapshot uses");
}

std::string Restic::dump(const std::string& snapshot, const std::filesystem::path& path) const {
  auto finished = when_unlocked(command({"--quiet", "dump", snapshot, path.string()}, Moves::out));
  if (!finished.ok())
    throw failure("read '" + path.string() + "' of the snapshot " + snapshot, finished);
  return std::move(finished.out);
}

}  // namespace restic
