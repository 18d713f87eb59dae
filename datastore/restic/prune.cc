// SPDX-License-Identifier: Apache-2.0
// Gives back the space of what was removed from the repositories of a datastore.

#include "datastore/restic/lib/prune.h"

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/core.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/prune",
    .summary = "give back the space of removed backups",
    .args = "DATASTORE_ID [REPOSITORY]",
    .input = Input::none,
    .reply = "A line for each repository that was pruned: its name.",
    .description =
        "REPOSITORY is the id of a VM, or C<job_> and the id of a backup job; there may be more of "
        "them, and those that do not exist are left out.  Without any: those from which something "
        "was removed and is not pruned yet.  The datastore, with its secrets, is asked for from "
        "the core.\n\n"
        "Nobody can back up into a repository while it is being pruned.  Each waits for those who "
        "use it, for at most RESTIC_LOCK_WAIT seconds (300).  One that fails does not keep the "
        "others from it.\n\n"
        "F<datastore/restic/monitor> starts this in the time of RESTIC_PRUNE_WINDOW."};

void check(const std::string& repository) {
  const auto digits = repository.starts_with("job_") ? repository.substr(4) : repository;
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos)
    throw BadRequest{"not the name of a repository: '" + one_line(repository) + "'"};
}

std::string prune(const Request& request) {
  const auto id = static_cast<int>(request.number("DATASTORE_ID"));
  std::vector<std::string> names(request.words().begin() + 1, request.words().end());
  const bool named = !names.empty();
  if (!named) names = restic::noted_for_prune(id);
  for (const auto& name : names) check(name);
  const auto lock = FileLock::try_lock(restic::prune_lock(id));
  if (!lock) throw Error{"datastore " + std::to_string(id) + " is being pruned already"};
  const auto datastore = datastore_from_core(id);
  const restic::PrunePolicy policy{datastore};
  std::string done, failures;
  for (const auto& name : names) try {
      const restic::Restic restic{datastore, name, Machine{}};
      if (restic.repository().was_never_made() || (named && !restic.exists())) continue;
      restic::prune(restic, policy);
      done += name + "\n";
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      log(Level::error, error.what());
      failures += (failures.empty() ? "" : ", ") + name;
    }
  if (!failures.empty())
    throw Error{"these repositories of datastore " + std::to_string(id) +
                " could not be pruned: " + failures};
  return done;
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, prune); }
