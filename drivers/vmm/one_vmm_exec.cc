// SPDX-License-Identifier: Apache-2.0
// The VMM driver of a core: the stock one, but backups are ours (contract 1.3 to 1.8 and 2.1
// to 2.7).

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "drivers/lib/mad.h"
#include "drivers/lib/mad_environment.h"
#include "drivers/lib/mad_options.h"
#include "drivers/vmm/lib/front.h"
#include "drivers/vmm/lib/keeper.h"
#include "drivers/vmm/lib/waits.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* alone = "--alone";

// How the stock driver is started.  install.sh keeps it beside us, as <name>.stock: a shell script
// that finds its program by the name that it was started with.
std::vector<std::string> stock_driver(const mad::Places& places) {
  const std::string self = fs::read_symlink("/proc/self/exe"), kept = self + ".stock";
  auto settings = read_settings(places.remotes / "etc/vmvault.conf");
  std::string named = settings["STOCK_VMM_MAD"];
  if (const char* before = getenv("VMVAULT_STOCK_VMM_MAD"); before && *before) named = before;
  if (named == "none") return {self, alone};
  if (!named.empty()) return {normal_path(named)};
  if (access(kept.c_str(), X_OK) != 0) throw Error{"there is no stock driver '" + kept + "'"};
  return {"bash", "-c", "kept=$1; shift; . \"$kept\"", self, kept};
}

// What of the stock driver's arguments matters to us; none if these backups are not ours.
std::optional<front::Backups::Places> our_backups(const std::vector<std::string>& words,
                                                  const mad::Places& places) try {
  const auto options = mad::parse_options(words, {{'t', "threads"},
                                                  {'r', "retries"},
                                                  {'l', "local"},
                                                  {'d', "delegate"},
                                                  {'s', "shell"},
                                                  {'w', "timeout"},
                                                  {'p', "parallel", false}});
  const std::string hypervisor = options.words.empty() ? "" : options.words[0];
  if (hypervisor != "kvm" && hypervisor != "qemu") return std::nullopt;
  const auto threads = options.values.find('t');
  const auto slots = parse_int(threads == options.values.end() ? "" : threads->second, 1);
  return front::Backups::Places{.records = var_dir() / "mad" / hypervisor,
                                .remotes = places.remotes,
                                .slots = slots.value_or(15)};
} catch (const Error&) {
  return std::nullopt;  // the stock driver knows what to say
}

// In the place of a stock driver where there is none: backups are all that is done.
int stand_in() {
  mad::Pool nothing{1};
  mad::serve(nothing, [](const mad::Message& message) {
    mad::say(mad::answer(message.verb, false, *message.id,
                         "there is no driver for that: VMVAULT_STOCK_VMM_MAD is 'none'"));
  });
  return 0;
}

int run(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto places = mad::Places::of_this_front_end();
  mad::occupy_descriptors(places, "one_vmm_exec");  // before anything is opened
  forbid_core_dumps();
  cancel::install();
  if (!words.empty() && words[0] == "--keep")
    return front::keep({words.begin() + 1, words.end()}, places.remotes);
  if (!words.empty() && words[0] == alone) return stand_in();
  if ((words.size() == 2 || words.size() == 3) && words[0] == "--waits")
    return static_cast<int>(
        front::core_waits_for(parse_number(words[1]).value_or(-1),
                              words.size() == 3 ? std::optional{words[2]} : std::nullopt));

  front::Settings settings;
  settings.stock = stock_driver(places);
  settings.stock.insert(settings.stock.end(), words.begin(), words.end());
  settings.backups = our_backups(mad::split_arguments(argc, argv), places);
  // The stock driver sees to its own environment.
  return front::run(settings, [&] {
    mad::settle(places, {"defaultrc", "vmm_exec/vmm_execrc"});
    setenv("VMVAULT_REMOTES", places.remotes.c_str(), 1);
  });
}

}  // namespace

int main(int argc, char** argv) try { return run(argc, argv); } catch (const Error& e) {
  std::cerr << "one_vmm_exec: " << e.what() << "\n";
  return static_cast<int>(e.exit());
}
