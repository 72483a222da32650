#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <mutex>

#include "http/tls_stream.h"

namespace koi::http {

using base::Code;
using base::fail;
using base::Result;
using base::Task;

namespace {

Result<crypto::Certificate> certificate_of(X509* x509) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(x509, &der);
  if (size <= 0) return fail(tls_error(Code::invalid, "read the certificate"));
  auto certificate = crypto::Certificate::from_der(
      {reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return certificate;
}

// The leaf and what came with it, judged against the material's roots.
Result<crypto::Certificate> judge(const TlsMaterial& material, X509* leaf, STACK_OF(X509) * chain,
                                  crypto::Purpose purpose, base::WallTime now) {
  constexpr int chain_max = 10;
  auto certificate = certificate_of(leaf);
  if (!certificate) return certificate;
  std::vector<crypto::Certificate> intermediates;
  const int count = chain == nullptr ? 0 : std::min(sk_X509_num(chain), chain_max);
  for (int i = 0; i < count; ++i) {
    auto intermediate = certificate_of(sk_X509_value(chain, i));
    if (!intermediate) return intermediate;
    intermediates.push_back(std::move(*intermediate));
  }
  auto good = crypto::verify_chain(*certificate, intermediates, material.roots, purpose, now);
  if (!good) return fail(std::move(good).error());
  return certificate;
}

Result<ClientIdentity> identify(const crypto::Certificate& certificate) {
  auto subject = certificate.subject();
  if (!subject) return fail(std::move(subject).error());
  auto digest = certificate.sha256();
  if (!digest) return fail(std::move(digest).error());
  return ClientIdentity{std::move(subject->common_name), std::move(subject->organizations),
                        std::move(*digest)};
}

std::shared_ptr<const Peer> judge_client(const TlsMaterial& material, TlsStream& stream) {
  Peer peer;
  peer.address = stream.lower().peer()->address;
  peer.tls = true;
  X509* leaf = SSL_get0_peer_certificate(stream.ssl());
  if (leaf != nullptr) {
    STACK_OF(X509)* chain = SSL_get_peer_cert_chain(stream.ssl());
    auto certificate = judge(material, leaf, chain, crypto::Purpose::client, stream.now);
    auto identity = certificate ? identify(*certificate)
                                : Result<ClientIdentity>(fail(std::move(certificate).error()));
    if (identity) {
      peer.identity = std::move(*identity);
    } else {
      peer.certificate_error = identity.error().message;
    }
  }
  return std::make_shared<const Peer>(std::move(peer));
}

// Clients are judged once the handshake is done: a refusal should be an answer with a status, and
// a resumed session must be judged again.
int accept_any_certificate(X509_STORE_CTX*, void*) { return 1; }

int refuse(X509_STORE_CTX* context, TlsStream& stream, int why, std::string message) {
  X509_STORE_CTX_set_error(context, why);
  stream.refusal = std::move(message);
  return 0;
}

// Runs inside a client's handshake, so that nothing is shown to a server that is not the right one.
int judge_server(X509_STORE_CTX* context, void* argument) {
  const auto& material = *static_cast<const TlsMaterial*>(argument);
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& stream = *static_cast<TlsStream*>(SSL_get_app_data(ssl));
  if (material.skip_verification) return 1;
  X509* leaf = X509_STORE_CTX_get0_cert(context);
  auto good = judge(material, leaf, X509_STORE_CTX_get0_untrusted(context), crypto::Purpose::server,
                    stream.now);
  if (!good) {
    return refuse(context, stream, X509_V_ERR_CERT_UNTRUSTED,
                  "the server's certificate: " + good.error().message);
  }
  const std::string& name = material.server_name;
  const bool matches = X509_check_ip_asc(leaf, name.c_str(), 0) == 1 ||
                       X509_check_host(leaf, name.data(), name.size(), 0, nullptr) == 1;
  ERR_clear_error();
  if (!matches) {
    return refuse(context, stream, X509_V_ERR_HOSTNAME_MISMATCH,
                  "the server's certificate is not for '" + name + "'");
  }
  return 1;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void* argument) {
  const auto& material = *static_cast<const TlsMaterial*>(argument);
  unsigned char* chosen = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(material.protocols.data());
  const int result = SSL_select_next_proto(
      &chosen, out_size, ours, static_cast<unsigned int>(material.protocols.size()), in, in_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Result<> ask_for_clients(TlsMaterial& material, const std::string& ca_pem) {
  auto roots = crypto::Certificate::all_from_pem(ca_pem);
  if (!roots) return fail(std::move(roots).error().during("client CA"));
  material.roots = std::move(*roots);
  for (const auto& root : material.roots) {
    auto der = root.to_der();
    if (!der) return fail(std::move(der).error());
    const auto* at = reinterpret_cast<const unsigned char*>(der->data());
    X509* x509 = d2i_X509(nullptr, &at, static_cast<long>(der->size()));
    const int added = SSL_CTX_add_client_CA(material.context.get(), x509);
    X509_free(x509);
    if (added != 1) return fail(tls_error(Code::invalid, "client CA"));
  }
  SSL_CTX_set_verify(material.context.get(), SSL_VERIFY_PEER, nullptr);
  return {};
}

Result<std::shared_ptr<const TlsMaterial>> make_server_material(const ServerTls& config) {
  auto made = make_tls_material(true);
  if (!made) return fail(std::move(made).error());
  TlsMaterial& material = **made;
  SSL_CTX* context = material.context.get();
  auto used = use_certificate(*context, config.certificate_chain_pem, config.key_pem);
  if (!used) return fail(std::move(used).error().during("server certificate"));
  if (!config.client_ca_pem.empty()) {
    auto asked = ask_for_clients(material, config.client_ca_pem);
    if (!asked) return fail(std::move(asked).error());
  }
  material.protocols = std::string("\x02h2\x08http/1.1");
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, &material);
  SSL_CTX_set_cert_verify_callback(context, accept_any_certificate, nullptr);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("koi"), 3);
  SSL_CTX_set_num_tickets(context, 1);
  return std::shared_ptr<const TlsMaterial>(std::move(*made));
}

}  // namespace

struct TlsServerContext::Impl {
  Impl(base::Clock& clock_in, std::shared_ptr<const TlsMaterial> material_in)
      : clock(clock_in), material(std::move(material_in)) {}

