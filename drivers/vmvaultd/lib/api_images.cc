// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/api_methods.h"

namespace api {
namespace {

int image_of(Request& request) {
  const int image = request.number(1);
  request.need_image(image);
  return image;
}

Argument info(Request& request) { return request.answers().image(image_of(request)).value(); }

Argument pool(Request& request) { return request.answers().images(page_of(request, 1)); }

// (id, force)
Argument remove(Request& request) {
  const int image = image_of(request);
  const bool force = request.call().flag(2, false);
  request.order([=](auto& orders) { orders.delete_image(image, force); });
  return std::int64_t{image};
}

Argument flatten(Request& request) {
  const int image = image_of(request), keep = request.number(2);
  request.order([=](auto& orders) { orders.flatten(image, keep); });
  return std::int64_t{image};
}

Argument protect(Request& request) {
  const int image = image_of(request);
  const bool on = request.call().flag(2);
  request.order([=](auto& orders) { orders.protect(image, on); });
  return std::int64_t{image};
}

// (id, user, group), -1: as it is.
Argument change_owner(Request& request) {
  request.need_admin();
  const int image = image_of(request), user = request.number(2);
  if (user < 0) return std::int64_t{image};
  if (!request.users().user(user)) throw no_such("USER", user);
  if (!request.users().set_owner(state::Owned::image, image, user))
    request.users().set_owner(state::Owned::disk_image, image, user);
  return std::int64_t{image};
}

}  // namespace

void add_image_methods(Methods& methods) {
  methods["one.image.info"] = info;
  methods["one.image.delete"] = remove;
  methods["one.image.chown"] = change_owner;
  methods["one.imagepool.info"] = pool;
  methods["one.vmvault.flatten"] = flatten;
  methods["one.vmvault.protect"] = protect;
}

}  // namespace api
