// SPDX-License-Identifier: Apache-2.0
// Disks in Ceph: a snapshot of each is what the backup reads, and that of the parent says what has
// changed since.
#include <algorithm>
#include <map>
#include <thread>

#include "common/error.h"
#include "common/nbd/server.h"
#include "common/nbd/zeros.h"
#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/rbd_snapshots.h"
#include "tm/host/lib/storage.h"
#include "tm/lib/rbd_image.h"

namespace host {
namespace {

struct RbdPart : Part {
  rbd::Image place;
  std::optional<nbd::Map> map;
};

std::string name_of(const Capture& capture, const Part& part) {
  return "disk " + std::to_string(part.id) + " of VM " + std::to_string(capture.request.vm.id);
}

// What the running domain has: images in Ceph by the names of their targets.
std::map<std::string, std::string> images_of(const Domain& domain) {
  const Xml live{take(virDomainGetXMLDesc(domain.get(), 0), "read a domain's XML")};
  std::map<std::string, std::string> out;
  for (const auto& disk : live.root().find_all("devices/disk")) {
    const auto target = disk.first("target"), source = disk.first("source[@protocol='rbd']");
    if (target && source)
      out[target->attribute("dev").value_or("")] = source->attribute("name").value_or("");
  }
  return out;
}

// All at the same time, and each to its end; then the first error.
template <class Action>
void side_by_side(std::vector<RbdPart>& parts, const Action& action) {
  std::vector<std::exception_ptr> errors(parts.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < parts.size(); ++i)
      threads.emplace_back([&, i]() noexcept {
        try {
          action(parts[i]);
        } catch (...) {
          errors[i] = std::current_exception();
        }
      });
  }
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
}

class RbdDisks : public Storage {
 public:
  RbdDisks(Capture& capture, const RunningGuest* guest)
      : capture_{capture},
        access_{.deadline = deadline_of(capture.request)},
        reading_{Reading::of(capture.request, capture.request.disk_ids.size())} {
    const auto images = guest ? images_of(guest->domain) : std::map<std::string, std::string>{};
    for (const int id : capture_.request.rbd_disks()) {
      RbdPart& part = found_.emplace_back(describe(capture_.request.vm.disk(id)));
      if (guest) insist_on(images, part);
      choose(part);
    }
    parts_.assign(found_.begin(), found_.end());
  }
  RbdDisks(const RbdDisks&) = delete;
  ~RbdDisks() override {
    servers_.clear();
    remove_own();
  }

  void announce() override {
    for (const auto& part : found_)
      capture_.journal.snapshots.push_back({.image = part.place, .name = own_name()});
    announced_ = true;
    capture_.journal.scratch.push_back(sockets_.path());
    capture_.journal.save(capture_.request.vm_dir);
  }

  void take() override {
    side_by_side(found_,
                 [&](RbdPart& part) { rbd::create_snapshot(part.place, own_name(), access_); });
  }

  void serve() override {
    for (auto& part : found_) {
      if (capture_.cbt()) rbd::protect_snapshot(part.place, own_name(), access_);
      open(part);
      part.map = look_for_content(part);
    }
  }

