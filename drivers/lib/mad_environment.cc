// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_environment.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "common/number.h"
#include "common/one/config.h"
#include "common/one/location.h"

namespace fs = std::filesystem;

namespace mad {
namespace {

bool is_set(const char* name) {
  const char* value = getenv(name);
  return value && *value;
}

}  // namespace

Places Places::of_this_front_end() {
  Places places{.etc = "/etc/one",
                .var = "/var/lib/one",
                .log = "/var/log/one",
                .remotes = "/var/lib/one/remotes"};
  if (is_set("ONE_LOCATION")) {
    const fs::path root = normal_path(getenv("ONE_LOCATION"));
    places = {.etc = root / "etc",
              .var = root / "var",
              .log = root / "var",
              .remotes = root / "var/remotes"};
  }
  if (is_set("VMVAULT_REMOTES")) places.remotes = normal_path(getenv("VMVAULT_REMOTES"));
  return places;
}

// The core closes fd 2: the first file that we open would take its place.
void occupy_descriptors(const Places& places, const std::string& driver) {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO})
    if (fcntl(fd, F_GETFD) == -1) open("/dev/null", O_RDWR);
  const fs::path log = places.log / (driver + ".log");
  int fd = -1;
  if (is_set("ONE_MAD_DEBUG"))
    fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd == -1) fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (fd == STDERR_FILENO) {
    fcntl(fd, F_SETFD, 0);
  } else if (fd != -1) {
    dup2(fd, STDERR_FILENO);
    close(fd);
  }
}

void settle(const Places& places, const std::vector<std::string>& files) {
  for (const auto& file : files)
    for (const auto& [name, value] : read_settings(places.etc / file))
      setenv(name.c_str(), value.c_str(), 1);
  // Without it the driver works as well.
  [[maybe_unused]] const int ignored = chdir(places.var.c_str());
}

void step_back() {
  const char* wish = getenv("PRIORITY");
  // Not being allowed to go forward is no reason to stop.
  [[maybe_unused]] const int ignored = nice(parse_int(wish ? wish : "", -20, 19).value_or(19));
}

}  // namespace mad
