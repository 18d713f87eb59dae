// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common/cancel.h"
#include "common/nbd/server.h"
#include "common/one/action.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/image_token.h"
#include "tm/host/lib/storage.h"

namespace fs = std::filesystem;

namespace host {
namespace {

struct OfflinePart : Part {
  std::vector<Bitmap> found;  // in the image
  std::uint64_t size = 0;
};

// The same disk as the running VM would see it: <vm dir>/disk.<id>, mostly a link.
OfflinePart look_at(const Capture& capture, const Disk& disk) {
  const fs::path link = capture.request.vm_dir / ("disk." + std::to_string(disk.id));
  std::error_code error;
  OfflinePart out;
  out.id = disk.id;
  out.target = disk.target;
  out.format = disk.format;
  out.image = fs::canonical(link, error);
  if (error)
    throw system_error("find disk " + std::to_string(disk.id) + " of VM " +
                           std::to_string(capture.request.vm.id) + " at '" + link.string() + "'",
                       error.value());
  if (out.format != "qcow2" && out.format != "raw")
    throw Error{"disk " + std::to_string(disk.id) + " of VM " +
                std::to_string(capture.request.vm.id) + " has the format '" + out.format +
                "': only qcow2 and raw are supported"};
  out.bitmaps = out.format == "qcow2" && qcow2_version(out.image) >= 3;
  ImageInfo info = image_info(out.image, out.format, Access::exclusive);
  if (info.encrypted)
    throw Error{"disk " + std::to_string(disk.id) + " (" + disk.target + ") of VM " +
                std::to_string(capture.request.vm.id) +
                " is encrypted within its qcow2 file, and only its guest's qemu has the key: back "
                "the VM up while it runs"};
  out.found = std::move(info.bitmaps);
  out.size = info.virtual_size;
  return out;
}

std::optional<std::string> unusable(const OfflinePart& part) {
  const auto& bitmap = part.parent_bitmap;
  for (const auto& one : part.found) {
    if (one.name != bitmap) continue;
    if (one.in_use)
      return "change tracking was lost: the bitmap " + bitmap + " was not stored properly";
    if (!one.enabled) return "change tracking was lost: the bitmap " + bitmap + " is disabled";
    return std::nullopt;
  }
  return "change tracking was lost: the bitmap " + bitmap + " is missing";
}

void choose(const Capture& capture, const Marks& marks, OfflinePart& part) {
  if (capture.parent() < 0) return;
  part.parent_bitmap = marks.bitmap(capture.request.vm.id, capture.parent());
  auto why = unfit(capture, marks, part, part.size);
  if (!why) why = unusable(part);
  part.since_parent = !why;
  part.before = marks.data(capture.parent(), part.id);
  part.why = why.value_or("");
}

// Keeps the parent's bitmap, whatever its state; removes older ones and what a failed attempt left;
// then the new one begins to record, before anything is read.
void renew_bitmaps(const Capture& capture, const std::string& kept, const OfflinePart& part) {
  for (const auto& bitmap : part.found) {
    if (checkpoint_increment(capture.request.vm.id, bitmap.name) && bitmap.name != kept)
      remove_bitmap(part.image, bitmap.name);
  }
  const auto own = capture.own_bitmap();
  leave_token(part.image, own);
  add_bitmap(part.image, own);
}

// The bitmaps that a failed capture has added.
class NewBitmaps {
 public:
  NewBitmaps(const Capture& capture, const std::vector<OfflinePart>& parts)
      : capture_{capture}, parts_{parts} {}
  NewBitmaps(const NewBitmaps&) = delete;
  ~NewBitmaps() {
    if (kept_) return;
    for (const auto& image : added_) try {
        remove_bitmap(image, capture_.own_bitmap());
      } catch (const Error& e) {
        log(Level::warn, e.what());
      }
  }
  // Apart from the constructor: what the first disk got must go when the second one fails.
  void add() {
    if (!capture_.cbt()) return;
    Marks marks{capture_.request.vm_dir};
    marks.write(capture_.own(), {}, capture_.kept_increment());  // of bitmaps that go
    const auto kept = marks.bitmap(capture_.request.vm.id, capture_.kept_increment());
    for (const auto& part : parts_) {
      if (!part.bitmaps) continue;
      renew_bitmaps(capture_, kept, part);
      added_.push_back(part.image);
    }
  }
  void commit() { kept_ = true; }

