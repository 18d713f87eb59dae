// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/image_lock.h"

#include <fcntl.h>

#include "common/handle.h"

namespace host {

bool is_open_in_qemu(const std::filesystem::path& image) {
  const Fd fd{open(image.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 100;
  lock.l_len = 200;
  return fd && fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace host
