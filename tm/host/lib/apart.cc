// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/apart.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/confine.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/limits.h"

namespace host {
namespace {

// A descriptor that survives exec, with the request as it comes on stdin.
int pass_on(const HostRequest& request) {
  const int fd = memfd_create("request", 0);
  if (fd == -1) throw system_error("keep the request", errno);
  write_all(fd, base64_encode(request.to_xml()) + "\n", "keep the request");
  lseek(fd, 0, SEEK_SET);
  return fd;
}

[[noreturn]] void become(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // A signal that waits ends us here: nothing has been done yet.
  std::signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &cancel::original_mask(), nullptr);
  execvp(argv[0], argv.data());
  throw system_error("run '" + words.front() + "'", errno);
}

}  // namespace

void move_apart(const HostRequest& request, const std::string& verb) {
  auto place = confine::enter({.group = group_of(request.vm.backup.last_datastore_id),
                               .limits = limits_from(request.settings),
                               .directory = request.vm_dir,
                               .outlives = true});
  if (const auto text = confine::complaint(place); !text.empty()) log(Level::warn, text);
  if (!place.apart) log(Level::info, "the backup stays in the session that began it: " + place.why);
  if (place.prefix.empty()) return;
  auto line = std::move(place.prefix);
  line.push_back(std::filesystem::read_symlink("/proc/self/exe"));
  line.push_back(verb);
  line.push_back(std::to_string(pass_on(request)));
  become(std::move(line));
}

}  // namespace host
