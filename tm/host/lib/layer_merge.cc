// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/layer_merge.h"

#include <unistd.h>

#include <cerrno>

#include "common/file.h"
#include "common/one/action.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/live_chain.h"

namespace fs = std::filesystem;

namespace host {
namespace {

DiskLayers look(const LayeredDisk& disk) { return look_at_layers(disk.vm_dir, disk.id, false); }

// qemu must be able to open it for writing.
bool writable(const LayeredDisk& disk, const DiskLayers& layers, std::size_t at) {
  if (!disk.running || at == 0) return true;
  const auto chain = live_chain(*disk.running, disk.target);
  return at < chain.size() && may_be_reopened(chain[at], layers.files[at]);
}

// The disk was made smaller: what `base` has behind that would be there again in a larger layer
// above.
bool would_come_back(const DiskLayers& layers, std::size_t top, std::size_t base) {
  const auto size = [&](std::size_t at) {
    return image_info(layers.files[at], "qcow2", Access::shared).virtual_size;
  };
  return size(top) < size(base);
}

// The lowest layer below `top`, and not below `lowest`, that can be written to; 0: none.
std::size_t base_for(const LayeredDisk& disk, const DiskLayers& layers, std::size_t top,
                     std::size_t lowest) {
  for (std::size_t base = lowest; base > top; --base)
    if (writable(disk, layers, base) && !would_come_back(layers, top, base)) return base;
  return 0;
}

void merge(const LayeredDisk& disk, LayerBook& book, const DiskLayers& layers, std::size_t top,
           std::size_t base) {
  for (std::size_t i = top; i < base; ++i) book.add(disk.id, layers.files[i].filename());
  if (disk.running)
    commit_running(*disk.running, disk.target, layers, top, base);
  else
    commit_stopped(layers, top, base);
  sweep_layers(disk, book);
}

// The lowest layer that the next increment consists of.
std::size_t needed(const LayerBook& book, const DiskLayers& layers, int last) {
  const auto since = last < 0 ? std::nullopt : book.since(last, layers.id);
  return since ? layers.find(*since).value_or(0) : 0;
}

}  // namespace

void follow_running(const LayeredDisk& disk) {
  if (!disk.running) return;
  const DiskLayers layers = look(disk);
  const fs::path name = live_chain(*disk.running, disk.target).front().name;
  if (name == layers.link || same_file(name, layers.link)) return;
  std::error_code error;
  fs::path active = fs::canonical(name, error);
  if (same_file(active, layers.real_dir / "0")) active = layers.real_dir / "0";
  if (error || active.parent_path() != layers.real_dir || !is_layer_name(active.filename())) return;
  relink(layers.link, link_text(layers, active.filename()));
  log(Level::warn, "disk " + std::to_string(disk.id) + " runs on layer " +
                       active.filename().string() + ": its link says so again");
}

void merge_layers(const LayeredDisk& disk, LayerBook& book, int last) {
  if (disk.running) {
    abort_copy_to(*disk.running, disk.target, look(disk).dir);
    // A merge that was begun by a backup that died goes on in qemu.
    for (const int type : {VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT, VIR_DOMAIN_BLOCK_JOB_TYPE_PULL})
      wait_for_end(*disk.running, disk.target, type, "finish merging layers");
  }
  sweep_layers(disk, book);
  DiskLayers layers = look(disk);
  if (layers.plain || layers.layers() < 3) return;
  // What is needed may itself be one to be read only; those above it are one layer then.
  if (const auto base = base_for(disk, layers, 1, needed(book, layers, last))) {
    merge(disk, book, layers, 1, base);
    layers = look(disk);
  }
  const auto top = needed(book, layers, last) + 1;
  if (!writable(disk, layers, top - 1)) return;
  if (const auto base = base_for(disk, layers, top, layers.layers() - 1))
    merge(disk, book, layers, top, base);
}

void sweep_layers(const LayeredDisk& disk, LayerBook& book) {
  const auto made = book.made(disk.id);
  if (made.empty()) return;
  const DiskLayers layers = look(disk);
  for (const auto& name : made) {
    const fs::path file = layers.file_of(name);
    if (layers.find(name) || (disk.running && uses(*disk.running, file))) continue;
    if (unlink(file.c_str()) != 0 && errno != ENOENT)
      throw system_error("remove '" + file.string() + "'", errno);
    sync_directory(layers.dir);
    book.forget(disk.id, name);
  }
}

}  // namespace host
