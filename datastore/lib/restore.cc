// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/restore.h"

#include <map>
#include <optional>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/config.h"
#include "common/one/datastore.h"
#include "common/one/image.h"
#include "common/one/machine_state.h"
#include "datastore/lib/restored_objects.h"
#include "datastore/lib/restored_vm.h"

namespace fs = std::filesystem;

namespace restored {
namespace {

// Options of the caller: "" where one is missing.
std::string option(const Xml& request, const std::string& name) {
  return request.find("TEMPLATE/" + name).value_or("");
}

std::optional<int> id_option(const Xml& request, const std::string& name) {
  const auto text = option(request, name);
  if (text.empty() || text == "-1") return std::nullopt;
  if (const auto id = parse_int(text)) return id;
  throw BadRequest{"the option " + name + " is not a number"};
}

bool flag(const Xml& request, const std::string& name) {
  auto text = option(request, name);
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text == "YES";
}

XmlNode element(const Xml& request, const std::string& name) {
  if (const auto node = request.root().first(name)) return *node;
  throw BadRequest{"the request has no " + name};
}

std::chrono::seconds limit() {
  const auto text = setting("RESTORE_LIMIT");
  if (!text) return std::chrono::seconds{170};  // of the 180 that the core waits
  if (const auto seconds = parse_int(*text, 1, 86400)) return std::chrono::seconds{*seconds};
  throw Error{"the setting RESTORE_LIMIT is not a number of seconds"};
}

struct Backup {
  Image image;
  DiskUrl url;  // complete but for its path
  Increment increment;

  std::optional<fs::path> find(std::string_view name) const {
    for (const auto& file : increment.files)
      if (file.filename() == name) return file;
    return std::nullopt;
  }
  std::string document(std::string_view name) const {
    if (const auto file = find(name)) return increment.read(*file);
    throw Error{"increment " + url.chain.last().source + " has no file '" + std::string{name} +
                "'"};
  }
};

Backup find_backup(const Xml& request, const Open& open) {
  Backup backup{.image = Image::parse(element(request, "IMAGE")), .url = {}, .increment = {}};
  const Datastore datastore{element(request, "DATASTORE")};
  if (!backup.image.chain)
    throw BadRequest{"image " + std::to_string(backup.image.id) +
                     " has neither increments nor a SOURCE"};
  backup.url.datastore_id = datastore.id();
  backup.url.job_id = backup.image.job_id;
  backup.url.chain = backup.image.chain->up_to(id_option(request, "INCREMENT_ID").value_or(-1));
  backup.increment = open(request, backup.url.chain);
  const bool ceph = backup.image.format == "rbd";
  backup.url.protocol = backup.increment.protocol + (ceph ? "+rbd" : "");
  return backup;
}

// By disk id.
std::map<int, DiskUrl> find_disks(const Backup& backup, std::optional<int> only) {
  std::map<int, DiskUrl> disks;
  for (const auto& file : backup.increment.files) {
    DiskUrl url = backup.url;
    url.path = file;
    if (url.is_disk() && (!only || url.disk_id() == *only)) disks.emplace(url.disk_id(), url);
  }
  if (!disks.empty()) return disks;
  throw Error{only ? "the backup has no disk " + std::to_string(*only)
                   : "the backup holds no disks"};
}

std::string base_name(const Xml& request, const Backup& backup, const XmlNode& vm) {
  if (auto name = option(request, "NAME"); !name.empty()) return name;
  const auto id = backup.image.vm_id ? std::to_string(*backup.image.vm_id) : vm.at("ID");
  return id + "-" + backup.url.chain.last().source;
}

}  // namespace

std::string restore(const Request& request, const Open& open) {
  const auto& xml = request.xml();
  const auto destination = static_cast<int>(xml.root().number_at("DESTINATION_DS_ID"));
  const auto only = id_option(xml, "DISK_ID");
  Objects objects{xml.at("TEMPLATE/USERNAME"), limit()};

  const Backup backup = find_backup(xml, open);
  const auto disks = find_disks(backup, only);
  // Despite its name the file is base64 (contract 4.6).
  const Xml vm{base64_decode(backup.document("vm.xml"))};
  RestoredVm restored{.name = base_name(xml, backup, vm.root()),
                      .images = {},
                      .no_ip = flag(xml, "NO_IP"),
                      .no_nic = flag(xml, "NO_NIC"),
                      .tpm = {}};
  if (!only && backup.find(machine_state::tpm_document))
    restored.tpm = backup.document(machine_state::tpm_document);

  std::string reply;
  for (const auto& [id, url] : disks) {
    restored.images[id] = objects.image(restored.name + "-disk-" + std::to_string(id),
                                        image_template(restored.name, url), destination);
    reply += " " + std::to_string(restored.images[id]);
  }
  int vm_id = -1;
  if (!only)
    vm_id = objects.vm_template(restored.name, to_client_text(vm_template(vm.root(), restored)));
  objects.keep();
  return std::to_string(vm_id) + reply;
}

}  // namespace restored
