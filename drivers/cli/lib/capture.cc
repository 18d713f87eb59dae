// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <sstream>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/sums_file.h"
#include "common/sums.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/meter.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

// The orchestrator's own undo has its deadlines; we wait for it rather than break it off.
constexpr Stop patient{.signal = SIGTERM, .grace = std::chrono::seconds{120}};

fs::path vm_dir(const App& app, int vm) { return app.home().vm_link(vm); }

constexpr const char* reply_prefix = "backup.reply.";
constexpr const char* sums_prefix = "backup.sums.";

// Where the orchestrator's answer to this attempt goes, and to no other.
fs::path reply_file(const App& app, const state::Attempt& attempt) {
  return vm_dir(app, attempt.vm) / (reply_prefix + std::to_string(attempt.id));
}

struct Reply {
  std::string source;
  std::int64_t size_mib = 0;
};

// "<id> <MiB> <format>" and its newline; nullopt for anything else, also for a part of it.
std::optional<Reply> parse_reply(const std::string& text) {
  std::istringstream words{text};
  std::string source, size, format, more;
  words >> source >> size >> format;
  const auto mib = parse_number(size);
  if (!words || !mib || *mib < 0 || words >> more || !text.ends_with('\n')) return std::nullopt;
  const bool hex = std::all_of(source.begin(), source.end(),
                               [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (!hex || source.size() > 64) return std::nullopt;
  return Reply{.source = source, .size_mib = *mib};
}

std::optional<Reply> read_reply(const App& app, const state::Attempt& attempt) {
  const auto text = read_file_if_any(reply_file(app, attempt));
  return text ? parse_reply(*text) : std::nullopt;
}

// The capture's own account of this attempt; nothing if it is missing or another's.
std::optional<std::string> result_text(const fs::path& dir, const state::Attempt& attempt) {
  auto text = read_file_if_any(dir / "backup.result");
  if (!text) return std::nullopt;
  try {
    const auto result = state::parse_result(*text);
    if (result.vm == attempt.vm && result.increment == attempt.increment) return text;
  } catch (const BadRequest&) {
  }
  return std::nullopt;
}

// The sums of this attempt's disks, as far as somebody has read them wholly.
std::vector<state::SumsRecord> sums_of(const fs::path& dir, const state::CaptureResult& result) {
  std::vector<state::SumsRecord> all;
  for (const auto& disk : result.disks) {
    const auto name = sums_file(disk.file);
    auto sums = read_file_if_any(dir / ("backup." + name));
    if (sums && sums->size() == sums::size(disk.file_size))
      all.push_back({.file = name, .sums = *std::move(sums)});
  }
  return all;
}

Stored record(App& app, const state::Attempt& attempt, const Reply& reply) {
  const auto text = result_text(vm_dir(app, attempt.vm), attempt);
  Stored stored;
  if (text) stored.result = state::parse_result(*text);
  stored.record = {.id = attempt.increment,
                   .source = reply.source,
                   .size_mib = reply.size_mib,
                   .bytes = stored.result ? stored.result->bytes()
                                          : static_cast<std::uint64_t>(reply.size_mib) << 20,
                   .date = attempt.started,
                   .dir = attempt.dir,
                   .result = text.value_or("")};
  const auto sums = stored.result ? sums_of(vm_dir(app, attempt.vm), *stored.result)
                                  : std::vector<state::SumsRecord>{};
  stored.image = app.store().succeed(attempt.id, stored.record, sums);
  return stored;
}

// A file that is of no use to anybody afterwards.
struct Removed {
  fs::path path;
  ~Removed() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

void remove_file(const fs::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + path.string() + "'", errno);
}

// Durably gone before the next attempt is on record: what an earlier one left would be taken for
// the next one's, if that is cut off before it has said anything.
void remove_leftovers(const fs::path& dir) {
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator{dir})
    for (const char* prefix : {reply_prefix, sums_prefix})
      if (entry.path().filename().string().starts_with(prefix)) left.push_back(entry.path());
  for (const auto& path : left) remove_file(path);
  for (const char* name : {"backup.result", "backup.progress"}) remove_file(dir / name);
  sync_directory(dir);
}

Finished run(App& app, const state::Attempt& attempt, const CaptureRequest& request) {
  const Removed progress{vm_dir(app, attempt.vm) / "backup.progress"};
  const Fd reply = open_file(reply_file(app, attempt), O_WRONLY | O_CREAT | O_EXCL, 0600);
  ProgressDisplay display{progress.path};
  auto backup = app.action("vmm/kvm/backup");
  if (request.freeze_is_a_bonus && !setting("FS_FREEZE_FALLBACK"))
    backup.env("VMVAULT_FS_FREEZE_FALLBACK", "YES");
  return backup.arg(std::to_string(attempt.vm))
      .env("VMVAULT_PROGRESS", progress.path.string())
      .env("VMVAULT_KEEP_SUMS", "YES")
      .input(base64_encode(request.document) + "\n")
      .write_to(reply.get())
      .stop_with(patient)
      .err_lines([&](std::string_view line) {
        if (!line.starts_with("WARN:")) return;
        display.clear();
        note("warning:" + std::string{line.substr(5)});
      })
      .run();
}

}  // namespace

