#pragma once

#include <list>
#include <memory>
#include <string>

#include "runtime/event_loop.h"
#include "runtime/shim_containers.h"
#include "runtime/shim_protocol.h"

// The shim's socket: agents come, ask, are told of exits, and go. Several may be connected at once.
namespace koi::runtime {

class ShimServer {
 public:
  ShimServer(PodContext pod, Sandbox sandbox, EventLoop& loop);
  ~ShimServer();

  // Listens on the pod's socket, for root only.
  base::Result<> listen();

  // Serves until an agent asked for shutdown and everything has ended.
  void run();

 private:
  struct Client;

  void accept_client();
  void read_client(Client& client);
  void write_client(Client& client);
  void drop_client(std::uint64_t client);
  void send(std::uint64_t client, const json::Value& message);
  void reply(std::uint64_t client, std::int64_t request, base::Result<json::Value> result);
  void handle(std::uint64_t client, const json::Value& message);
  void handle_start(std::uint64_t client, std::int64_t request, const json::Value& message);
  void handle_exec(std::uint64_t client, std::int64_t request, const json::Value& message);
  json::Value describe() const;
  void announce(const ContainerState& state);
  Client* find(std::uint64_t client);

  PodContext pod_;
  EventLoop& loop_;
  ShimContainers containers_;
  linux::UniqueFd listener_;
  linux::UniqueFd signals_;
  std::list<std::unique_ptr<Client>> clients_;
  std::uint64_t next_client_ = 1;
  struct Shutdown {
    std::uint64_t client = 0;
    std::int64_t request = 0;
  };
  std::vector<Shutdown> shutdowns_;
};

}  // namespace koi::runtime
