// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common/one/action.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/nbd_server.h"

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
  out.found = std::move(info.bitmaps);
  out.size = info.virtual_size;
  return out;
}

std::optional<std::string> unusable(const OfflinePart& part, const std::string& bitmap) {
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
  auto why = unfit(capture, marks, part, part.size);
  if (!why) why = unusable(part, checkpoint_name(capture.request.vm.id, capture.parent()));
  part.since_parent = !why;
  part.why = why.value_or("");
}

// Keeps the parent's bitmap, whatever its state; removes older ones and what a failed attempt left;
// then the new one begins to record, before anything is read.
void renew_bitmaps(const Capture& capture, const OfflinePart& part) {
  if (!part.bitmaps || !capture.cbt()) return;
  for (const auto& bitmap : part.found) {
    const auto increment = checkpoint_increment(capture.request.vm.id, bitmap.name);
    if (increment && *increment != capture.parent()) remove_bitmap(part.image, bitmap.name);
  }
  add_bitmap(part.image, checkpoint_name(capture.request.vm.id, capture.own()));
}

// The bitmaps that a failed capture has added.
class NewBitmaps {
 public:
  NewBitmaps(const Capture& capture, const std::vector<OfflinePart>& parts)
      : capture_{capture}, parts_{parts} {
    for (const auto& part : parts_) renew_bitmaps(capture_, part);
  }
  NewBitmaps(const NewBitmaps&) = delete;
  ~NewBitmaps() {
    if (kept_ || !capture_.cbt()) return;
    for (const auto& part : parts_) try {
        if (part.bitmaps)
          remove_bitmap(part.image, checkpoint_name(capture_.request.vm.id, capture_.own()));
      } catch (const Error& e) {
        log(Level::warn, e.what());
      }
  }
  void commit() { kept_ = true; }

 private:
  const Capture& capture_;
  const std::vector<OfflinePart>& parts_;
  bool kept_ = false;
};

// Whoever opens an image first has it: if it was the VM, this is not an offline backup any more.
std::vector<OfflinePart> look_at_all(const Capture& capture) {
  std::vector<OfflinePart> parts;
  for (const int id : capture.request.disk_ids)
    parts.push_back(look_at(capture, capture.request.vm.disk(id)));
  return parts;
}

std::vector<std::unique_ptr<NbdServer>> serve(const Capture& capture,
                                              const std::vector<OfflinePart>& parts,
                                              const fs::path& dir) {
  std::vector<std::unique_ptr<NbdServer>> out;
  for (const auto& part : parts) {
    NbdServer::Order order{
        .image = part.image, .format = part.format, .export_name = part.target, .bitmap = {}};
    if (part.since_parent) order.bitmap = checkpoint_name(capture.request.vm.id, capture.parent());
    out.push_back(std::make_unique<NbdServer>(order, dir / (std::to_string(part.id) + ".sock")));
  }
  return out;
}

void write_marks(const Capture& capture, const std::vector<OfflinePart>& parts) {
  std::map<int, Mark> marks;
  for (const auto& part : parts)
    if (part.bitmaps)
      marks[part.id] = {.bitmap = checkpoint_name(capture.request.vm.id, capture.own()),
                        .size = part.size,
                        .image = inode_of(part.image),
                        .created = 0};
  Marks{capture.request.vm_dir}.write(capture.own(), marks, capture.parent());
}

}  // namespace

Result capture_offline(Capture& capture) {
  const Marks marks{capture.request.vm_dir};
  auto parts = look_at_all(capture);
  for (auto& part : parts) choose(capture, marks, part);

  NewBitmaps bitmaps{capture, parts};
  const TempDir sockets;
  std::vector<CopyDisk> copies;
  Result result = capture.new_result();
  result.consistent = true;
  {
    const auto servers = serve(capture, parts, sockets.path());
    result.time = utc_now();
    for (size_t i = 0; i < parts.size(); ++i) {
      CopyDisk copy;
      copy.source = {.socket = servers[i]->socket(), .name = parts[i].target, .bitmap = {}};
      if (parts[i].since_parent)
        copy.source.bitmap = checkpoint_name(capture.request.vm.id, capture.parent());
      copy.base = capture.parent() < 0 ? nbd::Base::none : nbd::Base::parent;
      copy.target = capture.file_of(parts[i].id);
      copies.push_back(std::move(copy));
    }
    copy_disks(copies, [] {});
  }
  for (size_t i = 0; i < parts.size(); ++i)
    result.disks.push_back(disk_result(capture, parts[i], copies[i]));
  if (capture.cbt()) write_marks(capture, parts);
  bitmaps.commit();
  return result;
}

}  // namespace host
