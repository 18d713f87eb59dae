// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "common/cancel.h"
#include "common/error.h"
#include "common/nbd/export.h"
#include "common/nbd/test_server.h"
#include "common/qcow2/test_disks.h"

namespace nbd {
namespace {

using namespace testing;
using qcow2::Content;
using qcow2::Plan;
using qcow2::testing::Disk;
using std::chrono::seconds;

constexpr std::uint64_t mib = 1 << 20;

class NbdCopy : public ::testing::Test {
 protected:
  std::uint64_t copy_to(const std::filesystem::path& target, Base base,
                        const ReadOptions& options = {}) {
    const Map found = map(source, base);
    const Fd fd = open_file(target, O_WRONLY | O_CREAT | O_TRUNC);
    return copy(source, Plan{found.size, found.extents}, qcow2::testing::to_file(fd, target),
                options);
  }

  // Counts bytes, runs `after` once when the data begins, and must not be called again once a
  // caller has seen an error.
  qcow2::Sink watching(const Plan& plan, std::function<void()> after) {
    return [this, &plan, after = std::move(after)](std::span<const std::byte> bytes) {
      EXPECT_FALSE(over);
      const bool began = written > plan.metadata_size();
      written += bytes.size();
      if (!began && written > plan.metadata_size()) after();
    };
  }

  std::string error_of(const Plan& plan, const qcow2::Sink& sink, const ReadOptions& options = {}) {
    try {
      copy(source, plan, sink, options);
    } catch (const Error& e) {
      over = true;
      return e.what();
    }
    return "";
  }

  void expect_names(const std::string& error, const std::string& what) {
    EXPECT_NE(error.find(what), error.npos) << error;
  }

