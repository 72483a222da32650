#include "http/byte_stream.h"

#include <vector>

namespace koi::http {

using base::Result;
using base::Task;

Task<Result<std::size_t>> ByteStream::read_some(std::span<char> buffer) {
  for (;;) {
    auto got = try_read(buffer);
    if (!got) co_return base::fail(std::move(got).error());
    if (got->has_value()) co_return **got;
    auto ready = co_await wait_readable();
    if (!ready) co_return base::fail(std::move(ready).error());
  }
}

Task<Result<>> ByteStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    auto taken = try_write({&bytes, 1});
    if (!taken) co_return base::fail(std::move(taken).error());
    bytes.remove_prefix(*taken);
    if (bytes.empty()) break;
    auto ready = co_await wait_writable();
    if (!ready) co_return ready;
  }
  while (has_unsent()) {
    auto ready = co_await wait_writable();
    if (!ready) co_return ready;
  }
  co_return Result<>();
}

Task<Result<>> ByteStream::write_all(std::span<const std::string_view> segments) {
  std::vector<std::string_view> rest(segments.begin(), segments.end());
  std::size_t at = 0;
  while (at < rest.size()) {
    auto taken = try_write(std::span(rest).subspan(at));
    if (!taken) co_return base::fail(std::move(taken).error());
    std::size_t left = *taken;
    while (at < rest.size() && left >= rest[at].size()) left -= rest[at++].size();
    if (at == rest.size()) break;
    rest[at].remove_prefix(left);
    auto ready = co_await wait_writable();
    if (!ready) co_return ready;
  }
  while (has_unsent()) {
    auto ready = co_await wait_writable();
    if (!ready) co_return ready;
  }
  co_return Result<>();
}

std::string to_string(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return "unix:" + endpoint.unix_path;
  const bool six = endpoint.host.find(':') != std::string::npos;
  return (six ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

}  // namespace koi::http
