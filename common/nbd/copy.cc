// SPDX-License-Identifier: Apache-2.0
// One thread does it all: while it writes, the server fills the sockets' buffers.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "common/error.h"
#include "common/nbd/connection.h"
#include "common/nbd/export.h"

namespace nbd {
namespace {

// A request, from when it is sent until its bytes are in the sink.
struct Slot {
  std::unique_ptr<std::byte[]> buffer;
  std::uint64_t guest_offset = 0;
  std::size_t length = 0;       // in the file
  std::size_t read_length = 0;  // of it, what the disk has
  Clock::duration until{};      // on the copier's clock
  Completion completion;
};

class Copier {
 public:
  Copier(const Export& source, const qcow2::Plan& plan, const qcow2::Sink& sink,
         const ReadOptions& options)
      : source_{source}, plan_{plan}, sink_{sink}, options_{options}, next_{plan.metadata_size()} {
    if (options.connections < 1 || options.in_flight < 1 || options.request == 0 ||
        options.request % qcow2::cluster_size != 0)
      throw std::logic_error{"bad options for reading over NBD"};
  }

  std::uint64_t run() {
    if (plan_.data_clusters() != 0) open();
    qcow2::write_metadata(plan_, [this](auto bytes) { write(bytes); });
    while (next_ < plan_.file_size() || first_ != last_) {
      send();
      wait(handles_, oldest_is_done() ? Clock::now() : next_moment(), options_.stop);
      check_requests();
      if (oldest_is_done()) drain();
    }
    return bytes_read_;
  }

 private:
  Slot& oldest() { return ring_[first_ % ring_.size()]; }
  bool oldest_is_done() { return first_ != last_ && oldest().completion.done; }

  // Time does not pass for requests while the sink keeps us from listening.
  Clock::duration now() const { return Clock::now().time_since_epoch() - in_sink_; }

  void open() {
    handles_.push_back(connect(source_, {}, options_.deadline, options_.stop));
    const auto size = nbd_get_size(handles_[0].get());
    if (size < 0 || static_cast<std::uint64_t>(size) != plan_.virtual_size())
      throw Error{"the size of " + display(source_) + " is " + std::to_string(size) + ", not " +
                  std::to_string(plan_.virtual_size())};
    const auto most = nbd_get_block_size(handles_[0].get(), LIBNBD_SIZE_MAXIMUM);
    request_ = options_.request;
    if (most > 0 && static_cast<std::uint64_t>(most) < request_)
      request_ =
          std::max(static_cast<std::uint64_t>(most) / qcow2::cluster_size, std::uint64_t{1}) *
          qcow2::cluster_size;
    if (nbd_can_multi_conn(handles_[0].get()) == 1) begin_others();
    ring_.resize(handles_.size() * static_cast<std::size_t>(options_.in_flight));
  }

  // They are a help, not a need: a server that has no room for one more lets it wait, or refuses.
  void begin_others() try {
    while (handles_.size() < static_cast<std::size_t>(options_.connections))
      handles_.push_back(begin_connect(source_));
  } catch (const Error&) {
  }

  // The connection that is to have the next request; none if all have enough.
  std::size_t idlest() const {
    std::size_t best = handles_.size();
    int least = options_.in_flight;
    for (std::size_t i = 0; i < handles_.size(); ++i) {
      const bool usable = i == 0 || nbd_aio_is_ready(handles_[i].get()) == 1 ||
                          nbd_aio_is_processing(handles_[i].get()) == 1;
      const int in_flight = usable ? nbd_aio_in_flight(handles_[i].get()) : least;
      if (in_flight >= least) continue;
      best = i;
      least = in_flight;
    }
    return best;
  }

  void send() {
    while (next_ < plan_.file_size() && last_ - first_ < ring_.size()) {
      const std::size_t connection = idlest();
      if (connection == handles_.size() || !admitted()) return;
      send(ring_[last_ % ring_.size()], connection);
      ++last_;
    }
  }

  // May the request at next_ be sent already?
  bool admitted() {
    if (!options_.limiter) return true;
    if (!turn_) turn_ = options_.limiter->admit(std::min(plan_.place(next_).length, request_));
    if (Clock::now() < *turn_) return false;
    turn_.reset();
    return true;
  }

  void send(Slot& slot, std::size_t connection) {
    const auto place = plan_.place(next_);
    if (!slot.buffer) slot.buffer = std::make_unique_for_overwrite<std::byte[]>(request_);
    slot.guest_offset = place.guest_offset;
    slot.length = std::min<std::size_t>(place.length, request_);
    slot.read_length = std::min(slot.length, plan_.virtual_size() - place.guest_offset);
    slot.until = now() + options_.deadline;
    slot.completion = {};
    if (nbd_aio_pread(handles_[connection].get(), slot.buffer.get(), slot.read_length,
                      slot.guest_offset, slot.completion.callback(), 0) < 0)
      throw Error{"cannot " + doing(slot) + ": " + nbd_get_error()};
    next_ += slot.length;
  }

  std::string doing(const Slot& slot) const {
    return "read " + display(source_) + " at offset " + std::to_string(slot.guest_offset);
  }

  // When there is something to do, even if no answer comes.
  Clock::time_point next_moment() const {
    Clock::duration soonest = Clock::duration::max() - in_sink_;
    for (auto i = first_; i != last_; ++i) {
      const Slot& slot = ring_[i % ring_.size()];
      if (!slot.completion.done) soonest = std::min(soonest, slot.until);
    }
    const Clock::time_point deadline{soonest + in_sink_};
    return turn_ ? std::min(deadline, *turn_) : deadline;
  }

  // Any failure ends the copy before the sink gets another byte.
  void check_requests() {
    for (auto i = first_; i != last_; ++i) {
      const Slot& slot = ring_[i % ring_.size()];
      if (slot.completion.done && slot.completion.error != 0)
        throw system_error(doing(slot), slot.completion.error);
      if (!slot.completion.done && now() >= slot.until)
        throw Error{"cannot " + doing(slot) + ": no answer within " +
                    std::to_string(options_.deadline.count()) + " s"};
    }
  }

  void drain() {
    Slot& slot = oldest();
    std::fill(slot.buffer.get() + slot.read_length, slot.buffer.get() + slot.length, std::byte{0});
    write({slot.buffer.get(), slot.length});
    bytes_read_ += slot.read_length;
    ++first_;
    if (options_.progress) options_.progress(bytes_read_);
  }

  void write(std::span<const std::byte> bytes) {
    check_stop(options_.stop);
    const auto begin = Clock::now();
    sink_(bytes);
    in_sink_ += Clock::now() - begin;
  }

  const Export& source_;
  const qcow2::Plan& plan_;
  const qcow2::Sink& sink_;
  const ReadOptions& options_;
  std::uint64_t request_ = 0;
  std::uint64_t next_;       // offset in the file of the next request
  std::uint64_t first_ = 0;  // number of the oldest request whose bytes are not in the sink
  std::uint64_t last_ = 0;   // number of the next request
  std::uint64_t bytes_read_ = 0;
  std::optional<Clock::time_point> turn_;  // of the request at next_, once the limiter was asked
  Clock::duration in_sink_{};
  std::vector<Slot> ring_;  // before the handles: they write here
  std::vector<Handle> handles_;
};

}  // namespace

std::uint64_t copy(const Export& source, const qcow2::Plan& plan, const qcow2::Sink& sink,
                   const ReadOptions& options) {
  return Copier{source, plan, sink, options}.run();
}

}  // namespace nbd
