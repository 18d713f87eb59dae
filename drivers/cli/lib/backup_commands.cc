// SPDX-License-Identifier: Apache-2.0
// The short commands, for one host and without a service.
#include <cstdio>
#include <filesystem>

#include "common/error.h"
#include "common/one/location.h"
#include "drivers/cli/lib/backup.h"
#include "drivers/cli/lib/datastore.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/download.h"
#include "drivers/cli/lib/flatten.h"
#include "drivers/cli/lib/gc.h"
#include "drivers/cli/lib/list.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/prune.h"
#include "drivers/cli/lib/recover.h"
#include "drivers/cli/lib/remove.h"
#include "drivers/cli/lib/restore.h"
#include "drivers/cli/lib/tree.h"
#include "drivers/cli/lib/verify.h"
#include "drivers/lib/place.h"

namespace cli {
namespace {

constexpr const char* default_increment = "As of this increment (default: the last)";

struct Nothing {};

void adopt(App& app) {
  const auto var = app.home().var().string();
  if (!app.has_state()) throw Error{"there is no state in '" + var + "'"};
  state::adopt(app.store(), app.home());
  std::printf("the backups are looked after from '%s' now\n", printable(var).c_str());
}

struct Report {
  int image = -1;
  bool json = false;

  Form form() const { return json ? Form::json : Form::text; }
};

CLI::Option* add_image(CLI::App* verb, int& image) {
  return verb->add_option("ID", image, "The image, as 'vmvault list' shows it")
      ->type_name(type::image)
      ->required();
}

void add_increment(CLI::App* verb, std::optional<int>& increment) {
  verb->add_option("--increment", increment, default_increment)->type_name(type::number);
}

void add_backup(Tree& tree) {
  struct Words : BackupOptions {
    std::string how;
  };
  auto words = std::make_shared<Words>();
  auto* verb =
      tree.root.add_subcommand("backup", "Back up a domain: a full first, then increments");
  verb->add_option("DOMAIN", words->domain, "Its name, UUID or id")
      ->type_name(type::domain)
      ->required();
  verb->add_flag("--full", words->full, "Begin a new chain");
  verb->add_option("--fs-freeze", words->how,
                   "agent, suspend or none (default: agent if one is connected)")
      ->check(CLI::IsMember({"agent", "suspend", "none"}, CLI::ignore_case));
  verb->add_option("--datastore", words->datastore,
                   "Where to ('vmvault datastore list'; default: the machine's own, the setting "
                   "DATASTORE, or 100)")
      ->type_name(type::datastore);
  verb->add_flag("--force", words->force, "Also if OpenNebula owns the domain");
  tree.does(verb, words, [](Context& with, Words options) {
    if (!options.how.empty()) options.freeze = parse_freeze(options.how);
    backup(with.app(), options);
  });
}

void add_restore(Tree& tree) {
  auto options = std::make_shared<RestoreOptions>();
  auto* verb =
      tree.root.add_subcommand("restore", "Restore disks, and a domain.xml that uses them");
  add_image(verb, options->image);
  verb->add_option("--to", options->to, "Directory; nothing in it is overwritten")
      ->type_name(type::directory)
      ->required();
  verb->add_option("--disk", options->disk, "Only this disk, and no domain.xml")
      ->type_name(type::number);
  add_increment(verb, options->increment);
  tree.does(verb, options, [](Context& with, auto& one) { restore(with.app(), one); });
}

void add_download(Tree& tree) {
  auto download_options = std::make_shared<DownloadOptions>();
  auto* verb = tree.root.add_subcommand("download", "One disk, as a qcow2 file");
  verb->add_option("ID", download_options->what, "The image, or the URL of a disk")
      ->type_name(type::image)
      ->required();
  verb->add_option("--disk", download_options->disk, "Which, where there are several")
      ->type_name(type::number);
  verb->add_option("--to", download_options->to, "A file that is not there yet (default: stdout)")
      ->type_name(type::file);
  add_increment(verb, download_options->increment);
  tree.does(verb, download_options, [](Context& with, auto& one) { download(with.app(), one); });

  auto mount_options = std::make_shared<MountOptions>();
  verb = tree.root.add_subcommand("mount", "Serve disks read-only as raw files, until ^C");
  add_image(verb, mount_options->image);
  verb->add_option("DIR", mount_options->dir, "Where; it is made if need be")
      ->type_name(type::directory)
      ->required();
  verb->add_option("--disk", mount_options->disk, "Only this disk")->type_name(type::number);
  add_increment(verb, mount_options->increment);
  tree.does(verb, mount_options, [](Context& with, auto& one) { mount(with.app(), one); });
}

void add_verify(Tree& tree) {
  struct Words : VerifyOptions {
    bool json = false;
  };
  auto words = std::make_shared<Words>();
  auto* verb = tree.root.add_subcommand("verify", "Check that an image is what was backed up");
  add_image(verb, words->image);
  verb->add_flag("--read-data", words->read_data,
                 "Read everything, and compare it with the checksums of the capture");
  verb->add_option("--increment", words->increment, "Only this increment, and those before it")
      ->type_name(type::number);
  verb->add_flag("--json", words->json, "As JSON");
  tree.does(verb, words, [](Context& with, auto& one) {
    verify(with.app(), one, one.json ? Form::json : Form::text);
  });
}

void add_recover(Tree& tree) {
  auto options = std::make_shared<RecoverOptions>();
  auto* verb = tree.root.add_subcommand("recover", "Put right what dead backups left");
  verb->add_option("DOMAIN", options->domain, "Only this one (default: all of this host)")
      ->type_name(type::domain);
  verb->add_flag("--foreign", options->foreign, "Also what another tool's backup left with it");
  verb->add_flag("--for-stock", options->for_stock,
                 "And leave it as OpenNebula's own driver expects it");
  tree.does(verb, options, [](Context& with, auto& one) { recover(with.app(), one); });
}

void add_gc(Tree& tree) {
  struct Words : GcOptions {
    bool json = false;
  };
  auto words = std::make_shared<Words>();
  auto* verb = tree.root.add_subcommand("gc", "Remove what failed backups left in datastores");
  verb->add_flag("--dry-run", words->dry_run, "Only list it");
  verb->add_flag("--json", words->json, "As JSON");
  tree.does(verb, words, [](Context& with, Words options) {
    options.form = options.json ? Form::json : Form::text;
    gc(with.app(), options);
  });
}

void add_reports(Tree& tree) {
  auto report = std::make_shared<Report>();
  auto* list_verb = tree.root.add_subcommand("list", "The backup images");
  auto* show_verb = tree.root.add_subcommand("show", "One image: its increments and disks");
  auto* status_verb =
      tree.root.add_subcommand("status", "What runs, space, last backups, problems");
  for (auto* verb : {list_verb, show_verb, status_verb})
    verb->add_flag("--json", report->json, "As JSON");
  add_image(show_verb, report->image);
  tree.does(list_verb, report, [](Context& with, auto& one) { list(with.app(), one.form()); });
  tree.does(show_verb, report,
            [](Context& with, auto& one) { show(with.app(), one.image, one.form()); });
  tree.does(status_verb, report, [](Context& with, auto& one) { status(with.app(), one.form()); });
}

void add_changes(Tree& tree) {
  struct Words {
    int image = -1;
    int keep = 1;
    bool force = false;
  };
  auto words = std::make_shared<Words>();
  auto* verb = tree.root.add_subcommand("flatten", "Merge the oldest increments of an image");
  add_image(verb, words->image);
  verb->add_option("--keep", words->keep, "So many restore points stay")
      ->required()
      ->check(CLI::Range(1, 1 << 30))
      ->type_name(type::number);
  tree.does(verb, words,
            [](Context& with, auto& one) { flatten(with.app(), one.image, one.keep); });
  verb = tree.root.add_subcommand("delete", "Delete an image, with all its increments");
  add_image(verb, words->image);
  add_force(verb, words->force);
  tree.does(verb, words,
            [](Context& with, auto& one) { remove(with.app(), one.image, one.force); });
  verb = tree.root.add_subcommand("init", "Make the state and its password, before any backup");
  tree.does(verb, std::make_shared<Nothing>(),
            [](Context& with, auto&) { with.app().make_state(); });
  verb =
      tree.root.add_subcommand("adopt", "This state was moved, or takes the place of a lost one");
  tree.does(verb, std::make_shared<Nothing>(), [](Context& with, auto&) { adopt(with.app()); });
}

void add_datastore(Tree& tree) {
  auto* datastore = tree.root.add_subcommand("datastore", "Where the backups are");
  datastore->require_subcommand(1);
  auto wanted = std::make_shared<NewDatastore>();
  auto* verb = datastore->add_subcommand("add", "Backups can go to a server, too");
  verb->add_option("KIND", wanted->kind, "rsync, or the name of another's driver")
      ->required()
      ->check([](const std::string& kind) {
        if (kind == "restic")
          return std::string{
              "there is one of restic already, 100, and "
              "'vmvault datastore create' makes others"};
        const bool is_name = !kind.empty() && kind.find_first_of("./") == kind.npos;
        const bool is_there = is_name && kind != "host" &&
                              std::filesystem::is_directory(remotes_root() / "datastore" / kind);
        return is_there ? std::string{} : "there is no driver '" + one_line(kind) + "' for it";
      });
  verb->add_option("PLACE", wanted->place, "[USER@]HOST:DIRECTORY")
      ->type_name(type::text)
      ->required();
  verb->add_option("--name", wanted->name, "What it is called (default: the place)")
      ->type_name(type::text);
  verb->add_option("--set", wanted->attributes, "An attribute, NAME=VALUE")
      ->type_name(type::text)
      ->take_all();
  tree.does(verb, wanted, [](Context& with, auto& one) { add_datastore(with.app(), one); });

  auto options = std::make_shared<PruneOptions>();
  verb = datastore->add_subcommand("prune", "Give back the space of deleted backups");
  verb->add_option("ID", options->datastore, "The datastore (default: 100)")
      ->type_name(type::datastore);
  verb->add_flag("--all", options->all, "Every repository, also if nothing was deleted");
  tree.does(verb, options, [](Context& with, auto& one) { prune(with.app(), one); });
}

}  // namespace

void add_backup_commands(Tree& tree) {
  add_backup(tree);
  add_reports(tree);
  add_changes(tree);
  add_restore(tree);
  add_download(tree);
  add_verify(tree);
  add_recover(tree);
  add_gc(tree);
  add_datastore(tree);
}

}  // namespace cli
