// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/listing.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "drivers/cli/lib/show_object.h"

namespace cli {
namespace {

const Xml pool{
    "<P_POOL><P><ID>1</ID><NAME>a,\"b\"</NAME><N>9</N></P>"
    "<P><ID>2</ID><NAME>web</NAME><N>10</N><IDS><ID>3</ID><ID>4</ID></IDS><T/></P></P_POOL>"};

std::vector<Column> columns() {
  return {{"ID", "", [](auto& of) { return of.text("ID"); }},
          {"NAME", "", [](auto& of) { return of.text("NAME"); }},
          {"N", "", [](auto& of) { return of.text("N"); }, false}};
}

std::string csv(const ListOptions& options) {
  return csv_text(rows_of(Element{pool}.children(), columns(), options), options.delimiter);
}

TEST(Listing, IsWhatIsAskedFor) {
  EXPECT_EQ(csv({}), "ID,NAME\n1,\"a,\"\"b\"\"\"\n2,web\n");
  EXPECT_EQ(csv({.columns = {"n", "ID"}}), "N,ID\n9,1\n10,2\n");
  EXPECT_EQ(csv({.columns = {"ID", "N"}, .delimiter = ";"}), "ID;N\n1;9\n2;10\n");
  EXPECT_EQ(listing(rows_of(Element{pool}.children(), columns(), {.columns = {"ID", "N"}}),
                    {.header = false}),
            "1  9\n2  10\n");
}

TEST(Listing, ComparesNumbersAsNumbers) {
  EXPECT_EQ(csv({.columns = {"ID"}, .filters = {"N>9"}}), "ID\n2\n");
  EXPECT_EQ(csv({.columns = {"ID"}, .filters = {"N<=9"}}), "ID\n1\n");
  EXPECT_EQ(csv({.columns = {"ID"}, .filters = {"name=web", "N!=10"}}), "ID\n");
  EXPECT_EQ(csv({.columns = {"ID"}, .filters = {"NAME=web", "N<10"}, .any = true}), "ID\n1\n2\n");
}

TEST(Listing, RefusesWhatIsNoColumnAndNoFilter) {
  EXPECT_THROW(csv({.columns = {"SIZE"}}), BadRequest);
  for (const auto* filter : {"", "N", "SIZE=1", "=1"})
    EXPECT_THROW(csv({.filters = {filter}}), BadRequest) << filter;
}

TEST(Elements, AreJsonAsTheCoresToolsWriteIt) {
  EXPECT_EQ(to_json(Element{pool}).dump(),
            R"({"P_POOL":{"P":[{"ID":"1","NAME":"a,\"b\"","N":"9"},)"
            R"({"ID":"2","NAME":"web","N":"10","IDS":{"ID":["3","4"]},"T":{}}]}})");
  const Xml one{"<P_POOL><P><ID>1</ID></P></P_POOL>"};
  EXPECT_EQ(to_json(Element{one}).dump(), R"({"P_POOL":{"P":[{"ID":"1"}]}})");
  const Xml none{"<P_POOL/>"};
  EXPECT_EQ(to_json(Element{none}).dump(), R"({"P_POOL":{}})");
}

TEST(ObjectText, IsALineForEachAttribute) {
  const Xml object{"<P><ID>1</ID><E/><IDS><ID>3</ID><ID>4</ID></IDS><T><A>x</A></T></P>"};
  EXPECT_EQ(
      object_text(Element{object}),
      "ID                    : 1\nIDS                   : 3, 4\n\nT\n  A                   : x\n");
}

}  // namespace
}  // namespace cli
