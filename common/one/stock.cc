// SPDX-License-Identifier: Apache-2.0
#include "common/one/stock.h"

#include <errno.h>  // program_invocation_name
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"

namespace {

// As it was called, which may be by a link: each name has a predecessor of its own.
std::string predecessor() {
  std::string own = program_invocation_name;
  if (own.find('/') == own.npos) own = std::filesystem::read_symlink("/proc/self/exe");
  return own + ".stock";
}

void give_input(const std::string& text) {
  const Fd fd{memfd_create("request", MFD_CLOEXEC)};
  if (!fd) throw system_error("pass on the request", errno);
  write_all(fd.get(), text, "pass on the request");
  if (lseek(fd.get(), 0, SEEK_SET) == -1 || dup2(fd.get(), STDIN_FILENO) == -1)
    throw system_error("pass on the request", errno);
}

}  // namespace

void hand_to_stock(const Request& request, const std::string& why) {
  auto program = predecessor();
  if (access(program.c_str(), X_OK) != 0)
    throw Error{why + ", and OpenNebula's own driver is not here ('" + program + "')"};
  log(Level::info, why + ": OpenNebula's own driver does it");
  if (!request.input().empty()) give_input(request.input());
  auto words = request.words();
  std::vector<char*> argv{program.data()};
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &cancel::original_mask(), nullptr);
  execv(program.c_str(), argv.data());
  throw system_error("run '" + program + "'", errno);
}
