// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "common/error.h"
#include "common/file.h"

namespace rsync {
namespace {

TEST(Worker, DoesAllInOrder) {
  std::string done;
  Worker worker{2};
  for (const char c : std::string{"in order"}) worker.give([&done, c] { done += c; });
  worker.finish();
  EXPECT_EQ(done, "in order");
}

TEST(Worker, TellsWhatATaskThrewAndDoesNoOther) {
  std::atomic<bool> another = false;
  Worker worker{8};
  worker.give([] { throw Error{"no"}; });
  EXPECT_THROW(worker.finish(), Error);
  EXPECT_THROW(worker.give([&] { another = true; }), Error);
  EXPECT_THROW(worker.finish(), Error);
  EXPECT_FALSE(another);
}

TEST(ReadAhead, GivesTheWholeFileInOrderWithItsHashes) {
  const TempDir dir;
  std::string text;
  while (text.size() < (5U << 20)) text += std::to_string(text.size()) + " ";
  const auto path = dir.path() / "file";
  write_file(path, text);
  ReadAhead file{path, text.size()};
  std::string got;
  std::size_t hashes = 0;
  while (const auto chunk = file.next()) {
    EXPECT_EQ(chunk->offset, got.size());
    for (std::size_t n = 0; n < chunk->hashes.size(); ++n, ++hashes) {
      const auto rest = chunk->bytes().subspan(n * 4096);
      ASSERT_EQ(chunk->hashes[n], hash_block(rest.first(std::min<std::size_t>(4096, rest.size()))));
    }
    got.append(reinterpret_cast<const char*>(chunk->bytes().data()), chunk->size);
  }
  EXPECT_TRUE(got == text);
  EXPECT_EQ(hashes, Blocks{text.size()}.count());
}

TEST(ReadAhead, OfAnEmptyFileIsNothing) {
  const TempDir dir;
  write_file(dir.path() / "file", "");
  EXPECT_EQ((ReadAhead{dir.path() / "file", 0}.next()), nullptr);
}

TEST(ReadAhead, RefusesAFileThatIsNotAsLongAsItWas) {
  const TempDir dir;
  write_file(dir.path() / "file", "ten bytes.");
  EXPECT_THROW((ReadAhead{dir.path() / "file", 11}.next()), Error);
  ReadAhead longer{dir.path() / "file", 9};
  EXPECT_THROW(while (longer.next()){}, Error);
}

TEST(ReadAhead, PassesOnWhatTheKernelSays) {
  const TempDir dir;
  EXPECT_THROW((ReadAhead{dir.path() / "none", 1}), Error);
  EXPECT_THROW((ReadAhead{dir.path(), 1}.next()), Error);  // EISDIR
}

TEST(ReadAhead, EndsWhenNobodyWantsMore) {
  const TempDir dir;
  write_file(dir.path() / "file", std::string(40 << 20, 'x'));
  ReadAhead file{dir.path() / "file", 40 << 20};
  EXPECT_NE(file.next(), nullptr);
}

}  // namespace
}  // namespace rsync
