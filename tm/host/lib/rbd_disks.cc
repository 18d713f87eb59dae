// SPDX-License-Identifier: Apache-2.0
// Disks in Ceph: a snapshot of each is what the backup reads, and that of the parent says what has
// changed since.
#include <algorithm>
#include <map>
#include <string_view>
#include <thread>

#include "common/cancel.h"
#include "common/error.h"
#include "common/nbd/server.h"
#include "common/nbd/zeros.h"
#include "common/one/action.h"
#include "common/rbd/manage.h"
#include "common/rbd/metadata.h"
#include "tm/host/lib/rbd_snapshots.h"
#include "tm/host/lib/rest_as_zeros.h"
#include "tm/host/lib/snapshot_note.h"
#include "tm/host/lib/storage.h"
#include "tm/lib/rbd_image.h"

namespace host {
namespace {

constexpr std::string_view note_key = "vmvault.";  // and the snapshot's name
constexpr std::chrono::seconds longest_undo{5};
// Until Ceph forgets a client that was killed (osd_client_watch_timeout), and some more.
constexpr std::chrono::seconds until_forgotten{35};

struct RbdPart : Part {
  rbd::Image place;
  std::vector<std::string> old;              // snapshots that nobody needs any more
  std::string image;                         // its id
  std::map<std::string, std::string> notes;  // of snapshots, by their names
  std::unique_ptr<nbd::Server> server;
  std::optional<nbd::Map> map;
};

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

// The same for two: the second's error is thrown only if the first has none.
template <class First, class Second>
void both(const First& first, const Second& second) {
  std::exception_ptr error;
  {
    const std::jthread other{[&]() noexcept {
      try {
        second();
      } catch (...) {
        error = std::current_exception();
      }
    }};
    first();
  }
  if (error) std::rethrow_exception(error);
}

class RbdDisks : public Storage {
 public:
  explicit RbdDisks(Capture& capture)
      : capture_{capture},
        access_{.deadline = deadline_of(capture.request)},
        reading_{Reading::of(capture.request, capture.request.disk_ids.size())} {
    for (const int id : capture_.request.rbd_disks())
      found_.push_back(describe(capture_.request.vm.disk(id)));
    side_by_side(found_, [&](RbdPart& part) {
      choose(part);
      wait_for_the_dead(part);
    });
    parts_.assign(found_.begin(), found_.end());
  }
  RbdDisks(const RbdDisks&) = delete;
  ~RbdDisks() override {
    for (auto& part : found_) part.server.reset();
    remove_own();
  }

  void announce() override {
    for (const auto& part : found_)
      capture_.journal.snapshots.push_back({.image = part.place, .name = own_name()});
    announced_ = true;
    const auto sockets = TempDir::free_name();
    capture_.journal.scratch.push_back(sockets.path);
    capture_.journal.save(capture_.request.vm_dir);
    sockets_.emplace(sockets);  // which nobody would know of before
  }

  void take() override {
    side_by_side(found_,
                 [&](RbdPart& part) { rbd::create_snapshot(part.place, own_name(), access_); });
  }

  void serve() override {
    side_by_side(found_, [&](RbdPart& part) {
      both([&] { look_after_snapshots(part); },
           [&] {
             open(part);
             part.map = look_for_content(part);
           });
    });
  }

  std::size_t moments() const override { return found_.size(); }
  const std::vector<Part>& parts() const override { return parts_; }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (const auto& part : found_) {
      CopyDisk copy;
      copy.source = source_of(part);
      copy.base = base();
      copy.exact = part.since_parent;
      copy.deep = true;
      copy.target = capture_.file_of(part.id);
      copy.map = part.map;
      out.push_back(std::move(copy));
    }
    return out;
  }

  void end() override {
    side_by_side(found_, [](RbdPart& part) { part.server.reset(); });
  }

