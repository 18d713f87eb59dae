// SPDX-License-Identifier: Apache-2.0
// vmvault: backups of the virtual machines of one libvirt host, without a service.

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/one/config.h"
#include "drivers/cli/lib/backup.h"
#include "drivers/cli/lib/datastore.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/download.h"
#include "drivers/cli/lib/flatten.h"
#include "drivers/cli/lib/list.h"
#include "drivers/cli/lib/prune.h"
#include "drivers/cli/lib/recover.h"
#include "drivers/cli/lib/remove.h"
#include "drivers/cli/lib/restore.h"
#include "drivers/cli/lib/verify.h"
#include "drivers/cli/lib/version.h"

namespace {

constexpr const char* examples =
    "Examples:\n"
    "  vmvault backup web                         a full the first time, then increments\n"
    "  vmvault backup web --fs-freeze agent       with the guest's file systems quiet\n"
    "  vmvault list                               what there is\n"
    "  vmvault show 1                             the restore points of image 1\n"
    "  vmvault restore 1 --to /srv/web            the newest, and a domain.xml to define\n"
    "  vmvault restore 1 --to /tmp/d --disk 0 --increment 2\n"
    "  vmvault download 1 --disk 0 >disk.qcow2    one disk\n"
    "  vmvault mount 1 /mnt/web                   the disks as raw files, to look into\n"
    "  vmvault verify 1 --read-data               read it back, and compare\n"
    "  vmvault flatten 1 --keep 7                 the oldest increments become one\n"
    "  vmvault delete 1\n"
    "  vmvault status\n"
    "  vmvault datastore add rsync bk1:/backups   backups can go to that server\n"
    "  vmvault datastore prune                    give back the space of deleted backups\n"
    "  vmvault recover                            clean up after backups that died\n"
    "\n"
    "Exit: 0 done, 1 failed, 2 wrong use, 143 cancelled (^C or SIGTERM).  See vmvault(1).";

struct Words {
  std::string uri;
  cli::BackupOptions backup;
  std::string freeze;
  int image = -1;
  bool json = false;
  int keep = 1;
  cli::RestoreOptions restore;
  cli::DownloadOptions download;
  cli::MountOptions mount;
  cli::RecoverOptions recover;
  cli::PruneOptions prune;
  cli::NewDatastore datastore;
  cli::VerifyOptions verify;
  std::function<void(cli::App&)> command;
};

cli::Form form(const Words& words) { return words.json ? cli::Form::json : cli::Form::text; }

void add_backup(CLI::App& root, Words& words) {
  auto* sub = root.add_subcommand("backup", "Back up a domain: a full first, then increments");
  sub->add_option("DOMAIN", words.backup.domain, "Its name, UUID or id")->required();
  sub->add_flag("--full", words.backup.full, "Begin a new chain");
  sub->add_option("--fs-freeze", words.freeze,
                  "agent, suspend or none (default: agent if one is connected)")
      ->check(CLI::IsMember({"agent", "suspend", "none"}, CLI::ignore_case));
  sub->add_option("--datastore", words.backup.datastore,
                  "Where to ('vmvault datastore list'; default: the setting DATASTORE, or 100)");
  sub->add_flag("--force", words.backup.force, "Also if OpenNebula owns the domain");
  sub->final_callback([&words] {
    words.command = [&words](cli::App& app) {
      if (!words.freeze.empty()) words.backup.freeze = parse_freeze(words.freeze);
      cli::backup(app, words.backup);
    };
  });
}

void add_restore(CLI::App& root, Words& words) {
  auto* sub = root.add_subcommand("restore", "Restore disks, and a domain.xml that uses them");
  sub->add_option("ID", words.restore.image, "The image")->required();
  sub->add_option("--to", words.restore.to, "Directory; nothing in it is overwritten")->required();
  sub->add_option("--disk", words.restore.disk, "Only this disk, and no domain.xml");
  sub->add_option("--increment", words.restore.increment,
                  "As of this increment (default: the last)");
  sub->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::restore(app, words.restore); }; });
}

void add_download(CLI::App& root, Words& words) {
  auto* download = root.add_subcommand("download", "One disk, as a qcow2 file");
  download->add_option("ID", words.download.what, "The image, or the URL of a disk")->required();
  download->add_option("--disk", words.download.disk, "Which, where there are several");
  download->add_option("--to", words.download.to, "A file that is not there yet (default: stdout)");
  download->add_option("--increment", words.download.increment,
                       "As of this increment (default: the last)");
  download->final_callback([&words] {
    words.command = [&words](cli::App& app) { cli::download(app, words.download); };
  });
  auto* mount = root.add_subcommand("mount", "Serve disks read-only as raw files, until ^C");
  mount->add_option("ID", words.mount.image, "The image")->required();
  mount->add_option("DIR", words.mount.dir, "Where; it is made if need be")->required();
  mount->add_option("--disk", words.mount.disk, "Only this disk");
  mount->add_option("--increment", words.mount.increment,
                    "As of this increment (default: the last)");
  mount->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::mount(app, words.mount); }; });
}

