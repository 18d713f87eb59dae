// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/restic_version.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace restic {
namespace {

TEST(ResticVersion, IsRead) {
  EXPECT_EQ(parse_version("restic 0.14.0 compiled with go1.19.8 on linux/amd64\n"),
            (Version{0, 14, 0}));
  EXPECT_EQ(parse_version("restic 0.18.1-dev (compiled manually)"), (Version{0, 18, 1}));
  EXPECT_LT(parse_version("restic 0.9.6 compiled"), oldest);
}

TEST(ResticVersion, RefusesWhatIsNone) {
  for (const auto* text : {"", "restic", "restic x.y.z", "restic 0.14", "rustic 0.14.0"})
    EXPECT_THROW(parse_version(text), Error) << text;
}

constexpr auto absent =
    "Fatal: unable to open config file: stat /b/12/config: no such file or directory\n"
    "Is there a repository at the following location?\n/b/12\n";

TEST(ResticOutcome, OldReleasesAreUnderstoodByTheirText) {
  EXPECT_EQ(classify(0, absent), Outcome::ok);
  EXPECT_EQ(classify(1, absent), Outcome::no_repository);
  EXPECT_EQ(classify(1,
                     "Fatal: unable to open config file: file does not exist\nIs there a "
                     "repository at the following location?\nsftp:a@b:/c\n"),
            Outcome::no_repository);
  EXPECT_EQ(classify(1, "Fatal: wrong password or no key found\n"), Outcome::wrong_password);
  EXPECT_EQ(classify(1,
                     "unable to create lock in backend: repository is already locked "
                     "exclusively by PID 7 on h by root (UID 0, GID 0)\nlock was created at x\n"),
            Outcome::locked);
  EXPECT_EQ(classify(3, "Warning: at least one source file could not be read"),
            Outcome::incomplete);
  EXPECT_EQ(classify(1, "invalid id \"dead\": no matching ID found for prefix \"dead\""),
            Outcome::no_snapshot);
  EXPECT_EQ(classify(2, "cannot dump file: path \"/x\" not found in snapshot"),
            Outcome::no_such_file);
}

TEST(ResticOutcome, NewReleasesAreUnderstoodByTheirStatus) {
  EXPECT_EQ(classify(1,
                     "Fatal: unable to open repository at sftp:a@b:/c: unable to start the sftp "
                     "session, error: error receiving version packet from server: unexpected EOF"),
            Outcome::no_connection);
  EXPECT_EQ(classify(10, ""), Outcome::no_repository);
  EXPECT_EQ(classify(11, ""), Outcome::locked);
  EXPECT_EQ(classify(12, ""), Outcome::wrong_password);
}

TEST(ResticOutcome, AnAbsentRepositoryOfS3IsKnown) {
  for (const auto* cause : {"key", "bucket"})
    EXPECT_EQ(
        classify(1, std::string{"Fatal: unable to open config file: Stat: The specified "} + cause +
                        " does not exist.\nIs there a repository at the following "
                        "location?\ns3:http://h/b/12\n"),
        Outcome::no_repository);
  EXPECT_EQ(classify(1,
                     "Fatal: unable to open config file: Stat: The request signature we calculated "
                     "does not match the signature you provided. Check your key and signing "
                     "method.\nIs there a repository at the following location?\n"),
            Outcome::failed);
}

// Each of these ends in the question whether there is a repository, too.
TEST(ResticOutcome, NoOtherTroubleIsTakenForAnAbsentRepository) {
  for (const auto* why : {"permission denied", "connection refused", "i/o timeout"})
    EXPECT_EQ(classify(1, std::string{"Fatal: unable to open config file: stat /b/config: "} + why +
                              "\nIs there a repository at the following location?\n"),
              Outcome::failed)
        << why;
}

constexpr auto locked =
    "unable to create lock in backend: repository is already locked by PID 7 on kvm1.example.org "
    "by "
    "root (UID 0, GID 0)\nlock was created at 2026-11-20 11:00:00 (1m5.25s ago)\nstorage ID 63db\n"
    "the `unlock` command can be used to remove stale locks\n";

TEST(ResticLock, SaysWhoseItIsAndHowOld) {
  const auto owner = lock_owner(locked);
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, 7);
  EXPECT_EQ(owner->host, "kvm1.example.org");
  EXPECT_EQ(owner->text(), "PID 7 on kvm1.example.org (user root), whose lock is 1m5s old");
}

