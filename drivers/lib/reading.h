// SPDX-License-Identifier: Apache-2.0
// Who reads a backup image, by `vmvault restore`, `download` or `mount`: it is neither deleted nor
// merged meanwhile.
//
// A lock of one byte of <var>/reading.lock, that with the image's number.  It ends with its
// process, and leaves nothing.
#pragma once

#include <optional>
#include <string>

#include "common/handle.h"
#include "drivers/lib/home.h"

namespace state {

class Reading {
 public:
  // We read it.  To be had before what there is of the image is looked up.  Others may, too; while
  // somebody puts on record that it goes, waits.  Throws Error, Cancelled.
  static Reading ours(const Home& home, int image);
  // Nobody reads it, or begins to while this is kept: until it is on record that it goes.  nullopt:
  // somebody does.
  static std::optional<Reading> nobodys(const Home& home, int image);

 private:
  explicit Reading(Fd fd) : fd_{std::move(fd)} {}
  Fd fd_;
};

// What to tell who would delete or merge it.
std::string is_being_read(int image);

}  // namespace state
