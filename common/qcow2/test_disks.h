// SPDX-License-Identifier: Apache-2.0
// Made-up disks for unit tests: any byte of them can be computed.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "common/command.h"
#include "common/file.h"
#include "common/qcow2/plan.h"
#include "common/qcow2/stream.h"

namespace qcow2::testing {

using Random = std::mt19937_64;

// Loops of random cases run this many times as long.
inline int scaled(int count) {
  const char* scale = std::getenv("VMVAULT_TEST_SCALE");
  return count * std::max(1, scale ? std::atoi(scale) : 1);
}

inline std::uint64_t between(Random& random, std::uint64_t low, std::uint64_t high) {
  return std::uniform_int_distribution<std::uint64_t>{low, high}(random);
}

// What a guest wrote: noise in data extents, zeros elsewhere.
struct Disk {
  std::uint64_t size = 0;
  Extents extents = {};
  std::uint64_t seed = 1;
  std::uint64_t cluster = cluster_size;  // of its file

  Plan plan() const { return {size, extents, cluster}; }

  void read(std::uint64_t offset, std::span<std::byte> out) const {
    std::fill(out.begin(), out.end(), std::byte{0});
    const std::uint64_t end = offset + out.size();
    auto extent = std::partition_point(extents.begin(), extents.end(),
                                       [&](const Extent& e) { return e.end() <= offset; });
    for (; extent != extents.end() && extent->offset < end; ++extent) {
      if (extent->content != Content::data) continue;
      for (auto at = std::max(offset, extent->offset); at < std::min(end, extent->end()); ++at)
        out[at - offset] = noise(at);
    }
  }

  // Never zero, so a missing byte shows.
  std::byte noise(std::uint64_t at) const {
    const std::uint64_t mixed = (at / 8 + seed) * 0x9e3779b97f4a7c15 >> 8;
    return static_cast<std::byte>((mixed >> (at % 8 * 6) & 0xff) | 1);
  }
};

inline Sink to_file(const Fd& fd, const std::string& name) {
  return [&fd, name](std::span<const std::byte> bytes) {
    write_all(fd.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name);
  };
}

inline std::vector<std::byte> file_bytes(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline void write_data(const Plan& plan, const Disk& disk, const Sink& sink) {
  std::vector<std::byte> buffer;
  for (std::uint64_t at = plan.metadata_size(); at < plan.file_size();) {
    const auto place = plan.place(at);
    buffer.resize(std::min<std::uint64_t>(place.length, 1 << 20));
    disk.read(place.guest_offset, buffer);
    sink(buffer);
    at += buffer.size();
  }
}

inline void write_qcow2(const std::filesystem::path& path, const Disk& disk) {
  const Plan plan = disk.plan();
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  const Sink sink = to_file(fd, path);
  write_metadata(plan, sink);
  write_data(plan, disk, sink);
  ASSERT_EQ(std::filesystem::file_size(path), plan.file_size());
}

inline void write_raw(const std::filesystem::path& path, const Disk& disk) {
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(disk.size)), 0);
  std::vector<std::byte> buffer;
  for (const Extent& extent : disk.extents) {
    if (extent.content != Content::data) continue;
    for (std::uint64_t at = extent.offset; at < extent.end(); at += buffer.size()) {
      buffer.resize(std::min<std::uint64_t>(extent.end() - at, 1 << 20));
      disk.read(at, buffer);
      ASSERT_EQ(pwrite(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(at)),
                static_cast<ssize_t>(buffer.size()));
    }
  }
}

inline Source from_bytes(std::vector<std::byte> bytes) {
  return [bytes = std::move(bytes), at = std::size_t{0}](std::span<std::byte> out) mutable {
    // In pieces, as pipes give them.
    const std::size_t count = std::min({out.size(), bytes.size() - at, std::size_t{50'021}});
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
    at += count;
    return count;
  };
}

// The file of a disk, made as it is read.
inline Source from_disk(const Disk& disk) {
  const auto plan = std::make_shared<const Plan>(disk.plan());
  return [plan, disk, at = std::uint64_t{0}](std::span<std::byte> out) mutable {
    const bool front = at < plan->metadata_size();
    const std::uint64_t end = front ? plan->metadata_size() : plan->file_size();
    auto part = out.first(std::min<std::uint64_t>(out.size(), end - at));
    if (front) {
      plan->read_metadata(at, part);
    } else if (!part.empty()) {
      const auto place = plan->place(at);
      part = part.first(std::min<std::uint64_t>(part.size(), place.length));
      disk.read(place.guest_offset, part);
    }
    at += part.size();
    return part.size();
  };
}

inline std::vector<std::byte> all_of(Source source) {
  std::vector<std::byte> bytes, part(1 << 20);
  while (const std::size_t count = source(part))
    bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
  return bytes;
}

inline Source from_file(const std::filesystem::path& path) {
  auto fd = std::make_shared<Fd>(open_file(path, O_RDONLY));
  return [fd](std::span<std::byte> out) {
    const ssize_t n = read(fd->get(), out.data(), out.size());
    if (n < 0) throw std::runtime_error{"cannot read a test's file"};
    return static_cast<std::size_t>(n);
  };
}

inline void expect_clean(const std::filesystem::path& qcow2) {
  const auto check = Command{"qemu-img", "check", "-q", "-f", "qcow2", qcow2.string()}.run();
  EXPECT_TRUE(check.ok()) << check.out.substr(0, 2000) << check.err.substr(0, 2000);
}

inline void expect_same(const std::filesystem::path& a, const char* a_format,
                        const std::filesystem::path& b, const char* b_format) {
  const auto compare =
      Command{"qemu-img", "compare", "-q", "-f", a_format, "-F", b_format, a.string(), b.string()}
          .run();
  EXPECT_TRUE(compare.ok()) << compare.out << compare.err;
}

// Extents of one of many shapes; absent ones are gaps, or said.
inline Extents random_extents(Random& random, std::uint64_t size) {
  Extents extents;
  const std::uint64_t unit = std::uint64_t{1} << between(random, 9, 21);
  const std::uint64_t longest = between(random, 1, 20);
  const auto contents = between(random, 1, 7);  // which ones may occur, as bits
  for (std::uint64_t at = between(random, 0, 1) * unit; at < size;) {
    const std::uint64_t length = std::min(size - at, between(random, 1, longest) * unit);
    const auto content = between(random, 0, 2);
    if (contents >> content & 1) extents.push_back({at, length, static_cast<Content>(content)});
    at += length;
  }
  return extents;
}

inline std::uint64_t random_cluster(Random& random) {
  return between(random, 0, 1) == 0 ? cluster_size : small_cluster_size;
}

// Not more than `most`, and often of no whole number of clusters.
inline std::uint64_t random_size(Random& random, std::uint64_t most) {
  const std::uint64_t size = between(random, 0, most);
  return size - size % (between(random, 0, 2) == 0 ? cluster_size : 512);
}

}  // namespace qcow2::testing
