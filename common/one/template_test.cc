// SPDX-License-Identifier: Apache-2.0
#include "common/one/template.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace one {
namespace {

std::string value(const std::string& text) {
  return std::get<std::string>(parse_template("A = " + text).at(0).value);
}

std::string refusal(const std::string& text) {
  try {
    parse_template(text);
    return "";
  } catch (const BadRequest& e) {
    return e.what();
  }
}

}  // namespace

TEST(Template, ReadsWhatARestoreWrites) {
  const auto image = parse_template(
      "NAME = \"12-aaaa0000-disk-0\"\nTYPE = \"OS\"\n\n"
      "PATH = \"restic://100/4/0:aaaa0000/var/lib/one/datastores/0/12/backup/disk.0.0\"\n"
      "FROM_BACKUP_DS = \"100\"\nBACKUP_JOB_ID = \"4\"\n");
  ASSERT_EQ(image.size(), 5U);
  EXPECT_EQ(
      image[2],
      (Attribute{"PATH", "restic://100/4/0:aaaa0000/var/lib/one/datastores/0/12/backup/disk.0.0"}));
}

TEST(Template, ReadsTheFormOfTheRubyClients) {
  const auto vm = parse_template(
      "CONTEXT=[\n    NETWORK=\"YES\"\n]\nCPU= \"1\"\nDISK=[\n    IMAGE_ID=\"55\",\n"
      "    DEV_PREFIX=\"vd\",\n    CACHE=\"none\"\n]\nDISK=[\n    TYPE=\"fs\",\n"
      "    SIZE=\"100\"\n]\nMEMORY= \"512\"\nNAME= \"12-aaaa0000\"\n");
  EXPECT_EQ(vm,
            (Template{{"CONTEXT", Pairs{{"NETWORK", "YES"}}},
                      {"CPU", "1"},
                      {"DISK", Pairs{{"IMAGE_ID", "55"}, {"DEV_PREFIX", "vd"}, {"CACHE", "none"}}},
                      {"DISK", Pairs{{"TYPE", "fs"}, {"SIZE", "100"}}},
                      {"MEMORY", "512"},
                      {"NAME", "12-aaaa0000"}}));
}

TEST(Template, BringsNamesIntoUpperCase) {
  EXPECT_EQ(parse_template("Name=a\ndisk=[Image_Id=5]"),
            (Template{{"NAME", "a"}, {"DISK", Pairs{{"IMAGE_ID", "5"}}}}));
}

TEST(Template, SkipsComments) {
  EXPECT_EQ(parse_template("# one\nA = 1 # two\n  # three\nB = [ # four\n C = 2, # five\n"
                           " D = \"#\" ] # six\nE = # seven"),
            (Template{{"A", "1"}, {"B", Pairs{{"C", "2"}, {"D", "#"}}}, {"E", ""}}));
}

TEST(Template, ReadsQuotesAndBackslashes) {
  EXPECT_EQ(value(R"("a \"b\" c")"), "a \"b\" c");
  EXPECT_EQ(value(R"("C:\dir\\new\n")"), R"(C:\dir\\new\n)");
  EXPECT_EQ(value(R"("a\\"b")"), R"(a\"b)");
  EXPECT_EQ(value("\"two\nlines\""), "two\nlines");
  EXPECT_EQ(value("\"\""), "");
  EXPECT_EQ(value("\"[ ]=,#\""), "[ ]=,#");
}

TEST(Template, ReadsWordsWithoutQuotes) {
  EXPECT_EQ(value("abc"), "abc");
  EXPECT_EQ(value("http://h/?a=b \t\r\n"), "http://h/?a=b");
  EXPECT_EQ(value(""), "");
}

TEST(Template, ReadsEmptyTexts) {
  EXPECT_TRUE(parse_template("").empty());
  EXPECT_TRUE(parse_template(" \n# nothing").empty());
  EXPECT_EQ(parse_template("A = [ ]"), (Template{{"A", Pairs{}}}));
}

TEST(Template, NamesTheLineOfAMistake) {
  EXPECT_EQ(refusal("A = 1\nB = \"2\n\n"),
            "line 2 of the template: the quote that begins here has "
            "no end");
  EXPECT_EQ(refusal("A = 1\n\nB"), "line 3 of the template: '=' is expected after a name");
  EXPECT_EQ(refusal("A = [ B = 1,\nC = 2\n"), "line 1 of the template: the '[' here has no ']'");
  EXPECT_EQ(refusal("A = b c"), "line 1 of the template: a value of several words needs quotes");
}

TEST(Template, RefusesAnythingElse) {
  for (const auto* text :
       {"= 1", "A 1", "A = [ B = 1 C = 2 ]", "A = [ B = 1, ]", "A = [ B ]", "A = [", "A = ]",
        "A = 1, B = 2", "A = [ B = [ C = 1 ] ]", "A-B = 1", "A = \"x\\\"", "<A>1</A>"})
    EXPECT_NE(refusal(text), "") << text;
}

TEST(TemplateText, IsReadBackUnchanged) {
  const Template attributes{
      {"NAME", "a \"b\" c"},
      {"SCRIPT", "#!/bin/sh\necho \\\"$A\\\\n\" | sed 's/\\./x/' # no comment\n"},
      {"EMPTY", ""},
      {"DISK", Pairs{{"IMAGE_ID", "5"}, {"SOURCE", "a, b ] = [ c"}}},
      {"DISK", Pairs{{"IMAGE", "\"\"\n"}}},
      {"TAB", "\ta\r\n"}};
  EXPECT_EQ(parse_template(to_text(attributes)), attributes);
}

TEST(TemplateText, LooksAsTheCoresDoes) {
  EXPECT_EQ(to_text({{"NAME", "vm"}, {"DISK", Pairs{{"A", "1"}, {"B", "2"}}}}),
            "NAME = \"vm\"\nDISK = [\n  A = \"1\",\n  B = \"2\" ]\n");
}

TEST(TemplateText, LeavesEmptyVectorsOut) { EXPECT_EQ(to_text({{"DISK", Pairs{}}}), ""); }

TEST(TemplateText, RefusesWhatTheCoreWouldMisread) {
  EXPECT_THROW(to_text({{"A", "C:\\"}}), BadRequest);
  EXPECT_THROW(to_text({{"A", Pairs{{"B", "\\"}}}}), BadRequest);
  EXPECT_THROW(to_text({{"A = \"1\"\nB", "x"}}), BadRequest);
  EXPECT_THROW(to_text({{"", "x"}}), BadRequest);
  EXPECT_THROW(to_text({{"A", Pairs{{"B C", "x"}}}}), BadRequest);
}

}  // namespace one
