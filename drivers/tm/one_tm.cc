// SPDX-License-Identifier: Apache-2.0
// The transfer driver of a core: does what its scripts say, line by line (contract 2.3 to 2.5).

#include <algorithm>
#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>

#include "common/cancel.h"
#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "drivers/lib/mad.h"
#include "drivers/lib/mad_environment.h"

namespace fs = std::filesystem;

namespace {

using Words = std::vector<std::string>;

std::deque<Words> read_script(const fs::path& path) {
  const auto text = read_file_if_any(path);
  if (!text) throw Error{"Transfer file '" + path.string() + "' does not exist"};
  std::deque<Words> commands;
  std::istringstream lines{*text};
  for (std::string line; std::getline(lines, line);) {
    Words words;
    std::istringstream stream{line};
    for (std::string word; stream >> word;) words.push_back(word);
    if (!words.empty() && words[0][0] != '#') commands.push_back(words);
  }
  return commands;
}

class Transfers {
 public:
  Transfers(const mad::Options& options, fs::path remotes) : directory_{std::move(remotes)} {
    directory_ /= "tm";
    if (const auto found = options.values.find('d'); found != options.values.end())
      names_ = mad::split_list(found->second);
  }

  mad::Order order(const Words& words) const {
    const std::string name = words.size() > 1 ? words[1] : "";
    if (!serves(name)) throw Error{"Transfer Driver '" + name + "' not available"};
    Words argv{executable(directory_ / name, words[0])};
    argv.insert(argv.end(), words.begin() + 2, words.end());
    return {.argv = std::move(argv)};
  }

 private:
  bool serves(const std::string& name) const {
    if (names_) return std::find(names_->begin(), names_->end(), name) != names_->end();
    return !name.empty() && name.front() != '.' && name.find('/') == name.npos &&
           fs::is_directory(directory_ / name);
  }

  // "clone.ssh", or "clone" where there is no such thing.
  static fs::path executable(const fs::path& directory, std::string action) {
    for (char& c : action)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (action.find('/') != action.npos)
      throw Error{"'" + action + "' is not the name of an action"};
    const fs::path path = directory / action;
    if (fs::exists(path)) return path;
    const auto dot = action.rfind('.');
    if (dot == action.npos || dot == 0)
      throw Error{"Driver path '" + path.string() + "' does not exists"};
    const fs::path shorter = directory / action.substr(0, dot);
    if (fs::exists(shorter)) return shorter;
    throw Error{"Driver path '" + path.string() + "' nor '" + shorter.string() + "' exists"};
  }

  fs::path directory_;
  std::optional<std::vector<std::string>> names_;
};

// A script, as far as it is done.
struct Progress {
  std::deque<Words> commands;
  std::optional<mad::Report> report{};
};

mad::Task task(const Transfers& transfers, mad::Message message) {
  const auto progress = std::make_shared<Progress>();
  const std::int64_t id = *message.id;
  const auto next = [=, &transfers](const mad::Outcome* last,
                                    std::string_view error) -> std::optional<mad::Order> {
    try {
      if (!error.empty()) throw Error{std::string{error}};
      if (!last) progress->commands = read_script(message.payload);
      if (last) {
        const std::string info = progress->report->info(*last);
        if (last->status != 0 || last->late) throw Error{info};
      }
      if (!progress->commands.empty()) {
        auto order = transfers.order(progress->commands.front());
        progress->commands.pop_front();
        progress->report.emplace(id, Command{order.argv}.display());
        return order;
      }
      mad::say(mad::answer("TRANSFER", true, id, ""));
    } catch (const Error& e) {
      mad::say(mad::answer("TRANSFER", false, id, e.what()));
    }
    return std::nullopt;
  };
  return {.id = id, .next = next, .said = [progress](auto line) { progress->report->take(line); }};
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = mad::parse_options(mad::split_arguments(argc, argv),
                                          {{'t', "threads"}, {'d', "tm-types"}, {'w', "timeout"}});
  auto pool = mad::make_pool(options);
  const auto places = mad::Places::of_this_front_end();
  mad::occupy_descriptors(places, "one_tm");
  mad::settle(places, {"defaultrc", "tmrc"});
  mad::step_back();
  cancel::install();
  const Transfers transfers{options, places.remotes};
  mad::serve(pool, [&](const mad::Message& message) {
    if (message.verb == "TRANSFER") pool.add(task(transfers, message));
  });
  return 0;
} catch (const Error& e) {
  std::cerr << "one_tm: " << e.what() << "\n";
  return static_cast<int>(e.exit());
}
