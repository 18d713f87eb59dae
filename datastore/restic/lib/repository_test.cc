// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/repository.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/error.h"

namespace restic {
namespace {

Datastore datastore(const std::string& attributes,
                    const std::string& base = "/var/lib/one//datastores/100") {
  const Xml xml{"<DATASTORE><ID>100</ID><BASE_PATH>" + base + "</BASE_PATH><TEMPLATE>" +
                attributes + "</TEMPLATE></DATASTORE>"};
  return Datastore{xml.root()};
}

const std::string password = "<RESTIC_PASSWORD>pw</RESTIC_PASSWORD>";
const std::string sftp = password + "<RESTIC_SFTP_SERVER>bk1</RESTIC_SFTP_SERVER>";
const std::string local = password + "<RESTIC_BACKEND>local</RESTIC_BACKEND>";

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(RepositoryId, IsTheJobsOrTheVms) {
  EXPECT_EQ(repository_id(12, {}), "12");
  EXPECT_EQ(repository_id(12, 4), "job_4");
}

TEST(Repository, SftpIsTheDefaultAndAsOthersKnowIt) {
  const Repository repository{datastore(sftp), "12"};
  EXPECT_EQ(repository.location(), "sftp:oneadmin@bk1:/var/lib/one/datastores/100/12");
  EXPECT_TRUE(has(repository.options(), "--repo=" + repository.location()));
}

TEST(Repository, AnSshThatHearsNothingMoreEnds) {
  const auto options = Repository{datastore(sftp), "12"}.options();
  const auto command = std::find_if(options.begin(), options.end(), [](const std::string& word) {
    return word.starts_with("--option=sftp.command=ssh ");
  });
  ASSERT_NE(command, options.end());
  EXPECT_NE(command->find("ServerAliveInterval"), std::string::npos);
  EXPECT_TRUE(command->ends_with("-l oneadmin -s bk1 sftp"));
}

TEST(Repository, LocalIsADirectory) {
  const Repository repository{datastore(local), "job_4"};
  EXPECT_EQ(repository.location(), "/var/lib/one/datastores/100/job_4");
}

TEST(Repository, OptionsFollowTheAttributes) {
  const Repository repository{datastore(sftp + "<RESTIC_BWLIMIT>10</RESTIC_BWLIMIT>"
                                               "<RESTIC_CONNECTIONS>7</RESTIC_CONNECTIONS>"
                                               "<RESTIC_COMPRESSION>MAX</RESTIC_COMPRESSION>"
                                               "<RESTIC_MAXPROC>2</RESTIC_MAXPROC>"),
                              "12"};
  EXPECT_TRUE(has(repository.options(), "--limit-upload=10"));
  EXPECT_TRUE(has(repository.options(), "--limit-download=10"));
  EXPECT_TRUE(has(repository.transfer_options(), "--option=sftp.connections=7"));
  EXPECT_TRUE(has(repository.transfer_options(), "--compression=max"));
  EXPECT_EQ(repository.environment().at("GOMAXPROCS"), "2");
}

TEST(Repository, ThePasswordIsInTheEnvironmentOnly) {
  const Repository repository{datastore(sftp), "12"};
  EXPECT_EQ(repository.environment().at("RESTIC_PASSWORD"), "pw");
  for (const auto& word : repository.options()) EXPECT_EQ(word.find("pw"), word.npos) << word;
  EXPECT_EQ(repository.without_secrets("it is pw, and pw"), "it is ***, and ***");
}

TEST(Repository, TheCallersOwnPasswordFileIsNotUsed) {
  const auto environment = Repository{datastore(local), "12"}.environment();
  for (const auto* name : {"RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND",
                           "RESTIC_REPOSITORY_FILE", "RESTIC_REPOSITORY"})
    EXPECT_EQ(environment.at(name), "") << name;
}

TEST(Repository, RefusesWhatCannotWork) {
  const std::string server = "<RESTIC_SFTP_SERVER>";
  EXPECT_THROW(Repository(datastore(""), "12"), BadRequest);
  EXPECT_THROW(Repository(datastore(password), "12"), BadRequest);
  EXPECT_THROW(Repository(datastore(local, ""), "12"), BadRequest);
  EXPECT_THROW(Repository(datastore(password + server + "-oX=y</RESTIC_SFTP_SERVER>"), "12"),
               BadRequest);
  EXPECT_THROW(Repository(datastore(password + server + "a b</RESTIC_SFTP_SERVER>"), "12"),
               BadRequest);
  EXPECT_THROW(Repository(datastore(sftp + "<RESTIC_SFTP_USER>a;b</RESTIC_SFTP_USER>"), "12"),
               BadRequest);
  EXPECT_THROW(Repository(datastore(sftp + "<RESTIC_BWLIMIT>fast</RESTIC_BWLIMIT>"), "12"),
               BadRequest);
}

}  // namespace
}  // namespace restic