  std::size_t moments() const override { return found_.size(); }
  const std::vector<Part>& parts() const override { return parts_; }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      CopyDisk copy;
      copy.source = source_of(found_[i], *servers_[i]);
      copy.base = base();
      copy.target = capture_.file_of(found_[i].id);
      copy.map = found_[i].map;
      out.push_back(std::move(copy));
    }
    return out;
  }

  void end() override { servers_.clear(); }

  // The next increment needs the snapshot of this one; that of a full has served when the backup
  // has ended.
  void commit(const std::vector<CopyDisk>&) override {
    if (!capture_.cbt()) return;
    announced_ = false;
    capture_.journal.snapshots.clear();
    capture_.journal.save(capture_.request.vm_dir);
  }

 private:
  static std::chrono::seconds deadline_of(const HostRequest& request) {
    return std::chrono::seconds{std::max<std::int64_t>(1, request.number("CEPH_DEADLINE", 30))};
  }

  nbd::Base base() const { return capture_.parent() < 0 ? nbd::Base::none : nbd::Base::parent; }
  std::string own_name() const {
    return capture_.cbt() ? increment_snapshot(capture_.own()) : full_snapshot;
  }
  std::string parent_name() const { return increment_snapshot(capture_.parent()); }

  static RbdPart describe(const Disk& disk) {
    RbdPart out;
    out.id = disk.id;
    out.target = disk.target;
    out.format = "rbd";
    out.place = image_of(disk);
    return out;
  }

  void insist_on(const std::map<std::string, std::string>& images, const RbdPart& part) const {
    const auto found = images.find(part.target);
    if (found != images.end() && found->second == part.place.display()) return;
    throw Error{name_of(capture_, part) + " should be the Ceph image " + part.place.display() +
                ", but the domain has " +
                (found == images.end() ? "none of Ceph" : "'" + one_line(found->second) + "'") +
                " as '" + part.target + "'"};
  }

  // Keeps the parent, removes older ones and what a failed attempt left (design.md 3.1).
  void choose(RbdPart& part) {
    for (const auto& one : rbd::snapshots(part.place, access_)) {
      if (!is_snapshot_name(one.name)) continue;
      if (capture_.parent() >= 0 && one.name == parent_name())
        part.since_parent = true;
      else
        remove_old(part, one.name);
    }
    if (capture_.parent() >= 0 && !part.since_parent)
      part.why = "the snapshot " + parent_name() + " of " + part.place.display() + " is not there";
  }

  void remove_old(const RbdPart& part, const std::string& name) const try {
    rbd::remove_snapshot(part.place, name, access_);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    if (name == own_name()) throw;
    log(Level::warn, e.what());
  }

  static nbd::Export source_of(const RbdPart& part, const nbd::Server& server) {
    return {.socket = server.socket(), .name = part.target, .bitmap = {}};
  }

  void open(const RbdPart& part) {
    const nbd::Server::Order order{
        .image = rbd::qemu_name(part.place, own_name(), reading_.deadline),
        .format = "raw",
        .export_name = part.target,
        .bitmap = {}};
    const auto socket = sockets_.path() / (std::to_string(part.id) + ".sock");
    servers_.push_back(std::make_unique<nbd::Server>(order, socket));
  }

  // The size comes from the snapshot itself: the image may have been resized since.
  nbd::Map look_for_content(const RbdPart& part) const {
    const auto all = rbd::snapshots(part.place, access_);
    const auto own = std::find_if(all.begin(), all.end(),
                                  [&](const auto& one) { return one.name == own_name(); });
    if (own == all.end())
      throw Error{"somebody has removed the snapshot " + own_name() + " of " +
                  part.place.display()};
    const auto since = part.since_parent ? std::optional{parent_name()} : std::nullopt;
    nbd::Map out{.size = own->size, .dirty_bytes = 0, .extents = {}};
    out.extents = rbd::difference(part.place, *own, since, access_);
    for (const auto& one : out.extents) out.dirty_bytes += one.length;
    out.extents = nbd::without_zeros(source_of(part, *servers_.back()), out, reading_.deadline,
                                     reading_.limiter);
    if (base() == nbd::Base::none)
      std::erase_if(out.extents,
                    [](const auto& one) { return one.content != qcow2::Content::data; });
    else if (!part.since_parent)
      out.extents = rest_as_zeros(out.extents, out.size);
    return out;
  }

  // Whoever reads what is absent would see the parent.
  static qcow2::Extents rest_as_zeros(const qcow2::Extents& extents, std::uint64_t size) {
    qcow2::Extents out;
    const auto fill = [&](std::uint64_t to) {
      const std::uint64_t at = out.empty() ? 0 : out.back().end();
      if (at < to) append(out, {at, to - at, qcow2::Content::zero});
    };
    for (const auto& one : extents) {
      fill(one.offset);
      append(out, one);
    }
    fill(size);
    return out;
  }

  void remove_own() noexcept try {
    if (!announced_) return;
    host::remove_snapshots(capture_.journal.snapshots,
                           {.deadline = access_.deadline, .shielded = true});
    capture_.journal.snapshots.clear();
    capture_.journal.save(capture_.request.vm_dir);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());  // and the journal keeps the debt
  }

  Capture& capture_;
  const rbd::Access access_;
  const Reading reading_;
  std::vector<RbdPart> found_;
  std::vector<Part> parts_;
  bool announced_ = false;
  TempDir sockets_;
  std::vector<std::unique_ptr<nbd::Server>> servers_;
};

}  // namespace

std::unique_ptr<Storage> rbd_disks(Capture& capture, const RunningGuest* guest) {
  if (capture.request.rbd_disks().empty()) return nullptr;
  return std::make_unique<RbdDisks>(capture, guest);
}

}  // namespace host
