// SPDX-License-Identifier: Apache-2.0
// INCREMENT_MODE=SNAPSHOT: each backup puts a new layer on top of the disk, and serves what has
// come to rest below it.  Nothing is taken away: see layer_merge.h for when that is.
#include <algorithm>
#include <memory>

#include "common/nbd/server.h"
#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/layer_book.h"
#include "tm/host/lib/layer_merge.h"
#include "tm/host/lib/layer_switch.h"
#include "tm/host/lib/live_chain.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/standstill.h"

namespace fs = std::filesystem;

namespace host {
namespace {

struct LayeredPart : Part {
  DiskLayers layers;        // before the new one came
  std::uint32_t depth = 0;  // so many of them are the increment
  std::string next;         // the new layer
};

std::string name_of(const Capture& capture, const Part& part) {
  return "disk " + std::to_string(part.id) + " of VM " + std::to_string(capture.request.vm.id);
}

// OpenNebula's own snapshots of a disk are layers, too, and other disks may be based upon them.
void refuse_snapshots(const Capture& capture, const Part& part) {
  const Xml vm{capture.request.vm_xml};
  for (const auto& list : vm.root().find_all("SNAPSHOTS"))
    if (list.find("DISK_ID") == std::to_string(part.id) && list.first("SNAPSHOT"))
      throw Error{name_of(capture, part) +
                  " has snapshots: INCREMENT_MODE=SNAPSHOT cannot be used with it"};
}

// libvirt cannot read what it has written of a VM whose disk has some 250.
void refuse_depth(const Capture& capture, const Part& part, const DiskLayers& layers) {
  constexpr std::size_t most = 60;
  if (layers.files.size() <= most) return;
  throw Error{
      name_of(capture, part) + " consists of " + std::to_string(layers.files.size()) +
      " files, one on top of the other: INCREMENT_MODE=SNAPSHOT adds no layer to more than " +
      std::to_string(most)};
}

// A layer at rest is read without its guest's qemu, which has the key; the new one would have none.
void refuse_encryption(const Capture& capture, const LayeredPart& part) {
  if (part.layers.encrypted)
    throw Error{name_of(capture, part) +
                " is encrypted: INCREMENT_MODE=SNAPSHOT cannot be used with it, use CBT"};
}

// What of the disk is the increment: the layers that have come since the parent.
void choose(const Capture& capture, const LayerBook& book, const Marks& marks, LayeredPart& part) {
  if (capture.parent() < 0) return;
  const std::string parent = "increment " + std::to_string(capture.parent());
  std::optional<std::size_t> since;
  const auto layer = book.since(capture.parent(), part.id);
  if (marks.find(capture.parent(), part.id))
    part.why = parent + " was taken with INCREMENT_MODE=CBT";
  else if (layer && part.layers.find(*layer))
    since = part.layers.find(*layer);
  else if (part.layers.layers() > 0 &&
           part.layers.active().filename() == std::to_string(capture.own()))
    since = 0;  // so does the core's own driver name the layer that has them
  else if (layer)
    part.why = "layer " + *layer + ", which had the changes since " + parent + ", is not there";
  else
    part.why = parent +
               " of this disk was not taken with INCREMENT_MODE=SNAPSHOT by this driver, "
               "or its record is lost";
  if (!since) return;
  part.why.clear();
  part.since_parent = true;
  part.depth = static_cast<std::uint32_t>(*since) + 1;
}

LayeredPart look_at(const Capture& capture, const LayerBook& book, const Marks& marks, int id) {
  const Disk& disk = capture.request.vm.disk(id);
  LayeredPart out;
  out.id = id;
  out.target = disk.target;
  out.format = disk.format;
  if (disk.format != "qcow2")
    throw Error{name_of(capture, out) + " has the format '" + disk.format +
                "': INCREMENT_MODE=SNAPSHOT needs qcow2"};
  refuse_snapshots(capture, out);
  out.layers = look_at_layers(capture.request.vm_dir, id, true);
  out.image = out.layers.active();
  refuse_depth(capture, out, out.layers);
  refuse_encryption(capture, out);
  choose(capture, book, marks, out);
  return out;
}

std::vector<LayeredPart> look_at_all(const Capture& capture, const LayerBook& book) {
  const Marks marks{capture.request.vm_dir};
  std::vector<LayeredPart> out;
  for (const int id : capture.request.disk_ids) out.push_back(look_at(capture, book, marks, id));
  return out;
}

class LayeredOrigin : public Origin {
 public:
  explicit LayeredOrigin(Capture& capture)
      : capture_{capture},
        book_{capture.request.vm_dir},
        found_{look_at_all(capture, book_)},
        parts_{found_.begin(), found_.end()} {
    result = capture.new_result();
    const auto sockets = TempDir::free_name();
    capture.journal.scratch = {sockets.path};
    capture.journal.save(capture.request.vm_dir);
    sockets_.emplace(sockets);  // which nobody would know of before
  }

