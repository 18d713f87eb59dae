// SPDX-License-Identifier: Apache-2.0
// For tests: what the actions of the rsync datastore do with a server, one thing at a time.
//
//   link HOST exec PROGRAM [ARG...]   its stdin, stdout, stderr and status are ours
//   link HOST ensure                  where the server executable is on HOST
//   link HOST sftp get|put PATH [OFFSET]    our stdout, our stdin
//   link HOST sftp list|remove|space PATH
//   link HOST store DIRECTORY BASE VM NAME   all files of it, as a backup, by SFTP
//   link HOST merge DIRECTORY CHAIN DISK     the merged disk of the VM's directory, by SFTP
//   link HOST flatten DIRECTORY CHAIN KEEP [SUMS]   with the checksums of that directory
//
// TRANSPORT is as RSYNC_TRANSPORT, ARGS as RSYNC_ARGS; OWNER is who stores.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "datastore/lib/verification.h"
#include "datastore/rsync/lib/args.h"
#include "datastore/rsync/lib/link_open.h"
#include "datastore/rsync/lib/link_server.h"
#include "datastore/rsync/lib/sftp.h"
#include "datastore/rsync/lib/sftp_flatten.h"
#include "datastore/rsync/lib/sftp_send.h"

namespace {

constexpr std::size_t piece = std::size_t{4} << 20;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text});
}

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

rsync::Terms terms() {
  const auto args = rsync::parse_args(environment("ARGS"));
  return args.timeout.count() > 0 ? rsync::Terms{.silence = args.timeout} : rsync::Terms{};
}

std::shared_ptr<rsync::Session> session(const rsync::Target& target) {
  return std::make_shared<rsync::Session>(target, terms());
}

// All that comes on our stdin goes there first, then all that comes back is read.
int exec(const rsync::Target& target, const std::vector<std::string>& argv) {
  const auto args = rsync::parse_args(environment("ARGS"));
  const rsync::LinkOptions options{.transport = rsync::parse_transport(environment("TRANSPORT")),
                                   .terms = terms(),
                                   .bytes_per_second = args.bytes_per_second};
  const auto link = rsync::open_link(target, argv, options);
  std::vector<char> buffer(piece);
  rsync::Patience for_ever{"stdin", {.silence = {}}};
  pollfd more[] = {{STDIN_FILENO, POLLIN, 0}};
  for (ssize_t n; for_ever.wait(more), (n = read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;)
    link->write(bytes_of({buffer.data(), static_cast<std::size_t>(n)}));
  link->close_input();
  while (const auto n = link->read(std::as_writable_bytes(std::span{buffer})))
    write_all(STDOUT_FILENO, {buffer.data(), n}, "write the output");
  const auto end = link->wait();
  write_all(STDERR_FILENO, end.said, "write the errors");
  return end.status;
}

int ensure(const rsync::Target& target) {
  const auto found = rsync::ensure_server(target);
  std::cout << found.path.value_or("nothing of ours runs there: " + found.why) << "\n";
  return 0;
}

int sftp(const rsync::Target& target, const std::string& verb, const std::string& path,
         std::uint64_t offset) {
  rsync::Sftp server{session(target)};
  std::vector<char> buffer(piece);
  if (verb == "get") {
    auto file = server.open(path);
    if (offset != 0) file.read_at(offset - 1, std::as_writable_bytes(std::span{buffer}.first(1)));
    while (const auto n = file.read(std::as_writable_bytes(std::span{buffer})))
      write_all(STDOUT_FILENO, {buffer.data(), n}, "write the output");
  } else if (verb == "put") {
    auto file = server.create(path, offset);
    for (ssize_t n; (n = read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;)
      file.write(bytes_of({buffer.data(), static_cast<std::size_t>(n)}));
    file.set_attributes(0640, 1'000'000'000);
    std::cout << (file.sync() ? "durable" : "written") << "\n";
    server.sync_directory(path.substr(0, path.rfind('/')));
  } else if (verb == "list") {
    for (const auto& [name, info] : server.list(path))
      std::cout << name << " " << (info.directory ? "directory" : std::to_string(info.size))
                << "\n";
  } else if (verb == "remove") {
    server.remove_tree(path);
  } else {
    std::cout << server.space(path).text() << "\n";
  }
  return 0;
}

int store(const rsync::Target& target, const std::vector<std::string>& words) {
  rsync::SftpCargo cargo{.target = target,
                         .directory = words.at(0),
                         .files = {},
                         .base = words.at(1),
                         .vm = std::stoi(words.at(2)),
                         .name = words.at(3),
                         .owner = getenv("OWNER") ? environment("OWNER") : "0011223344556677",
                         .args = rsync::parse_args(environment("ARGS"))};
  for (const auto& entry : std::filesystem::directory_iterator{cargo.directory})
    cargo.files.push_back(entry.path().filename().string());
  std::sort(cargo.files.begin(), cargo.files.end());
  std::cout << rsync::send_by_sftp(cargo) << "\n";
  return 0;
}

int merge(const rsync::Target& target, const std::vector<std::string>& words) {
  const auto server = std::make_shared<rsync::Sftp>(session(target));
  const rsync::SftpChain chain{server, words.at(0), Chain::parse(words.at(1))};
  const auto source = chain.open(std::stoi(words.at(2)));
  std::vector<char> buffer(piece);
  while (const auto n = source(std::as_writable_bytes(std::span{buffer})))
    write_all(STDOUT_FILENO, {buffer.data(), n}, "write the output");
  return 0;
}

int flatten(const rsync::Target& target, const std::vector<std::string>& words) {
  const auto server = std::make_shared<rsync::Sftp>(session(target));
  std::cout << rsync::sftp_flatten(server, words.at(0), Chain::parse(words.at(1)),
                                   std::stoi(words.at(2)),
                                   texts_in(words.size() > 3 ? words[3] : ""))
            << "\n";
  return 0;
}

int run(std::vector<std::string> words) {
  if (words.size() < 2) throw BadRequest{"link HOST VERB ..."};
  const rsync::Target target{.host = words[0], .ssh = rsync::parse_args(environment("ARGS")).ssh};
  const auto verb = words[1];
  words.erase(words.begin(), words.begin() + 2);
  if (verb == "exec") return exec(target, words);
  if (verb == "ensure") return ensure(target);
  if (verb == "sftp" && words.size() >= 2)
    return sftp(target, words[0], words[1], words.size() > 2 ? std::stoull(words[2]) : 0);
  if (verb == "store") return store(target, words);
  if (verb == "merge") return merge(target, words);
  if (verb == "flatten") return flatten(target, words);
  throw BadRequest{"no such verb: " + verb};
}

}  // namespace

int main(int argc, char** argv) try {
  cancel::install();
  return run({argv + 1, argv + argc});
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return static_cast<int>(error.exit());
}
