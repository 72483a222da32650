#pragma once

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/event.h"
#include "crypto/certificate.h"
#include "http/client.h"
#include "http/deadline.h"
#include "http/memory_stream.h"
#include "http/server.h"
#include "http/url.h"
#include "testing/sim_clock.h"
#include "testing/sim_random.h"

// A server, a network in memory and certificates for the tests of this component.
namespace koi::http {

using namespace std::chrono_literals;

inline base::WallTime test_start() { return base::parse_time("2026-01-02T03:04:05Z").value(); }

// A CA, a server and two clients, one of a CA that nobody knows.
struct TestPki {
  struct Pair {
    std::string certificate;
    std::string key;
  };

  TestPki() : random(1) {
    auto ca = make_ca();
    auto stranger = make_ca();
    ca_pem = ca.certificate().to_pem().value();
    server = issue(ca, "server", true);
    client = issue(ca, "system:node:a", false);
    unknown = issue(stranger, "system:admin", false);
  }

  crypto::CertificateAuthority make_ca() {
    const auto key = crypto::PrivateKey::generate(random).value();
    const crypto::CaSpec spec{
        .common_name = "test", .not_before = test_start() - 1h, .not_after = test_start() + 1000h};
    return crypto::CertificateAuthority::make(crypto::make_ca(random, key, spec).value(), key)
        .value();
  }

  Pair issue(const crypto::CertificateAuthority& ca, std::string name, bool is_server) {
    crypto::CertificateSpec spec;
    spec.subject = {.common_name = std::move(name), .organizations = {"system:nodes"}};
    spec.client_auth = !is_server;
    spec.server_auth = is_server;
    if (is_server) spec.names = {.dns = {"koi.test"}, .ips = {"127.0.0.1"}};
    spec.not_before = test_start() - 1h;
    spec.not_after = test_start() + 100h;
    const auto key = crypto::PrivateKey::generate(random).value();
    const auto issued = ca.issue(random, key.public_key().value(), spec).value();
    return {issued.to_pem().value(), key.to_pem().value()};
  }

  testing::SimRandom random;
  std::string ca_pem;
  Pair server;
  Pair client;
  Pair unknown;
};

// Gives `count` numbered chunks, then waits for ever if told so.
class CountingBody final : public BodyStream {
 public:
  CountingBody(base::Event& never, int count, bool endless, int& destroyed)
      : never_(never), left_(count), endless_(endless), destroyed_(destroyed) {}
  ~CountingBody() override { ++destroyed_; }

  base::Task<base::Result<std::optional<Segments>>> next() override {
    if (left_ == 0) {
      if (!endless_) co_return std::optional<Segments>();
      for (;;) co_await never_.wait();
    }
    auto line = std::make_shared<const std::string>("chunk " + std::to_string(left_--) + "\n");
    co_return std::optional<Segments>(Segments{line, line});
  }

 private:
  base::Event& never_;
  int left_;
  bool endless_;
  int& destroyed_;
};

// Sends back what it reads, in capitals.
class EchoUpgrade final : public Upgrade {
 public:
  base::Task<> run(std::unique_ptr<ByteStream> stream) override {
    for (;;) {
      std::array<char, 64> buffer;
      auto got = co_await stream->read_some(buffer);
      if (!got || *got == 0) co_return;
      std::string text(buffer.data(), *got);
      for (char& c : text) c = static_cast<char>(std::toupper(c));
      auto written = co_await stream->write(text);
      if (!written) co_return;
    }
  }
};

class TestHandler final : public Handler {
 public:
  TestHandler(base::Clock& clock_in, const base::Executor& executor)
      : clock(clock_in), never(executor) {}

  base::Task<Response> handle(Request& request) override {
    ++handled;
    const auto path = request.path();
    const auto query = Query::parse(request.query()).value();
    if (path == "/throw") throw std::runtime_error("on purpose");
    if (path == "/hang") co_return co_await hang();
    if (path == "/whoami") co_return whoami(request);
    if (path == "/big") {
      const auto size = std::stoul(std::string(query.get("n")));
      Response response;
      response.body = std::make_shared<const std::string>(size, 'x');
      co_return response;
    }
    if (path == "/stream" || path == "/watch") {
      const int count = std::stoi(std::string(query.get("n")));
      Response response;
      response.body = std::make_unique<CountingBody>(never, count, path == "/watch", destroyed);
      co_return response;
    }
    if (path == "/slow-upgrade") co_await clock.sleep_for(5s);
    if (path.ends_with("upgrade")) {
      Response response;
      response.status = 101;
      response.headers.add("Connection", "Upgrade");
      response.headers.add("Upgrade", "echo");
      response.upgrade = std::make_unique<EchoUpgrade>();
      co_return response;
    }
    Response response = Response::text(path == "/echo" ? 200 : 404, request.body);
    response.headers.add("X-Method", method_name(request.method));
    response.headers.add("X-Target", request.target);
    response.headers.add("X-Host", request.headers.get("host"));
    co_return response;
  }