  TempDir dir;
  Export source{.socket = dir.path() / "s", .name = "disk", .bitmap = {}};
  std::uint64_t written = 0;
  bool over = false;
};

const Plan& full_64m() {
  static const Plan plan{64 * mib, {{0, 64 * mib, Content::data}}};
  return plan;
}

TEST_F(NbdCopy, GivesTheDisk) {
  qcow2::testing::Random random{5};
  for (int i = 0; i < qcow2::testing::scaled(6); ++i) {
    SCOPED_TRACE(i);
    Disk disk{.size = qcow2::testing::random_size(random, 12 * mib), .seed = random()};
    disk.extents = qcow2::testing::random_extents(random, disk.size);
    qcow2::testing::write_raw(dir.path() / "raw", disk);
    const Server server = serve(source, dir.path() / "raw", "raw");
    std::uint64_t last = 0;
    const auto progress = [&](std::uint64_t bytes) {
      EXPECT_GT(bytes, last);
      last = bytes;
    };
    const auto bytes = copy_to(dir.path() / "copy", i % 2 ? Base::none : Base::parent,
                               {.connections = 1 + i % 4,
                                .in_flight = 1 + i % 3,
                                .request = 65536u << i % 6,
                                .progress = progress});
    EXPECT_EQ(bytes, last);
    qcow2::testing::expect_clean(dir.path() / "copy");
    qcow2::testing::expect_same(dir.path() / "copy", "qcow2", dir.path() / "raw", "raw");
  }
}

TEST_F(NbdCopy, TheSameDiskGivesTheSameFile) {
  Disk disk{.size = 20 * mib + 512, .extents = {{3 * mib, 17 * mib + 512, Content::data}}};
  qcow2::testing::write_raw(dir.path() / "raw", disk);
  const Server server = serve(source, dir.path() / "raw", "raw");
  EXPECT_EQ(copy_to(dir.path() / "a", Base::none, {.connections = 1, .in_flight = 1}),
            17 * mib + 512);
  copy_to(dir.path() / "b", Base::none, {.connections = 4, .request = 65536});
  qcow2::testing::write_qcow2(dir.path() / "c", disk);
  const auto a = read_file(dir.path() / "a");
  EXPECT_TRUE(a == read_file(dir.path() / "b"));
  EXPECT_TRUE(a == read_file(dir.path() / "c"));
}

TEST_F(NbdCopy, AChainOfIncrementsGivesTheDisk) {
  const auto image = (dir.path() / "image").string();
  const auto io = [&](std::initializer_list<const char*> lines) {
    Command command{"qemu-io", "-d", "unmap", "-f", "qcow2", image};
    for (const char* line : lines) command.arg("-c").arg(line);
    const auto text = command.output();
    ASSERT_EQ(text.find("rror"), text.npos) << text;
  };
  Command{"qemu-img", "create", "-q", "-f", "qcow2", image, "64M"}.output();
  io({"write -P 1 0 20M", "write -P 2 40M 5000k"});
  Command{"qemu-img", "bitmap", "--add", image, "b"}.output();
  {
    const Server server = serve(source, image, "qcow2");
    copy_to(dir.path() / "full", Base::none);
  }
  io({"write -P 3 5M 512", "write -P 4 19M 3M", "write -z -u 41M 1M", "discard 1M 1M"});
  source.bitmap = "b";
  const Server server = serve(source, image, "qcow2");
  // One sector, and what was written in whole clusters: holes are not read.
  EXPECT_EQ(copy_to(dir.path() / "increment", Base::parent), 3 * mib + 65536);
  Command{"qemu-img",
          "rebase",
          "-q",
          "-u",
          "-f",
          "qcow2",
          "-F",
          "qcow2",
          "-b",
          (dir.path() / "full").string(),
          (dir.path() / "increment").string()}
      .output();
  qcow2::testing::expect_clean(dir.path() / "increment");
  qcow2::testing::expect_same(dir.path() / "increment", "qcow2", image, "qcow2");
}

TEST_F(NbdCopy, AServerWithRoomForFewClientsIsEnough) {
  const Disk disk{.size = 8 * mib, .extents = {{0, 8 * mib, Content::data}}};
  qcow2::testing::write_raw(dir.path() / "raw", disk);
  for (const int clients : {1, 2}) {
    const Server server = serve(source, dir.path() / "raw", "raw", clients);
    copy_to(dir.path() / "copy", Base::none);
    qcow2::testing::expect_same(dir.path() / "copy", "qcow2", dir.path() / "raw", "raw");
  }
}

TEST_F(NbdCopy, AReadErrorIsAnError) {
  const auto trigger = dir.path() / "fail";
  const Server server = nbdkit(source, {"--filter=error", "pattern", "64M", "error-pread=EIO",
                                        "error-pread-rate=1", "error-file=" + trigger.string()});
  const Plan& plan = full_64m();
  const auto error = error_of(plan, watching(plan, [&] { write_file(trigger, ""); }));
  expect_names(error, "export 'disk'");
  expect_names(error, source.socket);
  expect_names(error, "at offset ");
  expect_names(error, "Input/output error");
  EXPECT_LT(written, plan.file_size());
}

TEST_F(NbdCopy, ALostConnectionIsAnError) {
  Server server = nbdkit(source, {"pattern", "64M"});
  const Plan& plan = full_64m();
  const auto error = error_of(plan, watching(plan, [&] { server.kill(); }));
  expect_names(error, "export 'disk'");
  expect_names(error, "at offset ");
  EXPECT_LT(written, plan.file_size());
}

TEST_F(NbdCopy, AHangingReadHasADeadline) {
  const Server server = nbdkit(source, {"--filter=delay", "pattern", "64M", "delay-read=60"});
  const auto error = error_of(full_64m(), watching(full_64m(), [] {}), {.deadline = seconds{1}});
  expect_names(error, "no answer within 1 s");
  EXPECT_EQ(written, full_64m().metadata_size());
}

TEST_F(NbdCopy, AServerThatStopsAnsweringHasADeadline) {
  Server server = nbdkit(source, {"pattern", "64M"});
  const auto error = error_of(full_64m(), watching(full_64m(), [&] { server.signal(SIGSTOP); }),
                              {.deadline = seconds{1}});
  expect_names(error, "no answer within 1 s");
}

TEST_F(NbdCopy, ASlowConsumerIsNotAMissedDeadline) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  // The sleep is the slow consumer; the deadline leaves a busy machine's server time to answer.
  const auto slow = [] { std::this_thread::sleep_for(std::chrono::milliseconds{4500}); };
  const auto bytes = copy(source, full_64m(), watching(full_64m(), slow), {.deadline = seconds{4}});
  EXPECT_EQ(bytes, 64 * mib);
  EXPECT_EQ(written, full_64m().file_size());
}

TEST_F(NbdCopy, HoldsItsRates) {
  const Disk disk{.size = 8 * mib, .extents = {{0, 8 * mib, Content::data}}};
  qcow2::testing::write_raw(dir.path() / "raw", disk);
  const Server server = serve(source, dir.path() / "raw", "raw");
  const auto limiter = std::make_shared<Limiter>(
      Limiter::Rates{.bytes_per_second = 8 * mib, .requests_per_second = 1000});
  const auto begin = Limiter::Clock::now();
  copy_to(dir.path() / "copy", Base::none, {.limiter = limiter});
  // The last of 8 requests goes 7/8 s after the first, less what was saved up.
  EXPECT_GE(Limiter::Clock::now() - begin, std::chrono::milliseconds{620});
  qcow2::testing::expect_same(dir.path() / "copy", "qcow2", dir.path() / "raw", "raw");
}

TEST_F(NbdCopy, WaitingForTheLimiterIsNotAMissedDeadline) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  const auto limiter = std::make_shared<Limiter>(Limiter::Rates{.bytes_per_second = 256 * mib});
  copy(source, full_64m(), watching(full_64m(), [&] { limiter->admit(1152 * mib); }),
       {.deadline = seconds{4}, .limiter = limiter});
  EXPECT_EQ(written, full_64m().file_size());
}

