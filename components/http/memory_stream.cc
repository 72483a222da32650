#include "http/memory_stream.h"

#include <algorithm>
#include <deque>

#include "base/event.h"

namespace koi::http {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

// One direction.
struct Pipe {
  Pipe(const base::Executor& executor, std::size_t bytes)
      : bytes_max(bytes), readable(executor), writable(executor) {}

  std::size_t bytes_max;
  std::string bytes;
  std::size_t at = 0;  // what was read already
  bool ended = false;  // the writer is done
  bool reader_gone = false;
  base::Event readable;
  base::Event writable;

  std::size_t size() const { return bytes.size() - at; }
};

class MemoryStream final : public ByteStream {
 public:
  MemoryStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out, std::string peer_name)
      : in_(std::move(in)), out_(std::move(out)) {
    Peer peer;
    peer.address = std::move(peer_name);
    peer_ = std::make_shared<const Peer>(std::move(peer));
  }
  ~MemoryStream() override { MemoryStream::close(); }

  Result<std::optional<std::size_t>> try_read(std::span<char> buffer) override {
    if (closed_) return fail(Code::unavailable, "the stream is closed");
    const std::size_t size = std::min(buffer.size(), in_->size());
    if (size == 0) return in_->ended ? std::optional<std::size_t>(0) : std::nullopt;
    std::copy_n(in_->bytes.data() + in_->at, size, buffer.data());
    in_->at += size;
    if (in_->size() == 0) {
      in_->bytes.clear();
      in_->at = 0;
    }
    in_->writable.notify_all();
    return std::optional<std::size_t>(size);
  }

  Result<std::size_t> try_write(std::span<const std::string_view> segments) override {
    if (closed_ || out_->ended) return fail(Code::unavailable, "the stream is closed");
    if (out_->reader_gone) return fail(Code::unavailable, "the other end is gone");
    std::size_t total = 0;
    for (const std::string_view segment : segments) {
      const std::size_t size = std::min(segment.size(), out_->bytes_max - out_->size());
      out_->bytes.append(segment.substr(0, size));
      total += size;
      if (size < segment.size()) break;
    }
    if (total > 0) out_->readable.notify_all();
    return total;
  }

  Task<Result<>> wait_readable() override {
    const auto pipe = in_;
    while (!closed_ && pipe->size() == 0 && !pipe->ended) co_await pipe->readable.wait();
    if (closed_) co_return fail(Code::unavailable, "the stream is closed");
    co_return Result<>();
  }

  Task<Result<>> wait_writable() override {
    const auto pipe = out_;
    while (!closed_ && !pipe->reader_gone && pipe->size() >= pipe->bytes_max) {
      co_await pipe->writable.wait();
    }
    if (closed_) co_return fail(Code::unavailable, "the stream is closed");
    co_return Result<>();
  }

  Task<Result<>> shutdown_write() override {
    end(*out_);
    co_return Result<>();
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    end(*out_);
    in_->reader_gone = true;
    in_->readable.notify_all();
    in_->writable.notify_all();
  }

  std::shared_ptr<const Peer> peer() const override { return peer_; }

 private:
  static void end(Pipe& pipe) {
    pipe.ended = true;
    pipe.readable.notify_all();
    pipe.writable.notify_all();
  }

  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  std::shared_ptr<const Peer> peer_;
  bool closed_ = false;
};

struct Waiting {
  explicit Waiting(const base::Executor& executor) : changed(executor) {}
  std::deque<std::unique_ptr<ByteStream>> streams;
  base::Event changed;
  bool closed = false;
};

}  // namespace

StreamPair make_stream_pair(const base::Executor& executor, const MemoryStreamOptions& options) {
  auto there = std::make_shared<Pipe>(executor, options.buffer_bytes);
  auto back = std::make_shared<Pipe>(executor, options.buffer_bytes);
  auto first = std::make_unique<MemoryStream>(back, there, options.second_name);
  auto second = std::make_unique<MemoryStream>(there, back, options.first_name);
  return {std::move(first), std::move(second)};
}

struct MemoryNetwork::State {
  explicit State(base::Executor e) : executor(std::move(e)) {}
  base::Executor executor;
  std::map<std::string, std::shared_ptr<Waiting>> listeners;
  std::uint64_t dialed = 0;
};

namespace {

class MemoryListener final : public Listener {
 public:
  MemoryListener(std::weak_ptr<MemoryNetwork::State> network, std::string address,
                 std::shared_ptr<Waiting> waiting)
      : network_(std::move(network)), address_(std::move(address)), waiting_(std::move(waiting)) {}
  ~MemoryListener() override { MemoryListener::close(); }

  Task<Result<std::unique_ptr<ByteStream>>> accept(const base::Executor&) override {
    const auto waiting = waiting_;
    while (!waiting->closed && waiting->streams.empty()) co_await waiting->changed.wait();
    if (waiting->closed) co_return fail(Code::unavailable, "the listener is closed");
    auto stream = std::move(waiting->streams.front());
    waiting->streams.pop_front();
    co_return stream;
  }

  void close() override {
    if (waiting_->closed) return;
    waiting_->closed = true;
    waiting_->streams.clear();
    waiting_->changed.notify_all();
    if (const auto network = network_.lock()) network->listeners.erase(address_);
  }

  std::string address() const override { return address_; }

 private:
  std::weak_ptr<MemoryNetwork::State> network_;
  std::string address_;
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace

MemoryNetwork::MemoryNetwork(base::Executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {}
MemoryNetwork::~MemoryNetwork() = default;

Result<std::unique_ptr<Listener>> MemoryNetwork::listen(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint);
  auto [entry, added] = state_->listeners.try_emplace(address);
  if (!added) return fail(Code::already_exists, "'" + address + "' is taken");
  entry->second = std::make_shared<Waiting>(state_->executor);
  return std::make_unique<MemoryListener>(state_, address, entry->second);
}

Task<Result<std::unique_ptr<ByteStream>>> MemoryNetwork::dial(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint);
  const auto found = state_->listeners.find(address);
  if (found == state_->listeners.end()) {
    co_return fail(Code::unavailable, "nobody listens on '" + address + "'");
  }
  MemoryStreamOptions options;
  options.first_name = "memory:" + std::to_string(++state_->dialed);
  options.second_name = address;
  auto [near, far] = make_stream_pair(state_->executor, options);
  found->second->streams.push_back(std::move(far));
  found->second->changed.notify_all();
  co_return std::move(near);
}

}  // namespace koi::http
