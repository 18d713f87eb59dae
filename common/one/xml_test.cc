// SPDX-License-Identifier: Apache-2.0
#include "common/one/xml.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "common/error.h"
#include "common/file.h"

namespace {

// Why it was refused; "" if it was not.
std::string refusal(const std::string& text) {
  try {
    Xml xml{text};
    return "";
  } catch (const BadRequest& e) {
    return e.what();
  }
}

std::string nested(int levels) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += "<a>";
  for (int i = 0; i < levels; ++i) text += "</a>";
  return text;
}

const Xml vm{
    "<VM><ID>2</ID><NAME><![CDATA[a <b> & c]]></NAME><TEMPLATE>"
    "<DISK><DISK_ID><![CDATA[0]]></DISK_ID><TARGET><![CDATA[vda]]></TARGET></DISK>"
    "<DISK><DISK_ID><![CDATA[2]]></DISK_ID><TARGET>vdb</TARGET><SIZE>-12</SIZE></DISK>"
    "</TEMPLATE><EMPTY/></VM>"};

}  // namespace

TEST(Xml, FindsElementsFromTheRootAndFromTheDocument) {
  EXPECT_EQ(vm.at("/VM/ID"), "2");
  EXPECT_EQ(vm.at("ID"), "2");
  EXPECT_EQ(vm.at("TEMPLATE/DISK[TARGET='vdb']/DISK_ID"), "2");
}

TEST(Xml, ReadsCdataAsText) { EXPECT_EQ(vm.at("/VM/NAME"), "a <b> & c"); }

TEST(Xml, TellsAbsentFromEmpty) {
  EXPECT_EQ(vm.find("/VM/NONE"), std::nullopt);
  EXPECT_EQ(vm.find("/VM/EMPTY"), "");
  EXPECT_THROW(vm.at("/VM/NONE"), BadRequest);
}

TEST(Xml, FindsInDocumentOrder) {
  const auto found = vm.root().find_all("TEMPLATE/DISK[2]/DISK_ID | TEMPLATE/DISK[1]/DISK_ID");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].text(), "0");
  EXPECT_EQ(found[1].text(), "2");
}

TEST(Xml, EvaluatesRelativeToTheElement) {
  const auto disk = vm.root().first("TEMPLATE/DISK[2]");
  ASSERT_TRUE(disk);
  EXPECT_EQ(disk->at("DISK_ID"), "2");
  EXPECT_EQ(disk->number_at("SIZE"), -12);
  EXPECT_EQ(disk->find_number("NONE"), std::nullopt);
  EXPECT_EQ(disk->children().size(), 3U);
  EXPECT_THROW(disk->number_at("TARGET"), BadRequest);
}

TEST(Xml, GivesTheValueOfAnExpressionThatIsNoElement) {
  EXPECT_EQ(vm.find("count(/VM/TEMPLATE/DISK)"), "2");
  EXPECT_EQ(Xml{"<a b='c'/>"}.find("/a/@b"), "c");
}

TEST(Xml, CallsAnExpressionThatIsNoneAMistakeOfOurs) {
  EXPECT_THROW(vm.find("/VM/["), std::logic_error);
}

TEST(Xml, ReadsAttributes) {
  const Xml xml{"<a one='1' two='&lt;&#x41;'/>"};
  EXPECT_EQ(xml.root().attribute("two"), "<A");
  EXPECT_EQ(xml.root().attribute("three"), std::nullopt);
}