  std::shared_ptr<const TlsMaterial> current() {
    const std::scoped_lock lock(mutex);
    return material;
  }

  base::Clock& clock;
  std::mutex mutex;
  std::shared_ptr<const TlsMaterial> material;
};

TlsServerContext::TlsServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::make(base::Clock& clock,
                                                                 const ServerTls& config) {
  auto material = make_server_material(config);
  if (!material) return fail(std::move(material).error());
  return std::make_shared<TlsServerContext>(std::make_unique<Impl>(clock, std::move(*material)));
}

Result<> TlsServerContext::replace(const ServerTls& config) {
  auto material = make_server_material(config);
  if (!material) return fail(std::move(material).error());
  const std::scoped_lock lock(impl_->mutex);
  impl_->material = std::move(*material);
  return {};
}

Task<Result<std::unique_ptr<ByteStream>>> TlsServerContext::accept(
    std::unique_ptr<ByteStream> stream) {
  const auto material = impl_->current();
  auto secured = std::make_unique<TlsStream>(material, std::move(stream));
  secured->now = impl_->clock.wall_now();
  auto shaken = co_await secured->handshake();
  if (!shaken) co_return fail(std::move(shaken).error());
  secured->set_peer(judge_client(*material, *secured));
  co_return std::unique_ptr<ByteStream>(std::move(secured));
}

struct TlsClientContext::Impl {
  base::Clock& clock;
  std::shared_ptr<const TlsMaterial> material;
};

TlsClientContext::TlsClientContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::make(base::Clock& clock,
                                                                 const ClientTls& config) {
  auto made = make_tls_material(false);
  if (!made) return fail(std::move(made).error());
  TlsMaterial& material = **made;
  SSL_CTX* context = material.context.get();
  material.server_name = config.server_name;
  material.skip_verification = config.skip_verification;
  if (!config.skip_verification) {
    auto roots = crypto::Certificate::all_from_pem(config.ca_pem);
    if (!roots) return fail(std::move(roots).error().during("server CA"));
    material.roots = std::move(*roots);
  }
  if (!config.certificate_chain_pem.empty()) {
    auto used = use_certificate(*context, config.certificate_chain_pem, config.key_pem);
    if (!used) return fail(std::move(used).error().during("client certificate"));
  }
  for (const std::string& protocol : config.protocols) {
    if (protocol.empty() || protocol.size() > 255) return fail(Code::invalid, "protocol name");
    material.protocols += static_cast<char>(protocol.size());
    material.protocols += protocol;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, judge_server, &material);
  auto impl = std::make_unique<Impl>(clock, std::shared_ptr<const TlsMaterial>(std::move(*made)));
  return std::make_shared<TlsClientContext>(std::move(impl));
}

Task<Result<std::unique_ptr<ByteStream>>> TlsClientContext::connect(
    std::unique_ptr<ByteStream> stream) {
  const auto material = impl_->material;
  auto secured = std::make_unique<TlsStream>(material, std::move(stream));
  secured->now = impl_->clock.wall_now();
  if (secured->ssl() != nullptr) {
    // An address is never sent as a server name (RFC 6066 section 3).
    const std::string& name = material->server_name;
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
    if (address == nullptr && !name.empty()) {
      SSL_set_tlsext_host_name(secured->ssl(), name.c_str());
    }
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    const auto& protocols = material->protocols;
    SSL_set_alpn_protos(secured->ssl(), reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned int>(protocols.size()));
  }
  auto shaken = co_await secured->handshake();
  if (!shaken) co_return fail(std::move(shaken).error());
  Peer peer;
  peer.address = secured->lower().peer()->address;
  peer.tls = true;
  secured->set_peer(std::make_shared<const Peer>(std::move(peer)));
  co_return std::unique_ptr<ByteStream>(std::move(secured));
}

}  // namespace koi::http
