// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/job.h"

#include <sstream>

#include "common/error.h"
#include "common/number.h"
#include "common/one/vm.h"

namespace vmm {
namespace {

constexpr int lcm_state_backup = 69;  // of a running VM; 70 is that of a VM that is powered off

std::vector<std::string> split(const std::string& text) {
  std::istringstream stream{text};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// The text of an element that the job cannot do without.
std::string needed(const XmlNode& message, const std::string& verb, const std::string& path) {
  const auto text = message.find(path);
  if (text && text->find_first_not_of(" \t\r\n") != text->npos) return *text;
  throw BadRequest{"Cannot perform " + verb + ", expecting " + path};
}

void expect(bool good, const std::string& verb, const std::string& what) {
  if (!good) throw BadRequest{"Cannot perform " + verb + ": TM_COMMAND has no usable " + what};
}

XmlNode part(const XmlNode& message, const std::string& name) {
  if (const auto element = message.first(name)) return *element;
  throw BadRequest{"the request has no " + name};
}

// What backup and cancel have in common; `count` words follow the verb and the driver.
Job read(const XmlNode& message, std::int64_t vm_id, const std::string& verb, std::size_t count) {
  const auto words = split(needed(message, verb, "TM_COMMAND"));
  if (words.size() != count + 2 || words[0] != verb)
    throw BadRequest{"Cannot perform " + verb + ": TM_COMMAND is not '" + verb + "' with " +
                     std::to_string(count + 1) + " words"};
  Job job;
  job.tm_mad = words[1];
  job.ds_mad = needed(message, verb, "DATASTORE/DS_MAD");
  if (!is_driver_name(job.tm_mad)) throw BadRequest{"the transfer driver's name is no name"};
  if (!is_driver_name(job.ds_mad)) throw BadRequest{"the datastore driver's name is no name"};
  job.words = {words.begin() + 2, words.end()};
  job.location = Location::parse(job.words[0]);
  const auto id = parse_int(needed(message, verb, "VM/ID"), 0);
  if (!id || *id != vm_id)
    throw BadRequest{"Cannot perform " + verb + ": the request is not about VM " +
                     std::to_string(vm_id)};
  job.vm_id = *id;
  const auto number = [&](const std::string& path) {
    return static_cast<int>(message.find_number(path).value_or(-1));
  };
  job.datastore_id = number("DATASTORE/ID");
  job.last_increment_id = number("VM/BACKUPS/BACKUP_CONFIG/LAST_INCREMENT_ID");
  job.chain_id = number("VM/BACKUPS/BACKUP_CONFIG/INCREMENTAL_BACKUP_ID");
  job.last_source = message.find("VM/BACKUPS/BACKUP_CONFIG/LAST_SOURCE");
  return job;
}

}  // namespace

Job Job::backup(const XmlNode& message, std::int64_t vm_id) {
  const std::string verb = "BACKUP";
  Job job = read(message, vm_id, verb, 6);
  const auto& w = job.words;
  parse_disk_ids(w[1]);
  expect(!w[2].starts_with('-'), verb, "deploy id");
  expect(w[3] == "-" || parse_int(w[3], 0), verb, "backup job id");
  expect(parse_int(w[4], 0) == job.vm_id, verb, "VM id");
  expect(parse_int(w[5], 0).has_value(), verb, "datastore id");
  job.live = message.find_number("VM/LCM_STATE") == lcm_state_backup;
  return job;
}

Job Job::cancel(const XmlNode& message, std::int64_t vm_id) {
  Job job = read(message, vm_id, "BACKUPCANCEL", 2);
  expect(!job.words[1].starts_with('-'), "BACKUPCANCEL", "deploy id");
  return job;
}

std::string vm_document(const XmlNode& message, Result result) {
  const auto vm = message.first("VM");
  if (!vm) throw BadRequest{"the request has no VM"};
  if (result == Result::success) return vm->dump();
  Xml document{vm->dump()};
  for (auto& old : document.root().find_all("BACKUP_RESULT")) old.remove();
  document.root().add("BACKUP_RESULT", "FAILURE");
  return document.dump();
}

std::string datastore_document(const XmlNode& message) {
  return datastore_document(part(message, "DATASTORE"), message);
}

std::string datastore_document(const XmlNode& datastore, const XmlNode& message) {
  return "<DS_DRIVER_ACTION_DATA>\n  " + datastore.dump() + "\n  " + part(message, "VM").dump() +
         "\n</DS_DRIVER_ACTION_DATA>\n";
}

bool is_driver_name(std::string_view name) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !name.empty() && name.find_first_not_of(allowed) == name.npos && name[0] != '.' &&
         name[0] != '-';
}

}  // namespace vmm
