// SPDX-License-Identifier: Apache-2.0
// A Link that sends no faster than it may, together with others.
#pragma once

#include <memory>
#include <string>

#include "common/nbd/limiter.h"
#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/link_wait.h"

namespace rsync {

class LimitedLink : public Link {
 public:
  // The limit is that of all links with the same limiter.
  LimitedLink(std::unique_ptr<Link> link, std::shared_ptr<nbd::Limiter> limiter, bool shielded)
      : link_{std::move(link)},
        limiter_{std::move(limiter)},
        patience_{"", {.silence = {}, .shielded = shielded}} {}

  std::size_t read(std::span<std::byte> out) override { return link_->read(out); }
  void write(std::span<const std::byte> bytes) override;
  void close_input() override { link_->close_input(); }
  End wait() override { return link_->wait(); }
  std::uint64_t sent() const override { return link_->sent(); }
  std::uint64_t received() const override { return link_->received(); }

 private:
  std::unique_ptr<Link> link_;
  std::shared_ptr<nbd::Limiter> limiter_;
  Patience patience_;
};

}  // namespace rsync
