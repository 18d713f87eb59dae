// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/settings.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"

namespace vmvaultd {
namespace {

std::string complaint(std::string_view text) {
  try {
    parse_service_settings(text);
  } catch (const BadRequest& error) {
    return error.what();
  }
  return "";
}

TEST(ServiceSettings, ReadsOpenNebulasForm) {
  const auto settings = parse_service_settings(
      "# a comment\n\n  MAX_BACKUPS = 7 # so many\nMAX_BACKUPS_HOST=0\r\n"
      "BACKUP_WINDOW = \"mon-fri 22:00-06:00\"   # at night\nRPO = \"3600\"\nKEEP_LAST = -1\n"
      "KEEP_COUNTING = IN_TURN\nLIBVIRT_URI = \"a \\\"b\\\" # c\"\nDATASTORE_ID = 101");
  EXPECT_EQ(settings.manager.policy.limits.all, 7);
  EXPECT_EQ(settings.manager.policy.limits.host, 0);
  EXPECT_EQ(settings.manager.window->text(), "mon-fri 22:00-06:00");
  EXPECT_EQ(settings.manager.rpo, 3600);
  EXPECT_EQ(settings.manager.keep.last, -1);
  EXPECT_EQ(settings.manager.keep.counting, Counting::in_turn);
  EXPECT_EQ(settings.uri, "a \"b\" # c");
  EXPECT_EQ(settings.manager.datastore, 101);
}

TEST(ServiceSettings, NamesTheLineThatCannotBe) {
  EXPECT_EQ(complaint("\nMAX_BACKUP = 5"), "line 2: 'MAX_BACKUP' is unknown");
  EXPECT_EQ(complaint("MAX_BACKUPS = many"),
            "line 1: MAX_BACKUPS: 'many' is not a number from 0 on");
  EXPECT_EQ(complaint("RPO = \"1"), "line 1: RPO: the quotes do not end");
  EXPECT_EQ(complaint("RPO = \"1\" 2"), "line 1: RPO: there is more after the quotes");
  EXPECT_EQ(complaint("RPO = -1"), "line 1: RPO: '-1' is not a number of seconds, 0 or more");
  EXPECT_EQ(complaint("nonsense"), "line 1: it is not NAME = VALUE");
  EXPECT_EQ(complaint("RPO = [ A = 1 ]"), "line 1: RPO: it has no list of values");
  EXPECT_NE(complaint("BACKUP_WINDOW = never"), "");
  EXPECT_NE(complaint("KEEP_LAST = -2"), "");
}

TEST(ServiceSettings, TheLogIsWhereTheOperatorWantsIt) {
  EXPECT_EQ(parse_service_settings("").log.file, "");
  EXPECT_EQ(parse_service_settings("LOG = [ SYSTEM = \"file\", DEBUG_LEVEL = 3 ]").log.file,
            "/var/log/vmvaultd.log");
  const auto log = parse_service_settings(
                       "LOG = [\n  DEBUG_LEVEL = 1, # warnings\n\n  FILE = \"/a, ]b\",\n"
                       "  SYSTEM = file ]  # so\nRPO = 60\n")
                       .log;
  EXPECT_EQ(log.file, "/a, ]b");
  EXPECT_EQ(log.level, 1);
  EXPECT_EQ(parse_service_settings("LOG = [ FILE = \"/a\", SYSTEM = std ]").log.file, "");
  const auto to_syslog = parse_service_settings("LOG = [ FILE = \"/a\", SYSTEM = syslog ]").log;
  EXPECT_TRUE(to_syslog.to_syslog);
  EXPECT_EQ(to_syslog.file, "");
  EXPECT_FALSE(log.to_syslog);
}

TEST(ServiceSettings, NamesWhatALogCannotBe) {
  EXPECT_EQ(complaint("LOG = file"), "line 1: LOG: it is not [ NAME = VALUE, ... ]");
  EXPECT_EQ(complaint("LOG = [ SYSTEM = tape ]"),
            "line 1: LOG: SYSTEM: 'tape' is neither std nor file nor syslog");
  EXPECT_EQ(complaint("LOG = [ FILE = log ]"), "line 1: LOG: FILE: 'log' does not begin with /");
  EXPECT_EQ(complaint("LOG = [ LEVEL = 1 ]"), "line 1: LOG: 'LEVEL' is unknown");
  EXPECT_EQ(complaint("LOG = [ DEBUG_LEVEL = \"1\"\n\n  SYSTEM = std ]"),
            "line 3: LOG: there is no comma after DEBUG_LEVEL");
  EXPECT_EQ(complaint("LOG = [ SYSTEM = std\n\n"), "line 3: LOG: the bracket does not end");
  EXPECT_EQ(complaint("LOG = [ SYSTEM = std ] x"), "line 1: LOG: there is more after the bracket");
}

}  // namespace
}  // namespace vmvaultd
