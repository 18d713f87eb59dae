// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/documents.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "common/file.h"
#include "common/one/machine_state.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr const char* uuid = "6c1f4a52-39b8-4d7c-8d7e-0a55ee4f1b11";

Keeps keeps_of(const std::string& os, const std::string& devices) {
  const Xml domain{"<domain><name>web</name><uuid>" + std::string{uuid} + "</uuid><os>" + os +
                   "</os><devices>" + devices + "</devices></domain>"};
  return Keeps::of(domain.root());
}

const std::string emulator = "<tpm model='tpm-crb'><backend type='emulator'/></tpm>";

class MachineFilesTest : public testing::Test {
 protected:
  MachineFilesTest() {
    request_.vm_dir = dir_.path() / "vm";
    request_.settings["SWTPM_DIR"] = (dir_.path() / "swtpm").string();
    request_.vm.deploy_id = uuid;
    request_.live = true;
    fs::create_directories(request_.vm_dir);
    fs::create_directories(tpm_.parent_path());
  }

  Kept read(const Keeps& keeps) const {
    const auto all = MachineFiles{request_, keeps}.read();
    EXPECT_EQ(all.size(), 1u);
    return all.at(0);
  }

  // Refused for these words, and not in the backup.
  void expect_refused(const Keeps& keeps, const std::string& words) const {
    const auto one = read(keeps);
    EXPECT_TRUE(one.bytes.empty());
    EXPECT_NE(one.why.find(words), std::string::npos) << one.why;
  }

  TempDir dir_;
  HostRequest request_;
  const fs::path tpm_ = dir_.path() / "swtpm" / uuid / machine_state::tpm_file;
  const fs::path vars_ = dir_.path() / "vars.fd";
};

TEST_F(MachineFilesTest, KnowsWhatADomainKeeps) {
  EXPECT_FALSE(keeps_of("", "").tpm);
  EXPECT_FALSE(keeps_of("", "").nvram);
  EXPECT_TRUE(keeps_of("", emulator).tpm);
  EXPECT_FALSE(keeps_of("", "<tpm><backend type='passthrough'/></tpm>").tpm);
  EXPECT_EQ(keeps_of("<nvram template='/t'>/n.fd</nvram>", "").store, "/n.fd");
  EXPECT_EQ(keeps_of("<nvram type='file'> <source file='/s.fd'/> </nvram>", "").store, "/s.fd");
}

TEST_F(MachineFilesTest, ReadsBoth) {
  write_file(tpm_, "state");
  write_file(vars_, "variables");
  const auto all =
      MachineFiles{request_, keeps_of("<nvram>" + vars_.string() + "</nvram>", emulator)}.read();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "disk.tpm.0");
  EXPECT_EQ(machine_state::unpack_tpm(all[0].bytes), "state");
  EXPECT_EQ(all[1].name, "nvram.fd");
  EXPECT_EQ(all[1].bytes, "variables");
  EXPECT_TRUE((MachineFiles{request_, keeps_of("", "")}.read().empty()));
}

TEST_F(MachineFilesTest, ATemplateWithATpmIsEnough) {
  write_file(tpm_, "state");
  request_.vm.has_tpm = true;
  EXPECT_EQ(machine_state::unpack_tpm(read({}).bytes), "state");
}

TEST_F(MachineFilesTest, OfAMachineThatIsOffOpenNebulasOwnFilesAreTaken) {
  request_.vm.has_tpm = true;
  fs::create_directory(request_.vm_dir / "tpm");
  write_file(request_.vm_dir / "tpm/tpm2-00.permall", "copy");
  expect_refused({}, tpm_.string());  // it runs, so the copy is an old one
  request_.live = false;
  EXPECT_EQ(machine_state::unpack_tpm(read({}).bytes), "copy");
  request_.vm.has_tpm = false;
  write_file(request_.vm_dir / "one-7_VARS.fd", "variables");
  EXPECT_EQ(read({}).bytes, "variables");
}

TEST_F(MachineFilesTest, RefusesWhatCouldBeAnything) {
  expect_refused(keeps_of("", emulator), tpm_.string());
  fs::create_symlink("/etc/passwd", tpm_);
  expect_refused(keeps_of("", emulator), tpm_.string());
  fs::remove(tpm_);
  write_file(tpm_, "");
  expect_refused(keeps_of("", emulator), "is empty");
  ASSERT_EQ(truncate(tpm_.c_str(), machine_state::largest_tpm + 1), 0);
  expect_refused(keeps_of("", emulator), "is larger");
  ASSERT_EQ(mkfifo(vars_.c_str(), 0600), 0);
  expect_refused(keeps_of("<nvram>" + vars_.string() + "</nvram>", ""), "not a plain file");
  request_.vm.deploy_id = "../../etc";
  request_.vm.has_tpm = true;
  expect_refused({}, "no UUID");
}