TEST_F(NbdCopy, TheSinksErrorEndsTheCopy) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  const auto full = [] { throw Error{"no space left"}; };
  EXPECT_EQ(error_of(full_64m(), watching(full_64m(), full)), "no space left");
}

TEST_F(NbdCopy, StopsWhenToldTo) {
  const Server server = nbdkit(source, {"pattern", "64M"});
  std::atomic<bool> stop = false;
  const auto sink = watching(full_64m(), [&] { over = stop = true; });
  EXPECT_THROW(copy(source, full_64m(), sink, {.stop = &stop}), Cancelled);
}

TEST_F(NbdCopy, StopsWhileItWaits) {
  Server server = nbdkit(source, {"pattern", "64M"});
  std::atomic<bool> stop = false;
  std::jthread later;
  const auto hang = [&] {
    server.signal(SIGSTOP);
    later = std::jthread{[&] { stop = true; }};
  };
  EXPECT_THROW(copy(source, full_64m(), watching(full_64m(), hang), {.stop = &stop}), Cancelled);
}

TEST_F(NbdCopy, StopsWhenTheCallerHasGone) {
  Server server = nbdkit(source, {"pattern", "64M"});
  const auto child = [&] {
    Pipe caller;
    cancel::watch(caller.read.get());
    const auto hang = [&] {
      server.signal(SIGSTOP);
      caller.write.reset();
    };
    try {
      copy(source, full_64m(), watching(full_64m(), hang));
    } catch (const Cancelled&) {
      _exit(42);
    }
    _exit(0);
  };
  EXPECT_EXIT(child(), ::testing::ExitedWithCode(42), "");
}

TEST_F(NbdCopy, RefusesAnotherSize) {
  const Server server = nbdkit(source, {"pattern", "32M"});
  expect_names(error_of(full_64m(), watching(full_64m(), [] {})), "size");
  EXPECT_EQ(written, 0);
}

TEST_F(NbdCopy, NothingToReadNeedsNoServer) {
  const Plan plan{mib, {{0, mib, Content::zero}}};
  EXPECT_EQ(copy(source, plan, watching(plan, [] {})), 0);
  EXPECT_EQ(written, plan.file_size());
}

TEST_F(NbdCopy, RefusesBadOptions) {
  const auto bad = [&](const ReadOptions& options) {
    EXPECT_THROW(copy(source, full_64m(), watching(full_64m(), [] {}), options), std::logic_error);
  };
  bad({.connections = 0});
  bad({.in_flight = 0});
  bad({.request = 0});
  bad({.request = 1000});
}

}  // namespace
}  // namespace nbd
