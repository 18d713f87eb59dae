// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/nbd/connection.h"
#include "common/nbd/export.h"
#include "common/nbd/runs.h"

namespace nbd {
namespace {

// All contexts that were asked for.
using Answers = std::vector<Runs>;

constexpr std::uint64_t step = std::uint64_t{1} << 31;  // a request must be below 4 GiB
constexpr std::uint32_t dirty_flag = 1;                 // of a qemu:dirty-bitmap

struct Question {
  std::string context;
  Runs::Counts counts;
};

// First what reads as zeros, then what is dirty.  qemu:allocation-depth says in which layer the
// data are: 1 is the topmost one, 0 is none of them.
std::vector<Question> questions(const Export& source) {
  std::vector<Question> out{{LIBNBD_CONTEXT_BASE_ALLOCATION, flag(LIBNBD_STATE_ZERO)}};
  if (source.bitmap) out.push_back({"qemu:dirty-bitmap:" + *source.bitmap, flag(dirty_flag)});
  if (source.layers > 0)
    out.push_back({"qemu:allocation-depth", [most = source.layers](std::uint32_t depth) {
                     return depth >= 1 && depth <= most;
                   }});
  return out;
}

int take(void* data, const char* context, std::uint64_t offset, std::uint32_t* entries,
         std::size_t count, int* error) {
  try {
    for (Runs& runs : *static_cast<Answers*>(data))
      if (runs.context() == context) runs.add(offset, {entries, count});
    return 0;
  } catch (const std::bad_alloc&) {
    *error = ENOMEM;
    return -1;
  }
}

std::uint64_t known(const Answers& answers) {
  std::uint64_t end = ~std::uint64_t{0};
  for (const Runs& runs : answers) end = std::min(end, runs.end());
  return end;
}

// What libnbd writes into: made before the handle.
struct Reply {
  Answers answers;
  Completion completion;
};

void ask(const Export& source, const Handle& handle, Reply& reply, std::chrono::seconds deadline) {
  auto& [answers, completion] = reply;
  const std::uint64_t at = known(answers);
  const std::string doing =
      "ask for the block status of " + display(source) + " at offset " + std::to_string(at);
  completion = {};
  const auto until = Clock::now() + deadline;
  const nbd_extent_callback on_extent{.callback = take, .user_data = &answers, .free = nullptr};
  if (nbd_aio_block_status(handle.get(), std::min(step, answers[0].size() - at), at, on_extent,
                           completion.callback(), 0) < 0)
    throw Error{"cannot " + doing + ": " + nbd_get_error()};
  while (!completion.done) {
    if (Clock::now() >= until)
      throw Error{"cannot " + doing + ": no answer within " + std::to_string(deadline.count()) +
                  " s"};
    wait({&handle, 1}, until, nullptr);
  }
  if (completion.error != 0) throw system_error(doing, completion.error);
  if (known(answers) <= at) throw Error{"cannot " + doing + ": the server does not say"};
}

}  // namespace

Map map(const Export& source, Base base, std::chrono::seconds deadline) {
  const std::vector<Question> asked = questions(source);
  std::vector<std::string> contexts;
  for (const auto& one : asked) contexts.push_back(one.context);
  Reply reply;
  const Handle handle = connect(source, contexts, deadline, nullptr);
  const std::int64_t size = nbd_get_size(handle.get());
  if (size < 0) throw Error{"cannot know the size of " + display(source) + ": " + nbd_get_error()};

  const auto disk = static_cast<std::uint64_t>(size);
  for (const auto& [context, counts] : asked) {
    if (nbd_can_meta_context(handle.get(), context.c_str()) != 1)
      throw Error{display(source) + " does not offer '" + context + "'"};
    reply.answers.emplace_back(context, counts, disk);
  }
  reply.answers.emplace_back(LIBNBD_CONTEXT_BASE_ALLOCATION, flag(LIBNBD_STATE_HOLE), disk);
  while (known(reply.answers) < disk) ask(source, handle, reply, deadline);
  auto map = combine(std::span{reply.answers}.first(asked.size()), base);
  map.data = allocated(reply.answers.back());
  return map;
}

}  // namespace nbd
