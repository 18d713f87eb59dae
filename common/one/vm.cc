// SPDX-License-Identifier: Apache-2.0
#include "common/one/vm.h"

#include <algorithm>

#include "common/error.h"
#include "common/number.h"

namespace {

std::string upper(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string text_of(const XmlNode& node, const std::string& xpath) {
  return node.find(xpath).value_or("");
}

int id_of(const XmlNode& node, const std::string& xpath, std::string_view what) {
  const auto text = node.find(xpath);
  const auto id = text ? parse_int(*text) : std::nullopt;
  if (!id) throw BadRequest{"the " + std::string{what} + " is missing or not a number"};
  return *id;
}

// -1, also when the element is missing or empty: there is none.
int id_or_none(const XmlNode& node, const std::string& xpath) {
  const auto text = text_of(node, xpath);
  if (text.empty()) return -1;
  if (const auto id = parse_int(text, -1)) return *id;
  throw BadRequest{"the " + xpath + " of the VM is not a number"};
}

// It becomes part of names of NBD exports and of bitmaps.
std::string device_name(std::string target) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (target.size() > 32 || target.find_first_not_of(letters) != target.npos ||
      target.starts_with('-'))
    throw BadRequest{"the target of a disk of the VM is not the name of a device"};
  return target;
}

// A volatile disk, a copy of the VM's own, or the image itself.
std::string rbd_of(const XmlNode& disk, const std::string& type, const std::string& own) {
  const bool is_volatile = type == "FS" || type == "SWAP";
  if (is_volatile && upper(text_of(disk, "DISK_TYPE")) == "RBD")
    return text_of(disk, "POOL_NAME") + "/one-sys-" + own;
  if (type != "RBD") return "";
  const auto source = text_of(disk, "SOURCE");
  return upper(text_of(disk, "CLONE")) == "YES" ? source + "-" + own : source;
}

// What names a volume: the VM, its system datastore, and where the image of its first disk with
// the driver lvm lies (contract 3.5).
struct LvmNames {
  std::string vm, system, first_image;
};

LvmNames lvm_names(const XmlNode& vm) {
  LvmNames out{.vm = text_of(vm, "ID"), .system = {}, .first_image = {}};
  for (const auto& record : vm.find_all("HISTORY_RECORDS/HISTORY"))
    out.system = text_of(record, "DS_ID");
  for (const auto& disk : vm.find_all("TEMPLATE/DISK")) {
    const auto datastore = text_of(disk, "DATASTORE_ID");
    if (out.first_image.empty() && text_of(disk, "TM_MAD") == "lvm") out.first_image = datastore;
  }
  return out;
}

// By its own driver; the others that bring block devices name them in other ways.
bool is_in_lvm(const XmlNode& disk, const std::string& type) {
  const auto driver = text_of(disk, "TM_MAD");
  if (driver != "lvm" && driver != "fs_lvm" && driver != "fs_lvm_ssh") return false;
  return type == "BLOCK" || (type == "FS" && upper(text_of(disk, "DISK_TYPE")) == "BLOCK");
}

void name_volume(Disk& out, const XmlNode& disk, const LvmNames& names) {
  if (!is_in_lvm(disk, out.type)) return;
  const auto id = std::to_string(out.id);
  if (out.tm_mad != "lvm") {
    const auto own = "lv-one-" + names.vm + "-";
    out.lvm = "vg-one-" + names.system + "/" + own + id;
    if (upper(text_of(disk, "LVM_THIN_ENABLE")) == "YES") out.lvm_pool = own + "pool";
    return;
  }
  const auto datastore = text_of(disk, "DATASTORE_ID");
  const auto group = "vg-one-" + (datastore.empty() ? names.first_image : datastore) + "/";
  const bool persistent = upper(text_of(disk, "PERSISTENT")) == "YES";
  const auto own = persistent ? "img-one-" + text_of(disk, "IMAGE_ID") : "vm-one-" + names.vm;
  out.lvm = group + own + (persistent ? "" : "-" + id);
  out.lvm_pool = own + "-pool";
}

Disk parse_disk(const XmlNode& disk, int vm, const LvmNames& names) {
  const auto size = text_of(disk, "SIZE");
  Disk out{.id = id_of(disk, "DISK_ID", "DISK_ID of a disk of the VM"),
           .target = device_name(text_of(disk, "TARGET")),
           .type = upper(text_of(disk, "TYPE")),
           .format = lower(text_of(disk, "FORMAT")),
           .tm_mad = text_of(disk, "TM_MAD"),
           .source = text_of(disk, "SOURCE"),
           .size_mb = parse_number(size).value_or(0),
           .rbd = {},
           .ceph_user = text_of(disk, "CEPH_USER"),
           .ceph_conf = text_of(disk, "CEPH_CONF"),
           .ceph_key_file = text_of(disk, "CEPH_KEY"),
           .lvm = {},
           .lvm_pool = {}};
  out.rbd = rbd_of(disk, out.type, std::to_string(vm) + "-" + std::to_string(out.id));
  name_volume(out, disk, names);
  return out;
}

// It becomes part of the names of checkpoints and bitmaps.
std::string parse_capture(const XmlNode& config) {
  const auto name = text_of(config, "CAPTURE");
  if (name.size() > 32 || name.find_first_not_of("0123456789abcdef") != name.npos)
    throw BadRequest{"CAPTURE '" + name + "' is not hexadecimal"};
  return name;
}

std::optional<Chain> parse_chain(const XmlNode& config) {
  const auto text = config.find("CHAIN");
  return text ? std::optional{Chain::parse(*text)} : std::nullopt;
}

BackupConfig parse_config(const XmlNode& vm) {
  const auto config = vm.first("BACKUPS/BACKUP_CONFIG");
  if (!config) return {};
  const bool increment = upper(text_of(*config, "MODE")) == "INCREMENT";
  const bool snapshot = upper(text_of(*config, "INCREMENT_MODE")) == "SNAPSHOT";
  return {.mode = increment ? Mode::increment : Mode::full,
          .increment_mode = snapshot ? IncrementMode::snapshot : IncrementMode::cbt,
          .freeze = parse_freeze(text_of(*config, "FS_FREEZE")),
          .last_increment_id = id_or_none(*config, "LAST_INCREMENT_ID"),
          .capture = parse_capture(*config),
          .last_capture = config->find("LAST_CAPTURE"),
          .chain = parse_chain(*config),
          .stored = config->find("STORED"),
          .previous_increment_id = id_or_none(*config, "PREVIOUS_INCREMENT_ID"),
          .last_datastore_id = id_or_none(*config, "LAST_DATASTORE_ID"),
          .last_bridge = text_of(*config, "LAST_BRIDGE")};
}

}  // namespace

