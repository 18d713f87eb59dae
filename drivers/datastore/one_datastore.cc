// SPDX-License-Identifier: Apache-2.0
// The datastore driver of a core: runs datastore/<mad>/<action> for each of its messages
// (contract 2.1 to 2.5).

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/command.h"
#include "common/error.h"
#include "common/one/xml.h"
#include "drivers/lib/mad.h"
#include "drivers/lib/mad_environment.h"

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 11> actions{"CP",
                                                   "RM",
                                                   "MKFS",
                                                   "STAT",
                                                   "CLONE",
                                                   "MONITOR",
                                                   "RESTORE",
                                                   "SNAP_DELETE",
                                                   "SNAP_REVERT",
                                                   "SNAP_FLATTEN",
                                                   "INCREMENT_FLATTEN"};

// Which names of drivers are served, and where their executables lie.
struct Kind {
  std::string title;
  fs::path directory;
  std::optional<std::vector<std::string>> names;  // none: all that are there

  fs::path find(const std::string& name) const {
    const bool known = names
                           ? std::find(names->begin(), names->end(), name) != names->end()
                           : !name.empty() && name.front() != '.' && name.find('/') == name.npos &&
                                 fs::is_directory(directory / name);
    if (!known) throw Error{title + " driver '" + name + "' not available"};
    return directory / name;
  }
};

class Datastores {
 public:
  Datastores(const mad::Options& options, const fs::path& remotes)
      : images_{"Datastore", remotes / "datastore", list(options, 'd')},
        systems_{"System datastore", remotes / "tm", list(options, 's')} {
    if (!systems_.names) systems_.names = {"shared", "ssh", "ceph"};
  }

  mad::Order order(const mad::Message& message) const {
    const Xml document{base64_decode(message.payload)};
    const auto text = [&](const std::string& name) {
      return document.find("/DS_DRIVER_ACTION_DATA/DATASTORE/" + name).value_or("");
    };
    const bool system = message.verb == "MONITOR" && text("TYPE") == "1" && !text("TM_MAD").empty();
    std::string action = message.verb;
    for (char& c : action)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const auto directory = system ? systems_.find(text("TM_MAD")) : images_.find(text("DS_MAD"));
    return {.argv = {directory / action, std::to_string(*message.id)}, .input = message.payload};
  }

 private:
  static std::optional<std::vector<std::string>> list(const mad::Options& options, char letter) {
    const auto found = options.values.find(letter);
    if (found == options.values.end()) return std::nullopt;
    return mad::split_list(found->second);
  }

  Kind images_, systems_;
};

// A RESTORE makes images, and the core asks for the size of each before it answers.  Whether a
// datastore answers must not depend on what is done with others; and one that does not, and is
// asked again and again, must not keep the others' from being done.
int kind_of(const std::string& verb) {
  if (verb == "STAT") return 1;
  return verb == "MONITOR" ? 2 : 0;
}

// One message: the executable, then the answer.
mad::Task task(const Datastores& datastores, mad::Message message) {
  const auto report = std::make_shared<std::optional<mad::Report>>();
  const auto reply = [verb = message.verb, id = *message.id](bool good, const std::string& info) {
    const bool encoded = verb == "MONITOR";
    mad::say(
        mad::answer(verb, good, id, encoded ? base64_encode(info.empty() ? "-" : info) : info));
  };
  const auto next = [=, &datastores](const mad::Outcome* last,
                                     std::string_view error) -> std::optional<mad::Order> {
    try {
      if (!error.empty()) throw Error{std::string{error}};
      if (!last) {
        auto order = datastores.order(message);
        report->emplace(*message.id, Command{order.argv}.display());
        return order;
      }
      reply(last->status == 0 && !last->late, (*report)->info(*last));
    } catch (const Error& e) {
      reply(false, e.what());
    }
    return std::nullopt;
  };
  return {
      .id = *message.id, .kind = kind_of(message.verb), .next = next, .said = [report](auto line) {
        (*report)->take(line);
      }};
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = mad::parse_options(
      mad::split_arguments(argc, argv),
      {{'t', "threads"}, {'d', "ds-types"}, {'s', "system-ds-types"}, {'w', "timeout"}});
  auto pool = mad::make_pool(options);
  const auto places = mad::Places::of_this_front_end();
  mad::occupy_descriptors(places, "one_datastore");
  mad::settle(places, {"defaultrc"});
  mad::step_back();
  cancel::install();
  const Datastores datastores{options, places.remotes};
  mad::serve(pool, [&](const mad::Message& message) {
    if (std::find(actions.begin(), actions.end(), message.verb) != actions.end())
      pool.add(task(datastores, message));
  });
  return 0;
} catch (const Error& e) {
  std::cerr << "one_datastore: " << e.what() << "\n";
  return static_cast<int>(e.exit());
}