  // A VM that is off.  While a layer is served no VM can be started on it; so it is served first.
  void take_stopped() {
    for (const auto& part : found_) image_info(part.image, part.format, Access::exclusive);
    serve();
    const auto layers = make_layers();
    for (const auto& layer : layers) relink(layer.link, layer.link_text);
    capture_.kept = MachineFiles{capture_.request, capture_.keeps()}.read();
    result.consistent = true;
    result.time = utc_now();
  }

  void take_running(Hypervisor& hypervisor, const Domain& domain) {
    const LiveDomain live =
        inspect(domain, capture_.request.vm, capture_.request.disk_ids, capture_.request.vm_dir);
    capture_.domain_xml = live.domain_xml;
    result.live = true;
    check_running(domain, live);
    const MachineFiles files{capture_.request, live.keeps};
    const auto layers = make_layers();
    try {
      announce_switch(capture_, domain, layers);
      auto still = freeze(hypervisor, domain);
      switch_layers(capture_, hypervisor, domain, layers, [&] {
        result.time = utc_now();
        snapshot(domain, "one-" + std::to_string(capture_.request.vm.id) + "-backup", layers,
                 live.others);
      });
      still->end(files);
    } catch (...) {
      take_back(domain);
      throw;
    }
    serve();
  }

  const std::vector<Part>& parts() const override { return parts_; }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (size_t i = 0; i < found_.size(); ++i) {
      CopyDisk copy;
      copy.source = {.socket = servers_[i]->socket(),
                     .name = found_[i].target,
                     .bitmap = {},
                     .layers = found_[i].depth};
      copy.base = capture_.parent() < 0 ? nbd::Base::none : nbd::Base::parent;
      copy.target = capture_.file_of(found_[i].id);
      out.push_back(std::move(copy));
    }
    return out;
  }

  void end() override { servers_.clear(); }

  // What a CBT attempt at the same increment has marked is not what the core will have.
  void commit(const std::vector<CopyDisk>&) override {
    Marks{capture_.request.vm_dir}.write(capture_.own(), {}, capture_.parent());
  }

 private:
  void check_running(const Domain& domain, const LiveDomain& live) const {
    for (size_t i = 0; i < found_.size(); ++i)
      if (!same_file(live.disks[i].file, found_[i].layers.active()))
        throw Error{name_of(capture_, found_[i]) + " runs on '" + live.disks[i].file.string() +
                    "', but '" + found_[i].layers.link.string() + "' is '" +
                    found_[i].layers.active().string() + "'"};
    // Their bitmaps would be in a layer that must not be opened for writing any more.
    Checkpoints ours{domain, capture_.request.vm.id};
    for (const auto& name : ours.names()) ours.remove(name);
    if (const int left = virDomainListAllCheckpoints(domain.get(), nullptr, 0); left != 0)
      throw Error{
          "VM " + std::to_string(capture_.request.vm.id) +
          " has checkpoints of another tool: INCREMENT_MODE=SNAPSHOT cannot be used with it"};
  }

