// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/messages.h"

#include <ctime>

namespace messages {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

void add_disk(XmlNode parent, const VmDisk& one) {
  auto node = parent.add("DISK");
  node.add("DISK_ID", number(one.id));
  node.add("TYPE", "FILE");
  node.add("DISK_TYPE", "FILE");
  node.add("TARGET", one.disk.target);
  node.add("SOURCE", one.disk.source);
  node.add("FORMAT", one.disk.format);
  node.add("DRIVER", one.disk.format);
  node.add("SIZE", std::to_string((one.virtual_size + (1 << 20) - 1) >> 20));
  node.add("TM_MAD", "qcow2");
  node.add("READONLY", one.disk.read_only ? "YES" : "NO");
  node.add("SAVE", "NO");
}

void add_nic(XmlNode parent, const guest::Nic& nic, int id) {
  auto node = parent.add("NIC");
  node.add("NIC_ID", number(id));
  node.add("MAC", nic.mac);
  if (!nic.network.empty()) node.add("NETWORK", nic.network);
  if (!nic.bridge.empty()) node.add("BRIDGE", nic.bridge);
  if (!nic.model.empty()) node.add("MODEL", nic.model);
}

void add_template(XmlNode root, const VmMessage& message) {
  auto node = root.add("TEMPLATE");
  node.add("CPU", number(message.guest.vcpus));
  for (const auto& disk : message.disks) add_disk(node, disk);
  node.add("MEMORY", number(message.guest.memory_mib));
  for (int id = 0; const auto& nic : message.guest.nics) add_nic(node, nic, id++);
  auto os = node.add("OS");
  if (!message.guest.machine.empty()) os.add("MACHINE", message.guest.machine);
  os.add("UUID", message.guest.uuid);
  if (message.guest.tpm) node.add("TPM").add("MODEL", "tpm-crb");
  node.add("VCPU", number(message.guest.vcpus));
  node.add("VMID", number(message.vm_id));
}

void add_history(XmlNode root, const VmMessage& message) {
  auto node = root.add("HISTORY_RECORDS").add("HISTORY");
  node.add("OID", number(message.vm_id));
  node.add("SEQ", "0");
  node.add("HOSTNAME", message.host);
  node.add("HID", "0");
  node.add("VM_MAD", "kvm");
  node.add("TM_MAD", "qcow2");
  node.add("DS_ID", "0");
}

void add_backups(XmlNode root, const VmMessage& message) {
  const auto& config = message.config;
  auto backups = root.add("BACKUPS");
  auto node = backups.add("BACKUP_CONFIG");
  node.add("BACKUP_VOLATILE", "NO");
  node.add("FS_FREEZE", to_text(config.freeze));
  node.add("INCREMENT_MODE", "CBT");
  node.add("INTERACTIVE", "NO");
  if (!config.capture.empty()) node.add("CAPTURE", config.capture);
  if (config.last_capture) node.add("LAST_CAPTURE", *config.last_capture);
  if (config.chain) node.add("CHAIN", config.chain->text());
  if (config.stored) node.add("STORED", *config.stored);
  node.add("LAST_DATASTORE_ID", number(config.last_datastore_id));
  node.add("LAST_INCREMENT_ID", number(config.last_increment_id));
  node.add("LAST_SOURCE", message.last_source);
  if (config.previous_increment_id >= 0)
    node.add("PREVIOUS_INCREMENT_ID", number(config.previous_increment_id));
  node.add("MODE", config.mode == Mode::full ? "FULL" : "INCREMENT");
  backups.add("BACKUP_IDS");
}

std::string command(const VmMessage& message, const std::filesystem::path& dir) {
  std::string ids;
  for (const auto& disk : message.disks) ids += (ids.empty() ? "" : ":") + number(disk.id);
  return "BACKUP qcow2 " + message.host + ":" + dir.string() + " " + ids + " " +
         message.guest.uuid + " - " + number(message.vm_id) + " 0\n";
}

void add_increment(XmlNode parent, const state::BackupRecord& one, int before) {
  auto node = parent.add("INCREMENT");
  node.add("DATE", number(one.date));
  node.add("ID", number(one.id));
  node.add("PARENT_ID", number(before));
  node.add("SIZE", number(one.size_mib));
  node.add("SOURCE", one.source);
  node.add("TYPE", before == -1 ? "FULL" : "INCREMENT");
}

int state_number(state::ImageState state) {  // contract 1.2
  constexpr int ready = 1, locked = 4, error = 5, deleting = 7;
  switch (state) {
    case state::ImageState::ready:
      return ready;
    case state::ImageState::locked:
      return locked;
    case state::ImageState::error:
      return error;
    case state::ImageState::deleting:
      break;
  }
  return deleting;
}

// As the core names it: "12 20-Aug 08.30.15".
std::string image_name(const state::ImageRecord& image) {
  const std::time_t when = static_cast<std::time_t>(image.created);
  std::tm local{};
  localtime_r(&when, &local);
  char text[32];
  std::strftime(text, sizeof text, "%d-%b %H.%M.%S", &local);
  return number(image.vm) + " " + text;
}

}  // namespace