  // The next increment needs the snapshot of this one; that of a full goes when the backup has
  // ended, last of all (settle()).
  void commit(const std::vector<CopyDisk>&) override {
    announced_ = false;
    if (!capture_.cbt()) return;
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

  // Whoever makes a snapshot waits for them, and the guest should not stand still so long.
  void wait_for_the_dead(const RbdPart& part) const {
    const auto begun = std::chrono::steady_clock::now();
    const std::size_t living = capture_.request.live ? 1 : 0;
    for (bool said = false; rbd::watchers(part.place, access_) > living; said = true) {
      if (std::chrono::steady_clock::now() - begun > until_forgotten) return;
      if (!said)
        log(Level::info, "somebody else has " + part.place.display() +
                             " open, or was killed: waiting half a minute at most");
      cancel::pause(std::chrono::milliseconds{500});
    }
  }

  // A copy of an image may have the same snapshots with the same ids.
  static std::string itself(const RbdPart& part, const rbd::Snapshot& snapshot) {
    return part.image + "@" + std::to_string(snapshot.id);
  }

  void read_notes(RbdPart& part) const {
    if (const auto info = rbd::info(part.place, access_)) part.image = info->id;
    for (auto& [key, note] : rbd::metadata(part.place, access_))
      if (key.starts_with(note_key)) part.notes[key.substr(note_key.size())] = std::move(note);
  }

  bool is_parent(const RbdPart& part, const rbd::Snapshot& one) const {
    const auto note = part.notes.find(one.name);
    return note == part.notes.end() ||
           is_of_parent(capture_, part.id, itself(part, one), note->second);
  }

  // Keeps the parent, and has older ones and what a failed attempt left removed (design.md 3.1).
  void choose(RbdPart& part) const {
    const auto all = rbd::snapshots(part.place, access_);
    if (capture_.cbt()) read_notes(part);
    for (const auto& one : all) {
      if (!is_snapshot_name(one.name)) continue;
      if (capture_.parent() >= 0 && one.name == parent_name())
        keep_or_remove(part, one);
      else if (one.name == own_name())
        rbd::remove_snapshot(part.place, one.name, access_);
      else
        part.old.push_back(one.name);
    }
    if (capture_.parent() >= 0 && !part.since_parent && part.why.empty())
      part.why = "the snapshot " + parent_name() + " of " + part.place.display() + " is not there";
  }

  void keep_or_remove(RbdPart& part, const rbd::Snapshot& parent) const {
    part.since_parent = is_parent(part, parent);
    if (part.since_parent) return;
    part.why = "the snapshot " + parent.name + " of " + part.place.display() +
               " is that of another backup";
    part.old.push_back(parent.name);
  }

  void leave_note(const RbdPart& part) const {
    for (const auto& one : rbd::snapshots(part.place, access_))
      if (one.name == own_name())
        rbd::set_metadata(part.place, std::string{note_key} + one.name,
                          snapshot_note(capture_, part.id, itself(part, one)), access_);
    for (const auto& [name, note] : part.notes)
      if (name != own_name() && !(part.since_parent && name == parent_name()))
        rbd::remove_metadata(part.place, std::string{note_key} + name, access_);
  }

  // While the snapshots are looked through: it is nothing that they have to wait for.
  void look_after_snapshots(const RbdPart& part) const {
    if (capture_.cbt()) {
      rbd::protect_snapshot(part.place, own_name(), access_);
      leave_note(part);
    }
    for (const auto& name : part.old) try {
        rbd::remove_snapshot(part.place, name, access_);
      } catch (const Cancelled&) {
        throw;
      } catch (const Error& e) {
        log(Level::warn, e.what());
      }
  }

  static nbd::Export source_of(const RbdPart& part) {
    return {.socket = part.server->socket(), .name = part.target, .bitmap = {}};
  }

  void open(RbdPart& part) const {
    const nbd::Server::Order order{
        .image = rbd::qemu_name(part.place, own_name(), reading_.deadline),
        .format = "raw",
        .export_name = part.target,
        .bitmap = {}};
    const auto socket = sockets_->path() / (std::to_string(part.id) + ".sock");
    part.server = std::make_unique<nbd::Server>(order, socket);
  }

  // The size comes from the snapshot itself: the image may have been resized since.
  nbd::Map look_for_content(const RbdPart& part) const {
    const rbd::Snapshot own{.name = own_name(), .size = part.server->size(), .id = 0};
    const auto since = part.since_parent ? std::optional{parent_name()} : std::nullopt;
    nbd::Map out{.size = own.size, .dirty_bytes = 0, .extents = {}};
    out.extents = rbd::difference(part.place, own, since, access_);
    for (const auto& one : out.extents) out.dirty_bytes += one.length;
    out.extents = nbd::without_zeros(source_of(part), out, reading_.deadline, reading_.limiter);
    if (base() == nbd::Base::none)
      std::erase_if(out.extents,
                    [](const auto& one) { return one.content != qcow2::Content::data; });
    else if (!part.since_parent)
      out.extents = rest_as_zeros(out.extents, out.size);
    return out;
  }

  // A cluster that does not answer is the guard's to wait for: somebody wants to know that the
  // backup has failed.
  void remove_own() noexcept try {
    if (!announced_) return;
    host::remove_snapshots(
        capture_.journal.snapshots,
        {.deadline = std::min(access_.deadline, longest_undo), .shielded = true});
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
  std::optional<TempDir> sockets_;
};

}  // namespace

std::unique_ptr<Storage> rbd_disks(Capture& capture) {
  if (capture.request.rbd_disks().empty()) return nullptr;
  return std::make_unique<RbdDisks>(capture);
}

}  // namespace host
