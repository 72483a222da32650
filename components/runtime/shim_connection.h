#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/event.h"
#include "base/task.h"
#include "linux/fd.h"
#include "runtime/shim_protocol.h"

namespace koi::runtime {

// One connection of the agent to a pod's shim. All calls on its executor. It ends when the shim
// does: every waiting call then fails with unavailable.
class ShimConnection {
 public:
  using OnEvent = std::function<void(const json::Value&)>;

  ShimConnection(const base::Executor& executor, linux::UniqueFd socket, OnEvent on_event);

  // Sends {"op": op, ...members} and waits for its answer.
  base::Task<base::Result<json::Value>> call(std::string op, json::Object members);

  // Read and send until the shim or close() ends the connection. Each runs once, in the owner's
  // group: a caller that is cancelled never leaves half a message behind.
  base::Task<> read_all();
  base::Task<> write_all();

  bool is_open() const { return open_; }
  void close();
  // Waits until the connection has ended.
  base::Task<> wait_closed();

 private:
  struct Pending {
    std::optional<base::Result<json::Value>> result;
  };

  void dispatch(const json::Value& message);

  boost::asio::local::stream_protocol::socket socket_;
  OnEvent on_event_;
  base::Event changed_;  // an answer, or the end
  base::Event asked_;    // something to send, or the end
  std::map<std::int64_t, std::shared_ptr<Pending>> pending_;
  MessageReader reader_;
  std::string unsent_;
  bool open_ = true;
  std::int64_t next_request_ = 1;
};

}  // namespace koi::runtime
