// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/for_stock.h"

#include <unistd.h>

#include <cerrno>

#include "common/command.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/layer_book.h"
#include "tm/host/lib/layer_merge.h"
#include "tm/host/lib/layer_switch.h"
#include "tm/host/lib/live_chain.h"

namespace fs = std::filesystem;

namespace host {
namespace {

std::string named(const DiskLayers& layers, std::size_t at) {
  return (layers.dir / layers.files[at].filename()).string();
}

// What the layers below the active one, down to this one, have, the active one has then itself.
void gather(const LayeredDisk& disk, const DiskLayers& layers, std::size_t last) {
  const std::string doing = "gather the layers of disk " + std::to_string(disk.id);
  if (last + 1 >= layers.files.size()) throw Error{"cannot " + doing + ": there is no base"};
  if (!disk.running) {
    Command{"qemu-img",
            "rebase",
            "-q",
            "-f",
            "qcow2",
            "-F",
            "qcow2",
            "-b",
            named(layers, last + 1),
            "--",
            layers.active().string()}
        .output();
    return;
  }
  const auto chain = live_chain(*disk.running, disk.target);
  if (chain.size() != layers.files.size())
    throw Error{"cannot " + doing + ": libvirt sees other layers than the files tell of"};
  // qemu writes the name of the new base into the active layer.
  if (!may_be_reopened(chain[last + 1], layers.files[last + 1]))
    throw Error{"cannot " + doing + " while the VM runs: qemu knows '" +
                layers.files[last + 1].string() + "' as '" + chain[last + 1].name.string() +
                "', which is another file now; do it when the VM is off, or was started anew"};
  if (virDomainBlockRebase(disk.running->get(), disk.target.c_str(), chain[last + 1].index.c_str(),
                           0, 0) != 0)
    throw VirtError{doing};
  wait_for_end(*disk.running, disk.target, VIR_DOMAIN_BLOCK_JOB_TYPE_PULL, doing);
  if (live_chain(*disk.running, disk.target).size() != chain.size() - last)
    throw Error{"cannot " + doing + ": qemu gave it up"};
}

void rename_stopped(const DiskLayers& layers, const std::string& name) {
  const fs::path file = layers.file_of(name);
  if (::link(layers.active().c_str(), file.c_str()) != 0)
    throw system_error("give '" + layers.active().string() + "' the name '" + file.string() + "'",
                       errno);
  sync_directory(layers.dir);
  relink(layers.link, link_text(layers, name));
}

// qemu has the file open under its name, so the layer of the other name is a copy; every write goes
// to both until the guest goes on with the new one.
void rename_running(Capture& capture, Hypervisor& hypervisor, const LayeredDisk& disk,
                    const DiskLayers& layers, const std::string& name) {
  const std::string doing =
      "copy layer " + layers.active().filename().string() + " of disk " + std::to_string(disk.id);
  const fs::path file = layers.file_of(name);
  make_layer(file, named(layers, 1));
  const Xml destination = Xml::create("disk");
  destination.root().set_attribute("type", "file");
  destination.root().add("driver").set_attribute("type", "qcow2");
  destination.root().add("source").set_attribute("file", file.string());
  const Domain& domain = *disk.running;
  constexpr unsigned flags = VIR_DOMAIN_BLOCK_COPY_SHALLOW | VIR_DOMAIN_BLOCK_COPY_REUSE_EXT |
                             VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES |
                             VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB;
  if (virDomainBlockCopy(domain.get(), disk.target.c_str(), destination.dump().c_str(), nullptr, 0,
                         flags) != 0)
    throw VirtError{doing};
  wait_until_ready(domain, disk.target, VIR_DOMAIN_BLOCK_JOB_TYPE_COPY, doing);
  const std::vector<NewLayer> next{{.disk = disk.id,
                                    .target = disk.target,
                                    .file = file,
                                    .link = layers.link,
                                    .link_text = link_text(layers, name)}};
  announce_switch(capture, domain, next);
  switch_layers(capture, hypervisor, domain, next, [&] {
    if (virDomainBlockJobAbort(domain.get(), disk.target.c_str(),
                               VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) != 0)
      throw VirtError{doing};
  });
}

void tell_of_link(const LayeredDisk& disk, const DiskLayers& layers) {
  if (!disk.running || layers.layers() == 0) return;
  const auto base = layers.layers() - 1;
  const auto chain = live_chain(*disk.running, disk.target);
  if (base == 0 || base >= chain.size() || may_be_reopened(chain[base], layers.files[base])) return;
  log(Level::warn, "disk " + std::to_string(disk.id) + ": qemu knows layer 0 as '" +
                       chain[base].name.string() +
                       "': OpenNebula's own driver can take the next increment of it when the VM "
                       "is off, or was started anew");
}

void leave_disk(Capture& capture, Hypervisor& hypervisor, const LayeredDisk& disk,
                LayerBook& book) {
  follow_running(disk);
  merge_layers(disk, book, capture.parent());
  DiskLayers layers = look_at_layers(disk.vm_dir, disk.id, false);
  if (layers.plain || layers.layers() == 0 || capture.parent() < 0) return;
  const auto since = book.since(capture.parent(), disk.id);
  if (const auto last = since ? layers.find(*since) : std::nullopt; last && *last > 0) {
    for (std::size_t i = 1; i <= *last; ++i) book.add(disk.id, layers.files[i].filename());
    gather(disk, layers, *last);
    book.rename(disk.id, *since, layers.active().filename());
    layers = look_at_layers(disk.vm_dir, disk.id, false);
  }
  sweep_layers(disk, book);
  const std::string old = layers.active().filename(), name = std::to_string(capture.own());
  if (old != name) {
    if (fs::exists(layers.file_of(name)))
      throw Error{"'" + layers.file_of(name).string() + "' is in the way of layer " + old};
    book.add(disk.id, name);
    book.add(disk.id, old);
    if (disk.running)
      rename_running(capture, hypervisor, disk, layers, name);
    else
      rename_stopped(layers, name);
    book.rename(disk.id, old, name);
    sweep_layers(disk, book);
  }
  tell_of_link(disk, look_at_layers(disk.vm_dir, disk.id, false));
}

}  // namespace

void leave_to_stock(Capture& capture, Hypervisor& hypervisor) {
  const HostRequest& request = capture.request;
  const auto domain =
      request.vm.deploy_id.empty() ? std::nullopt : hypervisor.find(request.vm.deploy_id);
  const Domain* running = domain && is_active(*domain) ? &*domain : nullptr;
  if (running) capture.journal.domain = uuid_of(*running);
  LayerBook book{request.vm_dir};
  for (const int id : request.disk_ids)
    leave_disk(capture, hypervisor, {request.vm_dir, id, request.vm.disk(id).target, running},
               book);
}

}  // namespace host