  base::Clock& clock;
  base::Event never;
  int handled = 0;
  int cancelled = 0;
  int destroyed = 0;

 private:
  base::Task<Response> hang() {
    try {
      for (;;) co_await never.wait();
    } catch (const std::exception&) {
      ++cancelled;
      throw;
    }
  }

  static Response whoami(const Request& request) {
    const Peer& peer = *request.peer;
    if (!peer.certificate_error.empty()) return Response::text(401, peer.certificate_error);
    if (!peer.identity) return Response::text(200, "anonymous");
    return Response::text(200,
                          peer.identity->common_name + "/" + peer.identity->organizations.front());
  }
};

enum class Speak { h1, h2, h1_tls, h2_tls };
inline constexpr Speak all_ways[] = {Speak::h1, Speak::h2, Speak::h1_tls, Speak::h2_tls};

struct World {
  explicit World(ServerOptions options = {})
      : clock(test_start()),
        tasks(io.get_executor()),
        network(io.get_executor()),
        handler(clock, io.get_executor()),
        server(clock, handler, {io.get_executor()}, options) {
    server.listen(network.listen(plain).value());
    const ServerTls tls{.certificate_chain_pem = pki.server.certificate,
                        .key_pem = pki.server.key,
                        .client_ca_pem = pki.ca_pem};
    server_tls = TlsServerContext::make(clock, tls).value();
    server.listen(network.listen(secure).value(), server_tls);
  }

  ~World() {
    if (!stopped) run(stop(1s));
  }

  // Runs a task to its end, moving time on when nothing is ready.
  void run(base::Task<> task, base::Duration horizon = 24h) {
    bool done = false;
    tasks.spawn("test", finish(std::move(task), done));
    testing::run_until(io, clock, horizon, [&] { return done; });
    REQUIRE(done);
    testing::run_ready(io);
  }

  base::Task<> stop(base::Duration grace) {
    stopped = true;
    co_await server.stop(grace);
  }

  base::Task<std::unique_ptr<Client>> connect(Speak speak) {
    ClientTls config;
    config.ca_pem = pki.ca_pem;
    config.server_name = "koi.test";
    co_return (co_await connect_with(speak, config)).value();
  }

  base::Task<base::Result<std::unique_ptr<Client>>> connect_with(Speak speak, ClientTls config) {
    const bool tls = speak == Speak::h1_tls || speak == Speak::h2_tls;
    if (speak == Speak::h1_tls) config.protocols = {"http/1.1"};
    ClientOptions options;
    options.prior_knowledge_http2 = speak == Speak::h2;
    options.ping_interval = 0s;
    std::shared_ptr<TlsClientContext> context;
    if (tls) context = TlsClientContext::make(clock, config).value();
    const Endpoint& endpoint = tls ? secure : plain;
    co_return co_await Client::connect(clock, network, endpoint, "koi.test", context, options);
  }

  // One request on a connection of its own; the response's whole body.
  base::Task<Response> ask(Speak speak, Request request) {
    auto client = co_await connect(speak);
    auto response = co_await client->send(std::move(request));
    co_await client->stop();
    co_return std::move(response).value();
  }

  static base::Task<> finish(base::Task<> task, bool& done) {
    co_await std::move(task);
    done = true;
  }

  const Endpoint plain{.host = "server", .port = 80, .unix_path = {}};
  const Endpoint secure{.host = "server", .port = 443, .unix_path = {}};
  TestPki pki;
  boost::asio::io_context io;
  testing::SimClock clock;
  base::TaskGroup tasks;
  MemoryNetwork network;
  TestHandler handler;
  Server server;
  std::shared_ptr<TlsServerContext> server_tls;
  bool stopped = false;
};

inline Request get(std::string target) {
  Request request;
  request.target = std::move(target);
  return request;
}

inline Request post(std::string target, std::string body) {
  Request request;
  request.method = Method::post;
  request.target = std::move(target);
  request.body = std::move(body);
  return request;
}

}  // namespace koi::http
