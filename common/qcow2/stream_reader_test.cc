// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "common/error.h"
#include "common/qcow2/stream.h"
#include "common/qcow2/test_disks.h"

namespace qcow2 {
namespace {

using namespace testing;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t gib = 1 << 30;

Disk random_disk(Random& random, std::uint64_t most) {
  Disk disk{.size = random_size(random, most), .seed = random(), .cluster = random_cluster(random)};
  disk.extents = random_extents(random, disk.size);
  return disk;
}

// Three L2 tables, all contents, a size of no whole clusters.
const Disk& small_disk() {
  static const Disk disk{.size = gib + 512,
                         .extents = {{cluster_size, 3 * cluster_size, Content::data},
                                     {20 * cluster_size, 7 * cluster_size, Content::zero},
                                     {gib - 512, 1024, Content::data}}};
  return disk;
}

void read_all(StreamReader& reader) {
  Bytes buffer;
  for (const Extent& extent : reader.plan().extents()) {
    if (extent.content != Content::data) continue;
    buffer.resize(extent.length);
    reader.read(extent.offset, buffer);
  }
  reader.finish();
}

std::string error_of(Source source) {
  try {
    StreamReader reader{std::move(source), "the stream"};
    read_all(reader);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(StreamReader, GivesWhatWasWritten) {
  Random random{7};
  for (int i = 0; i < scaled(60); ++i) {
    SCOPED_TRACE(i);
    const Disk disk = random_disk(random, 16 * mib);
    StreamReader reader{from_bytes(all_of(from_disk(disk))), "the stream"};
    const Plan plan = disk.plan();
    ASSERT_EQ(reader.plan().extents(), plan.extents());
    ASSERT_EQ(reader.plan().virtual_size(), disk.size);
    // Some of it, in odd pieces.
    for (const Extent& extent : plan.extents()) {
      if (extent.content != Content::data) continue;
      for (std::uint64_t at = extent.offset; at < extent.end();) {
        const auto length = std::min(extent.end() - at, between(random, 1, 300'000));
        if (between(random, 0, 2) != 0) {
          Bytes got(length), expected(length);
          reader.read(at, got);
          disk.read(at, expected);
          ASSERT_TRUE(got == expected) << at;
        }
        at += length;
      }
    }
    reader.finish();
  }
}

TEST(StreamReader, RefusesAStreamCutShortAnywhere) {
  const Bytes whole = all_of(from_disk(small_disk()));
  const auto cut = [&](std::uint64_t length) {
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(length);
    EXPECT_NE(error_of(from_bytes({whole.begin(), end})).find("'the stream'"), std::string::npos)
        << length;
  };
  EXPECT_EQ(error_of(from_bytes(whole)), "");
  for (const std::uint64_t odd : {0, 1, 103, 104, 4096, 65535}) {
    for (std::uint64_t at = odd; at < whole.size(); at += cluster_size) cut(at);
  }
  cut(whole.size() - 1);
}

TEST(StreamReader, RefusesAStreamThatGoesOn) {
  Bytes bytes = all_of(from_disk(small_disk()));
  bytes.push_back({});
  EXPECT_NE(error_of(from_bytes(bytes)), "");
}

// What is accepted has the very metadata that its own map implies.
void expect_refused_or_exact(const Bytes& bytes) {
  try {
    StreamReader reader{from_bytes(bytes), "the stream"};
    Bytes front(reader.plan().metadata_size());
    reader.plan().read_metadata(0, front);
    EXPECT_TRUE(std::equal(front.begin(), front.end(), bytes.begin()));
    read_all(reader);
  } catch (const Error&) {
  }
}

TEST(StreamReader, IsNotFooledByFlippedBytes) {
  Random random{11};
  Bytes bytes = all_of(from_disk(small_disk()));
  const Plan plan{small_disk().size, small_disk().extents};
  for (int i = 0; i < scaled(3000); ++i) {
    // Most of the metadata is zeros: look where something is, too.
    std::uint64_t at = between(random, 0, plan.metadata_size() - 1);
    if (i % 4 == 0) at = between(random, 0, 103);
    if (i % 4 == 1) at = at / cluster_size * cluster_size + at % 512;
    SCOPED_TRACE(at);
    const std::byte old = bytes[at];
    bytes[at] ^= static_cast<std::byte>(between(random, 1, 255));
    expect_refused_or_exact(bytes);
    bytes[at] = old;
  }
}

void put(Bytes& bytes, std::uint64_t at, std::uint64_t value, std::size_t width) {
  const std::uint64_t big_endian = htobe64(value << (64 - 8 * width));
  std::memcpy(bytes.data() + at, &big_endian, width);
}

TEST(StreamReader, RefusesHeadersItDoesNotKnow) {
  const Bytes good = all_of(from_disk(small_disk()));
  struct Change {
    const char* says;
    std::uint64_t at, value;
    std::size_t width;
  };
  const Change changes[] = {
      {"magic", 0, 0x51464900, 4},
      {"version", 4, 2, 4},
      {"backing", 8, 104, 8},
      {"backing", 16, 10, 4},
      {"64 KiB", 20, 21, 4},
      {"large", 24, std::uint64_t{1} << 60, 8},
      {"sectors", 24, gib + 511, 8},
      {"encrypted", 32, 1, 4},
      {"L1", 36, 0xffffffff, 4},
      {"header", 40, 3 * cluster_size, 8},
      {"header", 48, 7 * cluster_size, 8},
      {"refcount table", 56, 0, 4},
      {"refcount table", 56, 0xffffffff, 4},
      {"snapshots", 60, 1, 4},
      {"header", 64, cluster_size, 8},
      {"incompatible", 72, 4, 8},  // an external data file
      {"incompatible", 72, std::uint64_t{1} << 63, 8},
      {"optional", 80, 1, 8},
      {"optional", 88, 1, 8},
      {"header", 96, 5, 4},
      {"header", 100, 112, 4},
      {"header", 104, 0xe2792aca, 4},  // an extension: the backing file's format
      {"header", 65535, 1, 1},
  };
  for (const Change& change : changes) {
    Bytes bytes = good;
    put(bytes, change.at, change.value, change.width);
    const auto error = error_of(from_bytes(bytes));
    EXPECT_NE(error.find(change.says), error.npos) << change.at << ": " << error;
  }
}

TEST(StreamReader, RefusesTablesThatDisagree) {
  const Bytes good = all_of(from_disk(small_disk()));
  const std::uint64_t c = cluster_size, copied = std::uint64_t{1} << 63;
  // Header, L1, refcount table, refcount block, three L2 tables, data.
  const std::uint64_t l1 = c, table = 2 * c, refcounts = 3 * c, l2 = 4 * c, data = 7 * c;
  const auto refused = [&](std::uint64_t at, std::uint64_t value, std::size_t width = 8) {
    Bytes bytes = good;
    put(bytes, at, value, width);
    ASSERT_FALSE(bytes == good);
    EXPECT_NE(error_of(from_bytes(bytes)), "") << at << " " << value;
  };
  refused(l1, 0);
  refused(l1, l2);             // without its bit
  refused(l1, copied | data);  // a table among the data
  refused(l1, copied | (l2 + 1));
  refused(l1 + 8, copied | l2);  // one table twice
  refused(l1 + 32, copied | (l2 + 3 * c));
  refused(table, 0);
  refused(table, l1);
  refused(table + 8, refcounts + c);
  refused(refcounts, 2, 2);
  refused(refcounts, 0, 2);
  refused(refcounts + 2 * (good.size() / c - 1), 0, 2);
  refused(refcounts + 2 * (good.size() / c), 1, 2);
  refused(refcounts + c - 2, 1, 2);
  refused(l2 + 8, copied | (data + c));  // data out of order
  refused(l2 + 16, copied | data);       // one cluster twice
  refused(l2 + 8, data);
  refused(l2 + 8, 0);  // one cluster lost
  refused(l2 + 20 * 8, 2);
  refused(l2 + 20 * 8, (std::uint64_t{1} << 62) | data);  // compressed
  refused(l2 + 200 * 8, copied | ~std::uint64_t{0});
  refused(l2 + 2 * c + 8, 1);  // beyond the end of the disk
}

TEST(StreamReader, RefusesWhatOthersWrite) {
  const TempDir dir;
  const auto file = (dir.path() / "a").string();
  const auto refused = [&](std::vector<std::string> options) {
    std::vector<std::string> argv{"qemu-img", "create", "-q", "-f", "qcow2"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), {file, "8M"});
    Command{argv}.output();
    Command{"qemu-io", "-f", "qcow2", file, "-c", "write 5M 64k", "-c", "write 1M 64k"}.output();
    EXPECT_NE(error_of(from_file(file)), "");
  };
  refused({});
  refused({"-o", "compat=0.10"});
  refused({"-o", "cluster_size=4096"});
  refused({"-o", "extended_l2=on"});
  refused({"-o", "data_file=" + file + ".data"});
  write_raw(dir.path() / "back", {.size = 8 * mib});
  refused({"-b", (dir.path() / "back").string(), "-F", "raw"});
  EXPECT_NE(error_of(from_file(dir.path() / "back")), "");
}

// A header may say what it likes: memory is taken for what arrives.
TEST(StreamReader, HostileSizesCostNothing) {
  Bytes header(cluster_size);
  const Plan plan{max_virtual_size, {{0, max_virtual_size, Content::data}}};
  plan.read_metadata(0, header);
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  std::size_t most = 0;
  const auto before = used();
  const auto source = [&](std::byte filler) -> Source {
    return [&, filler, at = std::size_t{0}](std::span<std::byte> out) mutable {
      most = std::max(most, used());
      const std::size_t count =
          std::min(out.size(), at < header.size() ? header.size() - at : out.size());
      if (at < header.size())
        std::copy_n(header.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
      else
        std::fill(out.begin(), out.end(), filler);
      at += count;
      return count;
    };
  };
  for (const int filler : {0, 1, 0x80, 0xff})
    EXPECT_NE(error_of(source(static_cast<std::byte>(filler))), "");
  EXPECT_LT(most - std::min(most, before), 100 * mib);
}

TEST(StreamReader, RefusesToGoBackOrAside) {
  StreamReader reader{from_disk(small_disk()), "the stream"};
  Bytes cluster(cluster_size);
  reader.read(2 * cluster_size, cluster);
  EXPECT_THROW(reader.read(cluster_size, cluster), std::logic_error);
  EXPECT_THROW(reader.read(2 * cluster_size, cluster), std::logic_error);
  EXPECT_THROW(reader.read(3 * cluster_size + 1, cluster), std::logic_error);  // beyond its end
  EXPECT_THROW(reader.read(21 * cluster_size, cluster), std::logic_error);     // zeros
  EXPECT_THROW(reader.read(gib + 1, cluster), std::logic_error);
}

}  // namespace
}  // namespace qcow2
