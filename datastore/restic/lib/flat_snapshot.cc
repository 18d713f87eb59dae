// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flat_snapshot.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <optional>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/progress.h"
#include "common/private_mount.h"
#include "common/view.h"
#include "datastore/lib/known_sums.h"
#include "datastore/lib/selection.h"
#include "datastore/restic/lib/flat_files.h"
#include "datastore/restic/lib/known_as.h"
#include "datastore/restic/lib/noted_dir.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

// As restic wants it, in UTC.
std::string to_text(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

std::map<std::string, std::uint64_t> stored_files(const Restic& restic, const std::string& id) {
  return parse_files(restic.output({"ls", "--json", "--no-lock", id},
                                   "list the files of the snapshot " + short_id(id)));
}

std::vector<std::string> backup_arguments(const FlattenPlan& plan, int vm_id,
                                          const fs::path& directory,
                                          const std::vector<std::string>& names) {
  const auto vm_tag = "one-" + std::to_string(vm_id);
  std::vector<std::string> args{"--json", "backup", "--force", "--tag=" + vm_tag,
                                "--tag=" + plan.tag};
  if (!plan.ancestors_tag.empty()) args.push_back("--tag=" + plan.ancestors_tag);
  for (const auto& tag : plan.sources.back().snapshot.tags)
    if (tag != vm_tag && !is_own_tag(tag)) args.push_back("--tag=" + tag);
  args.push_back("--time=" + to_text(plan.time));
  args.push_back("--");
  for (const auto& name : names) args.push_back((directory / name).string());
  return args;
}

// restic is run by the words of `prefix`.  Returns the short id.
struct Backup {
  const Restic& restic;
  const FlattenPlan& plan;
  const FlatFiles& files;
  int vm_id;

  std::string run(const fs::path& directory, const std::vector<std::string>& prefix) const {
    const auto names = files.names();
    const auto bytes = files.bytes();
    Progress progress{"flatten", bytes};
    std::optional<Summary> summary;
    auto request =
        restic.backup_request(backup_arguments(plan, vm_id, directory, names), directory);
    request.env["TZ"] = "UTC";  // by which restic reads --time
    auto call = restic.machine().command(request, prefix);
    call.out_lines([&](std::string_view line) {
      if (const auto status = parse_status(line)) progress.at(status->bytes_done);
      if (auto found = parse_summary(line)) summary = std::move(found);
    });
    const auto finished = restic.when_unlocked(call);
    if (!finished.ok()) throw restic.failure("store the merged backup", finished);
    if (!summary || summary->bytes != bytes || summary->files != names.size())
      throw Error{"restic stored other files than those of the merged backup"};
    const auto id = short_id(summary->snapshot_id);
    const auto stored = stored_files(restic, id);
    for (const auto& name : names)
      if (!stored.contains((directory / name).string()))
        throw Error{"restic did not store '" + name + "' of the merged backup"};
    return id;
  }
};

View::Content content_of(const FlatFiles& files) {
  View::Content content;
  for (const auto& [name, disk] : files.disks()) {
    const auto read = [one = disk.get()](std::uint64_t offset, std::span<std::byte> out) {
      return one->read(offset, out);
    };
    content.files.push_back({.name = name, .size = disk->size(), .read = read});
  }
  for (const auto& [name, text] : files.documents())
    content.files.push_back(View::File::document(name, text));
  return content;
}

std::string run_on_view(const Backup& backup, PrivateMount& mount, const fs::path& at) {
  const View view{mount.take_fuse(), content_of(backup.files)};
  try {
    return backup.run(at, mount.prefix());
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {  // restic only knows that it could not read
    if (const auto why = view.failure(); !why.empty()) throw Error{why};
    throw;
  }
}

void write_disk(FlatDisk& disk, const fs::path& file) {
  const auto out = open_file(file, O_WRONLY | O_CREAT | O_EXCL);
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  std::uint64_t at = 0;
  while (const auto count = disk.read(at, buffer)) {
    cancel::check();
    write_all(out.get(), {reinterpret_cast<const char*>(buffer.data()), count},
              "write '" + file.string() + "'");
    at += count;
  }
}

std::string run_on_files(const Backup& backup, const fs::path& at) {
  fs::create_directories(at);
  for (const auto& [name, disk] : backup.files.disks()) write_disk(*disk, at / name);
  for (const auto& [name, text] : backup.files.documents()) write_file(at / name, text);
  return backup.run(at, {});
}

std::optional<PrivateMount> private_mount(const fs::path& at) try {
  return std::optional<PrivateMount>{std::in_place, at};
} catch (const Error& error) {
  log(Level::info, std::string{"the merged disks are written to files first: "} + error.what());
  return std::nullopt;
}

}  // namespace

FlatSnapshot store_flat_snapshot(const Restic& restic, const FlattenPlan& plan,
                                 const FlattenOrder& order, const fs::path& note) {
  const auto original = fs::path{plan.sources.back().snapshot.paths.at(0)}.parent_path();
  const NotedDir directory{order.scratch, note};
  auto mount = private_mount(original);  // before there is any thread
  const FlatFiles files{restic, plan, mount ? Read::from_a_view : Read::from_files,
                        directory.path(), KnownSums{order.sums}};
  const Backup backup{.restic = restic, .plan = plan, .files = files, .vm_id = order.vm_id};
  // The last two words of its path tell the VM.
  const auto at = directory.path() / original.parent_path().filename() / original.filename();
  auto source = mount ? run_on_view(backup, *mount, original) : run_on_files(backup, at);
  return {.source = std::move(source), .disk_bytes = files.disk_bytes(), .sums = files.sums()};
}

bool is_whole(const Restic& restic, const Snapshot& snapshot) {
  const auto stored = stored_files(restic, snapshot.id);
  const auto& paths = snapshot.paths;
  return std::any_of(paths.begin(), paths.end(),
                     [](const fs::path path) { return is_disk_file(path.filename()); }) &&
         std::all_of(paths.begin(), paths.end(),
                     [&](const auto& path) { return stored.contains(path); });
}

FlatSnapshot stored_flat_snapshot(const Restic& restic, const Snapshot& snapshot) {
  FlatSnapshot flat{.source = short_id(first_id(snapshot)), .disk_bytes = 0};
  for (const auto& [path, size] : stored_files(restic, snapshot.id))
    if (is_disk_file(fs::path{path}.filename())) flat.disk_bytes += size;
  return flat;
}

}  // namespace restic
