#include "runtime/shim_server.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "linux/process.h"
#include "runtime/paths.h"
#include "runtime/records.h"

// Where the linker put the program's constants and code, which are never written.
extern "C" char __executable_start;
extern "C" char etext;

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;

namespace {

// An agent that does not read its answers is dropped; it finds everything again when it reconnects.
constexpr std::size_t unsent_bytes_max = 16 * 1024 * 1024;
constexpr int clients_max = 16;

// A shim mostly waits. The pages of the program that it ran through are dropped from its memory,
// and come back from the page cache when they are needed.
void release_memory() {
  ::malloc_trim(0);
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin =
      (reinterpret_cast<std::uintptr_t>(&__executable_start) + page - 1) & ~(page - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext) & ~(page - 1);
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

bool is_root(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0;
}

}  // namespace

struct ShimServer::Client {
  std::uint64_t id = 0;
  UniqueFd socket;
  MessageReader reader;
  std::string unsent;
};

ShimServer::ShimServer(PodContext pod, Sandbox sandbox, EventLoop& loop)
    : pod_(pod),
      loop_(loop),
      containers_(std::move(pod), std::move(sandbox), loop,
                  [this](const ContainerState& state) { announce(state); }) {}

ShimServer::~ShimServer() = default;

ShimServer::Client* ShimServer::find(std::uint64_t client) {
  for (const auto& each : clients_) {
    if (each->id == client) return each.get();
  }
  return nullptr;
}

Result<> ShimServer::listen() {
  auto directory = linux::open_file(pod_.directory, O_PATH | O_DIRECTORY);
  if (!directory) return fail(std::move(directory).error());
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return linux::fail_errno("make socket");
  ::unlink(paths::shim_socket(pod_.directory).c_str());
  // Through the descriptor, the name fits a socket address however deep the directory lies.
  const std::string name =
      "/proc/self/fd/" + std::to_string(directory->get()) + "/" + paths::shim_socket_name;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  if (bound != 0) return linux::fail_errno("bind", paths::shim_socket(pod_.directory));
  if (::listen(listener_.get(), clients_max) != 0) return linux::fail_errno("listen");
  auto signals = linux::make_signalfd({SIGCHLD, SIGTERM, SIGINT, SIGHUP});
  if (!signals) return fail(std::move(signals).error());
  signals_ = std::move(*signals);
  if (auto done = loop_.watch(listener_.get(), [this] { accept_client(); }); !done) return done;
  return loop_.watch(signals_.get(), [this] {
    // Only SIGCHLD matters. The others are swallowed: a machine that shuts down tells the
    // containers itself, and the shim must live to record how they end.
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    }
    containers_.reap();
  });
}

void ShimServer::accept_client() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !is_root(socket.get()) || clients_.size() >= clients_max) return;
  auto client = std::make_unique<Client>();
  client->id = next_client_++;
  client->socket = std::move(socket);
  const std::uint64_t id = client->id;
  (void)loop_.watch(client->socket.get(), [this, id] {
    if (Client* found = find(id)) read_client(*found);
  });
  clients_.push_back(std::move(client));
}

void ShimServer::read_client(Client& client) {
  const std::uint64_t id = client.id;
  if (!client.unsent.empty()) write_client(client);
  Client* found = find(id);
  if (found == nullptr) return;
  char buffer[16 * 1024];
  const ssize_t count = ::read(found->socket.get(), buffer, sizeof buffer);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return drop_client(id);
  found->reader.append(std::string_view(buffer, static_cast<std::size_t>(count)));
  for (;;) {
    json::Value message;
    found = find(id);
    if (found == nullptr) return;
    const auto whole = found->reader.next(message);
    if (!whole) return drop_client(id);
    if (!*whole) return;
    handle(id, message);
  }
}

