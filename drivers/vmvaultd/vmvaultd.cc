// SPDX-License-Identifier: Apache-2.0
// vmvaultd: the image manager of a libvirt host.

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/answer.h"
#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "common/version.h"
#include "drivers/lib/host_uri.h"
#include "drivers/lib/machine_files.h"
#include "drivers/lib/provider.h"
#include "drivers/vmvaultd/lib/errands.h"
#include "drivers/vmvaultd/lib/reports.h"
#include "drivers/vmvaultd/lib/restore_errands.h"
#include "drivers/vmvaultd/lib/service.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* usage =
    "usage: vmvaultd [--config FILE] [--queue | --retention]\n"
    "Backs up the machines of this libvirt host as FILE says (default: etc/vmvaultd.conf in the "
    "tree\n"
    "of actions), in the foreground, until SIGTERM.  --queue says what waits, --retention which "
    "backups\n"
    "would go by the rules of FILE and why; both end then.  --version says which this is.  See "
    "vmvaultd(8).\n";

std::string self() { return fs::read_symlink("/proc/self/exe"); }

std::string url_of(const vmvaultd::FrontSettings& front) {
  const bool v6 = front.address.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + front.address + "]" : front.address) + ":" +
         std::to_string(front.port) + "/RPC2";
}

// For our drivers, and for what they run.
void settle_environment(const state::Home& home, const vmvaultd::Settings& settings) {
  setenv("VMVAULT_VAR", home.var().c_str(), 1);
  setenv("VMVAULT_CORE_DIR", home.var().c_str(), 1);
  setenv("VMVAULT_REMOTES", remotes_root().c_str(), 1);
  // On other hosts the same package is installed.
  if (!setting("REMOTE_DIR")) setenv("VMVAULT_REMOTE_DIR", remotes_root().c_str(), 1);
  setenv("VMVAULT_STOCK_VMM_MAD", "none", 1);
  setenv("VMVAULT_KEEP_SUMS", "YES", 1);
  // Who asks the core asks us.
  setenv("ONE_AUTH", vmvaultd::first_users_file(home).c_str(), 1);
  setenv("ONE_CIPHER_AUTH", vmvaultd::account_file(home).c_str(), 1);
  if (settings.front.port != 0) setenv("ONE_XMLRPC", url_of(settings.front).c_str(), 1);
  if (!settings.uri.empty()) setenv("LIBVIRT_URI", settings.uri.c_str(), 1);
  // Nobody asked for a freeze: without it the backup goes on.
  if (!setting("FS_FREEZE_FALLBACK")) setenv("VMVAULT_FS_FREEZE_FALLBACK", "YES", 1);
}

int number(const std::string& word) {
  if (const auto found = parse_int(word, 0)) return *found;
  throw BadRequest{usage};
}

// What the service has done by this program as its child.
bool errand(const std::vector<std::string>& words) {
  const std::string what = words.empty() ? "" : words[0];
  if (what == "--restore" && words.size() == 3) {  // it may outlive the service
    vmvaultd::restore_in_place(state::Home{var_dir()}, words[1], number(words[2]));
    return true;
  }
  if (what == "--end-job" && words.size() == 2) {
    state::end_job(state::Home{var_dir()}, number(words[1]));
    return true;
  }
  if (what != "--look" && what != "--prepare" && what != "--fetch" && what != "--recover")
    return false;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (what == "--recover" && words.size() == 2) {  // a host, by its URI
    guest::recover_host(guest::parse_host_uri(words[1]).host);
    return true;
  }
  if (what == "--fetch" && words.size() == 3) {
    const auto fetch = words[1] == "disk" ? vmvaultd::fetch_disk : vmvaultd::fetch_template;
    fetch(state::Home{var_dir()}, number(words[2]));
    return true;
  }
  if (words[0] == "--look" && words.size() == 2) {
    vmvaultd::look(words[1]);
    return true;
  }
  if (words.size() != 5) throw BadRequest{usage};
  vmvaultd::prepare(state::Home{var_dir()}, words[1], number(words[2]), number(words[3]),
                    words[4] == "1");
  return true;
}

vmvaultd::Settings read_settings(const std::optional<fs::path>& named) {
  const auto file = named.value_or(remotes_root() / "etc/vmvaultd.conf");
  try {
    const auto text = read_file_if_any(file);
    if (named && !text) throw BadRequest{"which --config names, is not there"};
    return vmvaultd::parse_service_settings(text.value_or(""));
  } catch (const BadRequest& error) {
    throw BadRequest{"'" + file.string() + "', " + error.what()};
  }
}

// Of the state that there is: nothing is made.
void report(const std::string& what, const vmvaultd::Settings& settings) {
  const state::Home home{var_path()};
  home.refuse_lost_state();  // an empty file would be filled
  const auto file = home.database();
  auto store = fs::exists(file) ? state::Store{file} : state::Store::nothing();
  const auto now = std::time(nullptr);
  const auto text = what == "--queue" ? vmvaultd::report_queue(store, settings, now) + "\n"
                                      : vmvaultd::report_retention(store, settings, now);
  std::fputs(text.c_str(), stdout);
}

void serve(const vmvaultd::Settings& settings) {
  const state::Home home{var_dir()};
  if (home.prepare())
    std::fprintf(stderr, "the backups' password was made in '%s': keep a copy of it elsewhere\n",
                 home.password_file().c_str());
  settle_environment(home, settings);
  vmvaultd::serve(settings, home, self());
}

void run(std::vector<std::string> words) {
  if (errand(words)) return;
  if (words.size() == 1 && words[0] == "--help") {
    std::fputs(usage, stdout);
    return;
  }
  if (words.size() == 1 && words[0] == "--version") {
    std::printf("vmvaultd %s\n", version);
    return;
  }
  std::optional<fs::path> file;
  if (words.size() >= 2 && words[0] == "--config") {
    file = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  const bool only_reports =
      words.size() == 1 && (words[0] == "--queue" || words[0] == "--retention");
  if (!words.empty() && !only_reports) throw BadRequest{usage};
  const auto settings = read_settings(file);
  if (only_reports) return report(words[0], settings);
  serve(settings);
}

}  // namespace

int main(int argc, char** argv) try {
  cancel::install();
  forbid_core_dumps();
  run({argv + 1, argv + argc});
  finish_answer();
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", one_line(error.what()).c_str());
  return static_cast<int>(error.exit());
} catch (const std::exception& error) {
  std::fprintf(stderr, "unexpected: %s\n", one_line(error.what()).c_str());
  return static_cast<int>(Exit::failed);
}