void link_disks(const fs::path& dir, const std::vector<messages::VmDisk>& disks) {
  for (const auto& entry : fs::directory_iterator{dir})
    if (entry.is_symlink() && entry.path().filename().string().starts_with("disk."))
      fs::remove(entry.path());
  for (const auto& one : disks) {
    const auto link = dir / ("disk." + std::to_string(one.id));
    if (symlink(one.disk.source.c_str(), link.c_str()) != 0)
      throw system_error("make the link '" + link.string() + "'", errno);
  }
}

Stored capture(App& app, const state::Attempt& begun, const CaptureRequest& request) {
  remove_leftovers(vm_dir(app, begun.vm));
  auto attempt = begun;
  attempt.id = app.store().begin(attempt);
  try {
    insist(run(app, attempt, request), "the backup failed");
  } catch (const Cancelled& cancelled) {
    // Too late is good: what is stored is kept.
    if (const auto reply = read_reply(app, attempt)) return record(app, attempt, *reply);
    app.store().fail(attempt.id, cancelled.what());
    throw;
  } catch (const std::exception& error) {
    app.store().fail(attempt.id, one_line(error.what()));
    throw;
  }
  // From here on a failure leaves the attempt open: the next run finds the reply, and records it.
  const auto reply = read_reply(app, attempt);
  if (!reply) {
    app.store().fail(attempt.id, "no snapshot id in the reply");
    throw Error{"the backup failed: vmm/kvm/backup did not answer with a snapshot id"};
  }
  return record(app, attempt, *reply);
}

void settle(App& app, const state::VmRecord& vm) {
  for (const auto& attempt : app.store().unfinished(vm.id)) {
    const auto when = local_time(attempt.started);
    const auto reply = read_reply(app, attempt);
    const bool orphan = !attempt.image && attempt.increment > 0;
    if (!reply || orphan || app.store().recorded(vm.id, reply->source)) {
      app.store().fail(attempt.id, "interrupted");
      note("the backup of '" + vm.name + "' that began " + when +
           " was interrupted; it is not in the list");
      continue;
    }
    const auto stored = record(app, attempt, *reply);
    note("the backup of '" + vm.name + "' that began " + when + " was good, and is recorded now (" +
         fmt::format("image {}, increment {})", stored.image, stored.record.id));
  }
}

std::string consistency_text(const state::CaptureResult& result) {
  if (!result.live) return "consistent (powered off)";
  auto freeze = result.freeze;
  for (char& c : freeze) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (result.consistent) return "consistent (" + freeze + ")";
  return "crash-consistent" + (result.why.empty() ? "" : ": " + printable(result.why));
}

}  // namespace cli
