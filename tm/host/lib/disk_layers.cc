// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/disk_layers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/number.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace host {
namespace {

void read_chain(const fs::path& file, DiskLayers& disk) {
  const std::string text =
      Command{"qemu-img", "info", "--output=json", "-U", "--backing-chain", "-f",
              "qcow2",    "--",   file.string()}
          .output();
  auto& out = disk.files;
  try {
    const json chain = json::parse(text);
    for (const auto& one : chain) {
      std::error_code error;
      const fs::path name = one.at("filename").get<std::string>();
      const fs::path real = fs::canonical(name, error);
      out.push_back(error ? name : real);
      disk.encrypted |= one.value("encrypted", false);
    }
  } catch (const json::exception&) {
    out.clear();
  }
  if (out.empty()) throw Error{"cannot read what qemu-img says of '" + file.string() + "'"};
}

// tm/qcow2/ln lets <image>.snap/0 be a link to the image itself.
fs::path as_layer(const fs::path& real_dir, const fs::path& file) {
  const fs::path zero = real_dir / "0";
  std::error_code error;
  return fs::canonical(zero, error) == file && !error ? zero : file;
}

bool is_link(const fs::path& path) {
  std::error_code error;
  return fs::is_symlink(path, error);
}

void check_place(const DiskLayers& disk) {
  if (disk.plain || (disk.layers() > 0 && disk.dir.extension() == ".snap")) return;
  throw Error{"'" + disk.link.string() + "' is a link to '" + disk.active().string() +
              "', which is no layer of a disk (<name>.snap/<number>): INCREMENT_MODE=SNAPSHOT "
              "cannot be used with it"};
}

}  // namespace

std::size_t DiskLayers::layers() const {
  const auto end = std::find_if(files.begin(), files.end(), [&](const fs::path& file) {
    return file.parent_path() != real_dir || !is_layer_name(file.filename());
  });
  return static_cast<std::size_t>(end - files.begin());
}

std::optional<std::size_t> DiskLayers::find(const std::string& layer) const {
  const auto found = std::find(files.begin(), files.end(), real_dir / layer);
  if (found == files.end()) return std::nullopt;
  return static_cast<std::size_t>(found - files.begin());
}

DiskLayers look_at_layers(const fs::path& vm_dir, int disk, bool for_layers) {
  DiskLayers out;
  out.id = disk;
  out.link = vm_dir / ("disk." + std::to_string(disk));
  std::error_code error;
  const fs::path active = fs::canonical(out.link, error);
  if (error) throw system_error("find '" + out.link.string() + "'", error.value());
  read_chain(active, out);
  out.plain = !is_link(out.link);
  out.dir = vm_dir / (out.plain ? fs::path{out.link.filename().string() + ".snap"}
                                : fs::read_symlink(out.link).parent_path());
  out.real_dir = out.plain ? fs::canonical(vm_dir) / out.dir.filename() : fs::canonical(out.dir);
  if (!out.plain)
    for (auto& file : out.files) file = as_layer(out.real_dir, file);
  if (for_layers) check_place(out);
  return out;
}

bool is_layer_name(const std::string& name) {
  const auto number = parse_int(name);
  return number && name == std::to_string(*number);
}

std::string free_layer_name(const DiskLayers& disk, int increment) {
  std::int64_t highest = increment;
  std::error_code error;
  for (const auto& one : fs::directory_iterator{disk.dir, error})
    if (const std::string name = one.path().filename(); is_layer_name(name))
      highest = std::max(highest, std::int64_t{*parse_int(name)});
  const std::string name = std::to_string(highest + 1);
  if (error || !is_layer_name(name))
    throw Error{"no name for a new layer can be chosen in '" + disk.dir.string() + "'"};
  return name;
}

void adopt(DiskLayers& disk) {
  if (!disk.plain) return;
  const fs::path base = disk.file_of("0");
  if (mkdir(disk.dir.c_str(), 0755) != 0 && errno != EEXIST)
    throw system_error("make '" + disk.dir.string() + "'", errno);
  if (::link(disk.link.c_str(), base.c_str()) != 0 &&
      !(errno == EEXIST && same_file(disk.link, base)))
    throw system_error("give '" + disk.link.string() + "' the name '" + base.string() + "'", errno);
  sync_directory(disk.dir);
  sync_directory(disk.link.parent_path());
  disk.files.front() = disk.real_dir / "0";
}

void make_layer(const fs::path& file, const fs::path& below) {
  Command{"qemu-img", "create", "-q",           "-f", "qcow2",      "-F",
          "qcow2",    "-b",     below.string(), "--", file.string()}
      .output();
  const Fd fd = open_file(file, O_RDWR);
  struct stat like {};
  if (stat(below.c_str(), &like) != 0)
    throw system_error("look at '" + below.string() + "'", errno);
  // Whoever runs the guest on the one must be able to run it on the other.
  if (fchmod(fd.get(), like.st_mode & 07777) != 0 ||
      (geteuid() == 0 && fchown(fd.get(), like.st_uid, like.st_gid) != 0))
    throw system_error("give '" + file.string() + "' the owner of the layer below", errno);
  if (fsync(fd.get()) != 0) throw system_error("sync '" + file.string() + "'", errno);
  sync_directory(file.parent_path());
}

std::string link_text(const DiskLayers& disk, const std::string& layer) {
  const fs::path place =
      disk.plain ? disk.dir.filename() : fs::read_symlink(disk.link).parent_path();
  return place / layer;
}

void relink(const fs::path& link, const std::string& text) {
  const fs::path next = link.string() + ".vmvault";
  unlink(next.c_str());
  if (symlink(text.c_str(), next.c_str()) != 0 || rename(next.c_str(), link.c_str()) != 0)
    throw system_error("let '" + link.string() + "' point to '" + text + "'", errno);
  sync_directory(link.parent_path());
}

bool same_file(const fs::path& a, const fs::path& b) {
  struct stat one {
  }, other{};
  return stat(a.c_str(), &one) == 0 && stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

}  // namespace host
