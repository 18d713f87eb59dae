// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/disk_file.h"

#include <endian.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "common/qcow2/stream.h"
#include "common/qcow2/test_disks.h"

namespace qcow2 {
namespace {

using namespace testing;

constexpr std::uint64_t mib = 1 << 20;

ReadAt reader(std::vector<std::byte> bytes) {
  return [bytes = std::move(bytes)](std::uint64_t offset, std::span<std::byte> out) {
    const auto count =
        offset < bytes.size() ? std::min<std::size_t>(out.size(), bytes.size() - offset) : 0;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(count == 0 ? 0 : offset), count,
                out.begin());
    return count;
  };
}

DiskFile open_bytes(std::vector<std::byte> bytes, Behind behind = Behind::nothing) {
  const auto size = bytes.size();
  return {reader(std::move(bytes)), size, "x", behind};
}

DiskFile open_path(const std::filesystem::path& path, Behind behind = Behind::nothing) {
  return open_bytes(file_bytes(path), behind);
}

Layer layer(DiskFile file) {
  const auto shared = std::make_shared<DiskFile>(std::move(file));
  return {.virtual_size = shared->virtual_size(),
          .extents = shared->extents(),
          .read = [shared](auto offset, auto out) { shared->read(offset, out); }};
}

class DiskFileTest : public ::testing::Test {
 protected:
  std::filesystem::path path(const std::string& name) const { return dir_.path() / name; }

  // As qemu writes it.
  std::filesystem::path made(const std::string& name, const Disk& disk,
                             const std::vector<std::string>& options) const {
    write_raw(path(name + ".raw"), disk);
    Command convert{"qemu-img", "convert", "-f", "raw", "-O", "qcow2"};
    for (const auto& option : options) convert.arg(option);
    convert.arg(path(name + ".raw").string()).arg(path(name).string()).output();
    return path(name);
  }
  void expect_disk(DiskFile file, const Disk& disk) const {
    ASSERT_EQ(file.virtual_size(), disk.size);
    std::vector<std::byte> ours(300'001), wanted(ours.size());
    for (std::uint64_t at = 0; at < disk.size; at += ours.size()) {
      const auto count = std::min<std::uint64_t>(ours.size(), disk.size - at);
      file.read(at, std::span{ours}.first(count));
      disk.read(at, std::span{wanted}.first(count));
      ASSERT_TRUE(std::equal(ours.begin(), ours.begin() + static_cast<std::ptrdiff_t>(count),
                             wanted.begin()))
          << at;
    }
  }

  TempDir dir_;
  Random random_{7};
};

TEST_F(DiskFileTest, ReadsWhatQemuWrites) {
  const std::vector<std::vector<std::string>> kinds{
      {},
      {"-c"},
      {"-o", "compat=0.10"},
      {"-o", "cluster_size=512"},
      {"-c", "-o", "cluster_size=4k"},
      {"-o", "cluster_size=2M"},
      {"-c", "-o", "cluster_size=2M"},
      {"-o", "preallocation=metadata"},
      {"-W", "-m", "16"},
  };
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    SCOPED_TRACE(i);
    const Disk disk{.size = 5 * mib + 512, .extents = random_extents(random_, 5 * mib), .seed = i};
    expect_disk(open_path(made("disk" + std::to_string(i), disk, kinds[i])), disk);
  }
}

TEST_F(DiskFileTest, ReadsSequentialFilesToo) {
  const Disk disk{.size = 5 * mib, .extents = random_extents(random_, 5 * mib)};
  write_qcow2(path("disk"), disk);
  auto file = open_path(path("disk"));
  EXPECT_EQ(file.extents(), (Plan{disk.size, disk.extents}.extents()));
  expect_disk(std::move(file), disk);
}

TEST_F(DiskFileTest, RefusesWhatIsNotAllInOneFile) {
  const Disk disk{.size = mib, .extents = {{0, mib, Content::data}}};
  write_qcow2(path("base"), disk);
  Command{"qemu-img",
          "create",
          "-q",
          "-f",
          "qcow2",
          "-F",
          "qcow2",
          "-b",
          path("base").string(),
          path("top").string()}
      .output();
  EXPECT_THROW(open_path(path("top")), Error);
  EXPECT_TRUE(open_path(path("top"), Behind::anything).extents().empty());
  Command{"qemu-img",
          "create",
          "-q",
          "-f",
          "qcow2",
          "-o",
          "data_file=" + path("data").string(),
          path("meta").string(),
          "1M"}
      .output();
  EXPECT_THROW(open_path(path("meta"), Behind::anything), Error);
  Command{"qemu-img",           "create", "-q", "-f", "qcow2", "-o", "extended_l2=on",
          path("sub").string(), "1M"}
      .output();
  EXPECT_THROW(open_path(path("sub"), Behind::anything), Error);
}

// Nothing else than an Error, nor much work, whatever stands there.
TEST_F(DiskFileTest, SurvivesAnyBytes) {
  const Disk disk{.size = 3 * mib, .extents = random_extents(random_, 3 * mib)};
  for (const auto& options :
       {std::vector<std::string>{}, {"-c", "-o", "cluster_size=4k"}, {"-o", "compat=0.10"}}) {
    const auto good = file_bytes(made("disk" + std::to_string(options.size()), disk, options));
    for (int i = 0; i < scaled(300); ++i) {
      auto bytes = good;
      const auto within = i % 3 == 0 ? std::uint64_t{112} : bytes.size();
      for (int changes = 0; changes < 4; ++changes)
        bytes[between(random_, 0, within - 1)] = static_cast<std::byte>(between(random_, 0, 255));
      if (i % 7 == 0) bytes.resize(between(random_, 0, bytes.size()));
      try {
        auto file = open_bytes(std::move(bytes), Behind::anything);
        std::vector<std::byte> out(4096);
        for (const auto& extent : file.extents()) {
          const auto count = std::min<std::uint64_t>(out.size(), extent.length);
          file.read(extent.offset, std::span{out}.first(count));
        }
      } catch (const Error&) {
      }
    }
  }
}

TEST_F(DiskFileTest, RefusesATableThatIsNamedTwice) {
  const Disk disk{.size = 1024 * mib, .extents = {{0, mib, Content::data}}};
  auto bytes = file_bytes(made("disk", disk, {}));
  std::uint64_t l1;
  std::memcpy(&l1, bytes.data() + 40, 8);
  l1 = be64toh(l1);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(l1), 8,
              bytes.begin() + static_cast<std::ptrdiff_t>(l1 + 8));
  EXPECT_THROW(open_bytes(std::move(bytes)), Error);
}

