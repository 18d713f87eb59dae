// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/capture.h"

#include <unistd.h>

#include <algorithm>

#include "common/file.h"
#include "tm/host/lib/image_token.h"
#include "tm/host/lib/layer_book.h"

namespace host {

Journal new_journal(const HostRequest& request, Hypervisor* hypervisor) {
  Journal out;
  out.run = random_hex(8);
  if (hypervisor) out.host_uuid = hypervisor->host_uuid();
  out.boot_id = boot_id();
  out.pid = getpid();
  out.vm_id = request.vm.id;
  out.libvirt_uri = request.libvirt_uri;
  out.backup_dir = request.backup_dir;
  return out;
}

std::optional<Domain> domain_of(Hypervisor& hypervisor, const HostRequest& request) {
  if (request.vm.deploy_id.empty()) return std::nullopt;
  return hypervisor.find(request.vm.deploy_id);
}

Domain running_domain(Capture& capture, Hypervisor& hypervisor) {
  const std::string& name = capture.request.vm.deploy_id;
  if (name.empty()) throw BadRequest{"the request names no domain (DEPLOY_ID)"};
  Domain domain = hypervisor.get(name);
  if (!is_active(domain)) throw Error{"the domain '" + name + "' does not run any more"};
  capture.journal.domain = uuid_of(domain);
  return domain;
}

void note_state(Journal& journal, const Domain& domain) {
  const State state = state_of(domain);
  journal.was_paused = state.paused();
  journal.had_io_error = state.paused_by_io_error();
}

void look_at_stopped(Capture& capture, Hypervisor& hypervisor) {
  const auto domain = domain_of(hypervisor, capture.request);
  if (!domain) return;
  capture.journal.domain = uuid_of(*domain);
  capture.domain_xml = take(virDomainGetXMLDesc(domain->get(), VIR_DOMAIN_XML_INACTIVE),
                            "read a domain's definition");
}

std::filesystem::path Capture::file_of(int disk) const {
  return request.backup_dir / ("disk." + std::to_string(disk) + "." + std::to_string(own()));
}

std::string Capture::own_bitmap() const {
  return checkpoint_name(request.vm.id, own(), request.vm.backup.capture);
}

Result Capture::new_result() const {
  Result out;
  out.vm_id = request.vm.id;
  out.increment = own();
  out.parent = parent();
  out.mode = request.vm.backup.mode;
  out.asked = request.vm.backup.freeze;
  out.capture = request.vm.backup.capture;
  return out;
}

Keeps Capture::keeps() const {
  if (domain_xml.empty()) return {};
  return Keeps::of(Xml{domain_xml}.root());
}

std::optional<std::string> unfit(const Capture& capture, const Marks& marks, const Part& part,
                                 std::uint64_t size_now) {
  if (part.format == "raw") return "raw disks have no dirty bitmap";
  if (!part.bitmaps) return "qcow2 version 2 has no dirty bitmap";
  const std::string parent = "increment " + std::to_string(capture.parent());
  const auto mark = marks.find(capture.parent(), part.id);
  if (!mark) {
    if (LayerBook{capture.request.vm_dir}.since(capture.parent(), part.id))
      return parent + " was taken with INCREMENT_MODE=SNAPSHOT";
    // A chain whose full another driver took may have a hole between its snapshot and its
    // checkpoint (design.md 3.1), and nothing tells which one it was.
    if (capture.request.setting("STOCK_PARENT", "") == "trust") return std::nullopt;
    return parent + " of this disk was not taken by this driver, or its marks are lost";
  }
  if (const auto& last = capture.request.vm.backup.last_capture; last && mark->capture != *last)
    return "the marks of " + parent + " are those of a backup that failed, or is not known";
  if (checkpoint_increment(capture.request.vm.id, mark->bitmap) != capture.parent())
    return "the mark of " + parent + " is of another bitmap";
  if (mark->size != size_now) return "the disk was resized since " + parent;
  if (mark->image != identity_of(part.image)) return "the image was replaced since " + parent;
  if (!mark->token.empty() && mark->token != token_of(part.image, mark->bitmap))
    return "the bitmap of " + parent +
           " is another one, or gone: another vmvault's, or that of an older copy of the image";
  if (mark->backing && *mark->backing != backing_of(part.image))
    return "the image has another backing file than at " + parent;
  // qemu never makes a file shorter but with its disk.  An older copy that was written over it has
  // bitmaps of another chain, whose names may be the same.
  if (length_of(part.image) < mark->length)
    return "the image is shorter than at " + parent +
           ": the disk was smaller for a while, or this is an older copy";
  return std::nullopt;
}

DiskResult disk_result(const Capture& capture, const Part& part, const CopyDisk& copy) {
  DiskResult out;
  out.id = part.id;
  out.target = part.target;
  out.file = copy.target.filename();
  out.format = part.format;
  const bool is_increment = part.since_parent && !copy.lost;
  out.kind = capture.parent() < 0 ? "full" : is_increment ? "increment" : "whole";
  out.why = copy.lost ? "the disk was smaller for a while since increment " +
                            std::to_string(capture.parent())
                      : part.why;
  out.virtual_size = copy.virtual_size;
  out.dirty_bytes = copy.dirty_bytes;
  out.read_bytes = std::min(copy.data_bytes, copy.virtual_size);
  out.file_size = copy.file_size;
  return out;
}

DocumentResult document_result(const Kept& kept) {
  const bool there = kept.why.empty();
  return {.what = kept.what,
          .file = there ? kept.name : "",
          .why = kept.why,
          .size = kept.bytes.size()};
}

void keep_sums(const Capture& capture, const std::string& name, const std::string& sums) {
  if (capture.request.setting("KEEP_SUMS", "NO") == "YES")
    write_file(capture.request.vm_dir / ("backup." + name), sums);
}

}  // namespace host
