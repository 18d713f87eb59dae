// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/object_commands.h"

#include <chrono>
#include <cstdio>

#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/show_object.h"
#include "drivers/cli/lib/template_file.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{120};

struct Show {
  std::string word;
  bool xml = false, json = false;
};

void print_json(const Element& root) {
  const auto text = to_json(root).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fputs(text.c_str(), stdout);
}

void describe(const std::vector<Column>& columns) {
  Rows rows{{"COLUMN", "WHAT IT IS"}};
  for (const auto& one : columns) rows.push_back({one.name, one.about});
  std::fputs(table(rows).c_str(), stdout);
}

void show(Context& with, Kind kind, const Show& options) {
  const auto text = object_xml(with, kind, object_id(with, kind, options.word));
  if (options.xml) {
    std::printf("%s\n", text.c_str());
    return;
  }
  const Xml document{text};
  if (options.json) return print_json(Element{document});
  std::fputs(object_text(Element{document}).c_str(), stdout);
}

std::string about_id(Kind kind) {
  return "Its number or name, as 'vmvault " + std::string{info(kind).word} + " list' shows them";
}

CLI::App* find(CLI::App& command, const std::string& name) {
  const auto found =
      command.get_subcommands([&](CLI::App* one) { return one->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

CLI::App* command_of(Tree& tree, Kind kind, const char* about) {
  if (auto* there = find(tree.root, info(kind).word)) return there;
  auto* command = tree.root.add_subcommand(info(kind).word, about);
  command->require_subcommand(1);
  return command;
}

// The method of the API that does `verb` to one of them.
std::string method(Kind kind, const std::string& verb) {
  std::string name = info(kind).info;
  return name.replace(name.rfind('.') + 1, name.npos, verb);
}

}  // namespace

void add_chown(Tree& tree, CLI::App* command, Kind kind) {
  struct Words {
    std::string object, user;
  };
  auto words = std::make_shared<Words>();
  auto* verb = command->add_subcommand("chown", "Give it to another user");
  add_id(verb, kind, words->object);
  verb->add_option("USER", words->user, "Whose it is then")
      ->type_name(info(Kind::user).element)
      ->required();
  tree.does(verb, words, [kind](Context& with, auto& one) {
    const auto& service = with.service();  // without one there may be no objects either
    const int id = object_id(with, kind, one.object), user = object_id(with, Kind::user, one.user);
    service.number(method(kind, "chown"), {id, user, -1}, patience);
  });
}

void add_update(Tree& tree, CLI::App* command, Kind kind, const char* about, const char* word) {
  struct Words {
    std::string object, file;
    bool append = false;
  };
  auto words = std::make_shared<Words>();
  auto* verb = command->add_subcommand(word, about);
  add_id(verb, kind, words->object);
  add_template_file(verb, words->file);
  verb->add_flag("-a,--append", words->append, "What is not named stays");
  tree.does(verb, words, [kind, word](Context& with, auto& one) {
    const auto& service = with.service();
    const int id = object_id(with, kind, one.object);
    service.number(method(kind, word), {id, template_text(one.file), one.append ? 1 : 0}, patience);
  });
}

void add_rename(Tree& tree, CLI::App* command, Kind kind, const char* about) {
  struct Words {
    std::string object, name;
  };
  auto words = std::make_shared<Words>();
  auto* verb = command->add_subcommand("rename", about);
  add_id(verb, kind, words->object);
  verb->add_option("NAME", words->name, "What it is called then")
      ->type_name(type::text)
      ->required();
  tree.does(verb, words, [kind](Context& with, auto& one) {
    const auto& service = with.service();
    service.number(method(kind, "rename"), {object_id(with, kind, one.object), one.name}, patience);
  });
}

void add_list_options(CLI::App* verb, ListOptions& options) {
  verb->add_option("-l,--list", options.columns, "The columns to show, as NAME,STAT")
      ->delimiter(',')
      ->type_name(type::text);
  verb->add_option("-f,--filter", options.filters,
                   "Only what is so: NAME=web,SIZE_MB>100 (signs: = != < <= > >=)")
      ->delimiter(',')
      ->type_name(type::text);
  verb->add_option_function<std::string>(
          "--operator", [&options](const std::string& word) { options.any = word == "OR"; },
          "Whether all filters must hold, or one")
      ->check(CLI::IsMember({"AND", "OR"}));
  verb->add_flag("--describe", options.describe, "What the columns are");
  verb->add_flag("-j,--json", options.json, "As JSON");
  verb->add_flag("-x,--xml", options.xml, "As XML");
  verb->add_flag("--csv", options.csv, "As CSV");
  verb->add_option("--csv-del", options.delimiter, "What is between the values (default: a comma)")
      ->type_name(type::text);
  verb->add_flag_callback(
      "--no-header", [&options] { options.header = false; }, "Without the names of the columns");
}

CLI::Option* add_id(CLI::App* verb, Kind kind, std::string& word) {
  return verb->add_option("ID", word, about_id(kind))->type_name(info(kind).element)->required();
}
CLI::Option* add_ids(CLI::App* verb, Kind kind, std::vector<std::string>& words) {
  return verb->add_option("ID", words, about_id(kind))->type_name(info(kind).element)->required();
}

void add_template_file(CLI::App* verb, std::string& file) {
  verb->add_option("FILE", file, "Of attributes (default: stdin)")->type_name(type::file);
}

void add_wait(CLI::App* verb, bool& wait) {
  verb->add_flag("--wait", wait, "Until it is done; ^C leaves it running");
}

void add_force(CLI::App* verb, bool& force) {
  verb->add_flag("--force", force, "Forget it also when its datastore says no");
}

void print_list(const std::string& document, const std::vector<Column>& columns,
                const ListOptions& options) {
  if (options.xml) {
    std::printf("%s\n", document.c_str());
    return;
  }
  const Xml parsed{document};
  const Element root{parsed};
  if (options.json) return print_json(root);
  std::fputs(listing(rows_of(root.children(), columns, options), options).c_str(), stdout);
}

CLI::App* add_object(Tree& tree, Kind kind, const char* about) {
  auto* command = command_of(tree, kind, about);
  const std::string word = info(kind).word;
  if (!find(*command, "list")) {
    auto options = std::make_shared<ListOptions>();
    auto* list = command->add_subcommand("list", "All that there are");
    add_list_options(list, *options);
    tree.does(list, options, [kind](Context& with, auto& one) {
      if (one.describe) return describe(info(kind).columns);
      print_list(pool_xml(with, kind), info(kind).columns, one);
    });
  }
  auto options = std::make_shared<Show>();
  auto* verb = command->add_subcommand("show", "One, with all that is known of it");
  add_id(verb, kind, options->word);
  verb->add_flag("-j,--json", options->json, "As JSON");
  verb->add_flag("-x,--xml", options->xml, "As XML");
  tree.does(verb, options, [kind](Context& with, auto& one) { show(with, kind, one); });
  return command;
}

}  // namespace cli
