// SPDX-License-Identifier: Apache-2.0
// Reports how full the place of the repositories is.  The core calls this every few minutes, so it
// is cheap and waits for nobody.

#include <fcntl.h>

#include <algorithm>

#include "common/child.h"
#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/core.h"
#include "common/one/left_hosts.h"
#include "common/one/location.h"
#include "datastore/lib/space.h"
#include "datastore/restic/lib/prune.h"
#include "datastore/restic/lib/repository.h"

namespace {

constexpr Contract contract{
    .name = "datastore/restic/monitor",
    .summary = "report the space of a restic backup datastore",
    .args = "DATASTORE_ID",
    .input = Input::base64_xml,
    .reply = "C<USED_MB=>, C<TOTAL_MB=> and C<FREE_MB=>, one per line.",
    .description =
        "Makes BASE_PATH, on this machine or on the SFTP server, if it is not there.  A bucket of "
        "S3 "
        "has no size: used is what the core's images in the datastore have, and TOTAL_MB of the "
        "datastore is the total (1048576).\n\n"
        "Since it is called every few minutes, it also asks the hosts where a backup died to put "
        "right what was left (F<tm/host/backup_host>, C<recover --all>), and with "
        "C<RESTIC_PRUNE=window> starts F<datastore/restic/prune> in that time, whose words go to "
        "F<restic-pruning.E<lt>datastoreE<gt>.log> in the state directory."};

constexpr std::chrono::seconds limit{60};

Space local_space(const std::filesystem::path& base) {
  std::error_code failed;
  std::filesystem::create_directories(base, failed);
  if (failed) throw system_error("create the directory '" + base.string() + "'", failed.value());
  return Space::of(base);
}

Space server_space(const std::string& login, const std::string& base) {
  const auto on_server = [&](Command command) { return command.on(login).deadline(limit); };
  on_server({"mkdir", "-p", "--", base}).output();
  return Space::parse_df(on_server({"env", "LC_ALL=C", "df", "-P", "-B1M", "--", base}).output());
}

Space bucket_space(const Datastore& datastore) {
  constexpr std::int64_t usual_mb = 1 << 20;
  const auto total = std::max<std::int64_t>(0, datastore.number("TOTAL_MB", usual_mb));
  const auto used = std::max<std::int64_t>(0, backup_mb_from_core(datastore.id()));
  return {.used_mb = static_cast<std::uint64_t>(used),
          .total_mb = static_cast<std::uint64_t>(total),
          .free_mb = static_cast<std::uint64_t>(std::max<std::int64_t>(0, total - used))};
}

Space space_of(const Datastore& datastore) {
  switch (restic::parse_backend(datastore)) {
    case restic::Backend::local:
      return local_space(restic::base_path(datastore));
    case restic::Backend::sftp:
      return server_space(restic::sftp_login(datastore), restic::base_path(datastore).string());
    case restic::Backend::s3:
      break;
  }
  return bucket_space(datastore);
}

// By a process of its own, which outlives us.
void prune_in_window(const Datastore& datastore) try {
  const restic::PrunePolicy policy{datastore};
  const auto id = std::to_string(datastore.id());
  if (!policy.window_is_open() || restic::noted_for_prune(datastore.id()).empty() ||
      !FileLock::try_lock(restic::prune_lock(datastore.id())))
    return;
  const auto nothing = open_file("/dev/null", O_RDONLY);
  const auto words =
      open_file(var_dir() / ("restic-pruning." + id + ".log"), O_WRONLY | O_CREAT | O_TRUNC);
  Child{{"setsid", "--fork", (remotes_root() / "datastore/restic/prune").string(), id},
        {},
        nothing.get(),
        words.get(),
        words.get()}
      .wait();
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  log(Level::warn, "nothing is pruned: " + std::string{error.what()});
}

std::string monitor(const Request& request) {
  const auto node = request.xml().root().first("DATASTORE");
  if (!node) throw BadRequest{"the request has no DATASTORE"};
  const Datastore datastore{*node};
  const auto space = space_of(datastore);
  recover_left_hosts();
  prune_in_window(datastore);
  return space.text();
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, monitor); }
