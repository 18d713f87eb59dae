// SPDX-License-Identifier: Apache-2.0
#include "common/lvm/changes.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

using qcow2::Content;
using Sides = lvm::MetadataSnapshot::Sides;

constexpr std::uint64_t block = 65536;
constexpr Sides sides{.before = 2, .now = 3, .size_before = 100 * block, .size_now = 100 * block};

std::string document(const std::string& ranges, const std::string& block_size = "128") {
  return "<superblock uuid=\"\" time=\"1\" transaction=\"4\" data_block_size=\"" + block_size +
         "\" nr_data_blocks=\"0\">\n  <diff left=\"2\" right=\"3\">\n" + ranges +
         "  </diff>\n</superblock>\n";
}

qcow2::Extents read(const std::string& text, const Sides& of = sides) {
  lvm::DeltaReader reader{of};
  // In pieces, as from a pipe.
  for (std::size_t at = 0; at < text.size(); at += 7) reader.add(text.substr(at, 7));
  return reader.finish();
}

TEST(DeltaReader, TakesWhatChangedAndZeroForWhatWasDiscarded) {
  const auto extents = read(document(R"(<same begin="0" length="2"/>
      <different begin="2" length="3"/><right_only begin="5" length="1"/>
      <left_only begin="8" length="2"/>)"));
  EXPECT_EQ(extents, (qcow2::Extents{{2 * block, 4 * block, Content::data},
                                     {8 * block, 2 * block, Content::zero}}));
}

TEST(DeltaReader, ReadsWhatWasDiscardedAboveAnotherVolume) {
  auto cloned = sides;
  cloned.external_origin = true;
  EXPECT_EQ(read(document(R"(<left_only begin="8" length="2"/>)"), cloned),
            (qcow2::Extents{{8 * block, 2 * block, Content::data}}));
}

TEST(DeltaReader, TakesAllOfAVolumeComparedWithItself) {
  const std::string text =
      "<superblock data_block_size=\"128\"><diff left=\"3\" right=\"3\">"
      "<same begin=\"4\" length=\"1\"/></diff></superblock>";
  EXPECT_EQ(read(text, {.before = 3, .now = 3, .size_before = 9 * block, .size_now = 9 * block}),
            (qcow2::Extents{{4 * block, block, Content::data}}));
}

TEST(DeltaReader, EndsWithTheDisk) {
  auto smaller = sides;
  smaller.size_now = 9 * block;
  EXPECT_EQ(read(document(R"(<different begin="8" length="3"/><left_only begin="20" length="1"/>)"),
                 smaller),
            (qcow2::Extents{{8 * block, block, Content::data}}));
}

TEST(DeltaReader, TakesWhatASmallerDiskDidNotShow) {
  auto grown = sides;
  grown.size_before = 10 * block;
  EXPECT_EQ(read(document(R"(<same begin="8" length="4"/>)"), grown),
            (qcow2::Extents{{10 * block, 2 * block, Content::data}}));
}

TEST(DeltaReader, RefusesWhatThinDeltaDoesNotWrite) {
  const std::string one = R"(<same begin="0" length="1"/>)";
  for (const std::string& text :
       {std::string{}, std::string{"<superblock data_block_size=\"128\"/>"},
        std::string{"Usage: thin_delta [options]\n"}, document(one).substr(0, 120),
        document(one) + "<more/>", document(one, "1"), document(one, "9999999999"),
        document(one, "x"), document(R"(<def name="1"/>)"), document(R"(<same begin="0"/>)"),
        document(R"(<same begin="-1" length="1"/>)"), document(R"(<same begin="1" length="0"/>)"),
        document(R"(<same begin="5" length="1"/><different begin="5" length="1"/>)"),
        document(R"(<same begin="9223372036854775807" length="1"/>)"),
        document("<same begin=\"0\" length=\"1\"><same begin=\"1\" length=\"1\"/></same>"),
        "<!DOCTYPE a [<!ENTITY b \"c\">]>" + document(one)})
    EXPECT_THROW(read(text), Error) << text;
  auto others = sides;
  others.now = 7;
  EXPECT_THROW(read(document(one), others), Error);
}

}  // namespace
