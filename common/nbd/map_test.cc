// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "common/error.h"
#include "common/nbd/export.h"
#include "common/nbd/runs.h"
#include "common/nbd/test_server.h"
#include "common/qcow2/test_disks.h"

namespace nbd {
namespace {

using namespace testing;
using qcow2::Content;
using qcow2::Extents;
using qcow2::testing::Disk;
using std::chrono::seconds;

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

class NbdMap : public ::testing::Test {
 protected:
  // A disk with a bitmap "b" over what was written or discarded after its first data.
  void make_disk_with_bitmap() {
    source.bitmap = "b";
    const auto file = image.string();
    Command{"qemu-img", "create", "-q", "-f", "qcow2", file, "64M"}.output();
    io({"write 0 8M", "write 32M 8M"});
    Command{"qemu-img", "bitmap", "--add", file, "b"}.output();
    io({"write 4M 1M", "write -z -u 33M 2M", "write 50M 64k", "discard 6M 1M"});
  }

  void io(const std::vector<std::string>& lines) {
    Command command{"qemu-io", "-d", "unmap", "-f", "qcow2", image.string()};
    for (const auto& line : lines) command.arg("-c").arg(line);
    const auto text = command.output();
    ASSERT_EQ(text.find("rror"), text.npos) << text;
  }

