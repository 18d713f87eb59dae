// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_flatten.h"

#include <algorithm>

#include "common/cancel.h"
#include "datastore/rsync/lib/flat_writer.h"
#include "datastore/rsync/lib/server_chain.h"
#include "datastore/rsync/lib/server_repository.h"

namespace rsync {
namespace {

std::string flat_of(const std::string& name) { return name + std::string{flat_suffix}; }
std::string old_of(const std::string& name) { return name + std::string{old_suffix}; }

bool contains(const Chain& chain, const Increment& one) {
  const auto& all = chain.increments();
  return std::find(all.begin(), all.end(), one) != all.end();
}

// The chain up to and with this increment, and what comes after.
struct Split {
  Chain merged;
  std::vector<Increment> kept;
};

Split split_at(const Chain& chain, std::size_t count) {
  const auto& all = chain.increments();
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(count);
  return {Chain{{all.begin(), middle}}, {middle, all.end()}};
}

// The marker of what lies under this name; nullopt: nothing is there, or it is no merged one.
std::optional<Chain> marker(const Dir& vm, const std::string& name) {
  const auto dir = vm.find(name);
  return dir ? flat_chain(*dir) : std::nullopt;
}

class Flatten {
 public:
  Flatten(const Dir& vm, const Chain& chain, int keep, const Texts& known)
      : vm_{vm}, known_{known}, split_{plan(vm, chain, keep)} {}

  Flattened run() {
    if (!done()) {
      build();
      exchange();
    }
    clean();
    return answer();
  }

 private:
  // An earlier run, which nobody was told the end of, may have merged more than this one would.
  static Split plan(const Dir& vm, const Chain& chain, int keep) {
    const auto& all = chain.increments();
    const auto wanted = static_cast<std::size_t>(keep);
    if (all.size() <= wanted) throw Error{"the chain has nothing to be merged"};
    for (const auto& one : all) finish_exchange(vm, one.source);
    std::size_t count = all.size() - wanted + 1;
    for (auto i = all.size(); i > count; --i) {
      const auto said = marker(vm, all[i - 1].source);
      if (said && contains(*said, all[count - 1])) count = i;
    }
    return split_at(chain, count);
  }

  const std::string& name() const { return split_.merged.last().source; }

  // Is what has the name the merged one?
  bool done() const {
    const auto said = marker(vm_, name());
    return said && contains(*said, split_.merged.increments().front()) &&
           contains(*said, split_.merged.last());
  }

  // Between the two renames of an earlier one, whatever it merged, where there is no exchange:
  // nothing has the name.
  static void finish_exchange(const Dir& vm, const std::string& name) {
    if (vm.status(name)) return;
    if (marker(vm, flat_of(name)))
      move(vm, flat_of(name), name);
    else if (vm.status(old_of(name)))
      move(vm, old_of(name), name);
    else
      return;
    vm.sync();
  }

  static void move(const Dir& vm, const std::string& from, const std::string& to) {
    if (!vm.rename(from, to)) throw Error{"'" + vm.in(to) + "' is in the way"};
  }

  void build() {
    if (const auto left = vm_.find(flat_of(name()))) {
      if (!lock_directory(vm_, flat_of(name()), *left))
        throw Error{"'" + vm_.in(name()) + "' is being flattened already"};
      remove_backup(vm_, flat_of(name()));
    }
    vm_.make(flat_of(name()));
    const auto dir = vm_.at(flat_of(name()));
    lock_ = lock_directory(vm_, flat_of(name()), dir);
    if (!lock_) throw Error{"'" + vm_.in(name()) + "' is being flattened already"};
    try {
      write_flat(OpenChain::open(vm_, split_.merged), dir, known_);
      write_flat_chain(dir, split_.merged);
    } catch (const Error&) {
      give_up();
      throw;
    }
  }

  void give_up() noexcept try { remove_backup(vm_, flat_of(name())); } catch (const Error&) {
    // The next one removes it.
  }

  void exchange() {
    if (!vm_.exchange(flat_of(name()), name())) {
      remove_backup(vm_, old_of(name()));
      move(vm_, name(), old_of(name()));
      move(vm_, flat_of(name()), name());
    }
    vm_.sync();
  }

  void clean() {
    vm_.at(name()).remove_file(".lock");
    lock_.reset();
    for (const auto& other : {flat_of(name()), old_of(name())}) remove_backup(vm_, other);
    const auto& all = split_.merged.increments();
    for (auto one = all.begin(); one != all.end() - 1; ++one)
      for (const auto& gone : {one->source, flat_of(one->source), old_of(one->source)})
        remove_backup(vm_, gone);
    remove_leftovers(vm_);
    vm_.sync();
  }

  Flattened answer() const {
    std::vector<Increment> left{split_.merged.last()};
    left.insert(left.end(), split_.kept.begin(), split_.kept.end());
    return {.mib = disk_mib(vm_.at(name())), .chain = Chain{std::move(left)}};
  }

  const Dir& vm_;
  const Texts& known_;
  const Split split_;
  std::optional<Fd> lock_;
};

}  // namespace

Flattened flatten(const Dir& vm, const Chain& chain, int keep, const Texts& known) {
  return Flatten{vm, chain, keep, known}.run();
}

}  // namespace rsync