void ShimServer::write_client(Client& client) {
  while (!client.unsent.empty()) {
    const ssize_t count =
        ::send(client.socket.get(), client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return drop_client(client.id);
    client.unsent.erase(0, static_cast<std::size_t>(count));
  }
  loop_.want_write(client.socket.get(), !client.unsent.empty());
}

void ShimServer::drop_client(std::uint64_t client) {
  const Client* found = find(client);
  if (found == nullptr) return;
  loop_.forget(found->socket.get());
  std::erase_if(clients_, [&](const auto& each) { return each->id == client; });
}

void ShimServer::send(std::uint64_t client, const json::Value& message) {
  Client* found = find(client);
  if (found == nullptr) return;
  found->unsent += encode_message(message);
  if (found->unsent.size() > unsent_bytes_max) return drop_client(client);
  write_client(*found);
}

void ShimServer::reply(std::uint64_t client, std::int64_t request, Result<json::Value> result) {
  json::Object object;
  object["id"] = request;
  if (result) {
    object["result"] = std::move(*result);
  } else {
    object["error"] = error_to_json(result.error());
  }
  send(client, object);
}

json::Value ShimServer::describe() const {
  json::Object object;
  object["version"] = protocol_version;
  object["pid"] = ::getpid();
  json::Array containers;
  for (const ContainerState& state : containers_.states()) containers.push_back(to_json(state));
  object["containers"] = std::move(containers);
  return object;
}

void ShimServer::announce(const ContainerState& state) {
  json::Object object;
  object["event"] = "exited";
  object["container"] = to_json(state);
  const json::Value message = std::move(object);
  std::vector<std::uint64_t> ids;
  for (const auto& client : clients_) ids.push_back(client->id);
  for (const std::uint64_t id : ids) send(id, message);
}

void ShimServer::handle(std::uint64_t client, const json::Value& message) {
  const std::string_view op = json::string_at(message, {"op"});
  const std::int64_t request = json::int_at(message, {"id"}, 0);
  const std::string container(json::string_at(message, {"container"}));
  const auto done = [](const Result<>& result) -> Result<json::Value> {
    if (!result) return fail(result.error());
    return json::Value(nullptr);
  };
  if (op == "describe") return reply(client, request, describe());
  if (op == "start") return handle_start(client, request, message);
  if (op == "exec") return handle_exec(client, request, message);
  if (op == "signal") {
    const auto number = static_cast<int>(json::int_at(message, {"signal"}, 0));
    return reply(client, request, done(containers_.signal(container, number)));
  }
  if (op == "remove") return reply(client, request, done(containers_.remove(container)));
  if (op == "shutdown") {
    shutdowns_.push_back({client, request});
    return containers_.kill_all();
  }
  reply(client, request, fail(Code::unsupported, "no operation '" + std::string(op) + "'"));
}

void ShimServer::handle_start(std::uint64_t client, std::int64_t request,
                              const json::Value& message) {
  const json::Value* value = json::find(message, {"spec"});
  auto spec = value != nullptr ? container_spec_from_json(*value)
                               : Result<ContainerSpec>(fail(Code::invalid, "no container spec"));
  if (!spec) return reply(client, request, fail(spec.error()));
  if (!shutdowns_.empty()) return reply(client, request, fail(Code::conflict, "pod is stopping"));
  const base::Path seccomp(json::string_at(message, {"seccompFile"}));
  containers_.start(*spec, seccomp, [this, client, request](const Result<ContainerState>& state) {
    if (!state) return reply(client, request, fail(state.error()));
    reply(client, request, to_json(*state));
  });
}

void ShimServer::handle_exec(std::uint64_t client, std::int64_t request,
                             const json::Value& message) {
  std::vector<std::string> args;
  for (const json::Value& each : json::array_at(message, {"args"})) {
    if (const auto* text = each.if_string()) args.emplace_back(*text);
  }
  const std::chrono::microseconds patience(json::int_at(message, {"deadlineMicros"}, 0));
  const std::string container(json::string_at(message, {"container"}));
  containers_.exec(container, std::move(args), patience,
                   [this, client, request](const Result<ExecResult>& result) {
                     if (!result) return reply(client, request, fail(result.error()));
                     json::Object object;
                     object["exitCode"] = result->exit_code;
                     object["output"] = result->output;
                     reply(client, request, object);
                   });
}

void ShimServer::run() {
  constexpr std::chrono::milliseconds calm(2000);
  bool small = false;
  while (shutdowns_.empty() || !containers_.all_ended()) {
    const auto next = containers_.enforce_deadlines();
    auto patience = small ? std::chrono::milliseconds(-1) : calm;
    if (next) patience = std::chrono::ceil<std::chrono::milliseconds>(*next);
    const bool busy = loop_.run_once(patience);
    if (!busy && !next && !small) release_memory();
    small = !busy;
  }
  (void)linux::remove_cgroup(pod_.tree, pod_.cgroup);
  ::unlink(paths::shim_socket(pod_.directory).c_str());
  for (const Shutdown& each : shutdowns_) reply(each.client, each.request, json::Value(nullptr));
}

}  // namespace koi::runtime
