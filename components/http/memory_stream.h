#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "http/byte_stream.h"

// Streams within one process and one executor: what tests and simulations connect with.
namespace koi::http {

struct MemoryStreamOptions {
  std::size_t buffer_bytes = 64 * 1024;  // what one direction holds before the writer waits
  std::string first_name = "memory:1";   // the peer address that the second end sees
  std::string second_name = "memory:2";
};

using StreamPair = std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>>;

// Two connected ends.
StreamPair make_stream_pair(const base::Executor& executor,
                            const MemoryStreamOptions& options = MemoryStreamOptions());

// A network of listeners by endpoint. Outlives its listeners. One executor.
class MemoryNetwork final : public Dialer {
 public:
  explicit MemoryNetwork(base::Executor executor);
  ~MemoryNetwork() override;

  // Fails with already_exists when the endpoint is taken.
  base::Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint);
  base::Task<base::Result<std::unique_ptr<ByteStream>>> dial(const Endpoint& endpoint) override;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace koi::http
