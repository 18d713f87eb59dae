// SPDX-License-Identifier: Apache-2.0
#include "common/one/machine_state.h"

#include <gtest/gtest.h>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace machine_state {
namespace {

std::string tar_with(const std::string& format, const std::string& what, const TempDir& dir) {
  return Command{"tar", "-cz", format, "-C", dir.path().string(), what}.output();
}

TEST(MachineState, ATpmIsPackedAsTarReadsIt) {
  const std::string state(70000, 'x');
  const TempDir dir;
  write_file(dir.path() / "a", pack_tpm(state));
  const auto listing = Command{"tar", "-tzf", (dir.path() / "a").string()}.output();
  EXPECT_EQ(listing, "tpm/tpm2-00.permall\n");
  EXPECT_EQ((Command{"tar", "-xzOf", (dir.path() / "a").string()}.output()), state);
  EXPECT_EQ(unpack_tpm(pack_tpm(state)), state);
  EXPECT_EQ(unpack_tpm(pack_tpm("")), "");
}

TEST(MachineState, ATpmIsUnpackedWhateverToolPackedIt) {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "tpm");
  write_file(dir.path() / "tpm/before", "1");
  write_file(dir.path() / "tpm/tpm2-00.permall", "state");
  for (const std::string format : {"--format=gnu", "--format=ustar", "--format=pax", "--format=v7"})
    for (const std::string what : {"tpm", "./tpm", "."})
      EXPECT_EQ(unpack_tpm(tar_with(format, what, dir)), "state") << format << " " << what;
}

TEST(MachineState, WhatIsNoTpmIsRefused) {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "tpm");
  EXPECT_THROW(unpack_tpm(""), Error);
  EXPECT_THROW(unpack_tpm("no gzip"), Error);
  EXPECT_THROW(unpack_tpm(tar_with("--format=gnu", "tpm", dir)), Error);
  std::filesystem::create_symlink("/etc/passwd", dir.path() / "tpm/tpm2-00.permall");
  EXPECT_THROW(unpack_tpm(tar_with("--format=gnu", "tpm", dir)), Error);
  const auto good = pack_tpm(std::string(5000, 'x'));
  EXPECT_THROW(unpack_tpm(good.substr(0, good.size() / 2)), Error);
  EXPECT_THROW(unpack_tpm(pack_tpm(std::string(2 * largest_tpm, '\0'))), Error);
}

TEST(MachineState, ASessionKeepsItWithItsConfiguration) {
  EXPECT_EQ(default_swtpm_dir("qemu:///system"), "/var/lib/libvirt/swtpm");
  const ScopedEnv home{"HOME", "/h"};
  const ScopedEnv none{"XDG_CONFIG_HOME", std::nullopt};
  EXPECT_EQ(default_nvram_dir("qemu:///session"), "/h/.config/libvirt/qemu/nvram");
  const ScopedEnv config{"XDG_CONFIG_HOME", "/c"};
  EXPECT_EQ(default_swtpm_dir("qemu:///session?socket=/x"), "/c/libvirt/qemu/swtpm");
}

}  // namespace
}  // namespace machine_state
