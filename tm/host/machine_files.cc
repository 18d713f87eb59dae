// SPDX-License-Identifier: Apache-2.0
// Looks at the files of a machine's disks on this host, and makes its directory, for a service on
// another one.  The request is one line of base64 on stdin, JSON: {"dir": "/...", "disks": [{"id":
// 0, "path": "/...", "format": "qcow2"}]}.
//
//   probe      prints a JSON list of {"size", "tracks"} or {"error"}, in their order
//   link       makes the directory, with a link disk.<id> to each file
//   marks      prints {"marks": the directory's backup.marks}, or {}
//   put_marks  makes "marks" its backup.marks
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string_view>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/disk_file.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/machine_dir.h"
#include "common/one/location.h"
#include "common/request_line.h"

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest_request = std::size_t{1} << 20;

nlohmann::json probe(const nlohmann::json& disks) {
  auto all = nlohmann::json::array();
  for (const auto& disk : disks) try {
      const auto file = disk_file::probe(normal_path(disk.at("path").get<std::string>()),
                                         disk.at("format").get<std::string>());
      // As text: numbers of that size are refused when they are read.
      all.push_back({{"size", std::to_string(file.virtual_size)}, {"tracks", file.tracks_changes}});
    } catch (const Error& error) {
      all.push_back({{"error", one_line(error.what())}});
    }
  return all;
}

// All that there is not on the way to it is ours, and passed through.
void make_way_to(const fs::path& dir) {
  if (dir.has_parent_path() && !fs::exists(dir.parent_path())) make_way_to(dir.parent_path());
  make_passable(dir);
}

void link(const nlohmann::json& request) {
  const auto dir = normal_path(request.at("dir").get<std::string>());
  std::map<int, fs::path> files;
  for (const auto& disk : request.at("disks"))
    files[disk.at("id").get<int>()] = normal_path(disk.at("path").get<std::string>());
  make_way_to(dir);
  link_disks(dir, files);
}

nlohmann::json marks(const fs::path& dir) {
  const auto text = read_file_if_any(marks_file(dir));
  return text ? nlohmann::json{{"marks", *text}} : nlohmann::json::object();
}

void run(std::string_view verb) {
  const auto request = parse_json(base64_decode(read_request_line(STDIN_FILENO, longest_request)));
  if (verb == "probe")
    std::cout << probe(request.at("disks")).dump() << std::endl;
  else if (verb == "link")
    link(request);
  else if (verb == "marks")
    std::cout << marks(normal_path(request.at("dir").get<std::string>())).dump() << std::endl;
  else if (verb == "put_marks")
    write_file(marks_file(normal_path(request.at("dir").get<std::string>())),
               request.at("marks").get<std::string>());
  else
    throw BadRequest{"usage: machine_files probe|link|marks|put_marks"};
}

}  // namespace

int main(int argc, char** argv) try {
  cancel::install();
  forbid_core_dumps();
  run(argc == 2 ? argv[1] : "");
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", one_line(error.what()).c_str());
  return static_cast<int>(error.exit());
} catch (const std::exception& error) {
  std::fprintf(stderr, "the request cannot be read: %s\n", one_line(error.what()).c_str());
  return static_cast<int>(Exit::bad_request);
}
