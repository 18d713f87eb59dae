// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/tree.h"

#include <cstdio>

#include "common/error.h"
#include "common/version.h"
#include "drivers/cli/lib/completion.h"
#include "drivers/cli/lib/object_commands.h"

namespace cli {
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

void add_completion(Tree& tree) {
  struct Shell {
    std::string name;
  };
  auto shell = std::make_shared<Shell>();
  auto* verb = tree.root.add_subcommand("completion", "A script that completes these words");
  verb->add_option("SHELL", shell->name, "bash")->required()->check(CLI::IsMember({"bash"}));
  tree.does(verb, shell,
            [](Context& with, auto&) { std::fputs(bash_completion(*with.root).c_str(), stdout); });
}

}  // namespace

Tree::Tree() {
  root.footer(examples);
  root.set_version_flag("--version", std::string{"vmvault "} + version);
  root.add_option("--connect", context.uri,
                  "libvirt's URI (default: $LIBVIRT_URI or qemu:///system)")
      ->type_name("URI");
  root.add_option("--endpoint", context.endpoint,
                  "Of a service, for vm, image, datastore, host, job, user and queue (default: "
                  "$ONE_XMLRPC, or this machine's)")
      ->type_name("URL");
  root.require_subcommand(1);
  context.root = &root;
  add_backup_commands(*this);
  add_vm_commands(*this);
  add_image_commands(*this);
  add_place_commands(*this);
  add_job_commands(*this);
  add_user_commands(*this);
  add_completion(*this);
}

int run(int argc, char** argv) {
  Tree tree;
  try {
    tree.root.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return tree.root.exit(help);
  } catch (const CLI::ParseError& error) {
    throw BadRequest{one_line(error.what()) + " ('vmvault --help' explains)"};
  }
  tree.work(tree.context);
  return 0;
}

}  // namespace cli
