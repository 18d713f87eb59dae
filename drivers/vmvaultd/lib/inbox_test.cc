// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/inbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "drivers/vmvaultd/lib/refusals.h"

namespace vmvaultd {
namespace {

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 0) == 1;
}

std::string error_of(std::future<int>& future) try {
  future.get();
  return "";
} catch (const Error& error) {
  return error.what();
}

TEST(Inbox, WorksInTheLoopAndHandsTheResultBack) {
  Inbox inbox;
  EXPECT_FALSE(is_readable(inbox.fd()));
  const auto loop = std::this_thread::get_id();
  bool in_loop = false;
  int got = 0;
  std::thread other{[&] {
    got = inbox
              .call([&] {
                in_loop = std::this_thread::get_id() == loop;
                return 7;
              })
              .get();
  }};
  while (!is_readable(inbox.fd())) std::this_thread::yield();
  inbox.work();
  other.join();
  EXPECT_TRUE(in_loop);
  EXPECT_EQ(got, 7);
  EXPECT_FALSE(is_readable(inbox.fd()));
}

TEST(Inbox, ARefusalIsForWhoHasAsked) {
  Inbox inbox;
  auto refused = inbox.call([]() -> int { throw NoSuchObject{"VM", 3}; });
  auto good = inbox.call([] { return 1; });
  inbox.work();
  EXPECT_THROW(refused.get(), NoSuchObject);
  EXPECT_EQ(good.get(), 1);
}

TEST(Inbox, TroubleIsForBothAndWhatIsBehindStays) {
  Inbox inbox;
  auto bad = inbox.call([]() -> int { throw Error{"the disk is full"}; });
  auto behind = inbox.call([] { return 1; });
  EXPECT_THROW(inbox.work(), Error);
  EXPECT_EQ(error_of(bad), "the disk is full");
  EXPECT_TRUE(is_readable(inbox.fd()));
  inbox.work();
  EXPECT_EQ(behind.get(), 1);
}

TEST(Inbox, AnAnswerMayComeLaterAndOnlyTheFirstCounts) {
  Inbox inbox;
  std::optional<Reply<int>> kept;
  auto later = inbox.ask<int>([&](const Reply<int>& reply) { kept = reply; });
  inbox.work();
  EXPECT_EQ(later.wait_for(std::chrono::seconds{0}), std::future_status::timeout);
  kept->give(5);
  kept->give(6);
  EXPECT_EQ(later.get(), 5);
  auto lost = inbox.ask<int>([&](const Reply<int>& reply) { kept = reply; });
  inbox.work();
  kept.reset();
  EXPECT_EQ(error_of(lost), "the service ends: ask again");
}

TEST(Inbox, WhenItIsClosedNobodyWaitsForEver) {
  Inbox inbox;
  bool done = false;
  auto before = inbox.call([&] { return done = true, 1; });
  inbox.close();
  auto after = inbox.call([&] { return done = true, 1; });
  inbox.work();
  EXPECT_FALSE(done);
  EXPECT_EQ(error_of(before), "the service ends: ask again");
  EXPECT_EQ(error_of(after), "the service ends: ask again");
}

}  // namespace
}  // namespace vmvaultd
