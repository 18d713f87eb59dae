// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>

#include "common/error.h"
#include "common/file.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/template_file.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

constexpr std::chrono::seconds patience{60};

struct UserWords {
  std::string user, file;
  int seconds = 36'000;
  bool force = false;
};

void create_user(Context& with, const UserWords& words) {
  const auto password = secret_line(words.file, "Password of the new user");
  const int id = with.service().number("one.user.allocate",
                                       {words.user, password, std::string{"core"}}, patience);
  std::printf("ID: %d\n", id);
}

void change_password(Context& with, const UserWords& words) {
  const int user = object_id(with, Kind::user, words.user);
  const auto password = secret_line(words.file, "New password");
  with.service().number("one.user.passwd", {user, password}, patience);
}

// Where the tools of the core look for it, too.
fs::path own_auth_file() {
  if (const char* named = getenv("ONE_AUTH")) return named;
  const char* home = getenv("HOME");
  if (!home || !*home) throw Error{"no HOME to keep the token in: set ONE_AUTH"};
  return fs::path{home} / ".one" / "one_auth";
}

void log_in(Context& with, const UserWords& words) {
  const auto file = own_auth_file();
  if (fs::exists(file) && !words.force)
    throw Error{"'" + file.string() + "' is there already: --force replaces it"};
  const auto token = with.service().text("one.user.login",
                                         {words.user, std::string{}, words.seconds, -1}, patience);
  fs::create_directories(file.parent_path());
  write_file(file, words.user + ":" + token + "\n", 0600);
  std::printf("a token of %s, for %s, is in %s\n", printable(words.user).c_str(),
              words.seconds < 0 ? "ever" : duration_text(words.seconds).c_str(),
              printable(file.string()).c_str());
}

CLI::App* add_secret_verb(CLI::App* command, const char* name, const char* about,
                          UserWords& words) {
  auto* verb = command->add_subcommand(name, about);
  verb->add_option("-r,--read-file", words.file,
                   "The password is the first line of this file (default: stdin)")
      ->type_name(type::file);
  return verb;
}

}  // namespace

void add_user_commands(Tree& tree) {
  auto* command = add_object(tree, Kind::user, "Who may use the service");
  auto words = std::make_shared<UserWords>();
  auto* verb = add_secret_verb(command, "create", "A new one", *words);
  verb->add_option("NAME", words->user, "What they are called")->type_name(type::text)->required();
  tree.does(verb, words, create_user);
  verb = add_secret_verb(command, "passwd", "Change the password", *words);
  add_id(verb, Kind::user, words->user);
  tree.does(verb, words, change_password);
  verb = command->add_subcommand("delete", "Delete; what was theirs is oneadmin's");
  add_id(verb, Kind::user, words->user);
  tree.does(verb, words, [](Context& with, auto& one) {
    const int user = object_id(with, Kind::user, one.user);
    with.service().number("one.user.delete", {user}, patience);
  });
  verb = command->add_subcommand("login", "Get a token, which stands for the password for a while");
  verb->add_option("NAME", words->user, "Of the user")
      ->type_name(info(Kind::user).element)
      ->required();
  verb->add_option("--time", words->seconds, "How long, in seconds; -1: for ever (default: 36000)")
      ->type_name(type::number);
  verb->add_flag("--force", words->force, "Also where there is a session already");
  tree.does(verb, words, log_in);
}

}  // namespace cli
