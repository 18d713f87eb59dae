// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/repository.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/location.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// A word that ssh and restic's own splitting of sftp.command take as one, and as no option.
std::string checked(const std::string& attribute, const std::string& word,
                    std::string_view punctuation) {
  const bool sane = !word.empty() && word.front() != '-' &&
                    std::all_of(word.begin(), word.end(), [&](unsigned char c) {
                      return (c < 0x80 && std::isalnum(c)) ||
                             punctuation.find(static_cast<char>(c)) != punctuation.npos;
                    });
  if (!sane) throw BadRequest{attribute + " is not usable: '" + one_line(word) + "'"};
  return word;
}

std::string sftp_user(const Datastore& datastore) {
  return checked("RESTIC_SFTP_USER", datastore.attribute("RESTIC_SFTP_USER", "oneadmin"), "._-");
}

std::string sftp_server(const Datastore& datastore) {
  return checked("RESTIC_SFTP_SERVER", datastore.required("RESTIC_SFTP_SERVER"), "._-:");
}

// "s3:<endpoint>/<bucket>": the endpoint may have a scheme, a port, and the prefix already.
std::string s3_bucket(const Datastore& datastore) {
  constexpr const char* attribute = "RESTIC_S3_ENDPOINT";
  auto endpoint = datastore.attribute(attribute, "s3.amazonaws.com");
  endpoint.erase(endpoint.find_last_not_of('/') + 1);
  const auto bucket = checked("RESTIC_S3_BUCKET", datastore.required("RESTIC_S3_BUCKET"), "._-");
  const std::string prefix = endpoint.starts_with("s3:") ? "" : "s3:";
  return prefix + checked(attribute, endpoint, "._-:/[]") + "/" + bucket;
}

void blot_out(std::string& text, std::string_view secret) {
  constexpr std::string_view blot = "***";
  if (secret.empty()) return;
  for (std::size_t at = 0; (at = text.find(secret, at)) != text.npos; at += blot.size())
    text.replace(at, secret.size(), blot);
}

// Any other word means "auto", as it always did for this attribute.
std::string compression(const Datastore& datastore) {
  const auto word = lower(datastore.attribute("RESTIC_COMPRESSION", "auto"));
  if (word == "auto" || word == "off" || word == "max") return word;
  log(Level::warn, "RESTIC_COMPRESSION is not one of auto, off, max: using auto");
  return "auto";
}

}  // namespace

std::string repository_id(int vm_id, std::optional<int> job_id) {
  return job_id ? "job_" + std::to_string(*job_id) : std::to_string(vm_id);
}

std::string repository_id(const Datastore& datastore, const DiskUrl& url) {
  if (url.job_id || parse_backend(datastore) != Backend::local)
    return repository_id(url.job_id ? -1 : url.vm_id(), url.job_id);
  const auto vm = url.path.parent_path().parent_path().filename().string();
  if (parse_int(vm)) return vm;
  // In a local repository each snapshot is a file whose name is the id.
  std::error_code gone;
  for (const auto& repository : fs::directory_iterator{base_path(datastore), gone})
    for (const auto& file : fs::directory_iterator{repository.path() / "snapshots", gone})
      if (file.path().filename().string().starts_with(url.chain.last().source))
        return repository.path().filename();
  throw Error{"no repository of datastore " + std::to_string(datastore.id()) +
              " has the snapshot " + url.chain.last().source};
}

Backend parse_backend(const Datastore& datastore) {
  const auto word = datastore.attribute("RESTIC_BACKEND", "SFTP");
  if (lower(word) == "local") return Backend::local;
  if (lower(word) == "sftp") return Backend::sftp;
  if (lower(word) == "s3") return Backend::s3;
  throw BadRequest{"RESTIC_BACKEND of datastore " + std::to_string(datastore.id()) +
                   " must be LOCAL, SFTP or S3, not '" + one_line(word) + "'"};
}

std::filesystem::path base_path(const Datastore& datastore) {
  if (datastore.base_path().empty())
    throw BadRequest{"datastore " + std::to_string(datastore.id()) + " has no BASE_PATH"};
  return datastore.base_path();
}

std::string sftp_login(const Datastore& datastore) {
  return sftp_user(datastore) + "@" + sftp_server(datastore);
}

