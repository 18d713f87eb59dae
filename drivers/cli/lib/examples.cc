// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/examples.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace cli {
namespace {

constexpr std::string_view ends =
    "Exit: 0 done, 1 failed, 2 wrong use, 143 cancelled (^C or SIGTERM).  See vmvault(1).";

struct Example {
  std::string_view command, about{};
};

constexpr std::array of_root{
    Example{"backup web", "a full the first time, then increments"},
    Example{"backup web --fs-freeze agent", "with the guest's file systems quiet"},
    Example{"list", "what there is"},
    Example{"show 1", "the restore points of image 1"},
    Example{"restore 1 --to /srv/web", "the newest, and a domain.xml to define"},
    Example{"restore 1 --to /tmp/d --disk 0 --increment 2"},
    Example{"download 1 --disk 0 >disk.qcow2", "one disk"},
    Example{"mount 1 /mnt/web", "the disks as raw files, to look into"},
    Example{"verify 1 --read-data", "read it back, and compare"},
    Example{"flatten 1 --keep 7", "the oldest increments become one"},
    Example{"delete 1"},
    Example{"status"},
    Example{"datastore add rsync bk1:/backups", "backups can go to that server"},
    Example{"datastore prune", "give back the space of deleted backups"},
    Example{"recover", "clean up after backups that died"},
};

constexpr std::array of_objects{
    Example{"vm list -f STAT=runn", "those that run"},
    Example{"vm show web --json"},
    Example{"vm backup web --wait", "as soon as the limits allow it"},
    Example{"vm backup web -d 100 --schedule 22:30"},
    Example{"vm backup-cancel web"},
    Example{"vm restore web 1 --increment 2", "in place; it must be off"},
    Example{"vm updateconf web config --append"},
    Example{"image list -f VM_NAME=web -l ID,POINTS,SIZE", "of one machine"},
    Example{"image list --csv --no-header -l ID -f STAT=err"},
    Example{"image restore 1 -d 1 --name copy --no_ip", "as new images and a template"},
    Example{"image restore 1 --to /srv/web", "as files"},
    Example{"image flatten 1 --keep 7"},
    Example{"image protect 1", "no rule deletes it"},
    Example{"job create --name nightly --vms web,db -d 100 --keep-last 14"},
    Example{"job backup nightly"},
    Example{"job cancel nightly"},
    Example{"job retry nightly", "those that failed"},
    Example{"user create ann", "asks for the password"},
    Example{"user login ann --time 3600", "a token for an hour"},
    Example{"datastore create vault.tmpl", "as onedatastore has it"},
    Example{"datastore delete vault", "an empty one; nothing is erased there"},
    Example{"host create kvm2 --uri qemu+ssh://root@kvm2/system"},
    Example{"host disable kvm2", "no backup begins there"},
    Example{"queue -l NAME,WHY", "what waits, and for what"},
    Example{"gc --dry-run", "what would be removed"},
    Example{"completion bash >/etc/bash_completion.d/vmvault"},
};

std::string text_of(const std::vector<Example>& examples) {
  if (examples.empty()) return "";
  std::size_t width = 0;
  for (const auto& [command, about] : examples)
    if (!about.empty()) width = std::max(width, command.size() + 2);
  std::string text = "Examples:\n";
  for (const auto& [command, about] : examples) {
    std::string line{command};
    if (!about.empty()) line.resize(width, ' ');
    text += "  vmvault " + line + std::string{about} + "\n";
  }
  return text + "\n";
}

bool is_of(const Example& example, std::string_view path) {
  return example.command.starts_with(path) &&
         (example.command.size() == path.size() || example.command[path.size()] == ' ');
}

void add_to(CLI::App& command, const std::string& path) {
  std::vector<Example> examples;
  for (const auto& one : of_root)
    if (is_of(one, path)) examples.push_back(one);
  for (const auto& one : of_objects)
    if (is_of(one, path)) examples.push_back(one);
  command.footer(text_of(examples) + std::string{ends});
  for (auto* below : command.get_subcommands({})) add_to(*below, path + " " + below->get_name());
}

}  // namespace

void add_examples(CLI::App& root) {
  root.footer(text_of({of_root.begin(), of_root.end()}) + std::string{ends});
  for (auto* command : root.get_subcommands({})) add_to(*command, command->get_name());
}

}  // namespace cli
