// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/machine.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/error.h"
#include "common/mount.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/limits.h"
#include "common/one/location.h"

using nlohmann::json;

namespace {

// Longer than the helper gives the program that it stops.
constexpr Stop patient{SIGTERM, std::chrono::seconds{3}};

std::string to_text(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The program over there may have to reach the store by ssh itself: with our agent, or, where
// nobody there is to use our keys, with a key of its own.
std::string forwarding() {
  const auto wish = setting("FORWARD_AGENT").value_or("yes");
  if (wish != "yes" && wish != "no")
    throw BadRequest{"the setting FORWARD_AGENT is neither yes nor no: '" + one_line(wish) + "'"};
  return "ForwardAgent=" + wish;
}

}  // namespace

RunRequest RunRequest::decode(std::string_view line) try {
  const auto document = json::parse(base64_decode(line));
  RunRequest request;
  request.argv = document.value("run", request.argv);
  request.env = document.value("env", request.env);
  request.list = document.value("list", request.list);
  request.lines = document.value("lines", request.lines);
  request.view = document.value("view", request.view);
  request.input = document.value("input", request.input);
  if (document.contains("limits"))
    request.order = {.group = document.at("group"),
                     .limits = limits_from(document.at("limits").get<Settings>()),
                     .directory = document.at("near").get<std::string>()};
  if (document.contains("tmpdir"))
    request.temporary = {.path = document.at("tmpdir").get<std::string>(),
                         .needed_mb = document.at("tmpdir_mb")};
  if (request.argv.empty() == request.list.empty())
    throw BadRequest{"the request to run must have one of 'run' and 'list'"};
  return request;
} catch (const json::exception&) {
  throw BadRequest{"the request to run is not readable"};
}

std::string RunRequest::encode() const {
  json document;
  if (!argv.empty()) document["run"] = argv;
  if (!env.empty()) document["env"] = env;
  if (!list.empty()) document["list"] = list;
  if (lines) document["lines"] = true;
  if (!view.empty()) document["view"] = view;
  if (!input.empty()) document["input"] = input;
  if (order) {
    document["limits"] = to_settings(order->limits);
    document["group"] = order->group;
    document["near"] = order->directory.string();
  }
  if (temporary) {
    document["tmpdir"] = temporary->path.string();
    document["tmpdir_mb"] = temporary->needed_mb;
  }
  return base64_encode(to_text(document)) + "\n";
}

std::vector<std::string> RunRequest::command_line() const {
  std::vector<std::string> line{argv};
  line.front() = tool_path(argv.front());
  return line;
}

std::vector<DirectoryEntry> list_directory(const std::filesystem::path& directory) try {
  const auto mount = mount_on(directory);
  const bool view = mount && mount->type == "fuse.vmvault";
  std::vector<DirectoryEntry> entries;
  for (const auto& entry : std::filesystem::directory_iterator{directory}) {
    const bool regular = entry.symlink_status().type() == std::filesystem::file_type::regular;
    entries.push_back({.name = entry.path().filename().string(),
                       .size = regular ? entry.file_size() : 0,
                       .regular = regular,
                       .view = view});
  }
  return entries;
} catch (const std::filesystem::filesystem_error& error) {
  throw system_error("read the directory '" + directory.string() + "'", error.code().value());
}

std::string to_json(const std::vector<DirectoryEntry>& entries) {
  json all = json::array();
  for (const auto& entry : entries)
    all.push_back({{"name", entry.name},
                   {"size", entry.size},
                   {"regular", entry.regular},
                   {"view", entry.view}});
  return to_text(all);
}

std::vector<DirectoryEntry> entries_from_json(std::string_view text) try {
  std::vector<DirectoryEntry> entries;
  for (const auto& entry : json::parse(text))
    entries.push_back(
        {entry.at("name"), entry.at("size"), entry.at("regular"), entry.value("view", false)});
  return entries;
} catch (const json::exception&) {
  throw Error{"a list of files is not readable"};
}

std::string tool_path(const std::string& name) {
  if (name.find('/') != name.npos) return name;
  const auto ours = remotes_root() / "datastore" / name / name;
  return access(ours.c_str(), X_OK) == 0 ? ours.string() : name;
}

Machine::Machine(const std::string& host) : host_{is_this_machine(host) ? "" : host} {}

std::string Machine::program(const std::string& name) const {
  return ((here() ? remotes_root() : remote_root()) / name).string();
}

std::vector<std::string> Machine::helper() const {
  const auto path = program("datastore/host/run");
  if (here()) return {path};
  auto argv = Command{path}.on(host_).argv();
  const std::vector<std::string> options{
      "-o", forwarding(), "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"};
  argv.insert(argv.begin() + 1, options.begin(), options.end());
  return argv;
}

Command Machine::command(const RunRequest& request, const std::vector<std::string>& words) const {
  auto argv = helper();
  argv.insert(argv.begin(), words.begin(), words.end());
  Command command{std::move(argv)};
  command.input(request.encode()).hold_input().stop_with(patient);
  if (request.order || request.temporary)
    command.err_lines([](std::string_view line) {
      constexpr std::string_view from_helper = "WARN: run: ";
      if (line.starts_with(from_helper)) log(Level::warn, line.substr(from_helper.size()));
    });
  return command;
}

std::vector<DirectoryEntry> Machine::list(const std::filesystem::path& directory) const {
  if (here()) return list_directory(directory);
  const auto finished =
      command({.argv = {}, .env = {}, .list = directory.string(), .lines = false}).run();
  if (finished.ok()) return entries_from_json(finished.out);
  throw Error{"cannot list the files on " + name() + ": " + last_line(finished.err)};
}
