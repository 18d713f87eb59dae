// SPDX-License-Identifier: Apache-2.0
// The file of a plan, readable anywhere and by many threads, its data fetched from an export when
// somebody asks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/nbd/export.h"
#include "common/qcow2/plan.h"

namespace nbd {

class FileReader {
 public:
  struct Options {
    int connections = 4;  // one thread each
    int in_flight = 1;    // blocks asked for at a time on each of them
    // Blocks of 1 MiB fetched before a sequential reader asks for them.  Besides them and those
    // that somebody waits for, four are kept.
    int ahead = 8;
    std::chrono::seconds deadline{120};  // of each request, from when it is sent
    std::shared_ptr<Limiter> limiter = {};
  };

  // Connects when it is first asked for data.
  FileReader(Export source, qcow2::Plan plan)
      : FileReader{std::move(source), std::move(plan), {}} {}
  FileReader(Export source, qcow2::Plan plan, Options options);
  ~FileReader();

  const qcow2::Plan& plan() const;

  // The bytes of the file from `offset` on, as many as `out` holds and the file has; returns how
  // many.  Throws Error when they cannot be had; from then on every read throws the same.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out);

  // Every read, also one that waits now, throws an Error of these words.
  void fail(const std::string& why);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace nbd
