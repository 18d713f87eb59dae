// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/xml_writer.h"

#include <gtest/gtest.h>

#include <random>

#include "common/one/xml.h"

namespace {

std::string written(std::string_view text) {
  std::string out;
  append_xml_text(out, text);
  return out;
}

TEST(XmlWriter, EscapesWhatWouldBeMarkup) {
  EXPECT_EQ(written("<a b='c'>&\"]]>"), "&lt;a b='c'&gt;&amp;\"]]&gt;");
  EXPECT_EQ(written("line\r\n\tline"), "line&#13;\n\tline");
}

TEST(XmlWriter, ReplacesWhatNoDocumentCanHold) {
  EXPECT_EQ(written("Grüße €😀"), "Grüße €😀");
  EXPECT_EQ(written({"a\0b\x01\x1f", 5}), "a?b??");
  for (const char* bad :
       {"\x80", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xef\xbf\xbf"})
    EXPECT_EQ(written(bad), std::string(std::string_view{bad}.size(), '?'));
}

TEST(XmlWriter, AnyBytesMakeADocument) {
  std::mt19937 random{7};
  for (int n = 0; n < 2000; ++n) {
    std::string text;
    for (auto size = random() % 40; size > 0; --size) text += static_cast<char>(random());
    EXPECT_NO_THROW(Xml{XmlWriter{}.text("A", text).take()});
  }
}

TEST(XmlWriter, WritesElements) {
  EXPECT_EQ(XmlWriter{}
                .open("VM")
                .number("ID", -1)
                .text("NAME", "a&b")
                .ids("VMS", std::vector{1, 2})
                .close("VM")
                .take(),
            "<VM><ID>-1</ID><NAME>a&amp;b</NAME><VMS><ID>1</ID><ID>2</ID></VMS></VM>");
}

}  // namespace
