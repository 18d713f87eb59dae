// SPDX-License-Identifier: Apache-2.0
// What restores make: disk images and templates.
#include "drivers/lib/object_parts.h"

namespace objects {
namespace {

int number_of(state::ObjectState state) {
  switch (state) {
    case state::ObjectState::ready:
      return 1;
    case state::ObjectState::locked:
      return 4;
    case state::ObjectState::error:
      return 5;
    case state::ObjectState::deleting:
      return 7;
  }
  return 5;
}

}  // namespace

std::string disk_image(const state::DiskImage& one, const std::string& datastore,
                       const Owners& owners, const std::optional<ProgressReport>& progress) {
  XmlWriter out;
  out.open("IMAGE");
  identity(out, one.id, one.owner, one.name, owners);
  permissions(out, 0);
  out.number("TYPE", one.is_os ? 0 : 2).number("DISK_TYPE", 0).number("PERSISTENT", 1);
  out.number("REGTIME", one.created).number("MODTIME", one.created);
  out.text("SOURCE", one.source.string()).text("PATH", "").text("FORMAT", "qcow2").text("FS", "");
  out.number("SIZE", one.size_mib);
  out.number("STATE", number_of(one.state)).number("PREV_STATE", number_of(one.state));
  out.number("RUNNING_VMS", 0).number("CLONING_OPS", 0).number("CLONING_ID", -1);
  out.number("TARGET_SNAPSHOT", -1).number("DATASTORE_ID", one.datastore);
  out.text("DATASTORE", datastore);
  for (const auto* name : {"VMS", "CLONES", "APP_CLONES"}) out.open(name).close(name);
  out.open("TEMPLATE").number("FROM_BACKUP", one.origin.image);
  if (!one.error.empty()) out.text("ERROR", one.error);
  add_progress(out, progress);
  out.close("TEMPLATE");
  for (const auto* name : {"SNAPSHOTS", "BACKUP_INCREMENTS", "BACKUP_DISK_IDS"})
    out.open(name).close(name);
  return out.close("IMAGE").take();
}

std::string vm_template(const state::TemplateRecord& one, const Owners& owners) {
  XmlWriter out;
  out.open("VMTEMPLATE");
  identity(out, one.id, one.owner, one.name, owners);
  permissions(out, 0);
  out.number("REGTIME", one.created).open("TEMPLATE").raw(attributes_of(one.text));
  if (!one.error.empty()) out.text("ERROR", one.error);
  return out.close("TEMPLATE").close("VMTEMPLATE").take();
}

}  // namespace objects