void add_verify(CLI::App& root, Words& words) {
  auto* sub = root.add_subcommand("verify", "Check that an image is what was backed up");
  sub->add_option("ID", words.verify.image, "The image")->required();
  sub->add_flag("--read-data", words.verify.read_data,
                "Read everything, and compare it with the checksums of the capture");
  sub->add_option("--increment", words.verify.increment,
                  "Only this increment, and those before it");
  sub->add_flag("--json", words.json, "As JSON");
  sub->final_callback([&words] {
    words.command = [&words](cli::App& app) { cli::verify(app, words.verify, form(words)); };
  });
}

void add_recover(CLI::App& root, Words& words) {
  auto* sub = root.add_subcommand("recover", "Put right what dead backups left");
  sub->add_option("DOMAIN", words.recover.domain, "Only this one (default: all of this host)");
  sub->add_flag("--foreign", words.recover.foreign, "Also what another tool's backup left with it");
  sub->add_flag("--for-stock", words.recover.for_stock,
                "And leave it as OpenNebula's own driver expects it");
  sub->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::recover(app, words.recover); }; });
}

void add_datastore(CLI::App& root, Words& words) {
  auto* datastore = root.add_subcommand("datastore", "Where the backups are");
  datastore->require_subcommand(1);
  auto* add = datastore->add_subcommand("add", "Backups can go to a server, too");
  add->add_option("KIND", words.datastore.kind, "rsync")
      ->required()
      ->check(CLI::IsMember({"rsync"}));
  add->add_option("PLACE", words.datastore.place, "[USER@]HOST:DIRECTORY")->required();
  add->add_option("--name", words.datastore.name, "What it is called (default: the place)");
  add->add_option("--set", words.datastore.attributes, "An attribute, NAME=VALUE")->take_all();
  add->final_callback([&words] {
    words.command = [&words](cli::App& app) { cli::add_datastore(app, words.datastore); };
  });
  auto* list = datastore->add_subcommand("list", "The datastores");
  list->add_flag("--json", words.json, "As JSON");
  list->final_callback([&words] {
    words.command = [&words](cli::App& app) { cli::list_datastores(app, form(words)); };
  });
  auto* sub = datastore->add_subcommand("prune", "Give back the space of deleted backups");
  sub->add_option("ID", words.prune.datastore, "The datastore (default: 100)");
  sub->add_flag("--all", words.prune.all, "Every repository, also if nothing was deleted");
  sub->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::prune(app, words.prune); }; });
}

void add_image_commands(CLI::App& root, Words& words) {
  auto* list = root.add_subcommand("list", "The backup images");
  auto* show = root.add_subcommand("show", "One image: its increments and disks");
  auto* remove = root.add_subcommand("delete", "Delete an image, with all its increments");
  auto* status = root.add_subcommand("status", "What runs, space, last backups, problems");
  for (auto* sub : {list, show, status}) sub->add_flag("--json", words.json, "As JSON");
  for (auto* sub : {show, remove})
    sub->add_option("ID", words.image, "The image, as 'vmvault list' shows it")->required();
  auto* flatten = root.add_subcommand("flatten", "Merge the oldest increments of an image");
  flatten->add_option("ID", words.image, "The image, as 'vmvault list' shows it")->required();
  flatten->add_option("--keep", words.keep, "So many restore points stay")
      ->required()
      ->check(CLI::Range(1, 1 << 30));
  flatten->final_callback([&words] {
    words.command = [&words](cli::App& app) { cli::flatten(app, words.image, words.keep); };
  });
  list->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::list(app, form(words)); }; });
  show->final_callback([&words] {
    words.command = [&words](cli::App& app) { cli::show(app, words.image, form(words)); };
  });
  remove->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::remove(app, words.image); }; });
  status->final_callback(
      [&words] { words.command = [&words](cli::App& app) { cli::status(app, form(words)); }; });
}

int run(int argc, char** argv) {
  Words words;
  CLI::App root{"Back up virtual machines of this libvirt host, and restore them", "vmvault"};
  root.footer(examples);
  root.set_version_flag("--version", std::string{"vmvault "} + cli::version);
  root.add_option("--connect", words.uri,
                  "libvirt's URI (default: $LIBVIRT_URI or qemu:///system)");
  root.require_subcommand(1);
  add_backup(root, words);
  add_image_commands(root, words);
  add_restore(root, words);
  add_download(root, words);
  add_verify(root, words);
  add_recover(root, words);
  add_datastore(root, words);
  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return root.exit(help);
  } catch (const CLI::ParseError& error) {
    throw BadRequest{one_line(error.what()) + " ('vmvault --help' explains)"};
  }
  cli::App app{words.uri.empty() ? libvirt_uri() : words.uri};
  words.command(app);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  cancel::install();
  forbid_core_dumps();
  const int status = run(argc, argv);
  if (std::fflush(stdout) != 0) throw system_error("write the answer", errno);
  return status;
} catch (const Error& error) {
  cli::note(one_line(error.what()));
  return static_cast<int>(error.exit());
} catch (const std::exception& error) {
  cli::note(std::string{"unexpected: "} + one_line(error.what()));
  return static_cast<int>(Exit::failed);
}
