// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_options.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

using mad::Option;
using mad::parse_options;
using Words = std::vector<std::string>;

const std::vector<Option> known{{'t', "threads"}, {'d', "ds-types"}, {'w', "timeout"}};

TEST(MadOptions, AreOneArgument) {
  char name[] = "mad", all[] = "-t 15  -d\tdummy,fs ", more[] = "x";
  char* argv[] = {name, all, more, nullptr};
  EXPECT_EQ(mad::split_arguments(3, argv), (Words{"-t", "15", "-d", "dummy,fs", "x"}));
  EXPECT_TRUE(mad::split_arguments(1, argv).empty());
}

TEST(MadOptions, HaveSeveralForms) {
  for (const Words& words : {Words{"-t", "7"}, Words{"-t7"}, Words{"--threads", "7"},
                             Words{"--threads=7"}, Words{"--th", "7"}, Words{"-t", "1", "-t7"}})
    EXPECT_EQ(parse_options(words, known).values.at('t'), "7");
}

TEST(MadOptions, ValuesMayBeMissing) {
  const auto options = parse_options({"-t", "-d", "fs", "--timeout"}, known);
  EXPECT_EQ(options.values.at('t'), "");
  EXPECT_EQ(options.values.at('d'), "fs");
  EXPECT_EQ(options.values.at('w'), "");
}

TEST(MadOptions, WordsMayStandBetweenThem) {
  const auto options = parse_options({"-t", "15", "kvm", "-w1", "--", "-x"}, known);
  EXPECT_EQ(options.words, (Words{"kvm", "-x"}));
  EXPECT_EQ(options.values.at('w'), "1");
}

TEST(MadOptions, SomeHaveNoValue) {
  const std::vector<Option> more{{'t', "threads"}, {'p', "parallel", false}};
  for (const Words& words :
       {Words{"-p", "kvm"}, Words{"kvm", "--parallel"}, Words{"-p", "--", "kvm"}}) {
    const auto options = parse_options(words, more);
    EXPECT_EQ(options.words, Words{"kvm"});
    EXPECT_EQ(options.values.count('p'), 1);
  }
}

TEST(MadOptions, UnknownOnesAreNamed) {
  for (const Words& words : {Words{"-x"}, Words{"--other"}, Words{"--t"}, Words{"--="}})
    EXPECT_THROW(parse_options(words, known), BadRequest) << words[0];
}

TEST(MadList, HasNoBlanks) {
  EXPECT_EQ(mad::split_list("dummy, fs ,,lvm"), (Words{"dummy", "fs", "lvm"}));
  EXPECT_TRUE(mad::split_list("").empty());
}

}  // namespace