Vm Vm::parse(const XmlNode& node) {
  if (node.name() != "VM") throw BadRequest{"the request has no VM"};
  Vm vm{.id = id_of(node, "ID", "ID of the VM"),
        .deploy_id = text_of(node, "DEPLOY_ID"),
        .name = text_of(node, "NAME"),
        .lcm_state = parse_int(text_of(node, "LCM_STATE")).value_or(0),
        .disks = {},
        .backup = parse_config(node),
        .has_tpm = !text_of(node, "TEMPLATE/TPM/MODEL").empty(),
        .failed = upper(text_of(node, "BACKUP_RESULT")) == "FAILURE"};
  const auto names = lvm_names(node);
  for (const auto& disk : node.find_all("TEMPLATE/DISK"))
    vm.disks.push_back(parse_disk(disk, vm.id, names));
  return vm;
}

const Disk& Vm::disk(int wanted) const {
  const auto found =
      std::find_if(disks.begin(), disks.end(), [&](const Disk& d) { return d.id == wanted; });
  if (found != disks.end()) return *found;
  throw BadRequest{"VM " + std::to_string(id) + " has no disk " + std::to_string(wanted)};
}

std::vector<int> parse_disk_ids(std::string_view text) {
  std::vector<int> ids;
  if (text.ends_with(':')) text.remove_suffix(1);
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(':', begin), text.size());
    const auto id = parse_int(text.substr(begin, end - begin));
    if (!id) throw BadRequest{"not a list of disk ids: '" + std::string{text} + "'"};
    if (std::find(ids.begin(), ids.end(), *id) != ids.end())
      throw BadRequest{"disk " + std::to_string(*id) + " is listed twice"};
    ids.push_back(*id);
    begin = end + 1;
  }
  return ids;
}

std::string to_text(Freeze freeze) {
  switch (freeze) {
    case Freeze::agent:
      return "AGENT";
    case Freeze::suspend:
      return "SUSPEND";
    case Freeze::none:
      break;
  }
  return "NONE";
}

Freeze parse_freeze(std::string_view text) {
  const auto word = upper(text);
  if (word == "AGENT") return Freeze::agent;
  return word == "SUSPEND" ? Freeze::suspend : Freeze::none;
}
