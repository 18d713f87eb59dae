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
  EXPECT_NE(complaint("BACKUP_WINDOW = never"), "");
  EXPECT_NE(complaint("KEEP_LAST = -2"), "");
}

}  // namespace
}  // namespace vmvaultd
