// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/snapshots.h"

#include <memory>

#include "common/base64.h"
#include "common/one/xml.h"
#include "datastore/restic/lib/dump.h"
#include "datastore/restic/lib/known_as.h"
#include "datastore/restic/lib/restic_version.h"

namespace restic {

Snapshots::Snapshots(const Restic& restic, const Chain& chain, const std::vector<Snapshot>& found)
    : restic_{restic} {
  for (const auto& one : chain.increments()) {
    const auto* snapshot = known_as(found, one.source);
    ids_.push_back(one.source);
    now_.push_back(snapshot ? short_id(snapshot->id) : "");
  }
  paths_.resize(ids_.size());
}

// What restic cannot read of a repository that can be opened is a problem of the backup; that it
// cannot be opened is not.
std::optional<std::string> Snapshots::ask(const std::vector<std::string>& args,
                                          const std::string& what, std::string& problem) const {
  const auto moves = args.front() == "dump" ? Moves::out : Moves::nothing;
  Finished finished;
  try {
    finished = restic_.when_unlocked(restic_.command(args, moves).deadline(answer_limit()));
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    restic_.insist();
    add_problem(problem, what + " cannot be read: " + error.what());
    return std::nullopt;
  }
  if (finished.ok()) return std::move(finished.out);
  switch (classify(finished.status, finished.err)) {
    case Outcome::failed:
    case Outcome::incomplete:
    case Outcome::no_such_file:
    case Outcome::no_snapshot:
      restic_.insist();
      add_problem(problem, what + " cannot be read: " +
                               restic_.repository().without_secrets(reason(finished.err)));
      return std::nullopt;
    default:
      throw restic_.failure("verify", finished);
  }
}

std::string Snapshots::check() {
  insist();
  const auto finished = restic_.when_unlocked(restic_.command({"check"}));
  if (finished.ok()) return "";
  if (classify(finished.status, finished.err) != Outcome::failed)
    throw restic_.failure("verify", finished);
  insist();
  return restic_.repository().without_secrets(first_finding(finished.err));
}

std::optional<StoredChain::Sizes> Snapshots::files(std::size_t i, std::string& problem) {
  if (now_[i].empty()) {
    add_problem(problem, name(i) + " is not in the repository");
    return std::nullopt;
  }
  const auto text = ask({"ls", "--json", "--no-lock", now_[i]}, name(i), problem);
  if (!text) return std::nullopt;
  Sizes sizes;
  for (const auto& [path, size] : parse_files(*text)) {
    const auto file = std::filesystem::path{path}.filename().string();
    paths_[i][file] = path;
    sizes[file] = size;
  }
  return sizes;
}

std::optional<std::string> Snapshots::document(std::size_t i, const std::string& file,
                                               std::string& problem) {
  return ask({"dump", "--quiet", now_[i], paths_[i].at(file)}, file, problem);
}

bool Snapshots::is_vm(const std::string& text) const try {
  return Xml{base64_decode(text)}.root().name() == "VM";
} catch (const BadRequest&) {
  return false;
}

qcow2::Source Snapshots::open(std::size_t i, const std::string& file) {
  return dumps_.add(std::make_shared<Dump>(restic_, now_[i], paths_[i].at(file),
                                           Threads::as_configured, answer_limit()));
}

}  // namespace restic
