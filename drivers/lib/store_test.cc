// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "common/error.h"
#include "common/file.h"

namespace state {
namespace {

class StoreTest : public testing::Test {
 protected:
  StoreTest() { store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"}); }

  Attempt attempt(int vm, std::optional<int> image, int increment, Mode mode = Mode::increment) {
    return {.id = -1,
            .vm = vm,
            .image = image,
            .increment = increment,
            .datastore = 100,
            .mode = mode,
            .disks = {0, 2},
            .dir = "/v/1000000/backup",
            .started = 1000 + increment,
            .ended = {},
            .error = {}};
  }
  int back_up(int vm, std::optional<int> image, int increment, Mode mode = Mode::increment) {
    const auto id = store.begin(attempt(vm, image, increment, mode));
    return store.succeed(id, {.id = increment,
                              .source = "aaaa000" + std::to_string(stored++),
                              .size_mib = 3,
                              .bytes = 3 << 20,
                              .date = 2000 + increment,
                              .dir = "/v/1000000/backup",
                              .result = "{}"});
  }

  TempDir dir;
  Store store{dir.path() / "state.db"};
  int stored = 0;
};

TEST_F(StoreTest, VmIdsBeginAtAMillionAndStayWithTheUuid) {
  EXPECT_EQ(store.vm_for("u1", "web").id, 1'000'000);
  EXPECT_EQ(store.vm_for("u2", "db").id, 1'000'001);
  const auto again = store.vm_for("u1", "web-renamed");
  EXPECT_EQ(again.id, 1'000'000);
  EXPECT_EQ(store.vm(1'000'000)->name, "web-renamed");
  EXPECT_EQ(store.vms().size(), 2u);
  EXPECT_FALSE(store.vm(7));
}

TEST_F(StoreTest, AFlattenLeavesTheMergedAndWhatCameAfterIt) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, {}, 0);
  for (int n : {1, 2, 3}) back_up(vm, image, n);
  auto merged = *store.image(image)->increment(2);
  merged.source = "ffff0000";
  merged.bytes = 77;
  store.flatten(image, merged);
  const auto now = store.image(image).value();
  EXPECT_EQ(now.chain().text(), "2:ffff0000,3:aaaa0003");
  EXPECT_EQ(now.increments[0].bytes, 77U);
  EXPECT_EQ(now.increments[0].date, 2002);
  EXPECT_EQ(store.vm(vm)->active_image, image);
  EXPECT_FALSE(store.recorded(vm, "aaaa0000"));
  back_up(vm, image, 4);
  EXPECT_EQ(store.image(image)->increments.size(), 3U);
}

TEST_F(StoreTest, AFlattenLocksUntilItHasEnded) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, {}, 0);
  for (int n : {1, 2}) back_up(vm, image, n);
  store.mark_flattening(image, 2);
  EXPECT_EQ(store.image(image)->state, ImageState::locked);
  EXPECT_EQ(store.image(image)->keep, 2);
  store.fail_flatten(image, "no space");
  EXPECT_EQ(store.image(image)->state, ImageState::ready);
  EXPECT_EQ(store.image(image)->error, "no space");
  store.mark_flattening(image, 2);
  EXPECT_EQ(store.image(image)->error, "");
  store.flatten(image, *store.image(image)->increment(1));
  EXPECT_EQ(store.image(image)->state, ImageState::ready);
  EXPECT_FALSE(store.image(image)->keep);
  EXPECT_EQ(store.image(image)->increments.size(), 2U);
}

TEST_F(StoreTest, AFlattenThatWasCutOffLeavesAlsoWhatCameSince) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, {}, 0);
  for (int n : {1, 2}) back_up(vm, image, n);
  store.mark_flattening(image, 2);
  back_up(vm, image, 3);
  EXPECT_EQ(store.image(image)->keep, 3);
  store.fail_flatten(image, "no space");
  back_up(vm, image, 4);
  EXPECT_FALSE(store.image(image)->keep);
}

