// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/capture.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cctype>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/config.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/meter.h"
#include "drivers/lib/settle.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

// The orchestrator's own undo has its deadlines; we wait for it rather than break it off.
constexpr Stop patient{.signal = SIGTERM, .grace = std::chrono::seconds{120}};

fs::path vm_dir(const App& app, int vm) { return app.home().vm_link(vm); }

Finished run(App& app, const state::Attempt& attempt, const CaptureRequest& request) {
  const Removed progress{vm_dir(app, attempt.vm) / "backup.progress"};
  const Fd reply =
      open_file(state::reply_file(app.home(), attempt), O_WRONLY | O_CREAT | O_EXCL, 0600);
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
        display.clear();
        note_warning(line);
      })
      .run();
}

// It could not undo itself.  Whatever comes of this, the first failure is the one to tell.
void undo_killed(App& app, int vm, const CaptureRequest& request) noexcept try {
  auto undo = app.action("vmm/kvm/recover");
  undo.arg(std::to_string(vm)).input(base64_encode(request.document) + "\n").shielded();
  insist(undo.run(), "what the backup left could not be undone");
} catch (const std::exception& error) {
  note("warning: " + one_line(error.what()));
}

}  // namespace

Stored capture(App& app, const state::Attempt& begun, const CaptureRequest& request) {
  state::remove_leftovers(vm_dir(app, begun.vm));
  auto attempt = begun;
  attempt.id = app.store().begin(attempt);
  bool killed = false;
  try {
    const auto done = run(app, attempt, request);
    killed = done.status > 128;
    insist(done, "the backup failed");
  } catch (const std::exception& error) {
    // Its answer is its last deed: a cancellation, or what killed it, came too late.
    if (const auto reply = state::read_reply(app.home(), attempt))
      return record(app.store(), app.home(), attempt, *reply);
    if (killed) undo_killed(app, begun.vm, request);
    app.store().fail(attempt.id, one_line(error.what()));
    throw;
  }
  // From here on a failure leaves the attempt open: the next run finds the reply, and records it.
  const auto reply = state::read_reply(app.home(), attempt);
  if (!reply) {
    app.store().fail(attempt.id, "no snapshot id in the reply");
    throw Error{"the backup failed: vmm/kvm/backup did not answer with a snapshot id"};
  }
  return record(app.store(), app.home(), attempt, *reply);
}

void settle(App& app, const state::VmRecord& vm) {
  for (const auto& [attempt, stored] : state::settle(app.store(), app.home(), vm.id)) {
    const auto begun = "the backup of '" + vm.name + "' that began " + local_time(attempt.started);
    if (stored)
      note(begun + " was good, and is recorded now (" +
           fmt::format("image {}, increment {})", stored->image, stored->record.id));
    else
      note(begun + " was interrupted; it is not in the list");
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
