#include "http/prefixed_stream.h"

#include <algorithm>

namespace koi::http {

namespace {

using base::Result;
using base::Task;

Task<Result<>> ready_now() { co_return Result<>(); }

class PrefixedStream final : public ByteStream {
 public:
  PrefixedStream(std::string prefix, std::unique_ptr<ByteStream> stream)
      : prefix_(std::move(prefix)), stream_(std::move(stream)) {}

  Result<std::optional<std::size_t>> try_read(std::span<char> buffer) override {
    if (prefix_.empty()) return stream_->try_read(buffer);
    const std::size_t size = std::min(buffer.size(), prefix_.size());
    std::copy_n(prefix_.data(), size, buffer.data());
    prefix_.erase(0, size);
    return std::optional<std::size_t>(size);
  }

  Result<std::size_t> try_write(std::span<const std::string_view> segments) override {
    return stream_->try_write(segments);
  }

  Task<Result<>> wait_readable() override {
    return prefix_.empty() ? stream_->wait_readable() : ready_now();
  }
  Task<Result<>> wait_writable() override { return stream_->wait_writable(); }
  bool has_unsent() const override { return stream_->has_unsent(); }
  Task<Result<>> shutdown_write() override { return stream_->shutdown_write(); }
  void close() override { stream_->close(); }
  std::shared_ptr<const Peer> peer() const override { return stream_->peer(); }
  std::string_view protocol() const override { return stream_->protocol(); }

 private:
  std::string prefix_;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace

std::unique_ptr<ByteStream> make_prefixed_stream(std::string prefix,
                                                 std::unique_ptr<ByteStream> stream) {
  if (prefix.empty()) return stream;
  return std::make_unique<PrefixedStream>(std::move(prefix), std::move(stream));
}

}  // namespace koi::http
