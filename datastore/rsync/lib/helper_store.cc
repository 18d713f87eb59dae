// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/helper_store.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "common/command.h"
#include "common/ended.h"
#include "common/one/action.h"
#include "datastore/rsync/lib/link_open.h"
#include "datastore/rsync/lib/link_server.h"

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::minutes;

namespace rsync {
namespace {

constexpr Terms soon{.silence = minutes{1}};  // for questions that cost nothing
// For what reads or writes disks in silence: ssh knows whether the server lives.
constexpr Terms later{.silence = minutes{0}};

// The program, whose configuration operators know: these links carry little, or what libssh2 would
// carry no faster.
LinkOptions by_ssh(Terms terms) { return {.transport = Transport::ssh, .terms = terms}; }

Terms with_care(Terms terms, Care care) {
  if (care == Care::undo) terms = {.silence = soon.silence, .shielded = true};
  return terms;
}

constexpr std::size_t longest_answer = std::size_t{64} << 20;
constexpr int not_there = 127, not_executable = 126;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}

std::string read_to_end(Link& link) {
  std::string text;
  std::vector<std::byte> buffer(std::size_t{1} << 16);
  while (const auto n = link.read(buffer)) {
    text.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (text.size() > longest_answer) throw Error{"the answer of the server has no end"};
  }
  return text;
}

// Those of the files that a flatten reads.
Texts of_merged(const Texts& known, const Chain& chain, int keep) {
  const auto& all = chain.increments();
  const auto kept = std::min(all.size(), static_cast<std::size_t>(std::max(keep - 1, 0)));
  Texts out;
  for (const auto& [file, text] : known)
    for (std::size_t n = 0; n < all.size() - kept; ++n)
      if (file.ends_with("." + std::to_string(all[n].id))) out.emplace(file, text);
  return out;
}

}  // namespace

struct HelperStore::Answer {
  std::string out, said;
  int status = 0;
};

HelperStore::HelperStore(const Settings& settings)
    : Store{settings}, path_{server_path(settings.target)} {}

std::vector<std::string> HelperStore::server() const {
  return server_argv(settings().target, path_);
}

std::optional<fs::path> HelperStore::directory(int vm) const {
  if (!settings().target.here()) return std::nullopt;
  return settings().base / std::to_string(vm);
}

Request HelperStore::about_vm(const std::string& doing, int vm) const {
  return {.doing = doing, .base = settings().base.string(), .vm = vm};
}

Error HelperStore::failure(const std::string& said, int status) const {
  const auto why = one_line(last_line(said));
  return Error{"the backup server " + settings().target.name() + ": " +
               (why.empty() ? ended("its helper", status) : why)};
}

HelperStore::Answer HelperStore::try_once(const Request& request, Terms terms) const {
  const auto link = open_link(settings().target, server(), by_ssh(terms));
  Answer answer;
  link->write(bytes_of(encode(request)));
  answer.out = read_to_end(*link);
  auto [status, said] = link->wait();
  answer.status = status;
  answer.said = std::move(said);
  return answer;
}

// The executable is looked for when something is wrong, not before each request.
std::string HelperStore::ask(const Request& request, Terms terms) try {
  auto answer = try_once(request, terms);
  if (answer.status != 0 && !runs_) {
    const auto ensured = ensure_server(settings().target);
    if (!ensured.path) throw NoHelper{ensured.why};
    if (answer.status == not_there || answer.status == not_executable)
      answer = try_once(request, terms);
  }
  if (answer.status != 0) throw failure(answer.said, answer.status);
  runs_ = true;
  return std::move(answer.out);
} catch (const NoPrograms& why) {
  throw NoHelper{why.what()};
}

Space HelperStore::space() try {
  const auto answer = json::parse(ask({.doing = "space", .base = settings().base.string()}, soon));
  return {.used_mb = answer.at("used_mb").get<std::uint64_t>(),
          .total_mb = answer.at("total_mb").get<std::uint64_t>(),
          .free_mb = answer.at("free_mb").get<std::uint64_t>()};
} catch (const json::exception&) {
  throw Error{"the answer of " + settings().target.name() + " about its space is not readable"};
}

Store::Listing HelperStore::list(int vm, const std::vector<std::string>& names, Care care) try {
  auto request = about_vm("list", vm);
  request.names = names;
  const auto answer = json::parse(ask(request, with_care(soon, care)));
  Listing listing;
  for (const auto& [name, files] : answer.items()) {
    if (files.is_null()) continue;
    auto& sizes = listing[name];
    for (const auto& file : files)
      sizes[file.at("name").get<std::string>()] = file.at("size").get<std::uint64_t>();
  }
  return listing;
} catch (const json::exception&) {
  throw Error{"the listing of " + settings().place(vm) + " is not readable"};
}

void HelperStore::remove(int vm, const std::vector<std::string>& names, Care care) {
  auto request = about_vm("remove", vm);
  request.names = names;
  ask(request, with_care(later, care));
}

// Before what is longer than a pipe holds: a shell that finds no helper does not read it, and then
// the write says no more than that nobody listens.
void HelperStore::insist_on_helper() {
  if (!runs_) ask({.doing = "about"}, soon);
}

// What ends early has a status that says why.
qcow2::Source HelperStore::stream(const Request& request) {
  insist_on_helper();
  const std::shared_ptr<Link> link = open_link(settings().target, server(), by_ssh(later));
  link->write(bytes_of(encode(request)));
  return [this, link, ended = false](std::span<std::byte> out) mutable {
    if (ended) return std::size_t{0};
    const auto n = link->read(out);
    if (n > 0) return n;
    ended = true;
    const auto [status, said] = link->wait();
    if (status != 0) throw failure(said, status);
    return n;
  };
}

qcow2::Source HelperStore::open(int vm, const std::string& name, const std::string& file) {
  auto request = about_vm("read", vm);
  request.name = name;
  request.file = file;
  return stream(request);
}

qcow2::Source HelperStore::open_merged(int vm, const Chain& chain, int disk) {
  auto request = about_vm("merge", vm);
  request.chain = chain;
  request.disk = disk;
  return stream(request);
}

std::string HelperStore::flatten(int vm, const Chain& chain, int keep, const Texts& known) try {
  auto request = about_vm("flatten", vm);
  request.chain = chain;
  request.keep = keep;
  request.known = of_merged(known, chain, keep);
  if (encode(request).size() > longest_request) {
    log(Level::warn,
        "the checksums of this machine's disks are too many for one request: those on "
        "the server count");
    request.known.clear();
  }
  insist_on_helper();
  const auto answer = json::parse(ask(request, later));
  return std::to_string(answer.at("mib").get<std::uint64_t>()) + " " +
         Chain::parse(answer.at("chain").get<std::string>()).text();
} catch (const json::exception&) {
  throw Error{"the answer of " + settings().target.name() + " about a flatten is not readable"};
}

std::string HelperStore::verify(int vm, const Chain& chain, const std::string& depth,
                                const Texts& known) {
  auto request = about_vm("verify", vm);
  request.chain = chain;
  request.depth = depth;
  request.known = known;
  insist_on_helper();
  return ask(request, later);
}

}  // namespace rsync