TEST_F(StoreTest, ADeleteThatFailedIsAnErrorUntilTheNextOne) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, {}, 0);
  store.mark_deleting(image);
  store.fail_delete(image, "locked by root@kvm1");
  EXPECT_EQ(store.image(image)->state, ImageState::error);
  EXPECT_EQ(to_text(store.image(image)->state), "ERROR");
  EXPECT_EQ(store.image(image)->error, "locked by root@kvm1");
  EXPECT_TRUE(store.image(image)->half_deleted());
  store.mark_deleting(image);
  EXPECT_EQ(store.image(image)->state, ImageState::deleting);
  EXPECT_EQ(store.image(image)->error, "");
}

TEST_F(StoreTest, NotesWhatACheckFindsUntilTheNextOne) {
  const auto vm = store.vm_for("u1", "web").id;
  const auto image = back_up(vm, {}, 0);
  EXPECT_FALSE(store.image(image)->increments[0].proven);
  store.note_check(image, 0, 4711, "");
  EXPECT_EQ(store.image(image)->increments[0].proven, 4711);
  store.note_check(image, 0, std::nullopt, "disk 0, offset 7: gone");
  EXPECT_EQ(store.image(image)->increments[0].proven, 4711);
  EXPECT_EQ(store.image(image)->increments[0].damage, "disk 0, offset 7: gone");
}

TEST_F(StoreTest, KeepsTheSumsOfAnIncrementAsLongAsThatIsThere) {
  const auto vm = store.vm_for("u1", "web").id;
  const std::string sums{"\0\xff\0sums", 7};
  const int image =
      store.succeed(store.begin(attempt(vm, {}, 0)), {.id = 0, .source = "aaaa0000", .dir = "/v"},
                    {{.file = "sums.0.0", .sums = sums}});
  ASSERT_EQ(store.sums(image, 0).size(), 1u);
  EXPECT_EQ(store.sums(image, 0)[0].file, "sums.0.0");
  EXPECT_EQ(store.sums(image, 0)[0].sums, sums);
  EXPECT_TRUE(store.sums(image, 1).empty());
  store.flatten(image, {.id = 0, .source = "bbbb0000", .dir = "/v"});
  EXPECT_TRUE(store.sums(image, 0).empty());
  store.flatten(image, {.id = 0, .source = "cccc0000", .dir = "/v"},
                {{.file = "sums.0.0", .sums = "of the merged one"}});
  EXPECT_EQ(store.sums(image, 0).at(0).sums, "of the merged one");
}

TEST_F(StoreTest, FindsTheImageOfAUrlAlsoWhereTwoMachinesHaveIncrementsOfOneName) {
  store.put_datastore({.id = 101, .name = "other", .ds_mad = "rsync"});
  const auto begun = [&](const char* uuid, int datastore) {
    auto one = attempt(store.vm_for(uuid, "web").id, {}, 0);
    one.datastore = datastore;
    return store.begin(one);
  };
  const BackupRecord backup{.id = 0, .source = "abc123", .dir = "/v"};
  const int first = store.succeed(begun("u1", 100), backup),
            second = store.succeed(begun("u2", 100), backup),
            third = store.succeed(begun("u3", 101), backup);
  const auto found = [&](const std::string& text) {
    const auto image = store.image_with(DiskUrl::parse(text));
    return image ? image->id : -1;
  };
  EXPECT_EQ(found("rsync://100//0:abc123/v/1000000/backup/disk.0.0"), first);
  EXPECT_EQ(found("rsync://100//0:abc123/v/1000001/backup/disk.0.0"), second);
  EXPECT_EQ(found("rsync://101//0:abc123/v/1000002/backup/disk.0.0"), third);
  EXPECT_EQ(found("rsync://100//0:abc123/v/1000002/backup/disk.0.0"), -1);
  EXPECT_EQ(found("rsync://100//1:abc123/v/1000000/backup/disk.0.1"), -1);
  EXPECT_EQ(found("rsync://100//0:abc123/elsewhere/disk.0.0"), -1) << "whose, it does not say";
  EXPECT_EQ(found("rsync://101//0:abc123/elsewhere/disk.0.0"), third);
}

