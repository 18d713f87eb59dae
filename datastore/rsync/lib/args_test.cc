// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/args.h"

#include <gtest/gtest.h>

#include "common/error.h"

using rsync::Args;
using rsync::parse_args;

namespace {

using Words = std::vector<std::string>;

std::string refusal(std::string_view text) {
  try {
    parse_args(text);
    return "";
  } catch (const BadRequest& error) {
    return error.what();
  }
}

TEST(Args, MeanWhatTheyMeanToRsync) {
  EXPECT_EQ(parse_args(""), Args{});
  const auto usual = parse_args("-aS");
  EXPECT_TRUE(usual.archive && usual.sparse && !usual.whole && usual.compress == 0);
  EXPECT_TRUE(parse_args(" --archive  --sparse ") == usual);
  EXPECT_TRUE(parse_args("-rpt").archive);
  EXPECT_FALSE(parse_args("-rp").archive);
  EXPECT_EQ(parse_args("-aSz").compress, 6);
  EXPECT_EQ(parse_args("--compress").compress, 6);
  EXPECT_EQ(parse_args("-z --compress-level=1").compress, 1);
  EXPECT_EQ(parse_args("--timeout=30").timeout.count(), 30);
  EXPECT_EQ(parse_args("--timeout 30").timeout.count(), 30);
  EXPECT_TRUE(parse_args("-W").whole);
  EXPECT_FALSE(parse_args("-W --no-whole-file").whole);
}

TEST(Args, ABandwidthHasTheUnitsOfRsync) {
  const auto rate = [](const char* text) {
    return parse_args(std::string{"--bwlimit="} + text).bytes_per_second;
  };
  EXPECT_EQ(rate("100"), 102'400u);
  EXPECT_EQ(rate("0"), 0u);
  EXPECT_EQ(rate("1.5m"), 1'572'864u);
  EXPECT_EQ(rate("2MB"), 2'000'000u);
  EXPECT_EQ(rate("2MiB"), 2'097'152u);
  EXPECT_EQ(rate("1G"), 1'073'741'824u);
  EXPECT_EQ(rate("300b"), 300u);
  for (const char* bad : {"", "x", "-1", "1x", "1bb", "1kx", "nan", "inf", "1e400", "99999999999T"})
    EXPECT_EQ(refusal(std::string{"--bwlimit="} + bad),
              std::string{"RSYNC_ARGS: --bwlimit cannot be '"} + bad + "'");
}

TEST(Args, TheRemoteShellIsSsh) {
  EXPECT_EQ(parse_args("-e 'ssh -p 2222'").ssh, (Words{"ssh", "-p", "2222"}));
  EXPECT_EQ(parse_args("-aSe \"/usr/bin/ssh -i 'a b'\"").ssh, (Words{"/usr/bin/ssh", "-i", "a b"}));
  EXPECT_EQ(parse_args("--rsh=ssh").ssh, Words{"ssh"});
  EXPECT_EQ(refusal("-e 'sh -c evil'"),
            "RSYNC_ARGS: -e must be ssh with its options, not 'sh -c evil'");
  EXPECT_EQ(refusal("-e"), "RSYNC_ARGS: -e lacks its value");
}

TEST(Args, WhatIsNotUnderstoodIsNamed) {
  EXPECT_EQ(refusal("-aSy"), "RSYNC_ARGS: '-y' is not supported");
  EXPECT_EQ(refusal("-aS --delete-after"), "RSYNC_ARGS: '--delete-after' is not supported");
  EXPECT_EQ(refusal("--rsync-path=/x"), "RSYNC_ARGS: '--rsync-path' is not supported");
  EXPECT_EQ(refusal("/etc"), "RSYNC_ARGS: '/etc' is not supported");
  EXPECT_EQ(refusal("-"), "RSYNC_ARGS: '-' is not supported");
  EXPECT_EQ(refusal("--archive=1"), "RSYNC_ARGS: '--archive' is not supported");
  EXPECT_EQ(refusal("-a 'open"), "RSYNC_ARGS: a quote is not closed");
}

}  // namespace
