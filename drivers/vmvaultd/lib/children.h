// SPDX-License-Identifier: Apache-2.0
// The children of the service: itself once more, for what may block (errands.h,
// restore_errands.h), and the hook.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "drivers/lib/mad_pool.h"
#include "drivers/vmvaultd/lib/log.h"

namespace vmvaultd {

class Children {
 public:
  // Of each kind there are so many at a time; none waits for one of another kind.
  enum class Kind { errand, look, recovery, copy, restore, hook };
  // `out` is what one has printed; nullptr: it has failed, and `error` says why.
  using Heard = std::function<void(const std::string* out, const std::string& error)>;

  // `self`: the program.  What they say goes to the log, which must outlive this.
  Children(std::string self, const Log& log) : self_{std::move(self)}, log_{log} {}

  // Ourselves with these words; the machine, or -1, is whom its lines are about.
  void run(Kind kind, int vm, std::vector<std::string> words, Heard heard);
  // A program of the administrator's, with the document as its input.  Its fate is nobody's
  // business but its own; what it says is for the log.
  void run_hook(int vm, std::vector<std::string> argv, std::string document);

  void advance();  // never waits
  void watch(std::vector<pollfd>& fds) const;
  int timeout() const;  // for poll(): milliseconds, or -1
  // Restores may outlive us.
  void let_go() noexcept { pool(Kind::restore).let_go(); }

 private:
  mad::Pool& pool(Kind kind) { return pools_[static_cast<std::size_t>(kind)]; }

  static constexpr std::size_t most = 16, most_copies = 4;
  static constexpr std::chrono::minutes longest{10}, longest_look{2};

  std::string self_;
  const Log& log_;
  std::array<mad::Pool, 6> pools_{mad::Pool{most, longest}, mad::Pool{most, longest_look},
                                  mad::Pool{most},          mad::Pool{most_copies},
                                  mad::Pool{most_copies},   mad::Pool{most_copies, longest}};
};

}  // namespace vmvaultd
