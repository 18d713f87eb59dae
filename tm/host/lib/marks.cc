// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/marks.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/machine_dir.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace host {
namespace {

// Earlier versions noted how much of each 256th of the disk was data, as "data".
nbd::Edges parse_edges(const json& in) {
  auto edges = in.value("edges", nbd::Edges{});
  if (edges.size() % 2 != 0 || !std::is_sorted(edges.begin(), edges.end())) return {};
  return edges;
}

Mark parse_mark(const json& in) {
  return {.bitmap = in.at("bitmap"),
          .size = in.at("size"),
          .image = in.at("image"),
          .created = in.at("created"),
          .data = parse_edges(in),
          .token = in.value("token", ""),
          .capture = in.value("capture", ""),
          .length = in.value("length", std::uint64_t{0}),
          .backing = in.contains("backing")
                         ? std::optional{base64_decode(in.at("backing").get<std::string>())}
                         : std::nullopt};
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

json to_json(const Mark& mark) {
  json out{{"bitmap", mark.bitmap},   {"size", mark.size},    {"image", mark.image},
           {"created", mark.created}, {"edges", mark.data},   {"token", mark.token},
           {"capture", mark.capture}, {"length", mark.length}};
  if (mark.backing) out["backing"] = base64_encode(*mark.backing);  // of any bytes
  return out;
}

}  // namespace

Marks::Marks(const fs::path& vm_dir) : file_{marks_file(vm_dir)} {
  try {
    const auto text = read_file_if_any(file_);
    if (!text) return;
    const json in = parse_json(*text);
    for (const auto& [increment, disks] : in.at("increments").items())
      for (const auto& [disk, mark] : disks.items())
        increments_[number(increment).value()][number(disk).value()] = parse_mark(mark);
  } catch (const std::exception&) {
    increments_.clear();  // the next increment is whole, which is never wrong
  }
}

std::optional<Mark> Marks::find(int increment, int disk) const {
  const auto disks = increments_.find(increment);
  if (disks == increments_.end()) return std::nullopt;
  const auto mark = disks->second.find(disk);
  if (mark == disks->second.end()) return std::nullopt;
  return mark->second;
}

nbd::Edges Marks::data(int increment, int disk) const {
  const auto mark = find(increment, disk);
  return mark ? mark->data : nbd::Edges{};
}

std::string Marks::bitmap(int vm_id, int increment) const {
  const auto disks = increments_.find(increment);  // one checkpoint has them all
  if (disks == increments_.end() || disks->second.empty()) return checkpoint_name(vm_id, increment);
  return disks->second.begin()->second.bitmap;
}

void Marks::write(int increment, const std::map<int, Mark>& disks, int keep) {
  std::erase_if(increments_, [&](const auto& one) { return one.first != keep; });
  increments_[increment] = disks;
  json out{{"version", 1}, {"increments", json::object()}};
  for (const auto& [number, marks] : increments_)
    for (const auto& [disk, mark] : marks)
      out["increments"][std::to_string(number)][std::to_string(disk)] = to_json(mark);
  write_file(file_, out.dump() + "\n");
}

std::string identity_of(const fs::path& file) {
  struct statx info {};
  if (statx(AT_FDCWD, file.c_str(), 0, STATX_INO | STATX_BTIME, &info) != 0)
    throw system_error("look at '" + file.string() + "'", errno);
  std::string out = std::to_string(info.stx_ino);
  if ((info.stx_mask & STATX_BTIME) != 0)
    out +=
        "/" + std::to_string(info.stx_btime.tv_sec) + "." + std::to_string(info.stx_btime.tv_nsec);
  return out;
}

std::uint64_t length_of(const fs::path& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) throw system_error("look at '" + file.string() + "'", errno);
  return static_cast<std::uint64_t>(info.st_size);
}

// qemu's docs/interop/qcow2.txt: where the name is, at 8, and its length, at 16, big-endian.
std::string backing_of(const fs::path& qcow2) {
  const Fd fd = open_file(qcow2, O_RDONLY);
  const auto read = [&](std::span<char> out, std::uint64_t at) {
    const ssize_t n = pread(fd.get(), out.data(), out.size(), static_cast<off_t>(at));
    if (n != static_cast<ssize_t>(out.size()))
      throw system_error("read the header of '" + qcow2.string() + "'", n == -1 ? errno : EIO);
  };
  std::uint64_t where = 0;
  std::uint32_t length = 0;
  read({reinterpret_cast<char*>(&where), sizeof where}, 8);
  read({reinterpret_cast<char*>(&length), sizeof length}, 16);
  constexpr std::uint32_t longest = 1023;
  std::string name(where == 0 ? 0 : std::min(be32toh(length), longest), '\0');
  read(name, be64toh(where));
  return name;
}

std::string checkpoint_name(int vm_id, int increment, const std::string& capture) {
  const auto name = "one-" + std::to_string(vm_id) + "-" + std::to_string(increment);
  return capture.empty() ? name : name + "-" + capture;
}

std::optional<int> checkpoint_increment(int vm_id, const std::string& name) {
  const std::string prefix = "one-" + std::to_string(vm_id) + "-";
  if (!name.starts_with(prefix)) return std::nullopt;
  const auto rest = std::string_view{name}.substr(prefix.size());
  const auto end = std::min(rest.find('-'), rest.size());
  if (end + 1 == rest.size()) return std::nullopt;
  if (end < rest.size() && rest.find_first_not_of("0123456789abcdef", end + 1) != rest.npos)
    return std::nullopt;
  return number(rest.substr(0, end));
}

}  // namespace host