TEST_F(StoreTest, AFlattenLeavesNothingProven) {
  const auto vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, {}, 0);
  for (int n = 1; n < 3; ++n) back_up(vm, image, n);
  for (int n = 0; n < 3; ++n) store.note_check(image, n, 4711, "");
  store.flatten(image, {.id = 1, .source = "bbbb0000", .dir = "/v"});
  const auto after = store.image(image).value();
  for (const auto& one : after.increments) EXPECT_FALSE(one.proven) << one.id;
}

TEST_F(StoreTest, UpdatingAVmUsesUpNoId) {
  store.vm_for("u1", "web");
  for (int i = 0; i < 5; ++i) store.vm_for("u1", "web");
  EXPECT_EQ(store.vm_for("u2", "db").id, 1'000'001);
}

TEST_F(StoreTest, DiskIdsAreBoundToTargetAndSourceAndNeverReused) {
  const int vm = store.vm_for("u1", "web").id;
  const int other = store.vm_for("u2", "db").id;
  EXPECT_EQ(store.disk_id(vm, "vda", "/a"), 0);
  EXPECT_EQ(store.disk_id(vm, "vdb", "/b"), 1);
  EXPECT_EQ(store.disk_id(vm, "vda", "/a"), 0);
  EXPECT_EQ(store.disk_id(vm, "vda", "/b"), 2);
  EXPECT_EQ(store.disk_id(vm, "vdb", "/a"), 3);
  EXPECT_EQ(store.disk_id(other, "vda", "/a"), 0);
}

TEST_F(StoreTest, TheFirstBackupMakesTheImageAndTheNextOnesJoinIt) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, std::nullopt, 0);
  EXPECT_EQ(store.vm(vm)->active_image, image);
  EXPECT_EQ(back_up(vm, image, 1), image);
  const auto found = store.image(image).value();
  EXPECT_EQ(found.increments.size(), 2u);
  EXPECT_EQ(found.chain().text(), "0:aaaa0000,1:aaaa0001");
  EXPECT_EQ(found.disks, (std::vector{0, 2}));
  EXPECT_EQ(found.mode, Mode::increment);
  EXPECT_EQ(found.increment(1)->bytes, 3u << 20);
  EXPECT_EQ(found.increment(2), nullptr);
}

TEST_F(StoreTest, AFullImageIsNoChain) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, std::nullopt, 0, Mode::full);
  EXPECT_FALSE(store.vm(vm)->active_image);
  EXPECT_EQ(store.image(image)->mode, Mode::full);
}

TEST_F(StoreTest, TheNewestBackupIsTheOneThatWasMadeLast) {
  const int vm = store.vm_for("u1", "web").id;
  EXPECT_EQ(store.newest_source(vm), "");
  const int image = back_up(vm, std::nullopt, 0);
  EXPECT_EQ(store.newest_source(vm), "aaaa0000");
  back_up(store.vm_for("u2", "other").id, std::nullopt, 0);
  const int next = back_up(vm, std::nullopt, 0);
  store.fail(store.begin(attempt(vm, next, 1)), "no space");
  store.begin(attempt(vm, next, 1));
  EXPECT_EQ(store.newest_source(vm), "aaaa0002");
  store.remove_image(next);
  EXPECT_EQ(store.newest_source(vm), "aaaa0000");
  store.remove_image(image);
  EXPECT_EQ(store.newest_source(vm), "");
}

TEST_F(StoreTest, AFailedAttemptLeavesNoImage) {
  const int vm = store.vm_for("u1", "web").id;
  const auto id = store.begin(attempt(vm, std::nullopt, 0));
  EXPECT_EQ(store.unfinished(vm).size(), 1u);
  store.fail(id, "no space");
  EXPECT_TRUE(store.unfinished(vm).empty());
  EXPECT_EQ(store.last_attempt(vm)->error, "no space");
  EXPECT_TRUE(store.images().empty());
  EXPECT_FALSE(store.vm(vm)->active_image);
}

TEST_F(StoreTest, AnUnfinishedAttemptOutlivesTheProcess) {
  const int vm = store.vm_for("u1", "web").id;
  store.begin(attempt(vm, std::nullopt, 0));
  const Store again{dir.path() / "state.db"};
  ASSERT_EQ(again.unfinished(vm).size(), 1u);
  EXPECT_EQ(again.unfinished(vm).front().disks, (std::vector{0, 2}));
  EXPECT_FALSE(again.unfinished(vm).front().ended);
}