Repository::Repository(const Datastore& datastore, const std::string& id)
    : backend_{parse_backend(datastore)},
      datastore_id_{datastore.id()},
      id_{id},
      password_{datastore.required("RESTIC_PASSWORD")},
      max_processes_{datastore.number("RESTIC_MAXPROC", -1)} {
  switch (backend_) {
    case Backend::local:
      location_ = (base_path(datastore) / id).string();
      options_.push_back("--no-cache");  // of what lies on a local disk: a second copy
      break;
    case Backend::sftp:
      use_sftp(datastore);
      break;
    case Backend::s3:
      use_s3(datastore);
      break;
  }
  options_.push_back("--repo=" + location_);
  if (const auto limit = datastore.number("RESTIC_BWLIMIT", -1); limit > 0) {
    options_.push_back("--limit-upload=" + std::to_string(limit));
    options_.push_back("--limit-download=" + std::to_string(limit));
  }
  if (const auto word = compression(datastore); word != "auto")
    transfer_options_.push_back("--compression=" + word);
}

// restic's own ssh command has no limit for a peer that says nothing any more, and releases before
// 0.17 cannot be given more arguments for it (sftp.args), so the whole command is ours.
void Repository::use_sftp(const Datastore& datastore) {
  const auto server = sftp_server(datastore);
  const auto host = server.find(':') == server.npos ? server : "[" + server + "]";
  location_ =
      "sftp:" + sftp_user(datastore) + "@" + host + ":" + (base_path(datastore) / id_).string();
  options_.push_back(
      "--option=sftp.command=ssh -o BatchMode=yes -o ServerAliveInterval=15 "
      "-o ServerAliveCountMax=4 -l " +
      sftp_user(datastore) + " -s " + server + " sftp");
  const auto count = datastore.number("RESTIC_CONNECTIONS", -1);
  connections_ = count > 0 ? count : 5;
  if (connections_ != 5)
    transfer_options_.push_back("--option=sftp.connections=" + std::to_string(connections_));
  transfer_options_.push_back("--cleanup-cache");  // of repositories long gone
}

void Repository::use_s3(const Datastore& datastore) {
  location_ = s3_bucket(datastore) + "/" + id_;
  const auto region = datastore.attribute("RESTIC_S3_REGION", "us-east-1");
  s3_environment_ = {{"AWS_ACCESS_KEY_ID", datastore.required("RESTIC_S3_ACCESS_KEY_ID")},
                     {"AWS_SECRET_ACCESS_KEY", datastore.required("RESTIC_S3_SECRET_ACCESS_KEY")},
                     {"AWS_REGION", region},
                     {"AWS_DEFAULT_REGION", region},
                     // Of the caller's own account there.
                     {"AWS_SESSION_TOKEN", ""},
                     {"AWS_PROFILE", ""},
                     {"RESTIC_AWS_ASSUME_ROLE_ARN", ""}};
  if (datastore.flag("RESTIC_S3_FORCE_PATH_STYLE"))
    options_.push_back("--option=s3.bucket-lookup=path");
  if (const auto file = datastore.attribute("RESTIC_S3_CACERT"))
    options_.push_back("--cacert=" + normal_path(*file).string());
  if (datastore.flag("RESTIC_S3_INSECURE_TLS")) options_.push_back("--insecure-tls");
  connections_ = 5;
  transfer_options_.push_back("--cleanup-cache");
}

std::string Repository::display() const {
  return "repository '" + id_ + "' of datastore " + std::to_string(datastore_id_);
}

// A pack of 16 MiB, and at most one blob of 8 MiB over it, per upload; two are being filled.
std::uint64_t Repository::pack_files_mb() const {
  return 32 * static_cast<std::uint64_t>(connections_ + 3);
}

bool Repository::was_never_made() const {
  const fs::path directory{location_};
  return backend_ == Backend::local && fs::is_directory(directory.parent_path()) &&
         !fs::exists(fs::symlink_status(directory));
}

std::map<std::string, std::string> Repository::environment() const {
  std::map<std::string, std::string> all{
      {"RESTIC_PASSWORD", password_}, {"RESTIC_PASSWORD_FILE", ""}, {"RESTIC_PASSWORD_COMMAND", ""},
      {"RESTIC_KEY_HINT", ""},        {"RESTIC_REPOSITORY", ""},    {"RESTIC_REPOSITORY_FILE", ""},
      {"RESTIC_COMPRESSION", "auto"}, {"RESTIC_PROGRESS_FPS", "2"}, {"LC_ALL", "C"}};
  all.insert(s3_environment_.begin(), s3_environment_.end());
  if (max_processes_ > 0) all["GOMAXPROCS"] = std::to_string(max_processes_);
  return all;
}

std::string Repository::without_secrets(std::string text) const {
  std::vector<std::string> secrets{password_};
  for (const auto* name : {"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"})
    if (const auto found = s3_environment_.find(name); found != s3_environment_.end())
      secrets.push_back(found->second);
  for (const auto& secret : secrets) {
    const auto quoted =
        nlohmann::json(secret).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    blot_out(text, secret);
    blot_out(text, one_line(secret));
    blot_out(text, std::string_view{quoted}.substr(1, quoted.size() - 2));
  }
  return text;
}

}  // namespace restic
