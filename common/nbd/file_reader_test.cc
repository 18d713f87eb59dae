// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/file_reader.h"

#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "common/error.h"
#include "common/nbd/test_server.h"
#include "common/qcow2/test_disks.h"

namespace nbd {
namespace {

using namespace testing;
using qcow2::Content;
using qcow2::Plan;
using qcow2::testing::Disk;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t mib = 1 << 20;

class NbdFileReader : public ::testing::Test {
 protected:
  // What a read of so much says that fails.
  static std::string error_of(FileReader& reader, std::uint64_t offset, std::size_t size = 65536) {
    std::vector<std::byte> bytes(size);
    try {
      reader.read(offset, bytes);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  static std::uint64_t data(const FileReader& reader) { return reader.plan().metadata_size(); }

  static std::shared_ptr<Limiter> spent_limiter(seconds until) {
    auto out = std::make_shared<Limiter>(Limiter::Rates{.bytes_per_second = mib});
    out->admit(static_cast<std::uint64_t>(until.count()) * mib);
    return out;
  }

  TempDir dir;
  Export source{.socket = dir.path() / "s", .name = "disk", .bitmap = {}};
  const Plan full{64 * mib, {{0, 64 * mib, Content::data}}};
};

TEST_F(NbdFileReader, GivesTheBytesOfTheFileFromAnywhere) {
  qcow2::testing::Random random{7};
  for (int i = 0; i < qcow2::testing::scaled(4); ++i) {
    SCOPED_TRACE(i);
    Disk disk{.size = qcow2::testing::random_size(random, 12 * mib), .seed = random()};
    disk.extents = qcow2::testing::random_extents(random, disk.size);
    qcow2::testing::write_raw(dir.path() / "raw", disk);
    const Server server = serve(source, dir.path() / "raw", "raw");
    const Map found = map(source, Base::none);
    const Plan plan{found.size, found.extents};
    std::string file;
    copy(source, plan, [&](std::span<const std::byte> bytes) {
      file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
    FileReader reader{
        source, plan, {.connections = 1 + i % 3, .in_flight = 1 + i % 2 * 3, .ahead = i % 4}};
    for (int reads = 0; reads < 40; ++reads) {
      const std::size_t offset = random() % (file.size() + 10);
      std::string bytes(random() % (3 * mib), 'x');
      bytes.resize(reader.read(offset, std::as_writable_bytes(std::span{bytes})));
      ASSERT_TRUE(bytes == (offset < file.size() ? file.substr(offset, bytes.size()) : ""));
      ASSERT_TRUE(!bytes.empty() || offset >= file.size());
    }
  }
}

TEST_F(NbdFileReader, AsksForManyBlocksOnOneConnection) {
  // A server that answers nothing before it was asked for as much as may be under way.
  const auto log = dir.path() / "log";
  const Server server = nbdkit(source, {"--filter=log", "--filter=delay", "pattern", "64M",
                                        "delay-read=300ms", "logfile=" + log.string()});
  FileReader reader{source, full, {.connections = 1, .in_flight = 4, .ahead = 8}};
  EXPECT_EQ(error_of(reader, data(reader), 4 * mib), "");
  // In the log, requests have an id until they are answered: "id=N" and "...Read id=N return=0".
  std::istringstream lines{read_file(log)};
  int now = 0, most = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("Read id=") == line.npos) continue;
    now += line.find("...Read") == line.npos ? 1 : -1;
    most = std::max(most, now);
  }
  EXPECT_EQ(read_file(log).find("connection=2"), std::string::npos);
  EXPECT_GT(most, 2);  // more than the two requests of one block
}

TEST_F(NbdFileReader, AfterAReadErrorEveryReadFails) {
  const auto trigger = dir.path() / "fail";
  const Server server = nbdkit(source, {"--filter=error", "pattern", "64M", "error-pread=EIO",
                                        "error-pread-rate=1", "error-file=" + trigger.string()});
  FileReader reader{source, full, {.ahead = 0}};
  EXPECT_EQ(error_of(reader, data(reader)), "");
  write_file(trigger, "");
  const auto error = error_of(reader, data(reader) + 32 * mib);
  EXPECT_NE(error.find("Input/output error"), error.npos) << error;
  EXPECT_EQ(error_of(reader, data(reader)), error);
  EXPECT_EQ(error_of(reader, 0), error);  // of the tables, too
}

TEST_F(NbdFileReader, ALostConnectionIsAnError) {
  Server server = nbdkit(source, {"pattern", "64M"});
  FileReader reader{source, full, {.ahead = 0}};
  EXPECT_EQ(error_of(reader, data(reader)), "");
  server.kill();
  const auto error = error_of(reader, data(reader) + 32 * mib);
  EXPECT_NE(error.find("export 'disk'"), error.npos) << error;
}

TEST_F(NbdFileReader, AServerThatStopsAnsweringHasADeadline) {
  Server server = nbdkit(source, {"pattern", "64M"});
  server.signal(SIGSTOP);
  FileReader reader{source, full, {.deadline = seconds{1}}};
  const auto error = error_of(reader, data(reader));
  EXPECT_NE(error.find("no answer within 1 s"), error.npos) << error;
}

TEST_F(NbdFileReader, FailWakesWhoWaitsForTheServer) {
  Server server = nbdkit(source, {"pattern", "64M"});
  server.signal(SIGSTOP);
  FileReader reader{source, full};
  const std::jthread later{[&] { reader.fail("enough"); }};
  EXPECT_EQ(error_of(reader, data(reader)), "enough");
}

TEST_F(NbdFileReader, FailWakesWhoWaitsForTheLimiter) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  FileReader reader{source, full, {.limiter = spent_limiter(seconds{100'000})}};
  const std::jthread later{[&] { reader.fail("enough"); }};
  EXPECT_EQ(error_of(reader, data(reader)), "enough");
}  // and the destructor does not wait for it either

TEST_F(NbdFileReader, WaitingForTheLimiterIsNotAMissedDeadline) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  FileReader reader{
      source, full, {.ahead = 0, .deadline = seconds{3}, .limiter = spent_limiter(seconds{4})}};
  EXPECT_EQ(error_of(reader, data(reader)), "");
}

TEST_F(NbdFileReader, ReadersShareALimiter) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  const auto limiter = std::make_shared<Limiter>(Limiter::Rates{.bytes_per_second = 8 * mib});
  FileReader a{source, full, {.ahead = 0, .limiter = limiter}};
  FileReader b{source, full, {.ahead = 0, .limiter = limiter}};
  const auto begin = Limiter::Clock::now();
  std::jthread other{[&] { EXPECT_EQ(error_of(a, data(a), 4 * mib), ""); }};
  EXPECT_EQ(error_of(b, data(b), 4 * mib), "");
  other.join();
  // The last of 16 requests goes 15/16 s after the first, less what was saved up.
  EXPECT_GE(Limiter::Clock::now() - begin, milliseconds{680});
}

}  // namespace
}  // namespace nbd
