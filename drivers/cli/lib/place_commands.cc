// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>

#include "common/error.h"
#include "common/one/template.h"
#include "drivers/cli/lib/datastore.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/template_file.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{60};

struct Queue : ListOptions {
  bool all = false;
};

std::vector<Column> queue_columns() {
  const auto leaf = [](const char* element) {
    return [element](const Element& of) { return of.text(element); };
  };
  const auto time = [](const char* element) {
    return [element](const Element& of) { return local_time(of.number(element)); };
  };
  const auto why = [](const Element& of) {
    const auto started = of.number("STARTED");
    return started < 0 ? of.text("WHY") : "is backed up since " + local_time(started);
  };
  return {{"VM", "its number", leaf("ID")},
          {"NAME", "its name", leaf("NAME")},
          {"DATASTORE", "where the backup goes", leaf("DATASTORE_ID")},
          {"FOR", "MANUAL, SCHEDULED, JOB or RPO: who wants it", leaf("ORIGIN")},
          {"SINCE", "when it was asked for", time("SINCE")},
          {"WHY", "for what it waits", why},
          {"JOB", "the job that it is for", leaf("JOB_ID"), false},
          {"PRIO", "its priority", leaf("PRIORITY"), false},
          {"FAILURES", "how often it has failed", leaf("FAILURES"), false}};
}

void show_queue(Context& with, const Queue& options) {
  auto text = queue_text(with);
  const Xml queue{text};
  if (!options.all) {
    for (auto one : queue.root().children())
      if (Element{one.raw()}.number("STARTED") >= 0) one.remove();
    text = queue.dump();
  }
  print_list(text, queue_columns(), options);
}

struct HostWords {
  std::string host, uri;
};

void create_host(Context& with, const HostWords& words) {
  const int id = with.service().number(
      "one.host.allocate", {words.host, std::string{"kvm"}, std::string{"kvm"}, 0, words.uri},
      patience);
  std::printf("ID: %d\n", id);
}

struct DatastoreWords {
  std::string datastore, file;
};

// By the service, where one runs, as OpenNebula has it; else here, when the driver answers.
void create_datastore(Context& with, const DatastoreWords& words) {
  const auto text = template_text(words.file);
  Attributes attributes;
  for (const auto& one : one::parse_template(text)) {
    const auto* value = std::get_if<std::string>(&one.value);
    if (!value) throw BadRequest{one.name + " of a datastore is one value"};
    attributes[one.name] = *value;
  }
  const auto type = attributes.find("TYPE");
  const bool is_for_images = type != attributes.end() && type->second != "BACKUP_DS";
  const auto* service = is_for_images ? &with.service() : with.running_service();
  std::printf("ID: %d\n", service ? service->number("one.datastore.allocate", {text, -1}, patience)
                                  : add_datastore(with.app(), attributes));
}

void delete_datastore(Context& with, const std::string& word) {
  const int id = object_id(with, Kind::datastore, word);
  if (const auto* service = with.running_service())
    service->number("one.datastore.delete", {id}, patience);
  else
    remove_datastore(with.app(), id);
}

void add_datastore_verbs(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<DatastoreWords>();
  auto* verb = command->add_subcommand("create", "Another one, with DS_MAD restic, rsync...");
  add_template_file(verb, words->file);
  tree.does(verb, words, create_datastore);
  verb = command->add_subcommand("delete", "An empty one is forgotten; nothing is erased there");
  add_id(verb, Kind::datastore, words->datastore);
  tree.does(verb, words, [](Context& with, auto& one) { delete_datastore(with, one.datastore); });
  add_update(tree, command, Kind::datastore, "Change its rules, or what its driver is told");
  add_rename(tree, command, Kind::datastore, "Call it something else");
}

void add_host_status(Tree& tree, CLI::App* command, const char* word, int status,
                     const char* about) {
  struct Words {
    std::vector<std::string> hosts;
  };
  auto words = std::make_shared<Words>();
  auto* verb = command->add_subcommand(word, about);
  add_ids(verb, Kind::host, words->hosts);
  tree.does(verb, words, [status](Context& with, auto& all) {
    const auto& service = with.service();
    std::vector<int> ids;
    for (const auto& host : all.hosts) ids.push_back(object_id(with, Kind::host, host));
    for (const int id : ids) service.number("one.host.status", {id, status}, patience);
  });
}

void add_host_verbs(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<HostWords>();
  auto* verb = command->add_subcommand("create", "Another host, whose libvirt is reached by ssh");
  verb->add_option("NAME", words->host, "What it is called")->type_name(type::text)->required();
  verb->add_option("--uri", words->uri, "Of its libvirt (default: qemu+ssh://NAME/system)")
      ->type_name(type::text);
  tree.does(verb, words, create_host);
  add_update(tree, command, Kind::host, "Change its MAX_BACKUPS, EMULATOR_CPUS, URI");
  add_rename(tree, command, Kind::host, "Call it something else; its URI stays");
  add_host_status(tree, command, "enable", 0, "Backups begin on it");
  add_host_status(tree, command, "disable", 1, "No backup begins on it; those that run go on");
  add_host_status(tree, command, "offline", 2, "The same, and it is not asked for its VMs either");
  verb = command->add_subcommand("delete", "Its VMs are backed up no more; their backups stay");
  add_id(verb, Kind::host, words->host);
  tree.does(verb, words, [](Context& with, auto& one) {
    const auto& service = with.service();
    service.number("one.host.delete", {object_id(with, Kind::host, one.host)}, patience);
  });
}

}  // namespace

void add_place_commands(Tree& tree) {
  add_datastore_verbs(tree, add_object(tree, Kind::datastore, "Where the backups are"));
  add_host_verbs(tree, add_object(tree, Kind::host, "Where the virtual machines run"));
  auto options = std::make_shared<Queue>();
  auto* verb = tree.root.add_subcommand("queue", "The backups that wait, and for what");
  verb->add_flag("-a,--all", options->all, "Those that run, too");
  add_list_options(verb, *options);
  tree.does(verb, options, show_queue);
}

}  // namespace cli