Xml vm(const VmMessage& message) {
  auto document = Xml::create("VM");
  auto root = document.root();
  root.add("ID", number(message.vm_id));
  root.add("UID", "0");
  root.add("GID", "0");
  root.add("NAME", message.guest.name);
  root.add("STATE", message.running ? "3" : "8");  // ACTIVE, POWEROFF
  root.add("LCM_STATE", message.running ? "69" : "70");
  root.add("DEPLOY_ID", message.guest.uuid);
  add_template(root, message);
  root.add("USER_TEMPLATE");
  add_history(root, message);
  add_backups(root, message);
  return document;
}

Xml image(const state::ImageRecord& image) {
  std::int64_t size = 0;
  for (const auto& one : image.increments) size += one.size_mib;
  auto document = Xml::create("IMAGE");
  auto root = document.root();
  root.add("ID", number(image.id));
  root.add("NAME", image_name(image));
  root.add("TYPE", "6");
  root.add("REGTIME", number(image.created));
  root.add("SOURCE", image.increments.empty() ? "" : image.increments.front().source);
  root.add("PATH");
  root.add("FORMAT", "raw");
  root.add("SIZE", number(size));
  root.add("STATE", number(state_number(image.state)));
  root.add("DATASTORE_ID", number(image.datastore));
  root.add("VMS").add("ID", number(image.vm));
  root.add("TEMPLATE");
  auto increments = root.add("BACKUP_INCREMENTS");
  if (image.mode == Mode::increment)
    for (int before = -1; const auto& one : image.increments) {
      add_increment(increments, one, before);
      before = one.id;
    }
  auto disks = root.add("BACKUP_DISK_IDS");
  for (const int id : image.disks) disks.add("ID", number(id));
  return document;
}

Xml backup_action(const VmMessage& message, const std::filesystem::path& dir,
                  const Xml& datastore) {
  auto document = Xml::create("VMM_DRIVER_ACTION_DATA");
  auto root = document.root();
  root.add("HOST", message.host);
  root.add("MIGR_HOST");
  root.add("DEPLOY_ID", message.guest.uuid);
  for (const char* name : {"LOCAL_DEPLOYMENT_FILE", "REMOTE_DEPLOYMENT_FILE", "CHECKPOINT_FILE"})
    root.add(name);
  root.add("TM_COMMAND", command(message, dir));
  root.add("TM_COMMAND_ROLLBACK");
  root.add("DISK_TARGET_PATH");
  root.add_copy(vm(message).root());
  root.add_copy(datastore.root());
  return document;
}

Xml cancel_action(int vm, const std::string& uuid, const std::string& host,
                  const std::filesystem::path& dir, const Xml& datastore) {
  auto document = Xml::create("VMM_DRIVER_ACTION_DATA");
  auto root = document.root();
  root.add("HOST", host);
  root.add("DEPLOY_ID", uuid);
  root.add("TM_COMMAND", "BACKUPCANCEL qcow2 " + host + ":" + dir.string() + " " + uuid + "\n");
  auto machine = root.add("VM");
  machine.add("ID", number(vm));
  machine.add("DEPLOY_ID", uuid);
  root.add_copy(datastore.root());
  return document;
}

Xml datastore_action(const Xml& datastore) {
  auto document = Xml::create("DS_DRIVER_ACTION_DATA");
  document.root().add_copy(datastore.root());
  return document;
}

Xml datastore_action(const Xml& image, const Xml& datastore) {
  auto document = Xml::create("DS_DRIVER_ACTION_DATA");
  document.root().add_copy(image.root());
  document.root().add_copy(datastore.root());
  return document;
}

Xml flatten_action(const Xml& image, const Xml& datastore, int keep,
                   const std::filesystem::path& sums) {
  auto document = datastore_action(image, datastore);
  auto extra = document.root().add("EXTRA_DATA");
  extra.add("KEEP_LAST", std::to_string(keep));
  extra.add("SUMS", sums.string());
  return document;
}

}  // namespace messages
