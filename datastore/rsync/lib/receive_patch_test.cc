// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_patch.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"

namespace rsync {
namespace {

using namespace std::string_view_literals;

// A copy of four bytes from the third on, two bytes as they are, the end.
constexpr auto delta = "rs\x02\x36\x45\x02\x04\x02xy\0"sv;

class PatchTest : public testing::Test {
 protected:
  PatchTest() {
    write_file(dir_.path() / "base", "0123456789");
    base_ = open_file(dir_.path() / "base", O_RDONLY);
  }

  std::string apply(std::string_view bytes, std::size_t at_once) {
    std::string result;
    Patch patch{base_.get(), [&](std::span<const std::byte> part) {
                  result.append(reinterpret_cast<const char*>(part.data()), part.size());
                }};
    for (; !bytes.empty(); bytes.remove_prefix(std::min(at_once, bytes.size())))
      patch.add(std::as_bytes(std::span{bytes.substr(0, at_once)}));
    patch.insist_on_end();
    return result;
  }

  TempDir dir_;
  Fd base_;
};

TEST_F(PatchTest, FollowsTheDeltaHoweverItComes) {
  for (const std::size_t at_once : {1, 3, 100}) EXPECT_EQ(apply(delta, at_once), "2345xy");
}

TEST_F(PatchTest, TakesOneDeltaAfterAnother) {
  const auto two = std::string{delta} + std::string{delta};
  for (const std::size_t at_once : {1, 7, 100}) EXPECT_EQ(apply(two, at_once), "2345xy2345xy");
}

TEST_F(PatchTest, RefusesWhatIsNoWholeDeltaOfThisBase) {
  for (std::size_t length = 1; length < delta.size(); ++length)
    EXPECT_THROW(apply(delta.substr(0, length), 100), Error) << length;
  EXPECT_THROW(apply("rs\x02\x36\x45\x08\x04\0"sv, 100), Error);  // beyond the end
  EXPECT_THROW(apply("nonsense"sv, 3), Error);
  EXPECT_THROW(apply("rs\x02\x36\xff"sv, 3), Error);
}

}  // namespace
}  // namespace rsync