// Chains of files of different makers and sizes, as qemu reads them; also on top of the older ones.
TEST_F(DiskFileTest, IsMergedWithOthers) {
  for (int round = 0; round < scaled(4); ++round) {
    SCOPED_TRACE(round);
    std::vector<Layer> files;
    std::string last;
    for (int i = 0; i < 4; ++i) {
      const auto size = between(random_, 1, 8) * mib / 2 + 512;
      const Disk disk{.size = size,
                      .extents = random_extents(random_, size),
                      .seed = static_cast<std::uint64_t>(i)};
      const auto name = "disk" + std::to_string(round) + std::to_string(i);
      auto file = path(name);
      if (i % 2 == 0)
        write_qcow2(file, disk);
      else
        file =
            made(name, disk, i == 1 ? std::vector<std::string>{"-c"} : std::vector<std::string>{});
      if (!last.empty())
        Command{"qemu-img", "rebase", "-q", "-u", "-f",         "qcow2",
                "-F",       "qcow2",  "-b", last, file.string()}
            .output();
      last = file;
      files.push_back(layer(open_path(file, Behind::anything)));
    }
    const auto theirs = path("theirs").string();
    Command{"qemu-img", "convert", "-f", "qcow2", "-O", "raw", last, theirs}.output();
    for (const auto hidden : {Hidden::left_out, Hidden::zero}) {
      Merge merged{files, hidden};
      const auto ours = path("ours").string();
      {
        const Fd fd = open_file(ours, O_WRONLY | O_CREAT | O_TRUNC);
        merged.write(to_file(fd, ours));
      }
      expect_clean(ours);
      expect_same(ours, "qcow2", theirs, "raw");
      if (hidden == Hidden::left_out) continue;
      Command{"qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", last, ours}
          .output();
      expect_same(ours, "qcow2", theirs, "raw");
    }
  }
}

}  // namespace
}  // namespace qcow2
