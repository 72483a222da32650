#include "http/tls_stream.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>

#include "crypto/bootstrap.h"

namespace koi::http {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::size_t record_bytes_max = 16 * 1024;
// Records that wait for the socket; more is not encrypted before these are gone.
constexpr std::size_t unsent_bytes_max = 128 * 1024;
Task<Result<>> ready_now() { co_return Result<>(); }

TlsStream& stream_of(BIO* bio) { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

int read_callback(BIO* bio, char* data, int size) {
  return stream_of(bio).bio_read(bio, data, size);
}

int write_callback(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  return stream_of(bio).bio_write(data, size);
}

long control_callback(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return stream_of(bio).lower_ended() ? 1 : 0;
  return 0;
}

int create_callback(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

}  // namespace

base::Error tls_error(Code code, std::string_view action) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  std::string message(action);
  if (error != 0) {
    const char* reason = ERR_reason_error_string(error);
    message += ": ";
    message += reason != nullptr ? std::string(reason)
                                 : "TLS error " + std::to_string(ERR_GET_REASON(error));
  }
  return {code, std::move(message)};
}

Result<std::shared_ptr<TlsMaterial>> make_tls_material(bool is_server) {
  crypto::bootstrap();
  auto material = std::make_shared<TlsMaterial>();
  material->is_server = is_server;
  material->bio_method.reset(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream"));
  material->context.reset(SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
  auto* method = material->bio_method.get();
  auto* context = material->context.get();
  if (method == nullptr || context == nullptr || BIO_meth_set_read(method, read_callback) != 1 ||
      BIO_meth_set_write(method, write_callback) != 1 ||
      BIO_meth_set_ctrl(method, control_callback) != 1 ||
      BIO_meth_set_create(method, create_callback) != 1 ||
      SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return fail(tls_error(Code::internal, "set TLS up"));
  }
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return material;
}

Result<> use_certificate(SSL_CTX& context, const std::string& chain_pem,
                         const std::string& key_pem) {
  auto chain = crypto::Certificate::all_from_pem(chain_pem);
  if (!chain) return fail(std::move(chain).error());
  bool first = true;
  for (const auto& certificate : *chain) {
    auto der = certificate.to_der();
    if (!der) return fail(std::move(der).error());
    const auto* at = reinterpret_cast<const unsigned char*>(der->data());
    X509* x509 = d2i_X509(nullptr, &at, static_cast<long>(der->size()));
    if (x509 == nullptr) return fail(tls_error(Code::invalid, "use a certificate"));
    const long used =
        first ? SSL_CTX_use_certificate(&context, x509) : SSL_CTX_add1_chain_cert(&context, x509);
    X509_free(x509);
    if (used != 1) return fail(tls_error(Code::invalid, "use a certificate"));
    first = false;
  }
  const std::unique_ptr<BIO, decltype([](BIO* bio) { BIO_free(bio); })> bio(
      BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr);
  if (key == nullptr) return fail(tls_error(Code::invalid, "read the private key"));
  const int used = SSL_CTX_use_PrivateKey(&context, key);
  EVP_PKEY_free(key);
  if (used != 1 || SSL_CTX_check_private_key(&context) != 1) {
    return fail(tls_error(Code::invalid, "the key is not the certificate's"));
  }
  return {};
}

TlsStream::TlsStream(std::shared_ptr<const TlsMaterial> material, std::unique_ptr<ByteStream> lower)
    : material_(std::move(material)),
      lower_(std::move(lower)),
      ssl_(SSL_new(material_->context.get())),
      peer_(lower_->peer()) {
  BIO* bio = ssl_ ? BIO_new(material_->bio_method.get()) : nullptr;
  broken_ = bio == nullptr;
  if (broken_) return;
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  if (material_->is_server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

TlsStream::~TlsStream() { TlsStream::close(); }

int TlsStream::bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  auto got = lower_->try_read({data, static_cast<std::size_t>(size)});
  if (!got) return -1;
  if (!got->has_value()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  if (**got == 0) lower_ended_ = true;
  return static_cast<int>(**got);
}

int TlsStream::bio_write(const char* data, int size) {
  unsent_.append(data, static_cast<std::size_t>(size));
  return size;
}

Result<> TlsStream::flush() {
  while (has_unsent()) {
    const std::string_view rest = std::string_view(unsent_).substr(unsent_at_);
    auto taken = lower_->try_write({&rest, 1});
    if (!taken) {
      broken_ = true;
      return fail(std::move(taken).error());
    }
    if (*taken == 0) return {};
    unsent_at_ += *taken;
  }
  unsent_at_ = 0;
  unsent_ = std::string();  // an idle connection holds no buffer
  return {};
}

Task<Result<>> TlsStream::send_all() {
  auto flushed = flush();
  while (flushed && has_unsent()) {
    auto ready = co_await lower_->wait_writable();
    if (!ready) co_return ready;
    flushed = flush();
  }
  co_return flushed;
}

Task<Result<>> TlsStream::handshake() {
  if (broken_) co_return fail(Code::internal, "set a TLS connection up: out of memory");
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    const int why = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
    auto failure = tls_error(Code::unavailable, "TLS handshake");
    // Also when it failed: the other end should learn why.
    auto sent = co_await send_all();
    if (result == 1 && sent) break;
    if (why != SSL_ERROR_WANT_READ) {
      broken_ = true;
      if (!refusal.empty()) co_return fail(Code::unauthorized, refusal);
      co_return fail(std::move(failure));
    }
    if (!sent) co_return sent;
    auto ready = co_await lower_->wait_readable();
    if (!ready) co_return fail(std::move(ready).error().during("TLS handshake"));
  }
  shaken_ = true;
  co_return Result<>();
}

Result<std::optional<std::size_t>> TlsStream::try_read(std::span<char> buffer) {
  if (broken_) return fail(Code::unavailable, "the connection is closed");
  ERR_clear_error();
  const int size = static_cast<int>(std::min<std::size_t>(buffer.size(), 1 << 30));
  const int got = SSL_read(ssl_.get(), buffer.data(), size);
  if (got > 0) {
    must_wait_ = SSL_has_pending(ssl_.get()) == 0;
    return std::optional<std::size_t>(static_cast<std::size_t>(got));
  }
  const int why = SSL_get_error(ssl_.get(), got);
  if (auto flushed = flush(); !flushed) return fail(std::move(flushed).error());
  must_wait_ = true;
  if (why == SSL_ERROR_WANT_READ) return std::optional<std::size_t>();
  if (why == SSL_ERROR_ZERO_RETURN) return std::optional<std::size_t>(0);
  broken_ = true;
  return fail(tls_error(Code::unavailable, "the TLS connection broke off"));
}

Result<std::size_t> TlsStream::encrypt(std::string_view bytes) {
  ERR_clear_error();
  const int put = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (put > 0) return static_cast<std::size_t>(put);
  if (SSL_get_error(ssl_.get(), put) == SSL_ERROR_WANT_READ) return 0;
  broken_ = true;
  return fail(tls_error(Code::unavailable, "write to the TLS connection"));
}

Result<std::size_t> TlsStream::try_write(std::span<const std::string_view> segments) {
  if (broken_) return fail(Code::unavailable, "the connection is closed");
  if (auto flushed = flush(); !flushed) return fail(std::move(flushed).error());
  std::array<char, record_bytes_max> record;
  std::size_t total = 0;
  std::size_t offset = 0;  // into the first segment
  while (!segments.empty() && unsent_.size() - unsent_at_ < unsent_bytes_max) {
    std::string_view piece = segments.front().substr(offset);
    if (piece.size() >= record.size() || segments.size() == 1) {
      piece = piece.substr(0, record.size());
    } else {
      std::size_t filled = 0;
      std::size_t from = offset;
      for (const std::string_view segment : segments) {
        const std::size_t size = std::min(segment.size() - from, record.size() - filled);
        std::copy_n(segment.data() + from, size, record.data() + filled);
        filled += size;
        from = 0;
        if (filled == record.size()) break;
      }
      piece = std::string_view(record.data(), filled);
    }
    auto put = piece.empty() ? Result<std::size_t>(0) : encrypt(piece);
    if (!put) return put;
    if (*put == 0 && !piece.empty()) break;
    total += *put;
    offset += *put;
    while (!segments.empty() && offset >= segments.front().size()) {
      offset -= segments.front().size();
      segments = segments.subspan(1);
    }
  }
  if (auto flushed = flush(); !flushed) return fail(std::move(flushed).error());
  return total;
}

Task<Result<>> TlsStream::wait_readable() {
  if (broken_ || must_wait_) return lower_->wait_readable();
  return ready_now();
}

Task<Result<>> TlsStream::wait_writable() {
  auto ready = co_await lower_->wait_writable();
  if (!ready) co_return ready;
  co_return flush();
}

Task<Result<>> TlsStream::shutdown_write() {
  if (broken_ || !shaken_) co_return fail(Code::unavailable, "the connection is closed");
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  auto sent = co_await send_all();
  if (!sent) co_return sent;
  co_return co_await lower_->shutdown_write();
}

void TlsStream::close() {
  if (!broken_ && shaken_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    (void)flush();
  }
  broken_ = true;
  lower_->close();
}

std::string_view TlsStream::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace koi::http