TEST_F(StoreTest, DeletingTheActiveImageEndsItsChain) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, std::nullopt, 0);
  store.mark_deleting(image);
  EXPECT_EQ(store.image(image)->state, ImageState::deleting);
  store.remove_image(image);
  EXPECT_FALSE(store.image(image));
  EXPECT_FALSE(store.vm(vm)->active_image);
  EXPECT_GT(back_up(vm, std::nullopt, 0), image) << "image ids are never reused";
}

TEST_F(StoreTest, AnIncrementWhoseImageIsGoneIsNotRecorded) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, std::nullopt, 0);
  const auto id = store.begin(attempt(vm, image, 1));
  store.remove_image(image);
  EXPECT_THROW(store.succeed(id, {.id = 1, .source = "bb"}), Error);
  EXPECT_TRUE(store.images().empty());
}

TEST_F(StoreTest, TheSameIncrementIsNotRecordedTwice) {
  const int vm = store.vm_for("u1", "web").id;
  const int image = back_up(vm, std::nullopt, 0);
  const auto id = store.begin(attempt(vm, image, 0));
  EXPECT_THROW(store.succeed(id, {.id = 0, .source = "bb"}), Error);
  EXPECT_EQ(store.image(image)->chain().text(), "0:aaaa0000");
}

TEST_F(StoreTest, ASourceBelongsToOneBackupOfAMachine) {
  const int vm = store.vm_for("u1", "web").id;
  const int other = store.vm_for("u2", "db").id;
  const int image = back_up(vm, std::nullopt, 0);
  EXPECT_TRUE(store.recorded(vm, "aaaa0000"));
  EXPECT_FALSE(store.recorded(other, "aaaa0000"));
  for (const bool anew : {false, true}) {
    const auto id =
        store.begin(attempt(vm, anew ? std::nullopt : std::optional{image}, anew ? 0 : 1));
    EXPECT_THROW(store.succeed(id, {.id = anew ? 0 : 1, .source = "aaaa0000"}), Error);
  }
  EXPECT_EQ(store.images().size(), 1u);
  EXPECT_EQ(store.image(image)->increments.size(), 1u);
  const auto id = store.begin(attempt(other, std::nullopt, 0));
  EXPECT_NO_THROW(store.succeed(id, {.id = 0, .source = "aaaa0000"}))
      << "its repository is its own";
}

TEST_F(StoreTest, TheFileIsPrivate) {
  struct stat info;
  ASSERT_EQ(stat((dir.path() / "state.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Store, ManyMayOpenItForTheFirstTimeTogether) {
  const TempDir dir;
  std::vector<int> ids(8, -1);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < ids.size(); ++i)
      threads.emplace_back([&, i] {
        Store store{dir.path() / "state.db"};
        ids[i] = store.vm_for("u" + std::to_string(i), "web").id;
      });
  }
  std::sort(ids.begin(), ids.end());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], 1'000'000 + static_cast<int>(i));
}

// SQLite takes away the log of a file that nobody has locked any more, and what is in it.
TEST_F(StoreTest, AnotherOneInTheSameProcessLeavesItsLocks) {
  const auto locks = [&] {
    int all = 0;
    for (const auto& fd : std::filesystem::directory_iterator{"/proc/self/fd"}) {
      std::error_code gone;  // the directory's own
      if (std::filesystem::read_symlink(fd, gone) != dir.path() / "state.db") continue;
      const auto info = read_file("/proc/self/fdinfo/" + fd.path().filename().string());
      all += info.find("lock:") == info.npos ? 0 : 1;
    }
    return all;
  };
  store.vm_for("u1", "web");
  ASSERT_EQ(locks(), 1);
  const Store another{dir.path() / "state.db"};
  EXPECT_GE(locks(), 1);
}

TEST(Store, NamesAFileThatIsNoDatabase) {
  const TempDir dir;
  write_file(dir.path() / "state.db", std::string(4096, 'x'));
  try {
    Store store{dir.path() / "state.db"};
    FAIL() << "opened";
  } catch (const Error& error) {
    EXPECT_NE(std::string{error.what()}.find("state.db"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace state
