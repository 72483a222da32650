#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "crypto/certificate.h"
#include "http/byte_stream.h"

// TLS over a stream of ours. For the TLS sources of this component only.
namespace koi::http {

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeBioMethod {
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

// What the handshakes of one configuration share. Constant once made; connections keep it alive.
struct TlsMaterial {
  std::unique_ptr<BIO_METHOD, FreeBioMethod> bio_method;
  std::unique_ptr<SSL_CTX, FreeSslContext> context;
  std::vector<crypto::Certificate> roots;
  std::string protocols;    // as ALPN sends them
  std::string server_name;  // of clients
  bool is_server = false;
  bool skip_verification = false;
};

// The settings that both sides share: TLS 1.2 and up, little memory when idle.
base::Result<std::shared_ptr<TlsMaterial>> make_tls_material(bool is_server);
// Fails with invalid when the texts are broken or do not belong together.
base::Result<> use_certificate(SSL_CTX& context, const std::string& chain_pem,
                               const std::string& key_pem);
// The oldest error that OpenSSL queued, behind what was being done; empties the queue.
base::Error tls_error(base::Code code, std::string_view action);

// Encrypts what goes through another stream, without waiting inside OpenSSL: its reads and writes
// go to try_read and to a string of records that are sent together.
class TlsStream final : public ByteStream {
 public:
  TlsStream(std::shared_ptr<const TlsMaterial> material, std::unique_ptr<ByteStream> lower);
  ~TlsStream() override;

  // Must succeed before anything else is called.
  base::Task<base::Result<>> handshake();
  void set_peer(std::shared_ptr<const Peer> peer) { peer_ = std::move(peer); }
  SSL* ssl() { return ssl_.get(); }
  const ByteStream& lower() const { return *lower_; }
  // Time at which certificates are judged; why the other end's was refused.
  base::WallTime now;
  std::string refusal;

  base::Result<std::optional<std::size_t>> try_read(std::span<char> buffer) override;
  base::Result<std::size_t> try_write(std::span<const std::string_view> segments) override;
  base::Task<base::Result<>> wait_readable() override;
  base::Task<base::Result<>> wait_writable() override;
  bool has_unsent() const override { return unsent_at_ < unsent_.size(); }
  base::Task<base::Result<>> shutdown_write() override;
  void close() override;
  std::shared_ptr<const Peer> peer() const override { return peer_; }
  std::string_view protocol() const override;

  // What OpenSSL calls.
  int bio_read(BIO* bio, char* data, int size);
  int bio_write(const char* data, int size);
  bool lower_ended() const { return lower_ended_; }

 private:
  base::Result<> flush();
  base::Result<std::size_t> encrypt(std::string_view bytes);
  base::Task<base::Result<>> send_all();

  std::shared_ptr<const TlsMaterial> material_;
  std::unique_ptr<ByteStream> lower_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::shared_ptr<const Peer> peer_;
  std::string unsent_;  // encrypted records
  std::size_t unsent_at_ = 0;
  bool must_wait_ = false;  // nothing is left inside OpenSSL to read
  bool lower_ended_ = false;
  bool broken_ = false;
  bool shaken_ = false;
};

}  // namespace koi::http
