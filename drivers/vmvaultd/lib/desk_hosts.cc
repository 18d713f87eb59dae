// SPDX-License-Identifier: Apache-2.0
// Orders about hosts.
#include "common/error.h"
#include "drivers/lib/host_uri.h"
#include "drivers/vmvaultd/lib/desk.h"

namespace vmvaultd {
namespace {

// "0-3,^2,7", as libvirt has it.
std::string cpus(const std::string& value) {
  if (value.find_first_not_of("0123456789,-^") == value.npos) return value;
  throw BadRequest{"EMULATOR_CPUS is a list of processors, not '" + one_line(value) + "'"};
}

constexpr std::string_view here = "localhost";

bool is_host_name(std::string_view name) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return name.find_first_not_of(letters) == name.npos && name.front() != '-' && name.front() != '.';
}

}  // namespace

HostRecord Desk::host(int id) const {
  for (const auto& record : manager_.hosts())
    if (record.host.id == id) return record;
  throw NoSuchObject{"host", id};
}

void Desk::check_uri(const std::string& uri, int host) const {
  const auto found = guest::parse_host_uri(uri);
  if (found.is_here())
    throw BadRequest{"'" + one_line(uri) + "' is this machine, which is a host already: " +
                     "LIBVIRT_URI of vmvaultd.conf is for it"};
  for (const auto& record : manager_.hosts())
    if (record.host.id != host && guest::parse_host_uri(record.uri).to_ask == found.to_ask)
      throw BadRequest{"that is host " + record.name + " already"};
}

void Desk::check_host_name(const std::string& name) const {
  constexpr std::size_t longest = 128;
  if (name.empty() || name.size() > longest || !is_host_name(name))
    throw BadRequest{"'" + one_line(name) + "' is no name for a host"};
  for (const auto& record : manager_.hosts())
    if (record.name == name) throw BadRequest{"there is a host '" + name + "' already"};
}

int Desk::add_host(const std::string& name, const std::string& uri) {
  check_host_name(name);
  const auto wanted = uri.empty() ? "qemu+ssh://" + name + "/system" : uri;
  check_uri(wanted, -1);
  // Up is what has answered.
  return manager_.put_host(
      {.host = {.up = false}, .name = name, .uri = wanted, .emulator_cpus = {}});
}

void Desk::delete_host(int id) {
  const auto record = host(id);
  if (record.name == here) throw WrongState{"this machine is always a host"};
  if (manager_.is_used(id)) throw WrongState{"a backup or a restore runs on host " + record.name};
  manager_.remove_host(id, clock_());
}

void Desk::configure_host(int id, const Attributes& attributes) {
  auto record = host(id);
  for (const auto& [name, value] : attributes) {
    if (name == "MAX_BACKUPS") {
      record.host.limit = checked_limit(value);
    } else if (name == "EMULATOR_CPUS") {
      record.emulator_cpus = cpus(value);
    } else if (name == "URI" && value == record.uri) {
      continue;
    } else if (name == "URI" && record.name != here) {
      check_uri(value, id);
      if (manager_.is_used(id))
        throw WrongState{"a backup or a restore runs on host " + record.name};
      record.uri = value;
    } else {
      throw BadRequest{"'" + one_line(name) + "' is nothing that is set of a host"};
    }
  }
  manager_.put_host(record);
}

void Desk::set_host_status(int id, Host::Status status) {
  host(id);
  manager_.set_host_status(id, status);
}

// Its name is for people: ssh, the files about it and the scheduler have its URI and its id.
void Desk::rename_host(int id, const std::string& name) {
  auto record = host(id);
  if (record.name == name) return;
  if (record.name == here) throw WrongState{"this machine is always called '" + record.name + "'"};
  check_host_name(name);
  record.name = name;
  manager_.put_host(record);
}

}  // namespace vmvaultd
