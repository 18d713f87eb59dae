// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/settings.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "drivers/vmvaultd/lib/conf.h"

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
  EXPECT_EQ(complaint("PORT = 99999"), "line 1: PORT: '99999' is not a number from 0 to 65535");
  EXPECT_EQ(complaint("RPO = \"1"), "line 1: RPO: the quotes do not end");
  EXPECT_EQ(complaint("RPO = \"1\" 2"), "line 1: RPO: there is more after the quotes");
  EXPECT_EQ(complaint("RPO = -1"), "line 1: RPO: '-1' is not a number of seconds, 0 or more");
  EXPECT_EQ(complaint("nonsense"), "line 1: it is not NAME = VALUE");
  EXPECT_EQ(complaint("RPO = [ A = 1 ]"), "line 1: RPO: it has no list of values");
  EXPECT_NE(complaint("BACKUP_WINDOW = never"), "");
  EXPECT_NE(complaint("KEEP_LAST = -2"), "");
}

// vmvaultd.conf, with what is commented out there.
std::string described() {
  std::istringstream lines{read_file("share/etc/vmvaultd.conf")};
  const std::regex commented{"#( *[A-Z_]+ *= .*)"};
  std::string text;
  for (std::string line; std::getline(lines, line);)
    text += std::regex_replace(line, commented, "$1") + "\n";
  return text;
}

TEST(ServiceSettings, TheFileDescribesEachKey) {
  const auto code = read_file("drivers/vmvaultd/lib/settings.cc");
  std::set<std::string> there, known{"LOG"};
  const std::regex key{R"re((?:\{|name == )"([A-Z_]+)")re"};
  for (std::sregex_iterator one{code.begin(), code.end(), key}, end; one != end; ++one)
    known.insert((*one)[1]);
  for (const auto& one : parse_conf(described())) {
    there.insert(one.name);
    for (const auto& inner : one.list) there.insert(inner.name);
  }
  EXPECT_GT(known.size(), 20u);
  EXPECT_EQ(there, known);
}

TEST(ServiceSettings, TheFileShowsWhatIsSoWithoutIt) {
  const auto shown = parse_service_settings(described()), usual = parse_service_settings("");
  const auto limits = [](const Settings& of) {
    const auto& [all, host, datastore] = of.manager.policy.limits;
    return std::vector{all, host, datastore};
  };
  EXPECT_EQ(limits(shown), limits(usual));
  const auto keep = [](const Settings& of) {
    const auto& k = of.manager.keep;
    return std::vector{k.last,    k.daily,  k.weekly,
                       k.monthly, k.yearly, static_cast<int>(k.counting)};
  };
  EXPECT_EQ(keep(shown), keep(usual));
  const auto times = [](const Settings& of) {
    return std::vector{of.manager.rpo, of.manager.policy.retry.first, of.manager.monitoring,
                       of.look, Time{of.manager.policy.retry.most}};
  };
  EXPECT_EQ(times(shown), times(usual));
  EXPECT_EQ(shown.manager.datastore, usual.manager.datastore);
  EXPECT_FALSE(shown.manager.window);
  EXPECT_EQ(shown.uri + shown.hook.string() + shown.mads.string(), "");
  EXPECT_EQ(usual.uri + usual.hook.string() + usual.mads.string(), "");
  const auto front = [](const Settings& of) {
    return of.front.address + " " + std::to_string(of.front.port) + of.front.socket.string() +
           of.front.group + (of.front.metrics ? " YES" : " NO");
  };
  EXPECT_EQ(front(shown), front(usual));
  EXPECT_EQ(shown.log.level, usual.log.level);
  EXPECT_EQ(shown.log.file, usual.log.file);
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
