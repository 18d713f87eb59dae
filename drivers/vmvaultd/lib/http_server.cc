// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <xmlrpc-c/abyss.h>
#include <xmlrpc-c/base.h>
#include <xmlrpc-c/server_abyss.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <list>
#include <mutex>
#include <semaphore>
#include <thread>

#include "common/error.h"
#include "drivers/vmvaultd/lib/api_call.h"

namespace vmvaultd {
namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  enum class Phase { reading, working, writing };
  Fd socket;
  const Listener* listener = nullptr;
  Phase phase = Phase::reading;
  Clock::time_point since = Clock::now();  // of this phase
  bool cut = false;
};

constexpr std::chrono::seconds last_words{2};

// The one that this thread serves.
thread_local Connection* served = nullptr;

void check(const char* error) {
  if (!error) return;
  const Error copy{"the HTTP server: " + one_line(error)};
  std::free(const_cast<char*>(error));
  throw copy;
}

bool is_local(const Connection& connection) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (getpeername(connection.socket.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0)
    return false;
  if (peer.ss_family == AF_UNIX) return true;
  if (peer.ss_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<sockaddr_in6*>(&peer)->sin6_addr);
  return ntohl(reinterpret_cast<sockaddr_in*>(&peer)->sin_addr.s_addr) >> 24 == 127;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(std::vector<Listener> listeners, Answers answers, Limits limits)
      : listeners_{std::move(listeners)},
        answers_{std::move(answers)},
        limits_{limits},
        at_work_{static_cast<std::ptrdiff_t>(limits.at_work)},
        wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
    if (!wake_) throw system_error("make an event descriptor", errno);
    set_up_abyss();
    acceptor_ = std::thread{[this] { accept_all(); }};
  }
  Impl(const Impl&) = delete;

  ~Impl() {
    {
      const std::lock_guard lock{mutex_};
      ending_ = true;
    }
    eventfd_write(wake_.get(), 1);
    acceptor_.join();
    std::unique_lock lock{mutex_};
    const auto ended = [this] { return connections_.empty(); };
    cut_all(Connection::Phase::reading);
    // Whoever has an answer coming may take it, and nobody for ever.
    gone_.wait_for(lock, last_words, ended);
    while (!connections_.empty()) {
      cut_all(Connection::Phase::reading);
      cut_all(Connection::Phase::writing);
      gone_.wait_for(lock, std::chrono::milliseconds{100}, ended);
    }
    lock.unlock();
    ServerFree(&server_);
  }

 private:
  void set_up_abyss() {
    // Abyss and xmlrpc-c keep globals that are made once in a process.
    static const bool once = [] {
      const char* error = nullptr;
      AbyssInit(&error);
      check(error);
      return true;
    }();
    (void)once;
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, api::longest_body);
    if (!ServerCreateNoAccept(&server_, "vmvaultd", nullptr, nullptr))
      throw Error{"cannot make an HTTP server"};
    ServerSetKeepaliveMaxConn(&server_, 1);
    ServerSetTimeout(
        &server_,
        static_cast<unsigned>(std::chrono::ceil<std::chrono::seconds>(limits_.reading).count()));
    ServerSetAdvertise(&server_, 0);
    add_handlers();
  }

  void add_handlers() {
    xmlrpc_server_abyss_set_default_handler(&server_);
    ServerReqHandler3 metrics{};
    metrics.handleReq = &Impl::get_metrics;
    metrics.userdata = this;
    abyss_bool added = 0;
    ServerAddHandler3(&server_, &metrics, &added);
    if (!added) throw Error{"cannot make an HTTP server"};
    xmlrpc_server_abyss_handler_parms calls{};
    calls.xml_processor = &Impl::process_call;
    calls.xml_processor_arg = this;
    calls.xml_processor_max_stack = 1 << 20;
    calls.uri_path = "/RPC2";
    xmlrpc_env env;
    xmlrpc_env_init(&env);
    xmlrpc_server_abyss_set_handler3(&env, &server_, &calls, XMLRPC_AHPSIZE(uri_path));
    const bool failed = env.fault_occurred != 0;
    xmlrpc_env_clean(&env);
    if (failed) throw Error{"cannot make an HTTP server"};
  }

  // While a call is carried out nobody waits for its client.
  std::string at_work(const std::function<std::string()>& work) {
    enter(Connection::Phase::working);
    at_work_.acquire();
    std::string answer;
    try {
      answer = work();
    } catch (const std::exception&) {
      answer.clear();
    }
    at_work_.release();
    enter(Connection::Phase::writing);
    return answer;
  }

  void enter(Connection::Phase phase) {
    const std::lock_guard lock{mutex_};
    served->phase = phase;
    served->since = Clock::now();
    if (phase == Connection::Phase::writing) eventfd_write(wake_.get(), 1);
  }

  static void process_call(xmlrpc_env* env, void* self, const char* body, std::size_t size,
                           TSession*, xmlrpc_mem_block** out) {
    auto& server = *static_cast<Impl*>(self);
    const auto answer = server.at_work([&] {
      return server.answers_.call({body, size}, served->listener->way);
    });
    *out = xmlrpc_mem_block_new(env, answer.size());
    if (env->fault_occurred == 0)
      std::copy(answer.begin(), answer.end(), static_cast<char*>(xmlrpc_mem_block_contents(*out)));
  }

  static void get_metrics(void* self, TSession* session, abyss_bool* handled) {
    const TRequestInfo* request = nullptr;
    SessionGetRequestInfo(session, &request);
    *handled = request->method == m_get && std::string_view{request->uri} == "/metrics" &&
               is_local(*served);
    if (!*handled) return;
    auto& server = *static_cast<Impl*>(self);
    std::optional<std::string> found;
    const auto text = server.at_work([&] {
      found = server.answers_.metrics();
      return found.value_or("");
    });
    ResponseStatus(session, found ? 200 : 404);
    ResponseContentType(session, "text/plain; version=0.0.4");
    ResponseContentLength(session, text.size());
    ResponseWriteStart(session);
    ResponseWriteBody(session, text.data(), static_cast<xmlrpc_uint32_t>(text.size()));
    ResponseWriteEnd(session);
  }

  // No signal is for these threads: neither those of the service, nor that of a client that went.
  void accept_all() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
      std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
      for (const auto& one : listeners_) fds.push_back({one.socket.get(), POLLIN, 0});
      poll(fds.data(), fds.size(), look_after());
      eventfd_t wakes = 0;
      eventfd_read(wake_.get(), &wakes);
      {
        const std::lock_guard lock{mutex_};
        if (ending_) return;
      }
      for (std::size_t at = 0; at < listeners_.size(); ++at)
        if (fds[at + 1].revents != 0) accept_one(listeners_[at]);
    }
  }

  // Cuts off who is too late; returns how long until the next is, in milliseconds.
  int look_after() {
    const std::lock_guard lock{mutex_};
    const auto now = Clock::now();
    auto next = std::chrono::milliseconds{-1};
    for (auto& one : connections_) {
      if (one.cut || one.phase == Connection::Phase::working) continue;
      const auto limit =
          one.phase == Connection::Phase::reading ? limits_.reading : limits_.writing;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(one.since + limit - now);
      if (left.count() <= 0)
        cut(one);
      else if (next.count() < 0 || left < next)
        next = left;
    }
    return static_cast<int>(next.count());
  }

  void cut_all(Connection::Phase phase) {
    for (auto& one : connections_)
      if (one.phase == phase) cut(one);
  }

  static void cut(Connection& connection) {
    connection.cut = true;
    shutdown(connection.socket.get(), SHUT_RDWR);
  }

  void accept_one(const Listener& listener) {
    make_room(listener);
    Fd socket{accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!socket) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) back_off();
      return;
    }
    const std::lock_guard lock{mutex_};
    connections_.push_front({.socket = std::move(socket), .listener = &listener});
    const auto at = connections_.begin();
    try {
      std::thread{[this, at] { serve(at); }}.detach();
    } catch (const std::system_error&) {
      connections_.erase(at);
    }
  }

  // Without descriptors or memory the client would be offered again at once. Whoever goes gives
  // some back.
  void back_off() {
    std::unique_lock lock{mutex_};
    gone_.wait_for(lock, std::chrono::milliseconds{100});
  }

  void make_room(const Listener& listener) {
    std::unique_lock lock{mutex_};
    const auto mine = [&](const Connection& one) { return one.listener == &listener; };
    const auto full = [&] {
      return static_cast<std::size_t>(
                 std::count_if(connections_.begin(), connections_.end(), mine)) >= limits_.places;
    };
    if (!full()) return;
    Connection* oldest = nullptr;
    for (auto& one : connections_)
      if (mine(one) && one.phase == Connection::Phase::reading &&
          (!oldest || one.since < oldest->since))
        oldest = &one;
    if (oldest && !oldest->cut) cut(*oldest);
    gone_.wait_for(lock, std::chrono::seconds{1}, [&] { return ending_ || !full(); });
  }

  void serve(std::list<Connection>::iterator at) {
    served = &*at;
    ServerRunConn(&server_, at->socket.get());
    served = nullptr;
    const std::lock_guard lock{mutex_};
    connections_.erase(at);
    gone_.notify_all();
  }

  std::vector<Listener> listeners_;
  Answers answers_;
  Limits limits_;
  std::counting_semaphore<> at_work_;
  Fd wake_;
  TServer server_{};
  std::mutex mutex_;
  std::condition_variable gone_;
  std::list<Connection> connections_;
  bool ending_ = false;
  std::thread acceptor_;
};

HttpServer::HttpServer(std::vector<Listener> listeners, Answers answers, Limits limits)
    : impl_{std::make_unique<Impl>(std::move(listeners), std::move(answers), limits)} {}
HttpServer::~HttpServer() = default;

}  // namespace vmvaultd
