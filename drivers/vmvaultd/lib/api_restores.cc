// SPDX-License-Identifier: Apache-2.0
// Restores, and the objects that they make (contract 1.9, 1.10, 2.12).
#include <algorithm>
#include <cctype>

#include "common/number.h"
#include "drivers/lib/restores.h"
#include "drivers/vmvaultd/lib/api_methods.h"

namespace api {
namespace {

using vmvaultd::RestoreWish;

bool is_yes(std::string value) {
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return value == "YES";
}

int number_in(const vmvaultd::Attributes& options, const char* name) {
  const auto found = options.find(name);
  if (found == options.end() || found->second.empty()) return -1;
  const auto number = parse_int(found->second, -1);
  if (!number) throw Failure{Code::api, std::string{name} + " has to be a number"};
  return *number;
}

// (image, image datastore, options): "<template> <image>..."
Argument restore(Request& request) {
  const int image = request.number(1);
  request.need_image(image);
  const auto options = flat(parse(request.text(3)));
  RestoreWish wish{.image = image,
                   .increment = number_in(options, "INCREMENT_ID"),
                   .disk = number_in(options, "DISK_ID"),
                   .datastore = request.number(2),
                   .owner = request.caller().id};
  if (const auto found = options.find("NAME"); found != options.end()) wish.name = found->second;
  if (const auto found = options.find("NO_IP"); found != options.end())
    wish.no_ip = is_yes(found->second);
  if (const auto found = options.find("NO_NIC"); found != options.end())
    wish.no_nic = is_yes(found->second);
  const auto made = request.order([&](auto& orders) { return orders.restore(wish); });
  auto text = std::to_string(made.template_id);
  for (const int id : made.images) text += " " + std::to_string(id);
  return text;
}

// (VM, image, increment, disk); -1: the last, all.
Argument restore_in_place(Request& request) {
  const int vm = request.number(1), image = request.number(2);
  const int increment = request.call().number(3, -1), disk = request.call().number(4, -1);
  request.need_vm(vm);
  request.need_image(image);
  request.order([=](auto& orders) { orders.restore_in_place(vm, image, increment, disk); });
  return std::int64_t{vm};
}

// Of ".../disk.<id>.<increment>"
std::optional<int> disk_of(const std::string& path) {
  const auto name = path.substr(path.rfind('/') + 1);
  if (!name.starts_with("disk.")) return std::nullopt;
  return parse_int(name.substr(5, name.find('.', 5) - 5));
}

// The point of a backup that a URL of a driver is about: the last of its chain.
void find_point(Request& request, const std::string& url, int datastore, RestoreWish& wish) {
  // <proto>://<datastore>/<job>/<chain>/<path>
  auto chain = url.find("://");
  for (int n = 0; n < 2 && chain != url.npos; ++n)
    chain = url.find('/', n == 0 ? chain + 3 : chain + 1);
  if (chain != url.npos) ++chain;
  const auto end = chain == url.npos ? url.npos : url.find('/', chain);
  const auto disk = disk_of(url);
  const auto links = end == url.npos ? "" : url.substr(chain, end - chain);
  const auto colon = links.rfind(':');
  if (end == url.npos || !disk || colon == links.npos)
    throw Failure{Code::allocate, "PATH has to be the URL of a disk in a backup"};
  const auto source = links.substr(colon + 1);
  for (const auto& view : request.views().images({}))
    for (const auto& one : view.image.increments)
      if (view.image.datastore == datastore && one.source == source) {
        request.need_image(view.image.id);
        wish.image = view.image.id;
        wish.increment = one.id;
        wish.disk = *disk;
        return;
      }
  throw Failure{Code::no_exists,
                "no backup in datastore " + std::to_string(datastore) + " has what PATH names"};
}

// (template, image datastore, ...): as a datastore driver's restore asks for it.
Argument allocate_image(Request& request) {
  const auto attributes = flat(parse(request.text(1)));
  const auto path = attributes.find("PATH");
  const int from = number_in(attributes, "FROM_BACKUP_DS");
  if (path == attributes.end() || from < 0)
    throw Failure{Code::allocate, "images are made of backups only: PATH and FROM_BACKUP_DS"};
  RestoreWish wish{.datastore = request.number(2), .owner = request.caller().id};
  find_point(request, path->second, from, wish);
  if (const auto found = attributes.find("NAME"); found != attributes.end()) {
    const auto end = "-disk-" + std::to_string(wish.disk);  // is added anew
    wish.name = found->second;
    if (wish.name.ends_with(end)) wish.name.erase(wish.name.size() - end.size());
  }
  return std::int64_t{
      request.order([&](auto& orders) { return orders.restore(wish).images.at(0); })};
}

Argument allocate_template(Request& request) {
  const auto& text = request.text(1);
  std::string name;
  for (const auto& one : parse(text))
    if (one.name == "NAME" && std::holds_alternative<std::string>(one.value))
      name = std::get<std::string>(one.value);
  if (name.empty()) throw Failure{Code::allocate, "a template needs a NAME"};
  const int owner = request.caller().id;
  return std::int64_t{
      request.order([&](auto& orders) { return orders.add_template(name, owner, text); })};
}

int template_of(Request& request) {
  const int id = request.number(1);
  request.need(state::Owned::vm_template, id);
  return id;
}

Argument template_info(Request& request) {
  return request.answers().one_template(template_of(request)).value();
}

Argument template_pool(Request& request) {
  return request.answers().templates(page_of(request, 1));
}

// (id, with its images)
Argument remove_template(Request& request) {
  const int id = template_of(request);
  std::vector<int> images;
  if (request.call().flag(2, false))
    for (const auto& one : state::Restores{request.store()}.disk_images())
      if (one.template_id == id) images.push_back(one.id);
  for (const int image : images) request.need_image(image);
  request.order([&](auto& orders) { orders.delete_template(id, images); });
  return std::int64_t{id};
}

}  // namespace

void add_restore_methods(Methods& methods) {
  methods["one.image.restore"] = restore;
  methods["one.image.allocate"] = allocate_image;
  methods["one.vm.restore"] = restore_in_place;
  methods["one.template.allocate"] = allocate_template;
  methods["one.template.info"] = template_info;
  methods["one.template.delete"] = remove_template;
  methods["one.templatepool.info"] = template_pool;
}

}  // namespace api
