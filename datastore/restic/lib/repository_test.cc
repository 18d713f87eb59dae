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

const std::string s3 = password +
                       "<RESTIC_BACKEND>S3</RESTIC_BACKEND><RESTIC_S3_BUCKET>bkt</RESTIC_S3_BUCKET>"
                       "<RESTIC_S3_ACCESS_KEY_ID>key</RESTIC_S3_ACCESS_KEY_ID>"
                       "<RESTIC_S3_SECRET_ACCESS_KEY>it's \"a\" $ecret\n`x`"
                       "</RESTIC_S3_SECRET_ACCESS_KEY>";

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

TEST(Repository, S3IsAnEndpointABucketAndTheId) {
  const auto location = [](const std::string& endpoint) {
    const auto attribute =
        endpoint.empty() ? "" : "<RESTIC_S3_ENDPOINT>" + endpoint + "</RESTIC_S3_ENDPOINT>";
    return Repository{datastore(s3 + attribute), "job_4"}.location();
  };
  EXPECT_EQ(location(""), "s3:s3.amazonaws.com/bkt/job_4");
  EXPECT_EQ(location("https://minio:9000"), "s3:https://minio:9000/bkt/job_4");
  EXPECT_EQ(location("minio:9000//"), "s3:minio:9000/bkt/job_4");
  EXPECT_EQ(location("s3:http://minio"), "s3:http://minio/bkt/job_4");
}

TEST(Repository, S3NeedsNoBasePath) {
  EXPECT_EQ((Repository{datastore(s3, ""), "12"}.location()), "s3:s3.amazonaws.com/bkt/12");
}

TEST(Repository, TheKeysOfS3AreInTheEnvironmentOnly) {
  const Repository repository{datastore(s3), "12"};
  const std::string secret = "it's \"a\" $ecret\n`x`";
  auto environment = repository.environment();
  EXPECT_EQ(environment.at("AWS_ACCESS_KEY_ID"), "key");
  EXPECT_EQ(environment.at("AWS_SECRET_ACCESS_KEY"), secret);
  EXPECT_EQ(environment.at("AWS_REGION"), "us-east-1");
  EXPECT_EQ(environment.at("AWS_DEFAULT_REGION"), "us-east-1");
  EXPECT_EQ(environment.at("AWS_SESSION_TOKEN"), "");
  for (const auto& word : repository.options()) EXPECT_EQ(word.find("cret"), word.npos) << word;
  // Whole, on one line, and as JSON or Go's %q quote it.
  for (const std::string text :
       {secret.c_str(), "it's \"a\" $ecret `x`", "it's \\\"a\\\" $ecret\\n`x`"})
    EXPECT_EQ(repository.without_secrets("<" + text + ">"), "<***>") << text;
}

TEST(Repository, OtherBackendsLeaveTheCallersAwsAlone) {
  EXPECT_FALSE((Repository{datastore(sftp), "12"}.environment().contains("AWS_ACCESS_KEY_ID")));
}

TEST(Repository, OptionsOfS3FollowTheAttributes) {
  const auto plain = Repository{datastore(s3), "12"}.options();
  EXPECT_FALSE(has(plain, "--option=s3.bucket-lookup=path"));
  EXPECT_FALSE(has(plain, "--insecure-tls"));
  const Repository repository{
      datastore(s3 + "<RESTIC_S3_FORCE_PATH_STYLE>yes</RESTIC_S3_FORCE_PATH_STYLE>"
                     "<RESTIC_S3_CACERT>/etc/ca.pem</RESTIC_S3_CACERT>"
                     "<RESTIC_S3_INSECURE_TLS>YES</RESTIC_S3_INSECURE_TLS>"
                     "<RESTIC_S3_REGION>eu-1</RESTIC_S3_REGION>"
                     "<RESTIC_CONNECTIONS>9</RESTIC_CONNECTIONS>"),
      "12"};
  EXPECT_TRUE(has(repository.options(), "--option=s3.bucket-lookup=path"));
  EXPECT_TRUE(has(repository.options(), "--cacert=/etc/ca.pem"));
  EXPECT_TRUE(has(repository.options(), "--insecure-tls"));
  EXPECT_EQ(repository.environment().at("AWS_DEFAULT_REGION"), "eu-1");
  for (const auto& word : repository.transfer_options())
    EXPECT_EQ(word.find("connections"), word.npos) << word;  // of SFTP only
}

TEST(Repository, RefusesAnS3ThatCannotWork) {
  for (const auto* gone :
       {"RESTIC_S3_BUCKET", "RESTIC_S3_ACCESS_KEY_ID", "RESTIC_S3_SECRET_ACCESS_KEY"}) {
    auto attributes = s3;
    attributes.replace(attributes.find(gone), 6, "NOTHIS");
    attributes.replace(attributes.find("/" + std::string{gone}) + 1, 6, "NOTHIS");
    try {
      Repository(datastore(attributes), "12");
      ADD_FAILURE() << gone;
    } catch (const BadRequest& error) {
      EXPECT_NE(std::string{error.what()}.find(gone), std::string::npos);
    }
  }
  for (const auto* bad : {"<RESTIC_S3_ENDPOINT>https://a b</RESTIC_S3_ENDPOINT>",
                          "<RESTIC_S3_ENDPOINT>https://key:secret@host</RESTIC_S3_ENDPOINT>",
                          "<RESTIC_S3_ENDPOINT>-o</RESTIC_S3_ENDPOINT>",
                          "<RESTIC_S3_CACERT>ca.pem</RESTIC_S3_CACERT>"})
    EXPECT_THROW(Repository(datastore(s3 + bad), "12"), BadRequest) << bad;
}

TEST(Repository, ASecretThatLooksLikeItsBlotIsBlottedOutOnce) {
  const Repository repository{datastore("<RESTIC_PASSWORD>*</RESTIC_PASSWORD>"
                                        "<RESTIC_BACKEND>local</RESTIC_BACKEND>"),
                              "12"};
  EXPECT_NE(repository.without_secrets("a * b"), "");
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
