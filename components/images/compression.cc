#include "images/compression.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "images/limits.h"
#include "linux/fd.h"

namespace koi::images {

namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;

// The stream to decompress, in pieces.
class Input {
 public:
  explicit Input(int fd) : fd_(fd), buffer_(buffer_bytes) {}

  // What was read and not yet taken; empty only at the end of the stream.
  base::Result<std::string_view> peek() {
    while (begin_ == end_) {
      const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return linux::fail_errno("read compressed stream");
      begin_ = 0;
      end_ = static_cast<std::size_t>(count);
      if (count == 0) break;
    }
    return std::string_view(buffer_.data() + begin_, end_ - begin_);
  }

  // As peek(), with at least `wanted` bytes unless the stream ends before.
  base::Result<std::string_view> peek_at_least(std::size_t wanted) {
    if (end_ - begin_ < wanted) {
      std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    while (end_ - begin_ < wanted) {
      const ssize_t count = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return linux::fail_errno("read compressed stream");
      if (count == 0) break;
      end_ += static_cast<std::size_t>(count);
    }
    return std::string_view(buffer_.data() + begin_, end_ - begin_);
  }

  void take(std::size_t count) { begin_ += count; }

 private:
  int fd_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

std::unexpected<base::Error> corrupt(std::string message) {
  return base::fail(base::Code::corrupt, std::move(message));
}

base::Result<> copy_all(Input& input, int target) {
  while (true) {
    auto piece = input.peek();
    if (!piece) return base::fail(std::move(piece).error());
    if (piece->empty()) return {};
    if (auto written = linux::write_all(target, *piece); !written) return written;
    input.take(piece->size());
  }
}

struct InflateEnd {
  void operator()(z_stream* stream) const {
    ::inflateEnd(stream);
    delete stream;
  }
};

// One member, from its header to its checksum.
base::Result<> inflate_member(z_stream& stream, Input& input, int target,
                              std::vector<char>& output) {
  while (true) {
    auto piece = input.peek();
    if (!piece) return base::fail(std::move(piece).error());
    if (piece->empty()) return corrupt("gzip stream ends early");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece->data()));
    stream.avail_in = static_cast<uInt>(piece->size());
    int outcome = Z_OK;
    do {
      stream.next_out = reinterpret_cast<Bytef*>(output.data());
      stream.avail_out = static_cast<uInt>(output.size());
      outcome = ::inflate(&stream, Z_NO_FLUSH);
      if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR) {
        return corrupt(std::string("gzip stream is damaged: ") +
                       (stream.msg != nullptr ? stream.msg : "unknown format"));
      }
      const std::size_t made = output.size() - stream.avail_out;
      if (auto written = linux::write_all(target, {output.data(), made}); !written) return written;
    } while (outcome == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0));
    input.take(piece->size() - stream.avail_in);
    if (outcome == Z_STREAM_END) return {};
  }
}

// Tapes and block devices pad with zeros; anything else behind the last member is damage.
base::Result<> expect_padding(Input& input) {
  while (true) {
    auto piece = input.peek();
    if (!piece) return base::fail(std::move(piece).error());
    if (piece->empty()) return {};
    if (!std::ranges::all_of(*piece, [](char c) { return c == '\0'; })) {
      return corrupt("gzip stream has garbage behind its end");
    }
    input.take(piece->size());
  }
}

base::Result<> gunzip(Input& input, int target) {
  std::vector<char> output(buffer_bytes);
  while (true) {
    auto head = input.peek_at_least(2);
    if (!head) return base::fail(std::move(head).error());
    if (head->empty()) return {};
    if (!head->starts_with("\x1f\x8b")) return expect_padding(input);
    std::unique_ptr<z_stream, InflateEnd> stream(new z_stream{});
    constexpr int gzip_window = 15 + 16;
    if (::inflateInit2(stream.get(), gzip_window) != Z_OK) {
      return base::fail(base::Code::internal, "gzip decoder does not start");
    }
    if (auto done = inflate_member(*stream, input, target, output); !done) return done;
  }
}

struct ZstdEnd {
  void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
};

base::Result<> unzstd(Input& input, int target) {
  std::unique_ptr<ZSTD_DCtx, ZstdEnd> context(::ZSTD_createDCtx());
  if (!context) return base::fail(base::Code::internal, "zstd decoder does not start");
  ::ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, limits::zstd_window_log_max);
  std::vector<char> output(buffer_bytes);
  std::size_t hint = 0;
  while (true) {
    auto piece = input.peek();
    if (!piece) return base::fail(std::move(piece).error());
    if (piece->empty()) return hint == 0 ? base::Result<>{} : corrupt("zstd stream ends early");
    ZSTD_inBuffer in{piece->data(), piece->size(), 0};
    bool full = false;
    while (in.pos < in.size || full) {
      ZSTD_outBuffer out{output.data(), output.size(), 0};
      hint = ::ZSTD_decompressStream(context.get(), &out, &in);
      if (::ZSTD_isError(hint) != 0) {
        return corrupt(std::string("zstd stream is damaged: ") + ::ZSTD_getErrorName(hint));
      }
      if (auto written = linux::write_all(target, {output.data(), out.pos}); !written) {
        return written;
      }
      full = out.pos == out.size && hint != 0;
    }
    input.take(in.size);
  }
}

bool is_skippable_zstd_frame(std::string_view head) {
  return head.size() >= 4 && (head[0] & '\xf0') == '\x50' && head.substr(1, 3) == "\x2a\x4d\x18";
}

}  // namespace

base::Result<Compression> detect_compression(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Compression::gzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
  if (is_skippable_zstd_frame(head)) return Compression::zstd;
  const char* name = nullptr;
  if (head.starts_with("\xfd"
                       "7zXZ"))
    name = "xz";
  if (head.starts_with("BZh")) name = "bzip2";
  if (head.starts_with("PK\x03\x04")) name = "zip";
  if (name == nullptr) return Compression::none;
  return base::fail(base::Code::unsupported,
                    std::string("is compressed with ") + name + "; use gzip, zstd or none");
}

std::string_view media_type_suffix(Compression compression) {
  switch (compression) {
    case Compression::none:
      return "";
    case Compression::gzip:
      return "+gzip";
    case Compression::zstd:
      return "+zstd";
  }
  return "";
}

base::Result<> decompress(int source, int target) {
  Input input(source);
  auto head = input.peek_at_least(6);
  if (!head) return base::fail(std::move(head).error());
  auto compression = detect_compression(*head);
  if (!compression) return base::fail(std::move(compression).error());
  switch (*compression) {
    case Compression::none:
      return copy_all(input, target);
    case Compression::gzip:
      return gunzip(input, target);
    case Compression::zstd:
      return unzstd(input, target);
  }
  return {};
}

}  // namespace koi::images
