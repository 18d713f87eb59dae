// SPDX-License-Identifier: Apache-2.0
#include "common/one/progress.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/file.h"
#include "common/test_env.h"

namespace {

struct ProgressFile {
  TempDir dir;
  std::string path = dir.path() / "progress";
  ScopedEnv env{"VMVAULT_PROGRESS", path};
};

}  // namespace

TEST(Progress, IsReadBack) {
  const ProgressFile file;
  Progress progress{"capture", 4194304};
  progress.at(1048576);
  EXPECT_EQ(read_file(file.path), "{\"step\":\"capture\",\"done\":1048576,\"total\":4194304}\n");
  const auto report = read_progress(file.path);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->step, "capture");
  EXPECT_EQ(report->done, 1048576U);
  EXPECT_EQ(report->total, 4194304U);
}

TEST(Progress, AlwaysTellsTheEnd) {
  const ProgressFile file;
  Progress progress{"upload", 0};
  progress.at(1);
  progress.total(3);
  progress.at(3);  // at once after another, but it is the last
  EXPECT_EQ(read_progress(file.path)->done, 3U);
}

TEST(Progress, KeepsAPauseBetweenFigures) {
  const ProgressFile file;
  Progress progress{"upload", 1'000'000};
  for (unsigned i = 0; i < 1000; ++i) {
    std::filesystem::remove(file.path);
    progress.at(i);
    if (i > 0 && !std::filesystem::exists(file.path)) return;
  }
  FAIL() << "a thousand figures in a row were all written";
}

TEST(Progress, IsNotWrittenUnlessSomebodyAsks) {
  const ProgressFile file;
  const ScopedEnv unset{"VMVAULT_PROGRESS", std::nullopt};
  Progress{"upload", 1}.at(1);
  EXPECT_EQ(read_progress(file.path), std::nullopt);
}

TEST(Progress, NeverFails) {
  const ScopedEnv env{"VMVAULT_PROGRESS", "/nonexistent/progress"};
  EXPECT_NO_THROW((Progress{"upload", 1}.at(1)));
  EXPECT_EQ(read_progress("/nonexistent/progress"), std::nullopt);
}

TEST(Progress, APartIsNoReport) {
  const ProgressFile file;
  for (const auto* text : {"", "{\"step\":\"capt", "{\"step\":\"capture\",\"done\":12", "[]"}) {
    write_file(file.path, text);
    EXPECT_EQ(read_progress(file.path), std::nullopt) << text;
  }
}

TEST(Progress, WhatCannotBeReadIsNoReport) {
  const TempDir dir;
  EXPECT_FALSE(read_progress(dir.path()));  // opens, but read(2) fails
}
