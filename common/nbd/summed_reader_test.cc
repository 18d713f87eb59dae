// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/summed_reader.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/error.h"
#include "common/nbd/test_server.h"
#include "common/qcow2/test_disks.h"

namespace nbd {
namespace {

using namespace testing;
using qcow2::Content;
using qcow2::Plan;

constexpr std::uint64_t mib = 1 << 20;

// All calls of a test come from one thread, and the file has one connection.  It reads little
// ahead: less than what a test leaves for later.
class NbdSummedReader : public ::testing::Test {
 protected:
  Server serve_noted() {
    return nbdkit(source, {"--filter=log", "pattern", "size=" + std::to_string(10 * mib + 512),
                           "logfile=" + log.string()});
  }

  static std::string drain(std::uint64_t size, std::size_t step, const auto& read) {
    std::string out(size + 100, '\0');
    std::size_t done = 0;
    while (done < out.size()) {
      const auto want = std::min(step, out.size() - done);
      const auto n = read(done, std::as_writable_bytes(std::span{out}).subspan(done, want));
      if (n == 0) break;
      done += n;
    }
    out.resize(done);
    return out;
  }
  std::string disk(std::size_t step = 128 << 10) {
    return drain(reader.plan().file_size(), step,
                 [&](auto offset, auto out) { return reader.read(offset, out); });
  }
  std::string sums(std::size_t step = 4096) {
    return drain(reader.sums_size(), step,
                 [&](auto offset, auto out) { return reader.read_sums(offset, out); });
  }
  static std::string sums_of(const std::string& file) {
    sums::Writer writer;
    writer.add(std::as_bytes(std::span{file}));
    return writer.finish();
  }

  // How often the server was asked for data.
  std::size_t reads() const {
    std::size_t count = 0;
    const auto text = read_file(log);
    for (auto at = text.find(" Read "); at != text.npos; at = text.find(" Read ", at + 1)) ++count;
    return count;
  }

  TempDir dir;
  std::filesystem::path log = dir.path() / "log";
  Export source{.socket = dir.path() / "s", .name = "", .bitmap = {}};
  SummedReader reader{
      source,
      Plan{10 * mib + 512, {{0, 5 * mib, Content::data}, {6 * mib, 4 * mib + 512, Content::data}}},
      {.connections = 1, .ahead = 1}};
};

TEST_F(NbdSummedReader, SumsThatAreReadAfterTheDiskCostNoRead) {
  const Server server = serve_noted();
  const auto file = disk();
  EXPECT_EQ(file.size(), reader.plan().file_size());
  const auto before = reads();
  EXPECT_GT(before, 0U);
  EXPECT_EQ(sums(), sums_of(file));
  EXPECT_EQ(reads(), before);
  EXPECT_EQ(reader.sums(), sums_of(file));
  EXPECT_EQ(reader.sums_size(), sums_of(file).size());
}

TEST_F(NbdSummedReader, SumsThatAreReadFirstAreReadFromTheExport) {
  const Server server = serve_noted();
  const auto found = sums();
  EXPECT_EQ(found, sums_of(disk()));
}

TEST_F(NbdSummedReader, SumsCanBeReadInAnyPieces) {
  const Server server = serve_noted();
  const auto found = sums(7);
  EXPECT_EQ(found.size(), reader.sums_size());
  EXPECT_EQ(found, sums_of(disk(1 * mib)));
}

TEST_F(NbdSummedReader, AReaderWhoStopsInTheMiddleIsNotWaitedFor) {
  const Server server = serve_noted();
  std::vector<std::byte> part(5 * mib);
  reader.read(0, part);
  EXPECT_FALSE(reader.sums());
  const auto before = reads();
  const auto found = sums();
  EXPECT_GT(reads(), before);
  EXPECT_EQ(found, sums_of(disk()));
}

TEST_F(NbdSummedReader, OneCallReadsOnePieceAtMost) {
  const Server server = serve_noted();
  std::vector<std::byte> out(reader.sums_size());
  EXPECT_EQ(reader.read_sums(0, out), sums::sum_size);
  EXPECT_EQ(reader.read_sums(0, out), 2 * sums::sum_size);
  EXPECT_EQ(reader.read_sums(reader.sums_size(), out), 0U);
}

TEST_F(NbdSummedReader, AFailureIsOneOfTheSumsToo) {
  const Server server = serve_noted();
  reader.fail("the guest is in danger");
  std::vector<std::byte> out(32);
  EXPECT_THROW(reader.read_sums(0, out), Error);
}

}  // namespace
}  // namespace nbd
