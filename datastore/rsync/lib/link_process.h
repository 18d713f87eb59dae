// SPDX-License-Identifier: Apache-2.0
// A Link to a child process: a program of this machine, or the ssh that leads to another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/child.h"
#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/link_wait.h"

namespace rsync {

class ProcessLink : public Link {
 public:
  enum class By { itself, ssh };  // ssh: the status 255 is the connection's, not the program's

  ProcessLink(const std::vector<std::string>& argv, By by, const std::string& whom,
              Terms terms = {});
  ~ProcessLink() override;

  std::size_t read(std::span<std::byte> out) override;
  void write(std::span<const std::byte> bytes) override;
  void close_input() override { in_.reset(); }
  End wait() override;
  std::uint64_t sent() const override { return sent_; }
  std::uint64_t received() const override { return received_; }

 private:
  ProcessLink(const std::vector<std::string>& argv, By by, const std::string& whom, Terms terms,
              Pipe in, Pipe out, Pipe err);

  void listen();  // what is on its stderr now
  void await_exit(std::chrono::milliseconds at_most = Patience::forever);
  [[noreturn]] void lost();

  By by_;
  std::string whom_;
  Patience patience_;
  Child child_;
  Fd in_, out_, err_;
  bool ended_ = false;
  End end_;
  std::uint64_t sent_ = 0, received_ = 0;
};

}  // namespace rsync
