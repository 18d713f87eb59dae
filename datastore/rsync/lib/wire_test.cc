// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "common/error.h"

namespace rsync {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto span = std::as_bytes(std::span{text});
  return {span.begin(), span.end()};
}

// What one end writes and the other reads, a few bytes at a time.
struct Pipe {
  std::vector<std::byte> bytes;
  std::size_t next = 0;
  std::size_t at_once = 7;
  int writes = 0;

  Wire wire() {
    return {[this](std::span<std::byte> out) {
              const auto n = std::min({out.size(), bytes.size() - next, at_once});
              std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(next), n, out.begin());
              next += n;
              return n;
            },
            [this](std::span<const std::byte> in) {
              bytes.insert(bytes.end(), in.begin(), in.end());
              ++writes;
            }};
  }
};

TEST(Wire, CarriesWhatWasSent) {
  Pipe pipe;
  auto wire = pipe.wire();
  const std::vector<std::byte> large(longest_payload, std::byte{7});
  wire.send(R"({"file": "disk.0.0"})");
  wire.send_zeros(std::uint64_t{1} << 40);
  wire.send_copy(1, (std::uint64_t{1} << 50) + 3);
  wire.send(Kind::data, {});
  wire.send(Kind::data, large);
  wire.send(Kind::patch, bytes_of("rs"));
  EXPECT_EQ(wire.receive_message(), R"({"file": "disk.0.0"})");
  EXPECT_EQ(zeros_of(wire.receive()), std::uint64_t{1} << 40);
  const auto copy = copy_of(wire.receive());
  EXPECT_EQ(copy.offset, 1U);
  EXPECT_EQ(copy.length, (std::uint64_t{1} << 50) + 3);
  EXPECT_TRUE(wire.receive().payload.empty());
  EXPECT_EQ(wire.receive().payload, large);
  const auto last = wire.receive();
  EXPECT_EQ(last.kind, Kind::patch);
  EXPECT_EQ(last.payload, bytes_of("rs"));
  EXPECT_THROW(wire.receive(), Error);
}

TEST(Wire, CollectsSmallFrames) {
  Pipe pipe;
  auto wire = pipe.wire();
  for (int i = 0; i < 100; ++i) wire.send_zeros(1);
  EXPECT_EQ(pipe.writes, 0);
  wire.flush();
  EXPECT_EQ(pipe.writes, 1);
  for (int i = 0; i < 100'000; ++i) wire.send_zeros(1);
  EXPECT_GT(pipe.writes, 5);
}

TEST(Wire, RefusesFramesThatThereAreNot) {
  for (const std::string_view text :
       {"", "J", "J\0\0\0", "J\0\0\0\5abcd", "X\0\0\0\1a", "D\0\x10\0\1a", "D\xff\xff\xff\xff"}) {
    Pipe pipe{.bytes = bytes_of({text.data(), text.size()})};
    EXPECT_THROW(pipe.wire().receive(), Error) << text;
  }
  using namespace std::string_view_literals;
  Pipe too_long{.bytes = bytes_of("D\0\x10\0\1"sv)};
  too_long.bytes.resize(longest_payload + 6);
  EXPECT_THROW(too_long.wire().receive(), Error);
  Pipe unknown{.bytes = bytes_of("X\0\0\0\1a"sv)};
  EXPECT_THROW(unknown.wire().receive(), Error);
  Pipe data{.bytes = bytes_of("D\0\0\0\1a"sv)};
  EXPECT_THROW(data.wire().receive_message(), Error);
}

TEST(Wire, RefusesNumbersOfAnotherLength) {
  EXPECT_THROW(zeros_of({Kind::zeros, bytes_of("1234567")}), Error);
  EXPECT_THROW(zeros_of({Kind::copy, bytes_of("12345678")}), Error);
  EXPECT_THROW(copy_of({Kind::copy, bytes_of("12345678")}), Error);
}

TEST(Wire, Inflates) {
  const std::vector<std::byte> zeros(longest_payload);
  const auto payload = deflated(zeros, 1);
  ASSERT_TRUE(payload);
  EXPECT_LT(payload->size(), 10'000U);
  EXPECT_EQ(inflated(*payload), zeros);
  EXPECT_FALSE(deflated(bytes_of("a"), 9));
}

TEST(Wire, DoesNotInflateWhatIsDamaged) {
  auto good = *deflated(std::vector<std::byte>(5000), 6);
  const auto with = [&](std::size_t at, int value) {
    auto changed = good;
    changed[at] = static_cast<std::byte>(value);
    return changed;
  };
  EXPECT_THROW(inflated({}), Error);
  EXPECT_THROW(inflated(std::span{good}.first(4)), Error);
  EXPECT_THROW(inflated(std::span{good}.first(good.size() - 1)), Error);
  EXPECT_THROW(inflated(with(3, 0x89)), Error);  // one more than 5000
  EXPECT_THROW(inflated(with(3, 0x87)), Error);
  EXPECT_THROW(inflated(with(0, 0x7f)), Error);
  EXPECT_THROW(inflated(with(6, 0xff)), Error);
  good.push_back(std::byte{0});
  EXPECT_THROW(inflated(good), Error);
}

}  // namespace
}  // namespace rsync