TEST(ResticLock, IsReadInJsonAndWithoutAllWords) {
  const auto json = lock_owner(
      "{\"message_type\":\"exit_error\",\"code\":11,\"message\":\"Fatal: unable to create lock in "
      "backend: repository is already locked exclusively by PID 8 on h by one (UID 9, GID "
      "9)\\nlock "
      "was created at x (812.1ms ago)\"}\n");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->text(), "PID 8 on h (user one), whose lock is 812ms old");
  const auto bare = lock_owner("Fatal: repository is already locked by PID 7 on bk1\n");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->text(), "PID 7 on bk1");
}

TEST(ResticLock, OtherTextsAreAboutNone) {
  for (const auto* text : {"", "Fatal: no space left", "repository is already locked",
                           "repository is already locked by PID x on y"})
    EXPECT_FALSE(lock_owner(text)) << text;
}

TEST(ResticReason, IsTheLineThatSaysWhy) {
  EXPECT_EQ(reason(absent),
            "unable to open config file: stat /b/12/config: no such file or directory");
  EXPECT_EQ(
      reason("a\nunable to create lock in backend: repository is already locked by PID 7 on h\n"
             "lock was created at x\nstorage ID 63db\n"),
      "unable to create lock in backend: repository is already locked by PID 7 on h");
  EXPECT_EQ(reason("one\ntwo\n\n"), "two");
  EXPECT_EQ(reason(""), "it gave no reason");
}

TEST(ResticReason, IsTakenOutOfJson) {
  EXPECT_EQ(reason("{\"message_type\":\"exit_error\",\"code\":10,\"message\":"
                   "\"Fatal: repository does not exist: x\\nIs there a repository?\\n/b\"}\n"),
            "repository does not exist: x");
  EXPECT_EQ(reason("{\"message_type\":\"error\",\"error\":{\"message\":\"read /x: input/output "
                   "error\"},\"during\":\"archival\"}\n"),
            "read /x: input/output error");
}

TEST(ResticReason, SaysWhatSshSaid) {
  EXPECT_EQ(reason("subprocess ssh: ssh: connect to host b port 22: Connection refused\n"
                   "Fatal: unable to open repository: EOF\n"),
            "unable to open repository: EOF (ssh: connect to host b port 22: Connection refused)");
}

TEST(ResticReason, IsShort) { EXPECT_LE(reason(std::string(100000, 'x')).size(), 400U); }

TEST(Reason, LeavesOutTheStack) {
  EXPECT_EQ(reason("decrypting blob f9400805 failed: ciphertext verification failed\n"
                   "github.com/restic/restic/internal/restic.LoadTree\n"
                   "\tgithub.com/restic/restic/internal/restic/tree.go:113\n"
                   "runtime.goexit\n\truntime/asm_amd64.s:1594\n"),
            "decrypting blob f9400805 failed: ciphertext verification failed");
}

TEST(FirstFinding, IsWhatCheckSaysBeforeItCounts) {
  EXPECT_EQ(first_finding("pack 1cb3: does not exist\npack 2ab4: does not exist\n"
                          "Fatal: repository contains errors\n"),
            "pack 1cb3: does not exist");
  EXPECT_EQ(first_finding("error for tree f9400805:\n  decrypting blob f94 failed\n"
                          "Fatal: repository contains errors\n"),
            "error for tree f9400805: decrypting blob f94 failed");
  EXPECT_EQ(first_finding("Fatal: repository contains errors\n"), "repository contains errors");
}

}  // namespace
}  // namespace restic
