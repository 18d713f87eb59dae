// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/restore_request.h"

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/location.h"
#include "common/one/xml.h"
#include "tm/lib/rbd_image.h"

namespace {

int id_at(const XmlNode& node, const std::string& name) {
  if (const auto id = parse_int(node.at(name))) return *id;
  throw BadRequest{"the " + name + " of the request is not a number"};
}

std::optional<rbd::Image> image_at(const XmlNode& node) {
  Disk disk;
  disk.rbd = node.find("RBD").value_or("");
  if (disk.rbd.empty()) return std::nullopt;
  disk.ceph_user = node.find("CEPH_USER").value_or("");
  disk.ceph_conf = node.find("CEPH_CONF").value_or("");
  disk.ceph_key_file = node.find("CEPH_KEY").value_or("");
  return image_of(disk);
}

std::optional<lvm::Volume> volume_at(const XmlNode& node) {
  const auto text = node.find("LVM").value_or("");
  if (text.empty()) return std::nullopt;
  auto out = lvm::parse_volume(text);
  if (const auto pool = node.find("LVM_POOL").value_or(""); !pool.empty())
    lvm::parse_volume(out.group + "/" + pool);
  return out;
}

}  // namespace

RestoreRequest RestoreRequest::decode(std::string_view line) {
  const Xml document{base64_decode(line)};
  const XmlNode root = document.root();
  if (root.name() != "RESTORE_HOST") throw BadRequest{"the request is no RESTORE_HOST document"};
  RestoreRequest request{.vm_id = id_at(root, "VM_ID"),
                         .vm_dir = normal_path(root.at("VM_DIR")),
                         .disks = {},
                         .tpm = root.at("TPM") == "YES"};
  for (const auto& node : root.find_all("DISK")) {
    RestoredDisk disk{.id = id_at(node, "ID"),
                      .image = image_at(node),
                      .volume = volume_at(node),
                      .pool = node.find("LVM_POOL").value_or(""),
                      .layout = node.at("LAYOUT") == "LAYERS" ? Layout::layers : Layout::plain,
                      .source = {},
                      .raw = node.at("RAW") == "YES",
                      .size_mb = node.number_at("SIZE")};
    if (const auto source = node.at("SOURCE"); !source.empty()) disk.source = normal_path(source);
    if (request.find(disk.id)) throw BadRequest{"a disk is in the request twice"};
    request.disks.push_back(std::move(disk));
  }
  if (request.disks.empty()) throw BadRequest{"the request has no disk"};
  return request;
}

std::string RestoreRequest::encode() const {
  const Xml document = Xml::create("RESTORE_HOST");
  XmlNode root = document.root();
  root.add("VM_ID", std::to_string(vm_id));
  root.add("VM_DIR", vm_dir.string());
  root.add("TPM", tpm ? "YES" : "NO");
  for (const auto& disk : disks) {
    XmlNode node = root.add("DISK");
    node.add("ID", std::to_string(disk.id));
    if (disk.image) {
      node.add("RBD", disk.image->display());
      node.add("CEPH_USER", disk.image->user);
      node.add("CEPH_CONF", disk.image->conf);
      node.add("CEPH_KEY", disk.image->key_file);
    }
    if (disk.volume) {
      node.add("LVM", disk.volume->display());
      node.add("LVM_POOL", disk.pool);
    }
    node.add("LAYOUT", disk.layout == Layout::layers ? "LAYERS" : "PLAIN");
    node.add("SOURCE", disk.source.string());
    node.add("RAW", disk.raw ? "YES" : "NO");
    node.add("SIZE", std::to_string(disk.size_mb));
  }
  return base64_encode(document.dump()) + "\n";
}

const RestoredDisk* RestoreRequest::find(int disk) const {
  for (const auto& one : disks)
    if (one.id == disk) return &one;
  return nullptr;
}