  TempDir dir;
  std::filesystem::path image = dir.path() / "image";
  Export source{.socket = dir.path() / "s", .name = "disk", .bitmap = {}};
};

TEST_F(NbdMap, AFullLeavesHolesOut) {
  const Disk disk{.size = 64 * mib,
                  .extents = {{2 * mib, mib, Content::data},
                              {8 * mib, mib, Content::zero},
                              {40 * mib, 3 * mib, Content::data}}};
  qcow2::testing::write_qcow2(image, disk);
  const Server server = serve(source, image, "qcow2");
  const Map found = map(source, Base::none);
  EXPECT_EQ(found.size, disk.size);
  EXPECT_EQ(found.dirty_bytes, disk.size);
  const Extents expected{{2 * mib, mib, Content::data}, {40 * mib, 3 * mib, Content::data}};
  EXPECT_EQ(found.extents, expected);
}

TEST_F(NbdMap, AWholeIncrementWritesHolesDown) {
  const Disk disk{.size = 64 * mib, .extents = {{2 * mib, mib, Content::data}}};
  qcow2::testing::write_qcow2(image, disk);
  const Server server = serve(source, image, "qcow2");
  const Extents expected{{0, 2 * mib, Content::zero},
                         {2 * mib, mib, Content::data},
                         {3 * mib, 61 * mib, Content::zero}};
  EXPECT_EQ(map(source, Base::parent).extents, expected);
}

TEST_F(NbdMap, AnIncrementHoldsWhatIsDirty) {
  make_disk_with_bitmap();
  const Server server = serve(source, image, "qcow2");
  const Extents expected{{4 * mib, mib, Content::data},
                         {6 * mib, mib, Content::zero},
                         {33 * mib, 2 * mib, Content::zero},
                         {50 * mib, 64 << 10, Content::data}};
  for (const Base base : {Base::none, Base::parent}) {
    const Map found = map(source, base);
    EXPECT_EQ(found.extents, expected);
    EXPECT_EQ(found.dirty_bytes, 4 * mib + (64 << 10));
  }
}

// A base and three layers on it; each has what was written (or became zero) after the one below.
TEST_F(NbdMap, TheTopmostLayersHoldWhatChanged) {
  const auto layer = [&](int number) { return dir.path() / std::to_string(number); };
  for (int i = 0; i < 4; ++i) {
    image = layer(i);
    Command create{"qemu-img", "create", "-q", "-f", "qcow2"};
    if (i > 0) create.arg("-b").arg(layer(i - 1).string()).arg("-F").arg("qcow2");
    create.arg(image.string()).arg("64M").output();
    if (i == 0) io({"write 0 16M"});
    if (i == 1) io({"write 1M 2M", "write 20M 1M"});
    if (i == 2) io({"write 2M 2M", "write -z 8M 1M", "discard 20M 64k"});
    if (i == 3) io({"write 8M 64k", "write 63M 1M"});
  }
  source.layers = 2;
  const Server server = serve(source, layer(3), "qcow2");
  const Extents two{{2 * mib, 2 * mib, Content::data},
                    {8 * mib, 64 << 10, Content::data},
                    {8 * mib + (64 << 10), mib - (64 << 10), Content::zero},
                    {20 * mib, 64 << 10, Content::zero},
                    {63 * mib, mib, Content::data}};
  const Map found = map(source, Base::parent);
  EXPECT_EQ(found.extents, two);
  EXPECT_EQ(found.dirty_bytes, 4 * mib + (64 << 10));
  source.layers = 1;
  const Extents one{{8 * mib, 64 << 10, Content::data}, {63 * mib, mib, Content::data}};
  EXPECT_EQ(map(source, Base::parent).extents, one);
}

TEST_F(NbdMap, LargeDisksTakeManyRequests) {
  Command{"qemu-img", "create", "-q", "-f", "qcow2", image.string(), "16T"}.output();
  io({"write 0 64k", "write 4294901760 128k", "write 17592186043904 512"});
  const Server server = serve(source, image, "qcow2");
  const Map found = map(source, Base::none);
  const qcow2::Plan plan{found.size, found.extents};
  EXPECT_EQ(found.size, 16 * tib);
  EXPECT_EQ(plan.data_clusters(), 4);
  EXPECT_EQ(found.extents.size(), 3);
}

TEST_F(NbdMap, EmptyDisk) {
  Command{"qemu-img", "create", "-q", "-f", "qcow2", image.string(), "0"}.output();
  const Server server = serve(source, image, "qcow2");
  const Map found = map(source, Base::parent);
  EXPECT_EQ(found.size, 0);
  EXPECT_TRUE(found.extents.empty());
}

TEST_F(NbdMap, SaysWhatIsMissing) {
  const auto error = [&](const Export& what) -> std::string {
    try {
      map(what, Base::none);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(error(source).find(source.socket), std::string::npos);  // nobody listens
  qcow2::testing::write_qcow2(image, {.size = mib});
  const Server server = serve(source, image, "qcow2");
  Export other = source;
  other.bitmap = "gone";
  EXPECT_NE(error(other).find("'disk'"), std::string::npos);
  EXPECT_NE(error(other).find("'qemu:dirty-bitmap:gone'"), std::string::npos);
  other = source;
  other.layers = 1;
  EXPECT_NE(error(other).find("'qemu:allocation-depth'"), std::string::npos);
  other = source;
  other.name = "other";
  EXPECT_NE(error(other).find("'other'"), std::string::npos);
}

TEST_F(NbdMap, AServerThatDoesNotAnswerHasADeadline) {
  const Fd silent = unix_socket();
  const sockaddr_un address = unix_address(source.socket);
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(silent.get(), 4), 0);
  EXPECT_THROW(map(source, Base::none, seconds{1}), Error);
}

TEST_F(NbdMap, ARequestThatIsNotAnsweredHasADeadline) {
  const Server server = nbdkit(source, {"--filter=delay", "memory", "1M", "delay-extents=60"});
  EXPECT_THROW(map(source, Base::none, seconds{1}), Error);
}

TEST_F(NbdMap, ManyExtents) {
  // 80,000 pieces of 4 KiB and a hole after each, as a script says.
  constexpr std::uint64_t count = 80'000, piece = 4096, stride = 32768;
  const auto list = dir.path() / "extents";
  std::string text;
  for (std::uint64_t i = 0; i < count; ++i)
    text += std::to_string(stride * i) + " 4096\n" + std::to_string(stride * i + piece) +
            " 28672 hole,zero\n";
  write_file(list, text);
  const Server server =
      nbdkit(source, {"eval", "get_size=echo " + std::to_string(stride * count), "pread=exit 1",
                      "can_extents=exit 0", "extents=cat " + list.string()});
  const Map found = map(source, Base::parent);
  ASSERT_EQ(found.extents.size(), 2 * count);
  EXPECT_EQ(found.extents.front(), (qcow2::Extent{0, piece, Content::data}));
  EXPECT_EQ(found.extents.back(),
            (qcow2::Extent{stride * (count - 1) + piece, stride - piece, Content::zero}));
}

constexpr std::uint32_t hole = 1, zero = 2, dirty = 1;

void add(Runs& runs, std::uint64_t offset, const std::vector<std::uint32_t>& pairs) {
  runs.add(offset, pairs);
}

TEST(NbdRuns, AnswersMayRepeatAndExceed) {
  Runs runs{"c", flag(zero), 10000};
  add(runs, 0, {1000, 0, 1000, zero | hole});
  add(runs, 1500, {1500, zero, 512, 0});  // begins in what is known
  add(runs, 500, {100, 0});               // says nothing new
  add(runs, 5000, {100, 0});              // behind a gap
  EXPECT_EQ(runs.end(), 3512);
  add(runs, 3512, {0, zero, 4'000'000'000, hole});  // a hole that does not read as zeros
  EXPECT_EQ(runs.end(), 10000);
  ASSERT_EQ(runs.get().size(), 3);
  EXPECT_EQ(runs.get()[0].end, 1000);
  EXPECT_EQ(runs.get()[1].end, 3000);
  EXPECT_TRUE(runs.get()[1].set);
  EXPECT_FALSE(runs.get()[2].set);
}

TEST(NbdRuns, CombineWhereverTheyDiffer) {
  std::vector<Runs> both{{"a", flag(zero), 1000}, {"b", flag(dirty), 1000}};
  add(both[0], 0, {300, 0, 300, zero, 400, hole});
  add(both[1], 0, {100, 0, 400, dirty, 200, 0, 300, dirty});
  const Map found = combine(both, Base::parent);
  const Extents expected{
      {100, 200, Content::data}, {300, 200, Content::zero}, {700, 300, Content::data}};
  EXPECT_EQ(found.extents, expected);
  EXPECT_EQ(found.dirty_bytes, 700);
}

TEST(NbdRuns, TellThatADiskWasSmaller) {
  constexpr std::uint32_t size = 1'000'000;
  const auto mapped = [](std::vector<std::uint32_t> zeros, std::vector<std::uint32_t> dirt) {
    std::vector<Runs> both{{"a", flag(zero), size}, {"b", flag(dirty), size}};
    add(both[0], 0, zeros);
    add(both[1], 0, dirt);
    auto map = combine(both, Base::parent);
    map.data = allocated(both[0]);
    return map;
  };
  const auto before = mapped({600'000, 0, 400'000, zero}, {size, 0}).data;
  EXPECT_EQ(before, (Edges{0, 600'000}));
  const auto smaller = [&](const Map& now) { return was_smaller(before, now); };
  EXPECT_FALSE(smaller(mapped({600'000, 0, 400'000, zero}, {size, 0})));
  EXPECT_FALSE(
      smaller(mapped({600'000, 0, 300'000, zero, 100'000, 0}, {900'000, 0, 100'000, dirty})))
      << "something was written";
  EXPECT_FALSE(
      smaller(mapped({500'000, 0, 500'000, zero}, {500'000, 0, 100'000, dirty, 400'000, 0})))
      << "something was discarded";
  EXPECT_TRUE(smaller(mapped({500'000, 0, 500'000, zero}, {size, 0})));
  EXPECT_TRUE(smaller(mapped({590'000, 0, 410'000, zero}, {590'000, 0, 2000, dirty, 408'000, 0})));
  EXPECT_TRUE(
      smaller(mapped({100'000, 0, 800'000, zero, 100'000, 0}, {900'000, 0, 100'000, dirty})))
      << "something was written since";
  EXPECT_TRUE(smaller(mapped({599'000, 0, 1000, zero, 1000, 0, 399'000, zero},
                             {600'000, 0, 1000, dirty, 399'000, 0})))
      << "as much was written beside it";
  EXPECT_TRUE(smaller(mapped({size, 0}, {size, 0}))) << "nobody has written what there is more";
  EXPECT_TRUE(smaller(
      mapped({500'000, 0, 100'000, zero, 400'000, 0}, {500'000, 0, 100'000, dirty, 400'000, 0})));
  EXPECT_TRUE(smaller(mapped({650'000, 0, 10'000, zero, 300'000, 0, 40'000, zero}, {size, 0})))
      << "some of that may be zeros again";
  EXPECT_FALSE(
      smaller(mapped({650'000, 0, 350'000, zero}, {600'000, 0, 10'000, dirty, 390'000, 0})))
      << "qemu has copied more than what was written";
  EXPECT_FALSE(smaller(mapped({100'000, 0, 100'000, zero, 400'000, 0, 400'000, zero}, {size, 0})))
      << "a hole where a file system has found zeros";
  EXPECT_FALSE(was_smaller({}, mapped({size, zero}, {size, 0}))) << "nothing is known of before";
  EXPECT_TRUE(was_smaller({0, 0}, mapped({size, 0}, {size, 0}))) << "it was empty";
  EXPECT_FALSE(was_smaller({600'000, 700'000}, mapped({700'000, 0, 300'000, zero}, {size, 0})))
      << "only what lies behind 600'000 was known";
}

TEST(NbdRuns, KeepTheTopmostPieces) {
  constexpr std::uint32_t pieces = 20'000, size = 2 * pieces;
  std::vector<std::uint32_t> zeros;
  for (std::uint32_t n = 0; n < pieces; ++n) zeros.insert(zeros.end(), {1, zero, 1, 0});
  std::vector<Runs> both{{"a", flag(zero), size}, {"b", flag(dirty), size}};
  add(both[0], 0, zeros);
  add(both[1], 0, {size, 0});
  auto now = combine(both, Base::parent);
  now.data = allocated(both[0]);
  EXPECT_EQ(now.data.size(), 2 * most_pieces);
  EXPECT_EQ(now.data.back(), size);
  EXPECT_EQ(now.data.front(), size - 2 * most_pieces + 1);
  EXPECT_FALSE(was_smaller(now.data, now));
}

}  // namespace
}  // namespace nbd
