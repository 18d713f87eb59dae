// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "common/error.h"
#include "common/one/template.h"
#include "drivers/cli/lib/flatten.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/remove.h"
#include "drivers/cli/lib/restore.h"
#include "drivers/cli/lib/watch.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{300};

struct RestoreWords {
  std::string image, datastore, name, to;
  bool no_ip = false, no_nic = false;
  int increment = -1, disk = -1;
  bool wait = false;
};

one::Template options_of(const RestoreWords& words) {
  one::Template options;
  if (words.no_ip) options.push_back({"NO_IP", "YES"});
  if (words.no_nic) options.push_back({"NO_NIC", "YES"});
  if (!words.name.empty()) options.push_back({"NAME", words.name});
  if (words.increment >= 0) options.push_back({"INCREMENT_ID", std::to_string(words.increment)});
  if (words.disk >= 0) options.push_back({"DISK_ID", std::to_string(words.disk)});
  return options;
}

void restore_to_directory(Context& with, int image, const RestoreWords& words) {
  if (words.no_ip || words.no_nic || !words.name.empty() || !words.datastore.empty())
    throw BadRequest{"--to writes files: -d, --name, --no_ip and --no_nic are for objects"};
  RestoreOptions options{.image = image, .to = words.to, .disk = {}, .increment = {}};
  if (words.disk >= 0) options.disk = words.disk;
  if (words.increment >= 0) options.increment = words.increment;
  restore(with.app(), options);
}

void restore_image(Context& with, const RestoreWords& words) {
  const int image = object_id(with, Kind::image, words.image);
  if (!words.to.empty()) return restore_to_directory(with, image, words);
  if (words.datastore.empty())
    throw BadRequest{"where to?  -d DATASTORE makes new images, --to DIR writes files"};
  const int datastore = object_id(with, Kind::datastore, words.datastore);
  const auto& service = with.service();
  const auto made = one_line(service.text(
      "one.image.restore", {image, datastore, one::to_text(options_of(words))}, patience));
  if (words.wait) watch_objects(service, image, made);
  std::printf("image %d is %s; template and images: %s\n", image,
              words.wait ? "restored" : "being restored", made.c_str());
}

struct ImageWords {
  std::string image;
  int keep = 1;
  bool wait = false, force = false;
};

void delete_image(Context& with, const ImageWords& words) {
  const int image = object_id(with, Kind::image, words.image);
  const auto* service = with.running_service();
  if (!service) return remove(with.app(), image, words.force);
  service->number("one.image.delete", {image, words.force}, patience);
  if (words.wait) watch_change(*service, image, "deletion");
  std::printf("image %d is %s\n", image, words.wait ? "deleted" : "being deleted");
}

void flatten_image(Context& with, const ImageWords& words) {
  const int image = object_id(with, Kind::image, words.image);
  const auto* service = with.running_service();
  if (!service) return flatten(with.app(), image, words.keep);
  service->number("one.vmvault.flatten", {image, words.keep}, patience);
  if (words.wait) watch_change(*service, image, "merge");
  std::printf("image %d is %s\n", image, words.wait ? "merged" : "being merged");
}

void protect_image(Context& with, const ImageWords& words, bool is_protected) {
  const int image = object_id(with, Kind::image, words.image);
  with.service().number("one.vmvault.protect", {image, is_protected}, patience);
}

void add_changes(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<ImageWords>();
  auto* verb = command->add_subcommand("delete", "Delete it, with all its increments");
  add_id(verb, Kind::image, words->image);
  add_wait(verb, words->wait);
  add_force(verb, words->force);
  tree.does(verb, words, delete_image);

  verb = command->add_subcommand("flatten", "Merge its oldest increments");
  add_id(verb, Kind::image, words->image);
  verb->add_option("--keep", words->keep, "So many restore points stay")
      ->required()
      ->check(CLI::Range(1, 1 << 30))
      ->type_name(type::number);
  add_wait(verb, words->wait);
  tree.does(verb, words, flatten_image);

  verb = command->add_subcommand("protect", "No rule deletes or merges it any more");
  add_id(verb, Kind::image, words->image);
  tree.does(verb, words, [](Context& with, auto& one) { protect_image(with, one, true); });
  verb = command->add_subcommand("unprotect", "The rules hold for it again");
  add_id(verb, Kind::image, words->image);
  tree.does(verb, words, [](Context& with, auto& one) { protect_image(with, one, false); });
}

}  // namespace

void add_image_commands(Tree& tree) {
  auto* command = add_object(tree, Kind::image, "The backup images");
  auto words = std::make_shared<RestoreWords>();
  auto* verb = command->add_subcommand("restore", "As new images and a template, or as files");
  add_id(verb, Kind::image, words->image);
  verb->add_option("-d,--datastore", words->datastore, "Where the new images go")
      ->type_name(info(Kind::datastore).element);
  verb->add_option("--to", words->to, "Files in this directory instead, as 'vmvault restore'")
      ->type_name(type::directory);
  verb->add_option("--name", words->name, "What they are called")->type_name(type::text);
  verb->add_option("--increment", words->increment, "As of this one (default: the last)")
      ->type_name(type::number);
  verb->add_option("--disk-id", words->disk, "Only this disk")->type_name(type::number);
  verb->add_flag("--no_ip", words->no_ip, "Its network interfaces get new addresses");
  verb->add_flag("--no_nic", words->no_nic, "Without its network interfaces");
  add_wait(verb, words->wait);
  tree.does(verb, words, restore_image);
  add_changes(tree, command);
  add_chown(tree, command, Kind::image);
}

}  // namespace cli
