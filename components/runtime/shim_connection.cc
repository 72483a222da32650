#include "runtime/shim_connection.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace koi::runtime {

namespace asio = boost::asio;
using base::Code;
using base::fail;
using base::Result;
using base::Task;

ShimConnection::ShimConnection(const base::Executor& executor, linux::UniqueFd socket,
                               OnEvent on_event)
    : socket_(executor, asio::local::stream_protocol(), socket.release()),
      on_event_(std::move(on_event)),
      changed_(executor),
      asked_(executor) {}

void ShimConnection::close() {
  open_ = false;
  boost::system::error_code ignored;
  socket_.close(ignored);
  changed_.notify_all();
  asked_.notify_all();
}

Task<> ShimConnection::wait_closed() {
  while (open_) co_await changed_.wait();
}

Task<> ShimConnection::write_all() {
  while (open_) {
    if (unsent_.empty()) {
      co_await asked_.wait();
      continue;
    }
    const std::string batch = std::exchange(unsent_, {});
    boost::system::error_code error;
    co_await asio::async_write(socket_, asio::buffer(batch),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) close();
  }
}

Task<Result<json::Value>> ShimConnection::call(std::string op, json::Object members) {
  if (!open_) co_return fail(Code::unavailable, "the pod's shim has ended");
  const std::int64_t request = next_request_++;
  auto pending = std::make_shared<Pending>();
  pending_[request] = pending;
  members["id"] = request;
  members["op"] = op;
  unsent_ += encode_message(members);
  asked_.notify_all();
  while (open_ && !pending->result) co_await changed_.wait();
  pending_.erase(request);
  if (pending->result) co_return std::move(*pending->result);
  co_return fail(Code::unavailable, "the pod's shim has ended");
}

void ShimConnection::dispatch(const json::Value& message) {
  if (json::find(message, {"event"}) != nullptr) return on_event_(message);
  const auto found = pending_.find(json::int_at(message, {"id"}, 0));
  if (found == pending_.end()) return;
  if (const json::Value* error = json::find(message, {"error"})) {
    found->second->result = fail(error_from_json(*error));
  } else if (const json::Value* result = json::find(message, {"result"})) {
    found->second->result = *result;
  } else {
    found->second->result = fail(Code::corrupt, "the pod's shim gave no answer");
  }
  changed_.notify_all();
}

Task<> ShimConnection::read_all() {
  std::array<char, 16 * 1024> buffer;
  while (open_) {
    boost::system::error_code error;
    const std::size_t count = co_await socket_.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error || count == 0) break;
    reader_.append(std::string_view(buffer.data(), count));
    json::Value message;
    Result<bool> whole = true;
    while (open_ && (whole = reader_.next(message)) && *whole) dispatch(message);
    if (!whole) break;
  }
  close();
}

}  // namespace koi::runtime
