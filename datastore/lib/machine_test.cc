// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/machine.h"

#include <gtest/gtest.h>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"

namespace {

TEST(RunRequest, ComesBackAsItWas) {
  const RunRequest request{.argv = {"restic", "it's", "a b\n"},
                           .env = {{"P", "\"q\"\n$x \xc3\xbc"}},
                           .list = {},
                           .lines = true,
                           .view = "/a/backup",
                           .input = "x\n"};
  const auto line = request.encode();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto back = RunRequest::decode(line);
  EXPECT_EQ(back.argv, request.argv);
  EXPECT_EQ(back.env, request.env);
  EXPECT_TRUE(back.lines);
  EXPECT_EQ(back.view, "/a/backup");
  EXPECT_EQ(back.input, "x\n");
}

TEST(RunRequest, LimitsTravel) {
  RunRequest request{.argv = {"/bin/true", "x"}, .env = {}, .list = {}};
  EXPECT_FALSE(RunRequest::decode(request.encode()).order);
  request.order = {.group = "backup.7",
                   .limits = {.nice = -3,
                              .ionice = {},
                              .cpu_percent = 50,
                              .memory_mb = {},
                              .read_iops = {},
                              .write_iops = 9},
                   .directory = "/vm"};
  const auto copy = RunRequest::decode(request.encode()).order;
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->group, "backup.7");
  EXPECT_EQ(copy->limits, request.order->limits);
  EXPECT_EQ(copy->directory, "/vm");
}

TEST(RunRequest, ThePlaceOfTemporaryFilesTravels) {
  RunRequest request{.argv = {"/bin/true"}, .env = {}, .list = {}};
  EXPECT_FALSE(RunRequest::decode(request.encode()).temporary);
  request.temporary = {.path = "/dev/shm", .needed_mb = 256};
  const auto copy = RunRequest::decode(request.encode()).temporary;
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->path, "/dev/shm");
  EXPECT_EQ(copy->needed_mb, 256);
}

TEST(RunRequest, RefusesWhatIsNoneWithoutQuotingIt) {
  for (const auto* text :
       {"", "secret", "[\"secret\"]", "{}", R"({"run":"secret"})",
        R"({"run":["a"],"list":"/secret"})", R"({"run":["a"],"env":["secret"]})"})
    try {
      RunRequest::decode(base64_encode(text));
      ADD_FAILURE() << text;
    } catch (const BadRequest& error) {
      EXPECT_EQ(std::string{error.what()}.find("secret"), std::string::npos) << text;
    }
}

TEST(ListDirectory, KnowsPlainFilesAndTheirSizes) {
  const TempDir directory;
  write_file(directory.path() / "disk.0.0", "12345");
  std::filesystem::create_symlink("disk.0.0", directory.path() / "link");
  const auto entries = entries_from_json(to_json(list_directory(directory.path())));
  ASSERT_EQ(entries.size(), 2U);
  for (const auto& entry : entries) {
    EXPECT_EQ(entry.regular, entry.name == "disk.0.0");
    EXPECT_EQ(entry.size, entry.regular ? 5U : 0U);
  }
}

TEST(ListDirectory, NamesWhatItCannotRead) {
  try {
    list_directory("/nowhere/at all");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string{error.what()}.find("/nowhere/at all"), std::string::npos);
  }
}

}  // namespace
