// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/restored_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/cancel.h"
#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/one/machine_state.h"
#include "common/qcow2/image_file.h"
#include "common/rbd/manage.h"
#include "common/writeback.h"
#include "tm/host/lib/bitmaps.h"
#include "tm/host/lib/image_lock.h"
#include "tm/host/lib/rbd_snapshots.h"
#include "tm/host/lib/restored_image.h"
#include "tm/host/lib/restored_volume.h"

namespace fs = std::filesystem;

namespace host {
namespace {

fs::path link_of(const RestoreRequest& request, const RestoredDisk& disk) {
  return request.vm_dir / ("disk." + std::to_string(disk.id));
}

// Where a name leads, through links at its end, also when nothing is there any more.  What is no
// file cannot be exchanged for one: beside /dev/dm-3 there is no room.
fs::path file_at(fs::path path) {
  constexpr int most_links = 40;  // as the kernel
  const auto name = path;
  for (int links = 0; fs::is_symlink(fs::symlink_status(path)); ++links) {
    if (links == most_links) throw Error{"'" + name.string() + "' leads through too many links"};
    const auto next = path.parent_path() / fs::read_symlink(path);
    path = normal_path((fs::weakly_canonical(next.parent_path()) / next.filename()).string());
  }
  const auto status = fs::status(path);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error{"'" + path.string() + "' is no file, and no disk can be restored in its place"};
  return path;
}

// The file, or where it would be: <vm dir>/disk.0, or an image of a datastore.
fs::path base_of(const RestoreRequest& request, const RestoredDisk& disk) {
  return disk.source.empty() ? link_of(request, disk) : file_at(disk.source);
}

// Beside the name, whatever it leads to: there the storage's own driver looks.
fs::path layers_of(const RestoreRequest& request, const RestoredDisk& disk) {
  const auto& name = disk.source.empty() ? link_of(request, disk) : disk.source;
  return name.string() + ".snap";
}

bool in_layers(const RestoredDisk& disk) {
  return disk.layout == Layout::layers && disk.source.empty();
}

// Where the new bytes wait.
fs::path data_of(const RestoreRequest& request, const RestoredDisk& disk) {
  return in_layers(disk) ? new_of(layers_of(request, disk)) / "0" : new_of(base_of(request, disk));
}

fs::path tpm_dir(const RestoreRequest& request) { return request.vm_dir / "tpm"; }

void make_directory(const fs::path& path, mode_t mode) {
  remove_tree(path);
  if (mkdir(path.c_str(), mode) != 0)
    throw system_error("make the directory '" + path.string() + "'", errno);
}

void make_link(const std::string& text, const fs::path& link) {
  remove_tree(link);
  if (symlink(text.c_str(), link.c_str()) != 0)
    throw system_error("make the link '" + link.string() + "'", errno);
}

// Owner and mode of the file that this one replaces.
void resemble(int fd, const fs::path& old) {
  struct stat info {};
  if (stat(old.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (fchmod(fd, info.st_mode & 0777) != 0 ||
      (geteuid() == 0 && fchown(fd, info.st_uid, info.st_gid) != 0))
    log(Level::warn, "cannot give a restored file the owner and mode of '" + old.string() + "'");
}

std::size_t read_some(int from, std::span<std::byte> out) {
  std::size_t have = 0;
  while (have < out.size()) {
    cancel::check();
    const ssize_t n = read(from, out.data() + have, out.size() - have);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read the disk that is restored", errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

void write_sparsely(int from, int to, const fs::path& path) {
  std::vector<std::byte> block(std::size_t{64} << 10);
  off_t at = 0;
  Writeback writeback{to};
  const auto doing = "write '" + path.string() + "'";
  for (std::size_t n = block.size(); n == block.size();) {
    n = read_some(from, block);
    const std::span bytes{block.data(), n};
    if (at == 0) check_header(bytes, "the disk that is restored", Backing::refused);
    if (is_zero(bytes)) {
      if (lseek(to, static_cast<off_t>(n), SEEK_CUR) == -1) throw system_error(doing, errno);
    } else {
      write_all(to, {reinterpret_cast<const char*>(bytes.data()), n}, doing);
    }
    at += static_cast<off_t>(n);
    writeback.reached(static_cast<std::uint64_t>(at));
  }
  if (ftruncate(to, at) != 0) throw system_error(doing, errno);
}

void check_image(const fs::path& file, const RestoredDisk& disk) {
  const auto name = "the restored disk " + std::to_string(disk.id);
  check_whole(file, name);
  const auto info = image_info(file, "qcow2", Access::exclusive);
  for (const auto& bitmap : info.bitmaps) remove_bitmap(file, bitmap.name);
  const auto mb = (info.virtual_size + (1 << 20) - 1) >> 20;
  if (disk.size_mb > 0 && mb != static_cast<std::uint64_t>(disk.size_mb))
    log(Level::warn, name + " has " + std::to_string(mb) +
                         " MiB, as when it was backed up; the VM " + "is said to have " +
                         std::to_string(disk.size_mb));
}

// As it was prepared.
Exchange::Place place_of(const RestoreRequest& request, const RestoredDisk& disk) {
  const auto exchange = Exchange::load(request.vm_dir);
  if (exchange)
    for (const auto& place : exchange->places)
      if (!place.is_file() && place.image == disk.image && place.volume == disk.volume)
        return place;
  throw Error{"nothing is prepared for disk " + std::to_string(disk.id)};
}

bool has_come(const RestoreRequest& request, const RestoredDisk& disk) {
  if (disk.image) return complete_image(place_of(request, disk));
  if (disk.volume) return complete_volume(place_of(request, disk));
  return fs::is_regular_file(fs::symlink_status(data_of(request, disk)));
}

void sync_file(const fs::path& path) {
  const Fd fd = open_file(path, O_RDWR | O_NOFOLLOW);
  if (fsync(fd.get()) != 0) throw system_error("write '" + path.string() + "'", errno);
}

}  // namespace

std::vector<Exchange::Place> places_of(const RestoreRequest& request) {
  std::vector<Exchange::Place> places;
  const auto add = [&](fs::path path) { places.push_back({std::move(path), false}); };
  for (const auto& disk : request.disks) {
    if (disk.image) {
      places.push_back({.path = {}, .image = disk.image});
      continue;
    }
    if (disk.volume) {
      places.push_back({.path = {}, .volume = disk.volume, .pool = disk.pool});
      continue;
    }
    if (!disk.source.empty()) add(base_of(request, disk));
    add(layers_of(request, disk));
    add(link_of(request, disk));
  }
  if (request.tpm) add(tpm_dir(request));
  return places;
}

void insist_on_rest(const RestoreRequest& request) {
  const auto insist = [](bool in_use, const std::string& what) {
    if (in_use) throw Error{what + " is in use: is the VM running?"};
  };
  for (const auto& disk : request.disks) {
    if (disk.image) {
      insist(rbd::watchers(*disk.image, ceph_access(Shielded::no)) > 0,
             "the Ceph image " + disk.image->display());
      continue;
    }
    if (disk.volume) {
      insist(is_open_volume(*disk.volume), "the volume " + disk.volume->display());
      continue;
    }
    for (const auto& file : {link_of(request, disk), base_of(request, disk)})
      insist(is_open_in_qemu(file), "'" + file.string() + "'");
  }
}

void receive_disk(const RestoreRequest& request, const RestoredDisk& disk, int fd) {
  if (disk.image) return receive_image(place_of(request, disk), fd, request.vm_dir);
  if (disk.volume) return receive_volume(place_of(request, disk), fd, request.vm_dir);
  const auto data = data_of(request, disk);
  if (in_layers(disk)) make_directory(data.parent_path(), 0755);
  const fs::path part = disk.raw ? fs::path{data.string() + ".qcow2"} : data;
  {
    const Fd file = open_file(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644);
    write_sparsely(fd, file.get(), part);
    resemble(file.get(), link_of(request, disk));
  }
  check_image(part, disk);
  if (disk.raw) {
    Command{"qemu-img", "convert", "-f", "qcow2", "-O", "raw", "--", part.string(), data.string()}
        .output();
    const Fd file = open_file(data, O_RDONLY);
    resemble(file.get(), link_of(request, disk));
    remove_tree(part);
  }
  sync_file(data);
}

void receive_tpm(const RestoreRequest& request, int fd) {
  std::string document;
  std::array<std::byte, 65536> buffer;
  while (const auto n = read_some(fd, buffer)) {
    document.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (document.size() > machine_state::largest_tpm)
      throw Error{"the state of the TPM is larger than such states are"};
  }
  const auto state = machine_state::unpack_tpm(document);
  const auto dir = new_of(tpm_dir(request));
  make_directory(dir, 0700);
  write_file(dir / "tpm2-00.permall", state);
}

void complete(const RestoreRequest& request) {
  for (const auto& disk : request.disks) {
    if (!has_come(request, disk)) throw Error{"disk " + std::to_string(disk.id) + " has not come"};
    if (disk.image || disk.volume || disk.layout != Layout::layers) continue;
    const auto layers = layers_of(request, disk);
    const bool persistent = !disk.source.empty();
    if (persistent) {
      make_directory(new_of(layers), 0755);
      make_link(disk.source.string(), new_of(layers) / "0");
    }
    make_link(".", new_of(layers) / layers.filename());
    const auto active = (persistent ? layers : layers.filename()) / "0";
    make_link(active.string(), new_of(link_of(request, disk)));
    sync_directory(new_of(layers));
  }
  if (request.tpm && !fs::exists(new_of(tpm_dir(request)) / "tpm2-00.permall"))
    throw Error{"the state of the TPM has not come"};
}

}  // namespace host
