// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/downloader.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

TEST(DownloadCommand, IsTwoAssignments) {
  EXPECT_EQ(download_command({"/a b/downloader", "--stream", "restic://1//0:aa/x"}),
            "command=\"'/a b/downloader' '--stream' 'restic://1//0:aa/x'\"\nclean_command=\"\"");
}

TEST(DownloadCommand, RefusesWhatCouldBreakOut) {
  for (const auto* word : {"$x", "`x`", "a\"b", "a'b", "a\\b", "a\nb", "a\x7f"})
    EXPECT_THROW(download_command({word}), BadRequest) << word;
}

}  // namespace
