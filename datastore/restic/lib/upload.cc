// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/upload.h"

#include "common/error.h"
#include "common/one/progress.h"
#include "datastore/restic/lib/unclaimed.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

std::vector<std::string> backup_arguments(const fs::path& directory, const Selection& selection,
                                          int vm_id, const std::string& run_tag) {
  // --force: each backup has a directory of its own and new files, so restic would find no file to
  // skip by its old size and time; and where a view gives two backups the same, it must not be
  // believed.
  std::vector<std::string> args{"--json",           "backup",
                                "--force",          "--tag=one-" + std::to_string(vm_id),
                                "--tag=" + run_tag, "--"};
  // The names of the disks come before those of their sums.
  if (selection.sums_of_view) args.insert(args.end() - 1, "--read-concurrency=1");
  for (const auto& name : selection.names) args.push_back((directory / name).string());
  return args;
}

// A restic elsewhere whose ssh is gone may go on for a while, and even succeed.
Finished run(const Restic& restic, const Command& call, Unclaimed& snapshot) try {
  auto finished = restic.when_unlocked(call);
  if (finished.status != ssh_failed) snapshot.ended();
  return finished;
} catch (const Cancelled& cancelled) {
  if (!cancelled.killed) snapshot.ended();
  throw;
}

// The summary counts what was read, but not what was stored under which name.
void require_stored(const Restic& restic, const fs::path& directory, const Selection& selection,
                    const std::string& snapshot) {
  const auto stored = parse_files(restic.output({"ls", "--json", "--no-lock", snapshot},
                                                "list the files of the snapshot " + snapshot));
  for (const auto& [name, size] : selection.sizes) {
    const auto path = (directory / name).string();
    const auto found = stored.find(path);
    if (found == stored.end())
      throw Error{"restic did not store '" + path + "', which was there when the backup began"};
    if (found->second != size)
      throw Error{"restic stored " + std::to_string(found->second) + " bytes of '" + path +
                  "', which has " + std::to_string(size)};
  }
}

}  // namespace

void upload(const Restic& restic, const fs::path& directory, const Selection& selection, int vm_id,
            const std::function<void(const std::string&)>& tell) {
  Unclaimed snapshot{restic, vm_id};
  Progress progress{"upload", selection.bytes};
  std::optional<Summary> summary;
  auto call = restic.backup_command(backup_arguments(directory, selection, vm_id, snapshot.tag()),
                                    directory);
  call.out_lines([&](std::string_view line) {
    if (const auto status = parse_status(line)) progress.at(status->bytes_done);
    if (auto found = parse_summary(line)) summary = std::move(found);
  });
  const auto finished = run(restic, call, snapshot);
  if (!finished.ok()) throw restic.failure("store '" + directory.string() + "'", finished);
  if (!summary)
    throw Error{"restic ended without a summary: '" + directory.string() + "' is not stored"};
  if (summary->bytes != selection.bytes || summary->files != selection.names.size())
    throw Error{"restic stored " + std::to_string(summary->files) + " files of " +
                std::to_string(summary->bytes) + " bytes, but '" + directory.string() + "' holds " +
                std::to_string(selection.names.size()) + " of " + std::to_string(selection.bytes)};
  const auto id = short_id(summary->snapshot_id);
  require_stored(restic, directory, selection, id);
  progress.at(selection.bytes);
  snapshot.claim([&] { tell(id); });
}

}  // namespace restic
