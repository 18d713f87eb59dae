// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_frames.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "common/error.h"

namespace rsync {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}

// What a server that has the begin of the file is told, in words.
struct Said {
  explicit Said(std::uint64_t from, int level = 0) : out{wire, from, level, [this] { ++begun; }} {}

  std::string words() {
    wire.flush();
    std::string text;
    Wire back{[this](std::span<std::byte> room) {
                const auto count = std::min(room.size(), sent.size() - read);
                std::memcpy(room.data(), sent.data() + read, count);
                read += count;
                return count;
              },
              [](auto) {}};
    for (;;) {
      Frame frame;
      try {
        frame = back.receive();
      } catch (const Error&) {
        return text;
      }
      if (frame.kind == Kind::zeros) text += " zeros " + std::to_string(zeros_of(frame));
      if (frame.kind == Kind::copy)
        text += " copy " + std::to_string(copy_of(frame).offset) + "+" +
                std::to_string(copy_of(frame).length);
      if (frame.kind == Kind::deflated) frame.payload = inflated(frame.payload);
      if (frame.kind == Kind::patch) text += " patch";
      if (frame.kind == Kind::data || frame.kind == Kind::deflated)
        text += " " + std::string{reinterpret_cast<const char*>(frame.payload.data()),
                                  frame.payload.size()};
    }
    return text;
  }

  void give_all() {
    out.zeros(10);
    out.copy(100, 10);
    out.data(bytes_of("0123456789"));
    out.patch("delta", bytes_of("abcdefghij"));
    out.finish();
  }

  std::string sent;
  std::size_t read = 0;
  int begun = 0;
  Wire wire{[](auto) { return 0U; },
            [this](std::span<const std::byte> bytes) {
              sent.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            }};
  FrameWriter out;
};

std::string from(std::uint64_t offset) {
  Said said{offset};
  said.give_all();
  EXPECT_EQ(said.begun, 1);
  const auto& c = said.out.counts();
  EXPECT_EQ(c.data + c.copied + c.patched + c.zeros + c.skipped, 40U);
  EXPECT_EQ(c.skipped, offset);
  return said.words();
}

TEST(FrameWriter, SendsWhatTheServerHasNotYet) {
  EXPECT_EQ(from(0), " zeros 10 copy 100+10 0123456789 patch");
  EXPECT_EQ(from(4), " zeros 6 copy 100+10 0123456789 patch");
  EXPECT_EQ(from(10), " copy 100+10 0123456789 patch");
  EXPECT_EQ(from(19), " copy 109+1 0123456789 patch");
  EXPECT_EQ(from(23), " 3456789 patch");
  EXPECT_EQ(from(30), " patch");
  EXPECT_EQ(from(40), "");
}

TEST(FrameWriter, SendsTheRestOfADeltaAsBytes) { EXPECT_EQ(from(37), " hij"); }

TEST(FrameWriter, BeginsBeforeTheFirstByteThatIsNewAndNotEarlier) {
  Said said{15};
  said.out.zeros(10);
  EXPECT_EQ(said.begun, 0);
  said.out.copy(0, 5);
  EXPECT_EQ(said.begun, 0);
  said.out.data(bytes_of("x"));
  EXPECT_EQ(said.begun, 1);
}

TEST(FrameWriter, CutsWhatIsLongerThanAFrame) {
  Said said{0};
  const std::string much(longest_payload * 2 + 7, 'x');
  said.out.data(bytes_of(much));
  auto words = said.words();
  EXPECT_EQ(std::count(words.begin(), words.end(), ' '), 3);
  std::erase(words, ' ');
  EXPECT_TRUE(words == much);
}

TEST(FrameWriter, CompressesWhatBecomesShorter) {
  const std::string text(1000, 'x');
  Said said{0, 6};
  said.out.data(bytes_of(text));
  EXPECT_EQ(said.words(), " " + text);
  EXPECT_LT(said.sent.size(), 100U);
  Said little{0, 6};
  little.out.data(bytes_of("abc"));
  EXPECT_EQ(little.words(), " abc");
}

}  // namespace
}  // namespace rsync