 private:
  const Capture& capture_;
  const std::vector<OfflinePart>& parts_;
  std::vector<fs::path> added_;
  bool kept_ = false;
};

// Each would give it the bitmap that is the other's.
void refuse_same_image(const std::vector<OfflinePart>& parts, const OfflinePart& part) {
  std::error_code error;
  for (const auto& other : parts)
    if (other.bitmaps && part.bitmaps && fs::equivalent(other.image, part.image, error))
      throw Error{"disks '" + other.target + "' and '" + part.target + "' are the same image '" +
                  part.image.string() +
                  "': what changes in it can be tracked for one of them only"};
}

// Whoever opens an image first has it: if it was the VM, this fails.
std::vector<OfflinePart> choose_all(const Capture& capture) {
  const Marks marks{capture.request.vm_dir};
  std::vector<OfflinePart> parts;
  for (const int id : capture.request.file_disks()) {
    auto part = look_at(capture, capture.request.vm.disk(id));
    if (capture.cbt()) refuse_same_image(parts, part);
    parts.push_back(std::move(part));
    choose(capture, marks, parts.back());
  }
  return parts;
}

void write_marks(const Capture& capture, const std::vector<OfflinePart>& parts,
                 const std::vector<CopyDisk>& copies) {
  std::map<int, Mark> marks;
  const auto own = capture.own_bitmap();
  for (size_t i = 0; i < parts.size(); ++i)
    if (const auto& part = parts[i]; part.bitmaps)
      marks[part.id] = {.bitmap = own,
                        .size = part.size,
                        .image = identity_of(part.image),
                        .created = 0,
                        .data = copies[i].data,
                        .token = token_of(part.image, own),
                        .capture = capture.request.vm.backup.capture,
                        .length = length_of(part.image),
                        .backing = backing_of(part.image)};
  Marks all{capture.request.vm_dir};
  all.write(capture.own(), marks, capture.kept_increment());
  const auto kept = all.bitmap(capture.request.vm.id, capture.kept_increment());
  for (const auto& part : parts) sweep_tokens(part.image, capture.request.vm.id, kept, own);
}

class StoppedFiles : public Storage {
 public:
  explicit StoppedFiles(Capture& capture)
      : capture_{capture},
        found_{choose_all(capture)},
        parts_{found_.begin(), found_.end()},
        bitmaps_{capture, found_} {}

  void announce() override {
    const auto sockets = TempDir::free_name();
    capture_.journal.scratch.push_back(sockets.path);
    capture_.journal.save(capture_.request.vm_dir);
    sockets_.emplace(sockets);  // which nobody would know of before
  }

  // From here on nobody can start the VM.
  void take() override {
    cancel::check();  // what follows has to be undone, and somebody may want to start the VM
    bitmaps_.add();
    open_images();
  }

  void serve() override {}  // its programs do already

  std::size_t moments() const override { return parts_.size(); }
  const std::vector<Part>& parts() const override { return parts_; }

  std::vector<CopyDisk> disks() const override {
    std::vector<CopyDisk> out;
    for (size_t i = 0; i < parts_.size(); ++i) {
      CopyDisk copy;
      copy.source = {.socket = servers_[i]->socket(), .name = parts_[i].target, .bitmap = {}};
      if (parts_[i].since_parent) copy.source.bitmap = parts_[i].parent_bitmap;
      copy.before = parts_[i].before;
      copy.base = capture_.parent() < 0 ? nbd::Base::none : nbd::Base::parent;
      copy.target = capture_.file_of(parts_[i].id);
      out.push_back(std::move(copy));
    }
    return out;
  }

  void end() override { servers_.clear(); }

  void commit(const std::vector<CopyDisk>& disks) override {
    if (capture_.cbt()) write_marks(capture_, found_, disks);
    bitmaps_.commit();
  }

 private:
  void open_images() {
    for (const auto& part : parts_) {
      nbd::Server::Order order{
          .image = part.image, .format = part.format, .export_name = part.target, .bitmap = {}};
      if (part.since_parent) order.bitmap = part.parent_bitmap;
      const auto socket = sockets_->path() / (std::to_string(part.id) + ".sock");
      servers_.push_back(std::make_unique<nbd::Server>(order, socket));
    }
  }

  const Capture& capture_;
  std::vector<OfflinePart> found_;
  std::vector<Part> parts_;
  NewBitmaps bitmaps_;  // go after the servers have ended
  std::optional<TempDir> sockets_;
  std::vector<std::unique_ptr<nbd::Server>> servers_;
};

}  // namespace

std::unique_ptr<Storage> stopped_files(Capture& capture) {
  if (capture.request.file_disks().empty()) return nullptr;
  return std::make_unique<StoppedFiles>(capture);
}

std::unique_ptr<Origin> open_offline(Capture& capture) {
  auto out = std::make_unique<Storages>();
  out->add(stopped_files(capture));  // first: with its images open nobody starts the VM
  out->add(rbd_disks(capture));
  out->add(lvm_disks(capture, nullptr));
  out->announce();
  out->take();
  out->serve();
  capture.kept = MachineFiles{capture.request, capture.keeps()}.read();
  out->result = capture.new_result();
  out->result.consistent = true;
  out->result.time = utc_now();
  return out;
}

}  // namespace host