TEST_F(MachineFilesTest, DoesNotFollowALinkOfSwtpmsUser) {
  const fs::path other = dir_.path() / "other";
  fs::rename(tpm_.parent_path(), other);
  write_file(other / "tpm2-00.permall", "foreign");
  fs::create_directory_symlink(other, tpm_.parent_path());
  expect_refused(keeps_of("", emulator), tpm_.string());
}

// Writes one letter after the other over a whole file, until it goes.
class Writer {
 public:
  Writer(const fs::path& file, std::size_t size)
      : fd_{open_file(file, O_RDWR | O_CREAT)}, size_{size} {
    write_all(fd_.get(), std::string(size, 'a'), "write");
    thread_ = std::jthread{[this](const std::stop_token& stop) { work(stop); }};
  }
  // How long it has not written at the most: a busy machine does not let it.
  std::chrono::milliseconds end() {
    thread_.request_stop();
    thread_.join();
    return std::chrono::duration_cast<std::chrono::milliseconds>(longest_rest_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  void work(const std::stop_token& stop) {
    auto before = Clock::now();
    for (char c = 'a'; !stop.stop_requested(); c = c == 'z' ? 'a' : static_cast<char>(c + 1)) {
      const std::string text(4096, c);
      for (std::size_t at = 0; at < size_; at += text.size()) {
        EXPECT_EQ(pwrite(fd_.get(), text.data(), text.size(), static_cast<off_t>(at)), 4096);
        const auto now = Clock::now();
        longest_rest_ = std::max(longest_rest_, now - before);
        before = now;
      }
    }
  }

  Fd fd_;
  std::size_t size_;
  Clock::duration longest_rest_{};
  std::jthread thread_;
};

TEST_F(MachineFilesTest, AFileThatIsWrittenMeanwhileIsWholeOrNotTaken) {
  constexpr std::size_t size = 1 << 20;
  for (int tries = 0; tries < 50; ++tries) {
    Writer writer{vars_, size};
    const auto one = read(keeps_of("<nvram>" + vars_.string() + "</nvram>", ""));
    const bool rested = writer.end() >= std::chrono::milliseconds{15};
    if (!one.why.empty()) {
      EXPECT_NE(one.why.find("being written"), std::string::npos) << one.why;
      return;
    }
    if (rested) continue;  // then nobody can know that it writes
    EXPECT_EQ(one.bytes, std::string(size, one.bytes[0]));
    return;
  }
  GTEST_SKIP() << "this machine is too busy to write a file without a rest";
}

// For a while an ordinary user, if we are root.
class Ordinary {
 public:
  explicit Ordinary(const fs::path& mine) {
    if (geteuid() != 0) return;
    for (const auto& entry : fs::recursive_directory_iterator{mine})
      EXPECT_EQ(chown(entry.path().c_str(), 65534, 65534), 0);
    EXPECT_EQ(chown(mine.c_str(), 65534, 65534), 0);
    EXPECT_EQ(seteuid(65534), 0);
    changed_ = true;
  }
  ~Ordinary() {
    if (changed_) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }

 private:
  bool changed_ = false;
};

TEST_F(MachineFilesTest, AnOrdinaryUserAsksSudo) {
  const fs::path bin = dir_.path() / "bin";
  fs::create_directory(bin);
  const auto sudo = [&](const std::string& list) {
    write_file(bin / "sudo",
               "#!/bin/sh\n[ \"$1\" = -n ] || exit 9\n[ \"$2\" != -l ] || { echo '" + list +
                   "'; exit; }\n"
                   "[ \"$2 $3 $4\" = '/var/tmp/one/vtpm_setup backup " +
                   uuid +
                   "' ] || exit 9\n"
                   "mkdir -p \"$5/tpm\" && echo sudo >\"$5/tpm/tpm2-00.permall\"\n"
                   "chmod -R a+rX \"$5/tpm\"\n",
               0755);
  };
  const ScopedEnv path{"PATH", bin.string() + ":/usr/bin:/bin"};
  sudo("(root) NOPASSWD: /usr/bin/virsh");
  write_file(tpm_, "state");
  chmod(tpm_.parent_path().c_str(), 0);
  {
    const Ordinary user{dir_.path()};
    expect_refused(keeps_of("", emulator), "Permission denied");
  }
  sudo("(root) NOPASSWD: /var/tmp/one/vtpm_setup, /usr/bin/virsh");
  const Ordinary user{dir_.path()};
  EXPECT_EQ(machine_state::unpack_tpm(read(keeps_of("", emulator)).bytes), "sudo\n");
  chmod(tpm_.parent_path().c_str(), 0700);
  EXPECT_EQ(machine_state::unpack_tpm(read(keeps_of("", emulator)).bytes), "state") << "no need";
}

}  // namespace
}  // namespace host