  std::unique_ptr<Standstill> freeze(Hypervisor& hypervisor, const Domain& domain) try {
    return std::make_unique<Standstill>(capture_, hypervisor, domain, result,
                                        capture_.request.vm.backup.freeze);
  } catch (...) {
    forget_switch(capture_);
    throw;
  }

  std::vector<NewLayer> make_layers() {
    std::vector<NewLayer> out;
    std::map<int, std::string> names;
    for (auto& part : found_) {
      adopt(part.layers);
      part.next = free_layer_name(part.layers, capture_.own());
      book_.add(part.id, part.next);
      make_layer(part.layers.file_of(part.next),
                 part.layers.file_of(part.layers.active().filename()));
      names[part.id] = part.next;
      out.push_back({.disk = part.id,
                     .target = part.target,
                     .file = part.layers.file_of(part.next),
                     .link = part.layers.link,
                     .link_text = link_text(part.layers, part.next)});
    }
    book_.begin(capture_.own(), names, capture_.parent());
    return out;
  }

  // Those of the new layers that are not in use.
  void take_back(const Domain& domain) noexcept try {
    for (const auto& part : found_)
      sweep_layers({capture_.request.vm_dir, part.id, part.target, &domain}, book_);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());
  }

  void serve() {
    for (const auto& part : found_) {
      const nbd::Server::Order order{.image = part.layers.active(),
                                     .format = part.format,
                                     .export_name = part.target,
                                     .bitmap = {},
                                     .layers = part.since_parent};
      const auto socket = sockets_->path() / (std::to_string(part.id) + ".sock");
      servers_.push_back(std::make_unique<nbd::Server>(order, socket));
    }
  }

  Capture& capture_;
  LayerBook book_;
  std::vector<LayeredPart> found_;
  std::vector<Part> parts_;
  std::optional<TempDir> sockets_;
  std::vector<std::unique_ptr<nbd::Server>> servers_;
};

// A domain that is defined while it is off must be started on the link, or it would not see the new
// layer.
void check_definition(const Capture& capture, Hypervisor& hypervisor) {
  if (capture.request.vm.deploy_id.empty()) return;
  const auto domain = hypervisor.find(capture.request.vm.deploy_id);
  if (!domain) return;
  for (const int id : capture.request.disk_ids) {
    const Disk& disk = capture.request.vm.disk(id);
    const fs::path link = capture.request.vm_dir / ("disk." + std::to_string(id));
    const auto name = live_chain(*domain, disk.target).front().name;
    if (name.lexically_normal() != link)
      throw Error{"the domain of VM " + std::to_string(capture.request.vm.id) +
                  " is defined with '" + name.string() + "' and not with '" + link.string() +
                  "': INCREMENT_MODE=SNAPSHOT cannot be used while it is off"};
  }
}

}  // namespace

void look_after_layers(const HostRequest& request, Hypervisor& hypervisor) {
  LayerBook book{request.vm_dir};
  if (book.empty() && request.vm.backup.increment_mode != IncrementMode::snapshot) return;
  const auto domain =
      request.vm.deploy_id.empty() ? std::nullopt : hypervisor.find(request.vm.deploy_id);
  const Domain* running = domain && is_active(*domain) ? &*domain : nullptr;
  for (const int id : request.file_disks()) {
    const LayeredDisk disk{request.vm_dir, id, request.vm.disk(id).target, running};
    try {
      follow_running(disk);
      merge_layers(disk, book, request.vm.backup.parent_id());
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      log(Level::warn, std::string{e.what()} + "; layers are kept until the next backup");
    }
  }
}

std::unique_ptr<Origin> open_layered_live(Capture& capture, Hypervisor& hypervisor,
                                          const Domain& domain) {
  auto out = std::make_unique<LayeredOrigin>(capture);
  out->take_running(hypervisor, domain);
  return out;
}

std::unique_ptr<Origin> open_layered_offline(Capture& capture, Hypervisor& hypervisor) {
  check_definition(capture, hypervisor);
  auto out = std::make_unique<LayeredOrigin>(capture);
  out->take_stopped();
  return out;
}

}  // namespace host
