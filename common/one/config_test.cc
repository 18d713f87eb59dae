// SPDX-License-Identifier: Apache-2.0
#include "common/one/config.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace {

// A tree of actions with nothing but configuration in it.
struct Remotes {
  TempDir dir;
  ScopedEnv remotes{"VMVAULT_REMOTES", dir.path()};

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((dir.path() / "etc" / name).parent_path());
    write_file(dir.path() / "etc" / name, text);
  }
};

std::string value(const std::string& line) { return parse_settings("A=" + line)["A"]; }

}  // namespace

TEST(Settings, AreReadLineByLine) {
  const auto settings = parse_settings(
      "# comment\n\nONE=1\n  export TWO=\"2 two\"\nexport\tTHREE='3'\r\nnot a setting\nif [ x = y "
      "]; then\n=4\nFIVE=\n#SIX=6\nSEVEN=7");
  EXPECT_EQ(
      settings,
      (Settings{{"ONE", "1"}, {"TWO", "2 two"}, {"THREE", "3"}, {"FIVE", ""}, {"SEVEN", "7"}}));
}

TEST(Settings, TheLastOneCounts) { EXPECT_EQ(parse_settings("A=1\nA=2\n")["A"], "2"); }

TEST(Settings, AreUnquotedAsBashDoes) {
  EXPECT_EQ(value("a # comment"), "a");
  EXPECT_EQ(value("'a # b'  # comment"), "a # b");
  EXPECT_EQ(value("\"a\\\"b\\\\c\\d\""), "a\"b\\c\\d");
  EXPECT_EQ(value("'a\\b'"), "a\\b");
  EXPECT_EQ(value("a\"b c\"'d e'f"), "ab cd ef");
  EXPECT_EQ(value("a\\ b"), "a b");
  EXPECT_EQ(value("qemu+ssh://h/system?a=b"), "qemu+ssh://h/system?a=b");
}

TEST(Settings, AreNeverEvaluated) {
  EXPECT_EQ(value("$(id)"), "$(id)");
  EXPECT_EQ(value("\"`id` $HOME\""), "`id` $HOME");
}

TEST(Settings, AFileThatIsNotThereHasNone) {
  EXPECT_TRUE(read_settings("/nonexistent/vmvault.conf").empty());
}

TEST(Setting, ComesFromTheFileOfTheTree) {
  const Remotes remotes;
  EXPECT_EQ(setting("EXPORT"), std::nullopt);
  remotes.write("vmvault.conf", "EXPORT=copy\nEMPTY=\n");
  EXPECT_EQ(setting("EXPORT"), "copy");
  EXPECT_EQ(setting("EMPTY"), std::nullopt);
}

TEST(Setting, IsOverruledByTheEnvironment) {
  const Remotes remotes;
  remotes.write("vmvault.conf", "EXPORT=copy\n");
  const ScopedEnv overruled{"VMVAULT_EXPORT", "view"};
  EXPECT_EQ(setting("EXPORT"), "view");
}

TEST(BackupDir, IsBelowTheVmUnlessConfigured) {
  const Remotes remotes;
  EXPECT_EQ(backup_dir("/d/12", 12), "/d/12/backup");
  remotes.write("datastore/datastore.conf", "BACKUP_BASE_PATH=/scratch//\n");
  EXPECT_EQ(backup_dir("/d/12", 12).string(), "/scratch/12/backup");
  remotes.write("datastore/datastore.conf", "BACKUP_BASE_PATH=scratch\n");
  EXPECT_THROW(backup_dir("/d/12", 12), BadRequest);
}

TEST(LibvirtUri, IsLookedUpInOrder) {
  const Remotes remotes;
  const ScopedEnv none{"LIBVIRT_URI", std::nullopt}, nor{"LIBVIRT_DEFAULT_URI", std::nullopt};
  EXPECT_EQ(libvirt_uri(), "qemu:///system");
  remotes.write("vmm/kvm/kvmrc", "export LIBVIRT_URI=qemu:///session\n");
  EXPECT_EQ(libvirt_uri(), "qemu:///session");
  const ScopedEnv second{"LIBVIRT_DEFAULT_URI", "test:///default"};
  EXPECT_EQ(libvirt_uri(), "test:///default");
  const ScopedEnv first{"LIBVIRT_URI", "test:///a"};
  EXPECT_EQ(libvirt_uri(), "test:///a");
}
