// SPDX-License-Identifier: Apache-2.0
// For tests: many links to a server at the same time, over one connection, each by its own thread.
//
//   channels HOST FILE WORK...
//
// WORK is one of these, SCRIPT being for the shell of a link of its own:
//   echo:SCRIPT   it gets the file in pieces, and answers each of them with the same bytes
//   put:SCRIPT    it gets the file; its output is ours
//   get:SCRIPT    its output is the file
//   lazy:SCRIPT   its output is read by nobody, until all others have ended
//   sftp:PATH     the file is written there, and read, by SFTP; libssh2 only
//
// What fails is a line of the stderr: "<number of the work>: <why>".  TRANSPORT is as
// RSYNC_TRANSPORT, ARGS as RSYNC_ARGS.

#include <algorithm>
#include <cstdlib>
#include <future>
#include <iostream>
#include <latch>
#include <memory>
#include <optional>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "datastore/rsync/lib/args.h"
#include "datastore/rsync/lib/link_channel.h"
#include "datastore/rsync/lib/link_open.h"
#include "datastore/rsync/lib/sftp.h"

namespace {

constexpr std::size_t piece = 300'000;

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

std::string read_exactly(rsync::Link& link, std::size_t size) {
  std::string text(size, '\0');
  auto left = std::as_writable_bytes(std::span{text});
  while (!left.empty()) {
    const auto n = link.read(left);
    if (n == 0) throw Error{"it ends too early"};
    left = left.subspan(n);
  }
  return text;
}

std::string read_all(rsync::Link& link) {
  std::string text, part(piece, '\0');
  while (const auto n = link.read(std::as_writable_bytes(std::span{part}))) text.append(part, 0, n);
  return text;
}

void must_be(bool right) {
  if (!right) throw Error{"these are other bytes"};
}

void must_succeed(rsync::Link& link) {
  const auto end = link.wait();
  if (end.status != 0) throw Error{"status " + std::to_string(end.status) + ": " + end.said};
}

class Works {
 public:
  Works(const rsync::Target& target, std::string bytes, std::ptrdiff_t all, std::ptrdiff_t lazy,
        bool sftp)
      : bytes_{std::move(bytes)}, opened_{all}, others_{all - lazy} {
    const auto args = rsync::parse_args(environment("ARGS"));
    rsync::LinkOptions options{.transport = rsync::parse_transport(environment("TRANSPORT")),
                               .bytes_per_second = args.bytes_per_second};
    if (args.timeout.count() > 0) options.terms.silence = args.timeout;
    if (sftp)
      session_ = std::make_shared<rsync::Session>(target, options.terms);
    else
      connection_.emplace(target, options);
  }

  void run(const std::string& kind, const std::string& what) {
    if (kind == "lazy") return lazy(*open(what));
    const struct Done {
      std::latch& others;
      ~Done() { others.count_down(); }
    } done{others_};
    if (kind == "sftp") return by_sftp(what);
    const auto link = open(what);
    if (kind == "echo")
      echo(*link);
    else if (kind == "put")
      put(*link);
    else if (kind == "get")
      must_be(read_all(*link) == bytes_);
    else
      throw BadRequest{"no such work: " + kind};
    must_succeed(*link);
  }

 private:
  // They begin together.
  template <class Make>
  auto together(Make make) try {
    auto made = make();
    opened_.arrive_and_wait();
    return made;
  } catch (const Error&) {
    opened_.count_down();
    throw;
  }

  std::unique_ptr<rsync::Link> open(const std::string& script) {
    return together([&]() -> std::unique_ptr<rsync::Link> {
      const std::vector<std::string> argv{"sh", "-c", script};
      if (connection_) return connection_->open(argv);
      return std::make_unique<rsync::ChannelLink>(session_, argv);
    });
  }

  void lazy(rsync::Link& link) {
    read_exactly(link, 1);
    others_.wait();
  }

  void echo(rsync::Link& link) {
    for (std::size_t at = 0; at < bytes_.size(); at += piece) {
      const auto part = bytes_.substr(at, piece);
      link.write(std::as_bytes(std::span{part}));
      must_be(read_exactly(link, part.size()) == part);
    }
    link.close_input();
    must_be(read_all(link).empty());
  }

  void put(rsync::Link& link) {
    link.write(std::as_bytes(std::span{bytes_}));
    link.close_input();
    write_all(1, read_all(link), "write the output");
  }

  void by_sftp(const std::string& path) {
    const auto sftp = together([&] { return std::make_unique<rsync::Sftp>(session_); });
    sftp->write(path, bytes_);
    must_be(sftp->read(path) == bytes_);
  }

  const std::string bytes_;
  std::optional<rsync::Connection> connection_;
  std::shared_ptr<rsync::Session> session_;
  std::latch opened_, others_;
};

int run(const std::vector<std::string>& words) {
  if (words.size() < 3) throw BadRequest{"channels HOST FILE WORK..."};
  const auto count = [&](std::string_view kind) {
    return std::count_if(words.begin() + 2, words.end(),
                         [&](const auto& word) { return word.starts_with(kind); });
  };
  const auto all = static_cast<std::ptrdiff_t>(words.size()) - 2;
  Works works{{.host = words[0]}, read_file(words[1]), all, count("lazy:"), count("sftp:") > 0};
  std::vector<std::future<void>> running;
  for (auto word = words.begin() + 2; word != words.end(); ++word)
    running.push_back(std::async(std::launch::async, [&works, word] {
      const auto colon = word->find(':');
      works.run(word->substr(0, colon), word->substr(colon + 1));
    }));
  int failed = 0, number = 0;
  for (auto& one : running) try {
      ++number;
      one.get();
    } catch (const Error& error) {
      std::cerr << number << ": " << error.what() << "\n";
      failed = static_cast<int>(error.exit());
    }
  return failed;
}

}  // namespace

int main(int argc, char** argv) try {
  cancel::install();
  return run({argv + 1, argv + argc});
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return static_cast<int>(error.exit());
}
