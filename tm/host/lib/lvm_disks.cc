// SPDX-License-Identifier: Apache-2.0
// Disks in LVM: a thin snapshot of each is what the backup reads, and that of the parent says what
// has changed since.  A volume that is not thin is read itself, in full, while the VM is off.
#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "common/cancel.h"
#include "common/error.h"
#include "common/lvm/changes.h"
#include "common/nbd/server.h"
#include "common/nbd/zeros.h"
#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/lvm_snapshots.h"
#include "tm/host/lib/rest_as_zeros.h"
#include "tm/host/lib/snapshot_note.h"
#include "tm/host/lib/storage.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr std::string_view note_tag = "vmvault:";

struct LvmPart : Part {
  lvm::Volume place;
  std::string pool;  // empty: not thin
  std::uint64_t size = 0;
  std::optional<nbd::Map> map;
};

// What the running domain has: devices by the names of their targets.
std::map<std::string, fs::path> devices_of(const Domain& domain) {
  const Xml live =
      Xml::from_libvirt(take(virDomainGetXMLDesc(domain.get(), 0), "read a domain's XML"));
  std::map<std::string, fs::path> out;
  for (const auto& disk : live.root().find_all("devices/disk")) {
    const auto target = disk.first("target"), source = disk.first("source");
    if (target && source)
      out[target->attribute("dev").value_or("")] = source->attribute("dev").value_or("");
  }
  return out;
}

class LvmDisks : public Storage {
 public:
  LvmDisks(Capture& capture, const RunningGuest* guest)
      : capture_{capture},
        access_{.deadline = deadline_of(capture.request)},
        reading_{Reading::of(capture.request, capture.request.disk_ids.size())} {
    for (const int id : capture_.request.lvm_disks()) {
      const auto place = lvm::parse_volume(capture_.request.vm.disk(id).lvm);
      groups_.insert(place.group);
      found_.emplace_back().place = place;
      found_.back().id = id;
    }
    const GroupLocks locks{groups_};
    list();
    for (auto& part : found_) describe(part, guest != nullptr);
    if (guest) insist_on(devices_of(guest->domain));
    tidy();
    parts_.assign(found_.begin(), found_.end());
  }
  LvmDisks(const LvmDisks&) = delete;
  ~LvmDisks() override {
    servers_.clear();
    settle_own();
  }

  void announce() override {
    for (const auto& part : found_)
      capture_.journal.volumes.push_back({.origin = part.place,
                                          .pool = part.pool,
                                          .name = source_of(part).name,
                                          .keep = part.pool.empty()});
    announced_ = true;
    const auto sockets = TempDir::free_name();
    capture_.journal.scratch.push_back(sockets.path);
    capture_.journal.save(capture_.request.vm_dir);
    sockets_.emplace(sockets);  // which nobody would know of before
    locks_.emplace(groups_);
    list();
    std::map<lvm::Volume, std::uint64_t> pools;
    for (const auto& part : found_)
      if (!part.pool.empty()) pools[part.place.beside(part.pool)] += part.size;
    for (const auto& [pool, size] : pools)
      lvm::make_room(pool, volumes_.at(pool.group), size, access_);
    locks_->lend(Lent::no);  // what other storages start lives longer
  }

  void take() override {
    locks_->lend(Lent::yes);
    for (const auto& part : found_)
      if (!part.pool.empty()) {
        cancel::check();  // none that has begun is cut off
        lvm::create_snapshot(part.place, source_of(part).name, note_of(part), shielded());
      }
    locks_->lend(Lent::no);
  }

  void serve() override {
    std::vector<lvm::Volume> volumes;
    for (const auto& part : found_) volumes.push_back(source_of(part));
    locks_->lend(Lent::yes);
    lvm::activate(volumes, access_);
    list();
    locks_.reset();  // a pool is of one VM: what is left does not concern others of the group
    std::set<lvm::Volume> pools;
    for (auto& part : found_) {
      if (part.pool.empty())
        part.map = whole_of(part);
      else
        pools.insert(part.place.beside(part.pool));
    }
    for (const auto& pool : pools) look_into(pool);
    for (auto& part : found_) {
      open(part);
      refine(part);
    }
  }

