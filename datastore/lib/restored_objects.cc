// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/restored_objects.h"

#include "common/cancel.h"
#include "common/one/action.h"

namespace restored {
namespace {

constexpr std::chrono::seconds undo_limit{30};  // for each object

}  // namespace

Objects::Objects(const std::string& user, std::chrono::seconds limit)
    : core_{Core::as_user(user)}, end_{std::chrono::steady_clock::now() + limit} {}

Objects::~Objects() {
  if (const auto left = undo(); !left.empty()) log(Level::error, left);
}

std::chrono::seconds Objects::time_left() const {
  return std::chrono::duration_cast<std::chrono::seconds>(end_ - std::chrono::steady_clock::now());
}

// What could not be undone, as a sentence.
std::string Objects::undo() noexcept {
  std::string left;
  const auto attempt = [&](const std::string& what, const auto& remove) {
    try {
      remove();
    } catch (const Error& e) {
      left += (left.empty() ? "" : ", ") + what + " (" + e.what() + ")";
    }
  };
  if (template_)
    attempt("template " + std::to_string(*template_),
            [&] { core_.delete_template(*template_, undo_limit); });
  for (const int id : images_)
    attempt("image " + std::to_string(id), [&] { core_.delete_image(id, undo_limit); });
  template_.reset();
  images_.clear();
  if (!left.empty()) left = "could not be removed again: " + left;
  if (!unknown_.empty())
    left += (left.empty() ? "" : "; ") + unknown_ + " may have been made all the same";
  unknown_.clear();
  return left;
}

void Objects::fail(const std::string& why, Exit exit) {
  const auto count = images_.size() + (template_ ? 1 : 0);
  const auto left = undo();
  if (!left.empty()) throw Error{why + "; " + left, exit};
  throw Error{why + (count == 0 ? "" : "; what had been made was removed again"), exit};
}

template <class Make>
int Objects::make(const std::string& what, const std::string& name, const Make& make) {
  const std::string failed = "cannot create the " + what + " '" + one_line(name) + "'";
  try {
    cancel::check();
    if (time_left() < std::chrono::seconds{1})
      throw Refused{"the core has stopped waiting for the restore"};
    unknown_ = what + " '" + one_line(name) + "'";
    const int id = make(time_left());
    unknown_.clear();
    return id;
  } catch (const Refused& e) {
    unknown_.clear();
    fail(failed + ": " + e.what(), e.exit());
  } catch (const Error& e) {
    fail(failed + ": " + e.what(), e.exit());
  }
}

int Objects::image(const std::string& name, const std::string& text, int datastore_id) {
  images_.reserve(images_.size() + 1);
  images_.push_back(make("image", name, [&](std::chrono::seconds limit) {
    return core_.allocate_image(text, datastore_id, limit);
  }));
  return images_.back();
}

int Objects::vm_template(const std::string& name, const std::string& text) {
  template_ = make("VM template", name, [&](std::chrono::seconds limit) {
    return core_.allocate_template(text, limit);
  });
  return *template_;
}

void Objects::keep() {
  if (cancel::requested()) fail("cancelled", Exit::cancelled);
  if (time_left() < std::chrono::seconds{0})
    fail("the core has stopped waiting for the restore", Exit::failed);
  images_.clear();
  template_.reset();
}

}  // namespace restored
