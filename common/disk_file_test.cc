// SPDX-License-Identifier: Apache-2.0
#include "common/disk_file.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"

namespace disk_file {
namespace {

std::string qcow2(char version, std::uint64_t size) {
  std::string header("QFI\xfb", 4);
  header += std::string(3, '\0') + version;
  header += std::string(16, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) header += static_cast<char>(size >> shift);
  return header + std::string(100, '\0');
}

class ProbeTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& content) {
    write_file(dir.path() / "disk", content);
    return dir.path() / "disk";
  }
  TempDir dir;
};

TEST_F(ProbeTest, ReadsSizeAndVersionOfAQcow2) {
  const auto three = probe(file(qcow2(3, 5'000'000'000)), "qcow2");
  EXPECT_EQ(three.virtual_size, 5'000'000'000u);
  EXPECT_TRUE(three.tracks_changes);
  EXPECT_FALSE(probe(file(qcow2(2, 512)), "qcow2").tracks_changes);
}

TEST_F(ProbeTest, BelievesTheDomainAndNotTheGuest) {
  const auto content = qcow2(3, 5'000'000'000);
  const auto raw = probe(file(content), "raw");
  EXPECT_EQ(raw.virtual_size, content.size());
  EXPECT_FALSE(raw.tracks_changes);
}

TEST_F(ProbeTest, RefusesWhatIsNotThereOrNotThat) {
  EXPECT_THROW(probe(dir.path() / "missing", "raw"), Error);
  EXPECT_THROW(probe(dir.path(), "raw"), Error);
  EXPECT_THROW(probe(file("no image at all, but long enough for a header"), "qcow2"), Error);
  EXPECT_THROW(probe(file("QFI"), "qcow2"), Error);
}

}  // namespace
}  // namespace disk_file
