// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/signature.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/error.h"
#include "datastore/rsync/lib/test_patch.h"

namespace rsync {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random{seed};
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

// What librsync itself makes of the whole file.
std::string whole_signature(const std::string& file) {
  std::string out(Signature::size_for(file.size()), '\0'), in{file};
  const Owned<rs_job_t, rs_job_free> job{
      rs_sig_begin(4096, Signature::strong_size, Signature::magic)};
  rs_buffers_t buffers{in.data(), in.size(), 1, out.data(), out.size()};
  EXPECT_EQ(rs_job_iter(job.get(), &buffers), RS_DONE);
  EXPECT_EQ(buffers.avail_out, 0u);
  return out;
}

TEST(Signature, InPiecesIsWhatLibrsyncMakesOfTheWhole) {
  const auto file = noise(50000, 1);
  const auto other = noise(8192, 2) + file.substr(8192, 4096) + noise(4096, 3);
  Signature old{other.size()}, signature{file.size()};
  old.compute(0, bytes_of(other));
  signature.compute(3, bytes_of(file).subspan(3 * 4096));
  signature.take(2, old, 2);
  signature.compute(0, bytes_of(file).first(2 * 4096));
  EXPECT_EQ(signature.file(), whole_signature(file));
}

TEST(Signature, OfAnEmptyFileIsItsHeader) { EXPECT_EQ(Signature{0}.file(), whole_signature("")); }

TEST(Signature, RefusesWhatIsNoneOfThatFile) {
  const auto good = Signature{10000}.file();
  EXPECT_EQ(Signature::parse(good, 10000).file(), good);
  EXPECT_THROW(Signature::parse("", 10000), Error);
  EXPECT_THROW(Signature::parse(good, 20000), Error);
  EXPECT_THROW(Signature::parse(good + "x", 10000), Error);
  for (std::size_t n = 0; n < Signature::header_size; ++n) {
    auto bad = good;
    ++bad[n];
    EXPECT_THROW(Signature::parse(bad, 10000), Error) << n;
  }
}

TEST(Search, FindsWhatHasMovedByAnOddAmount) {
  const auto base = noise(400000, 4);
  Signature signature{base.size()};
  signature.compute(0, bytes_of(base));
  const auto moved = "some bytes before" + base.substr(100, 300000);
  const auto delta = Search{signature}.delta(bytes_of(moved));
  ASSERT_TRUE(delta);
  EXPECT_LT(delta->size(), 10000u);
  EXPECT_EQ(patched(base, *delta), moved);
}

TEST(Search, SaysWhenThereIsNothing) {
  const auto base = noise(400000, 4);
  Signature signature{base.size()};
  signature.compute(0, bytes_of(base));
  EXPECT_EQ(Search{signature}.delta(bytes_of(noise(300000, 5))), std::nullopt);
}

}  // namespace
}  // namespace rsync
