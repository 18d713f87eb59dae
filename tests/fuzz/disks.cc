// SPDX-License-Identifier: Apache-2.0
// Disks as a store gives them back, and the map of one as a server of NBD or Ceph tells it.

#include <algorithm>
#include <cstring>

#include "common/error.h"
#include "common/nbd/runs.h"
#include "common/one/machine_state.h"
#include "common/qcow2/disk_file.h"
#include "common/qcow2/header.h"
#include "common/qcow2/stream.h"
#include "common/rbd/image.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::uint64_t most_read = std::uint64_t{4} << 20;

qcow2::Source source(std::string_view input) {
  return [input](std::span<std::byte> out) mutable {
    const auto n = std::min(out.size(), input.size());
    std::copy_n(fuzz::bytes(input).begin(), n, out.begin());
    input.remove_prefix(n);
    return n;
  };
}

qcow2::ReadAt reader(std::string_view input) {
  return [input](std::uint64_t offset, std::span<std::byte> out) {
    if (offset >= input.size()) return std::size_t{0};
    const auto n = std::min<std::size_t>(out.size(), input.size() - offset);
    std::copy_n(fuzz::bytes(input).begin() + static_cast<std::ptrdiff_t>(offset), n, out.begin());
    return n;
  };
}

void any_layout(std::string_view input) {
  qcow2::DiskFile file{reader(input), input.size(), "x", qcow2::Behind::anything};
  const auto extents = file.extents();
  std::vector<std::byte> buffer(65536);
  std::uint64_t left = most_read;
  for (const auto& extent : extents) {
    fuzz::insist(extent.end() <= file.virtual_size(), "an extent lies on the disk");
    if (extent.content != qcow2::Content::data) continue;
    for (auto at = extent.offset; at < extent.end() && left > 0;) {
      const auto n = std::min<std::uint64_t>({buffer.size(), extent.end() - at, left});
      file.read(at, std::span{buffer}.first(n));
      at += n;
      left -= n;
    }
  }
}
const fuzz::Register r1{"qcow2", any_layout};

// Two files, one after the other: the first four bytes say where the second begins.
void merge(std::string_view input) {
  if (input.size() < 4) return;
  std::uint32_t length = 0;
  std::memcpy(&length, input.data(), sizeof length);
  input.remove_prefix(sizeof length);
  length = static_cast<std::uint32_t>(length % (input.size() + 1));
  std::vector<qcow2::StreamReader> chain;
  chain.emplace_back(source(input.substr(0, length)), "first");
  if (length < input.size()) chain.emplace_back(source(input.substr(length)), "second");
  qcow2::Merge merged{std::move(chain)};
  std::uint64_t written = 0;
  const auto size = merged.plan().file_size();
  if (size > 64 * most_read) return;
  merged.write([&](std::span<const std::byte> part) { written += part.size(); });
  fuzz::insist(written == size, "a merged file is as long as its plan");
}
const fuzz::Register r2{"qcow2-stream", merge};

void header(std::string_view input) { check_header(fuzz::bytes(input), "x", Backing::refused); }
const fuzz::Register r3{"qcow2-header", header};

// Pairs of numbers, for two contexts.
void map_of(std::string_view input) {
  std::vector<std::uint32_t> pairs(input.size() / 8 * 2);
  if (!pairs.empty()) std::memcpy(pairs.data(), input.data(), pairs.size() * 4);
  constexpr std::uint64_t size = std::uint64_t{1} << 30;
  const auto half = pairs.size() / 4 * 2;
  std::vector<nbd::Runs> runs;
  runs.emplace_back("base:allocation", nbd::flag(2), size);
  runs.emplace_back("qemu:dirty-bitmap:x", nbd::flag(1), size);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto part = std::span<const std::uint32_t>{pairs}.subspan(i * half, half);
    // Several answers, as they come for a large disk; the last one covers what is left.
    runs[i].add(0, part);
    runs[i].add(runs[i].end(), part);
    const std::uint32_t rest[] = {static_cast<std::uint32_t>(size - runs[i].end()), 0};
    if (runs[i].end() < size) runs[i].add(runs[i].end(), rest);
  }
  const auto map = nbd::combine(runs, nbd::Base::parent);
  std::uint64_t end = 0;
  for (const auto& extent : map.extents) {
    fuzz::insist(extent.offset >= end && extent.end() <= size, "extents ascend on the disk");
    end = extent.end();
  }
}
const fuzz::Register r4{"nbd-extents", map_of};

void rbd_diff(std::string_view input) {
  rbd::DiffLines lines{std::uint64_t{1} << 30};
  for (std::size_t at = 0; at < input.size();) {
    const auto end = std::min(input.find('\n', at), input.size());
    lines.add(input.substr(at, end - at));
    at = end + 1;
  }
  qcow2::Plan{std::uint64_t{1} << 30, lines.extents()};
}
const fuzz::Register r5{"rbd-diff", rbd_diff};

void tpm(std::string_view input) { machine_state::unpack_tpm(input); }
const fuzz::Register r6{"tpm", tpm};

}  // namespace