  std::size_t moments() const override { return found_.size(); }
  const std::vector<Part>& parts() const override { return parts_; }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      CopyDisk copy;
      copy.source = export_of(found_[i], *servers_[i]);
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
    for (auto& one : capture_.journal.volumes) one.keep = true;
    capture_.journal.save(capture_.request.vm_dir);
  }

 private:
  static std::chrono::seconds deadline_of(const HostRequest& request) {
    return std::chrono::seconds{std::max<std::int64_t>(1, request.number("LVM_DEADLINE", 120))};
  }
  lvm::Access shielded() const { return {.deadline = access_.deadline, .shielded = true}; }

  nbd::Base base() const { return capture_.parent() < 0 ? nbd::Base::none : nbd::Base::parent; }
  std::string name_of(const Part& part) const {
    return "disk " + std::to_string(part.id) + " of VM " + std::to_string(capture_.request.vm.id);
  }
  // What is read.
  lvm::Volume source_of(const LvmPart& part) const {
    const auto& name = part.place.name;
    if (part.pool.empty()) return part.place;
    return part.place.beside(capture_.cbt() ? increment_snapshot_of(name, capture_.own())
                                            : full_snapshot_of(name));
  }
  std::string note_of(const LvmPart& part) const {
    return capture_.cbt()
               ? std::string{note_tag} + snapshot_note(capture_, part.id, part.place.name)
               : "";
  }
  // A tag of LVM is the snapshot's own, and goes with it when it is renamed.
  bool is_parent(const LvmPart& part, const lvm::Info& one) const {
    const auto tag = std::find_if(one.tags.begin(), one.tags.end(),
                                  [](const auto& text) { return text.starts_with(note_tag); });
    return tag == one.tags.end() ||
           is_of_parent(capture_, part.id, part.place.name, tag->substr(note_tag.size()));
  }
  std::string parent_of(const LvmPart& part) const {
    return increment_snapshot_of(part.place.name, capture_.parent());
  }

  void list() {
    for (const auto& group : groups_) volumes_[group] = lvm::volumes(group, access_);
  }
  const lvm::Info& info_of(const lvm::Volume& volume) const {
    if (const auto* found = lvm::find(volumes_.at(volume.group), volume.name)) return *found;
    throw Error{"there is no volume " + volume.display()};
  }

  void describe(LvmPart& part, bool running) const {
    const Disk& disk = capture_.request.vm.disk(part.id);
    const auto& info = info_of(part.place);
    part.target = disk.target;
    part.format = "lvm";
    part.pool = info.pool;
    part.size = info.size;
    if (part.pool.empty() && (running || capture_.cbt()))
      throw Error{name_of(part) + " is the volume " + part.place.display() +
                  ", which is not thin: it can only be backed up in full, while the VM is off"};
  }

  void insist_on(const std::map<std::string, fs::path>& devices) const {
    for (const auto& part : found_) {
      const auto found = devices.find(part.target);
      const fs::path device = found == devices.end() ? fs::path{} : found->second;
      std::error_code error, other_error;
      const auto real = fs::canonical(device, error);
      if (!error && real == fs::canonical(part.place.device(), other_error)) continue;
      throw Error{name_of(part) + " should be the volume " + part.place.display() +
                  ", but the domain has '" + one_line(device.string()) + "' as '" + part.target +
                  "'"};
    }
  }

  // Keeps the parents, at rest, removes older ones and what a failed attempt left (design.md 3.1).
  void tidy() {
    std::vector<lvm::Volume> old, awake;
    for (auto& part : found_) {
      for (const auto& one : volumes_.at(part.place.group)) {
        if (!is_snapshot_of(part.place.name, one.name)) continue;
        const auto snapshot = part.place.beside(one.name);
        if (part.pool.empty() || one.pool != part.pool) {  // whatever it is: it is none of ours
          if (one.name != source_of(part).name) continue;
          throw Error{snapshot.display() + " is no snapshot of " + part.place.display() +
                      ", but has the name of the next one: rename it"};
        }
        if (capture_.parent() < 0 || one.name != parent_of(part)) {
          old.push_back(snapshot);
          continue;
        }
        if (!is_parent(part, one)) {
          part.why = "the snapshot " + snapshot.display() + " is that of another backup";
          old.push_back(snapshot);
          continue;
        }
        part.since_parent = one.thin_id.has_value();
        if (one.active) awake.push_back(snapshot);
      }
      if (capture_.parent() >= 0 && !part.since_parent && part.why.empty())
        part.why = "the snapshot " + part.place.beside(parent_of(part)).display() + " is not there";
    }
    lvm::deactivate(awake, access_);
    lvm::remove(old, access_);
  }

  static nbd::Export export_of(const LvmPart& part, const nbd::Server& server) {
    return {.socket = server.socket(), .name = part.target, .bitmap = {}};
  }

  void open(const LvmPart& part) {
    const nbd::Server::Order order{.image = source_of(part).device(),
                                   .format = "raw",
                                   .export_name = part.target,
                                   .bitmap = {}};
    const auto socket = sockets_->path() / (std::to_string(part.id) + ".sock");
    servers_.push_back(std::make_unique<nbd::Server>(order, socket));
  }

  nbd::Map whole_of(const LvmPart& part) const {
    const auto size = info_of(source_of(part)).size;
    return {.size = size, .dirty_bytes = size, .extents = {{0, size, qcow2::Content::data}}};
  }

  // The disks of one pool, whose metadata is held no longer than that takes.
  void look_into(const lvm::Volume& pool) {
    const lvm::MetadataSnapshot metadata{pool, access_};
    for (auto& part : found_) {
      if (part.place.beside(part.pool) != pool) continue;
      const auto& now = info_of(source_of(part));
      const auto& before = part.since_parent ? info_of(part.place.beside(parent_of(part))) : now;
      const bool cloned = lvm::has_external_origin(source_of(part), access_);
      part.map = nbd::Map{.size = now.size, .dirty_bytes = 0, .extents = {}};
      if (cloned && !part.since_parent)
        part.map->extents = {{0, now.size, qcow2::Content::data}};
      else
        part.map->extents = metadata.changes({.before = before.thin_id.value(),
                                              .now = now.thin_id.value(),
                                              .size_before = before.size,
                                              .size_now = now.size,
                                              .external_origin = cloned});
      for (const auto& one : part.map->extents) part.map->dirty_bytes += one.length;
    }
  }

  void refine(LvmPart& part) const {
    nbd::Map& map = part.map.value();
    map.extents = nbd::without_zeros(export_of(part, *servers_.back()), map, reading_.deadline,
                                     reading_.limiter);
    if (base() == nbd::Base::none)
      std::erase_if(map.extents,
                    [](const auto& one) { return one.content != qcow2::Content::data; });
    else if (!part.since_parent)
      map.extents = rest_as_zeros(map.extents, map.size);
  }

  void settle_own() noexcept try {
    if (!announced_) return;
    locks_.reset();
    settle_volumes(capture_.journal.volumes, Where::here, shielded());
    capture_.journal.volumes.clear();
    capture_.journal.save(capture_.request.vm_dir);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());  // and the journal keeps the debt
  }

  Capture& capture_;
  const lvm::Access access_;
  const Reading reading_;
  std::set<std::string> groups_;
  std::map<std::string, std::vector<lvm::Info>> volumes_;  // by group
  std::vector<LvmPart> found_;
  std::vector<Part> parts_;
  bool announced_ = false;
  std::optional<GroupLocks> locks_;
  std::optional<TempDir> sockets_;
  std::vector<std::unique_ptr<nbd::Server>> servers_;
};

}  // namespace

std::unique_ptr<Storage> lvm_disks(Capture& capture, const RunningGuest* guest) {
  if (capture.request.lvm_disks().empty()) return nullptr;
  return std::make_unique<LvmDisks>(capture, guest);
}

}  // namespace host