TEST(Xml, RefusesADocumentType) {
  const std::string why = "the request holds a document type declaration";
  EXPECT_EQ(refusal("<!DOCTYPE a><a/>"), why);
  EXPECT_EQ(refusal("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), why);
  EXPECT_EQ(refusal("<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'><a/>"), why);
}

TEST(Xml, RefusesABillionLaughs) {
  std::string bomb = "<!DOCTYPE a [<!ENTITY e0 'ha'>";
  for (int i = 1; i < 30; ++i) {
    const auto before = "&e" + std::to_string(i - 1) + ";";
    bomb += "<!ENTITY e" + std::to_string(i) + " '" + before + before + "'>";
  }
  EXPECT_NE(refusal(bomb + "]><a>&e29;</a>"), "");
}

TEST(Xml, DoesNotReadAFileForAnEntity) {
  const TempDir dir;
  write_file(dir.path() / "secret", "hunter2");
  const auto why = refusal("<!DOCTYPE a [<!ENTITY e SYSTEM 'file://" + dir.path().string() +
                           "/secret'>]><a>&e;</a>");
  EXPECT_EQ(why, "the request holds a document type declaration");
}

TEST(Xml, RefusesAnEntityThatNobodyDeclared) { EXPECT_NE(refusal("<a>&nbsp;</a>"), ""); }

TEST(Xml, BoundsTheDepth) {
  EXPECT_EQ(refusal(nested(128)), "");
  EXPECT_EQ(refusal(nested(129)), "the request is nested too deeply");
  EXPECT_EQ(refusal(nested(100000)), "the request is nested too deeply");
}

TEST(Xml, LibvirtMayNestTheLayersOfADisk) {
  EXPECT_NO_THROW(Xml::from_libvirt(nested(1024)));
  EXPECT_THROW(Xml::from_libvirt(nested(1025)), BadRequest);
  EXPECT_THROW(Xml::from_libvirt(nested(100000)), BadRequest);
}

TEST(Xml, BoundsTheSize) {
  constexpr std::size_t limit = 64 << 20;
  std::string text = "<a>" + std::string(limit - 7, 'x') + "</a>";
  ASSERT_EQ(text.size(), limit);
  EXPECT_EQ(refusal(text), "");  // also a single text of more than libxml2's own 10 MB
  text.insert(3, 1, 'x');
  EXPECT_EQ(refusal(text), "the request is larger than 64 MiB");
}

TEST(Xml, BoundsTheNumberOfElements) {
  std::string text = "<a>";
  for (int i = 0; i < 1'000'000; ++i) text += "<b/>";
  EXPECT_EQ(refusal(text + "</a>"), "the request has too many elements");
}

TEST(Xml, TakesALargeCdataSection) {
  const std::string big(20 << 20, '<');
  EXPECT_EQ(Xml{"<a><![CDATA[" + big + "]]></a>"}.root().text().size(), big.size());
}

TEST(Xml, NamesTheLineAndNeverTheText) {
  EXPECT_EQ(refusal("<a>\n<secret>\n</a>"), "the request is not an XML document (line 3)");
  EXPECT_EQ(refusal("<a>hunter2"), "the request is not an XML document (line 1)");
  EXPECT_EQ(refusal("<a/>hunter2"), "the request is not an XML document (line 1)");
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("hunter2"), "");
}

TEST(Xml, RefusesNulAndWrongEncodings) {
  EXPECT_EQ(refusal(std::string{"<a>\0</a>", 8}), "the request holds a NUL character");
  EXPECT_NE(refusal("<a>\xff\xfe</a>"), "");
  EXPECT_NE(refusal("<a>\xc3</a>"), "");
  EXPECT_NE(refusal("<a>\x01</a>"), "");
  EXPECT_NE(refusal("<?xml version='1.0' encoding='none-such'?><a>\xff</a>"), "");
}

TEST(Xml, ReadsOtherEncodingsAndWritesUtf8) {
  const Xml latin{"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>"};
  EXPECT_EQ(latin.root().text(), "\xc3\xa9");
  EXPECT_EQ(latin.dump(), "<a>\xc3\xa9</a>");
  EXPECT_EQ(Xml{"<a>\xc3\xa9</a>"}.dump(), "<a>\xc3\xa9</a>");
}

TEST(Xml, DropsCommentsAndProcessingInstructions) {
  EXPECT_EQ(Xml{"<?p q?><a><!-- b --><?c d?>e</a>"}.dump(), "<a>e</a>");
}

TEST(Xml, DumpsWhatItRead) {
  const std::string text = "<a b=\"&quot;&lt;\"><c><![CDATA[<&]]></c>&lt;&amp;</a>";
  EXPECT_EQ(Xml{text}.dump(), text);
}

TEST(Xml, DumpsAnElementWithTheNameSpacesItNeeds) {
  const Xml domain{"<domain xmlns:q='urn:q'><q:a/></domain>"};
  EXPECT_EQ(domain.root().children()[0].dump(), "<q:a xmlns:q=\"urn:q\"/>");
}

TEST(XmlWrite, EscapesText) {
  const Xml xml = Xml::create("a");
  xml.root().add("b", "<&>\"'\n");
  const Xml again{xml.dump()};
  EXPECT_EQ(again.at("/a/b"), "<&>\"'\n");
  EXPECT_EQ(again.root().find_all("*").size(), 1U);
}

TEST(XmlWrite, DoesNotTakeTextForAnEntity) {
  const Xml xml = Xml::create("a");
  xml.root().set_text("&lt;&none;");
  xml.root().set_attribute("b", "&lt;\"<\n");
  const Xml again{xml.dump()};
  EXPECT_EQ(again.root().text(), "&lt;&none;");
  EXPECT_EQ(again.root().attribute("b"), "&lt;\"<\n");
}

TEST(XmlWrite, ReplacesTextAndRemovesElements) {
  const Xml xml{"<a><b>c<d/></b><e/></a>"};
  xml.root().first("b")->set_text("new");
  xml.root().first("e")->remove();
  EXPECT_EQ(xml.dump(), "<a><b>new</b></a>");
}

TEST(XmlWrite, CopiesFromAnotherDocument) {
  const Xml xml = Xml::create("DATA");
  {
    const Xml gone{"<VM><ID>1</ID></VM>"};
    xml.root().add_copy(gone.root());
  }
  EXPECT_EQ(xml.dump(), "<DATA><VM><ID>1</ID></VM></DATA>");
}

TEST(XmlWrite, RefusesWhatCouldNotBeReadBack) {
  const Xml xml = Xml::create("a");
  EXPECT_THROW(xml.root().set_text("\x1b[31m"), BadRequest);
  EXPECT_THROW(xml.root().set_text("\xff"), BadRequest);
  EXPECT_THROW(xml.root().add("not a name"), BadRequest);
  EXPECT_THROW(xml.root().add("a><b"), BadRequest);
  EXPECT_THROW(Xml::create(""), BadRequest);
}
