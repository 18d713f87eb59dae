// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/machine_files.h"

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/command.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/machine_dir.h"
#include "common/number.h"
#include "common/one/location.h"
#include "common/one/log_line.h"

namespace guest {
namespace {

constexpr std::chrono::minutes limit{2};
constexpr std::size_t longest_answer = std::size_t{4} << 20;

Command program(const std::string& host, const std::string& name, const std::string& verb) {
  return Command{(remote_root() / "tm/host" / name).string(), verb}.on(host);
}

void insist(const std::string& host, const std::string& name, const Finished& finished) {
  if (finished.ok()) return;
  constexpr int no_such_program = 127;
  const auto why = one_line(last_line(finished.err));
  if (finished.status == no_such_program)
    throw Error{"host " + host + " has no '" + (remote_root() / "tm/host" / name).string() +
                "': install the same version of vmvault there"};
  if (finished.status == ssh_failed)
    throw Error{"ssh does not reach host " + host + (why.empty() ? "" : ": " + why)};
  throw Error{"host " + host + ": " + (why.empty() ? ended(name, finished.status) : why)};
}

[[noreturn]] void refuse(const GuestDisk& disk, const std::string& domain, const std::string& why) {
  throw Error{"disk '" + disk.target + "' of domain '" + domain + "': " + why};
}

disk_file::DiskFile file_of(const nlohmann::json& one, const GuestDisk& disk,
                            const std::string& domain) {
  if (one.contains("error")) refuse(disk, domain, one_line(one.at("error").get<std::string>()));
  const auto size = parse_number(one.at("size").get<std::string>());
  if (!size || *size < 0) refuse(disk, domain, "its size is no number");
  return {.virtual_size = static_cast<std::uint64_t>(*size),
          .tracks_changes = one.at("tracks").get<bool>()};
}

}  // namespace

std::string MachineFiles::ask(const std::string& verb, const std::string& request) const {
  const auto finished = program(host_, "machine_files", verb)
                            .input(base64_encode(request) + "\n")
                            .deadline(limit)
                            .most_output(longest_answer)
                            .run();
  insist(host_, "machine_files", finished);
  return finished.out;
}

std::vector<disk_file::DiskFile> MachineFiles::probe(const std::string& domain,
                                                     const std::vector<GuestDisk>& disks) const {
  std::vector<disk_file::DiskFile> all;
  if (is_here()) {
    for (const auto& disk : disks) try {
        all.push_back(disk_file::probe(disk.source, disk.format));
      } catch (const Error& error) {
        refuse(disk, domain, error.what());
      }
    return all;
  }
  auto list = nlohmann::json::array();
  for (const auto& disk : disks) list.push_back({{"path", disk.source}, {"format", disk.format}});
  const auto text = ask("probe", nlohmann::json{{"disks", list}}.dump());
  try {
    const auto found = parse_json(text);
    if (found.size() == disks.size()) {
      for (std::size_t i = 0; i < disks.size(); ++i)
        all.push_back(file_of(found.at(i), disks[i], domain));
      return all;
    }
  } catch (const nlohmann::json::exception&) {
  }
  throw Error{"what host " + host_ + " says of the disks of domain '" + domain +
              "' cannot be read"};
}

void MachineFiles::link(const std::filesystem::path& dir,
                        const std::map<int, std::filesystem::path>& files) const {
  if (is_here()) return link_disks(dir, files);
  auto list = nlohmann::json::array();
  for (const auto& [id, file] : files) list.push_back({{"id", id}, {"path", file.string()}});
  ask("link", nlohmann::json{{"dir", dir.string()}, {"disks", list}}.dump());
}

std::optional<std::string> MachineFiles::marks(const std::filesystem::path& dir) const {
  if (is_here()) return read_file_if_any(marks_file(dir));
  const auto text = ask("marks", nlohmann::json{{"dir", dir.string()}}.dump());
  try {
    const auto found = parse_json(text);
    if (!found.contains("marks")) return std::nullopt;
    return found.at("marks").get<std::string>();
  } catch (const nlohmann::json::exception&) {
    throw Error{"what host " + host_ + " says of '" + dir.string() + "' cannot be read"};
  }
}

void MachineFiles::put_marks(const std::filesystem::path& dir, const std::string& marks) const {
  if (is_here()) return write_file(marks_file(dir), marks);
  ask("put_marks", nlohmann::json{{"dir", dir.string()}, {"marks", marks}}.dump());
}

void recover_host(const std::string& host) {
  constexpr std::chrono::hours longest{4};
  const auto finished =
      Command{(remote_root() / "tm/host/backup_host").string(), "recover", "--all"}
          .on(host)
          .err_lines(pass_log_line)
          .deadline(longest)
          .most_output(longest_answer)
          .run();
  insist(host, "backup_host", finished);
}

}  // namespace guest
