// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/front.h"

namespace vmvaultd {
namespace {

ServerAccount prepare_files(const state::Home& home) {
  state::Store store{home.database()};
  state::Users users{store};
  prepare_first_user(users, first_users_file(home));
  return prepare_account(account_file(home));
}

std::vector<Listener> listen_as(const FrontSettings& settings, const state::Home& home) {
  const auto file = settings.socket.empty() ? home.var() / "vmvaultd.socket" : settings.socket;
  std::vector<Listener> all;
  all.push_back(listen_on_file(file, settings.group));
  if (settings.port != 0) all.push_back(listen_on_address(settings.address, settings.port));
  return all;
}

}  // namespace

std::filesystem::path first_users_file(const state::Home& home) { return home.var() / "one_auth"; }
std::filesystem::path account_file(const state::Home& home) { return home.var() / "server_auth"; }

Front::Front(const FrontSettings& settings, api::World world) : inbox_{world.inbox} {
  const auto& home = world.home;
  auto account = prepare_files(home);
  world.first_users_file = first_users_file(home);
  if (!settings.metrics) world.measure = {};
  api_ = std::make_unique<api::Api>(std::move(world), std::move(account));
  server_ = std::make_unique<HttpServer>(
      listen_as(settings, home),
      HttpServer::Answers{
          .call = [api = api_.get()](auto body, auto& way) { return api->answer(body, way); },
          .metrics = [api = api_.get()] { return api->metrics(); }},
      HttpServer::Limits{});
}

Front::~Front() { inbox_.close(); }

}  // namespace vmvaultd
