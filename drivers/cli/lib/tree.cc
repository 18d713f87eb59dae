// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/tree.h"

#include <cstdio>

#include "common/error.h"
#include "common/version.h"
#include "drivers/cli/lib/completion.h"
#include "drivers/cli/lib/examples.h"
#include "drivers/cli/lib/object_commands.h"

namespace cli {
namespace {

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

// The command that was understood last, and its words.
std::pair<const CLI::App*, std::string> understood(const CLI::App& root) {
  std::pair<const CLI::App*, std::string> found{&root, "vmvault"};
  while (!found.first->get_subcommands().empty()) {
    found.first = found.first->get_subcommands().front();
    found.second += " " + found.first->get_name();
  }
  return found;
}

// The library only says that a command is missing, or that something is not expected or no number.
BadRequest complaint(const CLI::App& root, const CLI::ParseError& error) {
  auto [command, words] = understood(root);
  if (command->remaining().empty() && !root.remaining().empty()) {
    command = &root;  // what it did not understand comes before the commands that it did
    words = "vmvault";
  }
  const auto below = command->get_subcommands(std::function<bool(const CLI::App*)>{});
  const auto rest = command->remaining();
  std::string text = error.what();
  const std::string_view unreadable = "Could not convert: ";
  const auto equals = text.find(" = ");
  if (text.starts_with(unreadable) && equals != text.npos)
    text = "'" + text.substr(equals + 3) + "' is no number, as " +
           text.substr(unreadable.size(), equals - unreadable.size()) + " has to be";
  if (!below.empty() && (rest.empty() || !rest.front().starts_with('-'))) {
    text = rest.empty() ? "what is to be done? There are"
                        : "there is no '" + rest.front() + "' in '" + words + "', but";
    for (const auto* one : below) text += (one == below.front() ? " " : ", ") + one->get_name();
  } else if (!rest.empty()) {
    text = "'" + rest.front() + "' is not expected here";
  }
  return BadRequest{one_line(text) + " ('" + words + " --help' explains)"};
}

}  // namespace

Tree::Tree() {
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
  add_examples(root);
}

int run(int argc, char** argv) {
  Tree tree;
  try {
    tree.root.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return tree.root.exit(help);
  } catch (const CLI::ParseError& error) {
    throw complaint(tree.root, error);
  }
  tree.work(tree.context);
  return 0;
}

}  // namespace cli
