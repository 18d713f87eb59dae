// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_lanes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>

#include "datastore/rsync/lib/send_conversation.h"
#include "datastore/rsync/lib/send_files.h"

namespace rsync {
namespace {

using Lane = std::function<void()>;

// What is thrown when the lanes throw these, in any order of time.
std::string reason(const std::vector<Lane>& throwing) {
  try {
    side_by_side(throwing, [] {});
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(SideBySide, AllRunAtTheSameTime) {
  std::latch met{3};
  const Lane meet = [&] { met.arrive_and_wait(); };
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> first_is_ours = false;
  side_by_side({[&] {
                  first_is_ours = std::this_thread::get_id() == caller;
                  meet();
                },
                meet, meet},
               [] { FAIL() << "nothing has failed"; });
  EXPECT_TRUE(first_is_ours);
}

TEST(SideBySide, OneThatFailsStopsTheOthersOnce) {
  for (const int failing : {0, 1, 2}) {
    std::atomic<bool> stopped = false;
    std::atomic<int> stops = 0;
    std::vector<Lane> lanes(3, [&] {
      while (!stopped) std::this_thread::yield();
      throw Stopped{};
    });
    lanes[static_cast<std::size_t>(failing)] = [] { throw Error{"full"}; };
    try {
      side_by_side(lanes, [&] {
        ++stops;
        stopped = true;
      });
      FAIL();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "full");
    }
    EXPECT_EQ(stops, 1);
  }
}

TEST(SideBySide, TheReasonIsTheOneThatSaysMost) {
  const Lane good = [] {}, stopped = [] { throw Stopped{}; }, lost = [] { throw Lost{"lost"}; },
             refused = [] { throw Error{"refused"}; }, cancelled = [] { throw Cancelled{}; };
  EXPECT_EQ(reason({good, lost, good}), "lost");
  EXPECT_EQ(reason({stopped, lost}), "lost");
  EXPECT_EQ(reason({lost, stopped}), "lost");
  EXPECT_EQ(reason({lost, refused, stopped}), "refused");
  EXPECT_EQ(reason({refused, lost}), "refused");
  EXPECT_EQ(reason({refused, cancelled, lost}), "cancelled");
  EXPECT_EQ(reason({cancelled, refused}), "cancelled");
  EXPECT_EQ(reason({good}), "");
}

}  // namespace
}  // namespace rsync
