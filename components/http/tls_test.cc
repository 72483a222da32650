#include "http/tls.h"

#include "http/test_world.h"

namespace koi::http {

namespace {

using base::Code;
using base::Task;

Task<> ask_who(World& world, Speak speak, ClientTls config, Response& response) {
  config.ca_pem = world.pki.ca_pem;
  config.server_name = "koi.test";
  auto client = (co_await world.connect_with(speak, config)).value();
  auto request = get("/whoami");
  auto answer = co_await client->send(std::move(request));
  co_await client->stop();
  response = std::move(answer).value();
}

Response who(World& world, Speak speak, const TestPki::Pair& pair) {
  ClientTls config;
  config.certificate_chain_pem = pair.certificate;
  config.key_pem = pair.key;
  Response response;
  world.run(ask_who(world, speak, config, response));
  return response;
}

Task<> try_connect(World& world, ClientTls config, base::Result<>& outcome) {
  auto client = co_await world.connect_with(Speak::h2_tls, config);
  if (!client) {
    outcome = base::fail(std::move(client).error());
    co_return;
  }
  outcome = {};
  co_await (*client)->stop();
}

base::Result<> connect(World& world, const ClientTls& config) {
  base::Result<> outcome;
  world.run(try_connect(world, config, outcome));
  return outcome;
}

}  // namespace

TEST_CASE("a client certificate names the client") {
  World world;
  for (const Speak speak : {Speak::h1_tls, Speak::h2_tls}) {
    CHECK(body_text(who(world, speak, world.pki.client).body) == "system:node:a/system:nodes");
    CHECK(body_text(who(world, speak, {}).body) == "anonymous");
  }
}

TEST_CASE("a client certificate that cannot be verified reaches the handler as an error") {
  World world;
  const Response unknown = who(world, Speak::h2_tls, world.pki.unknown);
  CHECK(unknown.status == 401);
  CHECK(body_text(unknown.body).find("cannot be trusted") != std::string::npos);
  // A server's certificate is no client's.
  CHECK(who(world, Speak::h2_tls, world.pki.server).status == 401);
}

TEST_CASE("a server that is not the right one is refused") {
  World world;
  TestPki other;
  ClientTls config;
  config.server_name = "koi.test";
  config.ca_pem = world.pki.ca_pem;
  CHECK(connect(world, config).has_value());
  config.server_name = "127.0.0.1";
  CHECK(connect(world, config).has_value());
  config.server_name = "koi.other";
  const auto wrong_name = connect(world, config);
  CHECK(wrong_name.error().code == Code::unauthorized);
  CHECK(wrong_name.error().message.find("not for 'koi.other'") != std::string::npos);
  config.server_name = "127.0.0.2";
  CHECK_FALSE(connect(world, config).has_value());
  config.server_name = "koi.test";
  other.random = testing::SimRandom(99);
  config.ca_pem = other.make_ca().certificate().to_pem().value();
  CHECK(connect(world, config).error().code == Code::unauthorized);
  config.skip_verification = true;
  CHECK(connect(world, config).has_value());
}

TEST_CASE("certificates are judged by the clock that is given") {
  World world;
  ClientTls config;
  config.server_name = "koi.test";
  config.ca_pem = world.pki.ca_pem;
  world.clock.set_wall(test_start() + 101h);
  CHECK(connect(world, config).error().message.find("expired") != std::string::npos);
  world.clock.set_wall(test_start() - 2h);
  CHECK(connect(world, config).error().message.find("not yet valid") != std::string::npos);
}

TEST_CASE("a replaced certificate serves the next connection") {
  World world;
  TestPki next;
  next.random = testing::SimRandom(5);
  auto ca = next.make_ca();
  const auto pair = next.issue(ca, "next", true);
  const ServerTls tls{
      .certificate_chain_pem = pair.certificate, .key_pem = pair.key, .client_ca_pem = {}};
  CHECK(world.server_tls->replace(tls).has_value());
  ClientTls config;
  config.server_name = "koi.test";
  config.ca_pem = ca.certificate().to_pem().value();
  CHECK(connect(world, config).has_value());
  ServerTls broken = tls;
  broken.key_pem = world.pki.client.key;
  CHECK_FALSE(world.server_tls->replace(broken).has_value());
  CHECK(connect(world, config).has_value());
}

TEST_CASE("what is no TLS, or stops half way, ends within the handshake timeout") {
  World world;
  auto check = [](World& w) -> Task<> {
    const std::string_view openings[] = {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", ""};
    for (const std::string_view opening : openings) {
      auto stream = (co_await w.network.dial(w.secure)).value();
      auto written = co_await stream->write(opening);
      CHECK(written.has_value());
      const auto began = w.clock.now();
      for (;;) {
        std::array<char, 256> buffer;
        auto got = co_await stream->read_some(buffer);
        if (!got || *got == 0) break;
      }
      CHECK(w.clock.now() - began <= base::limits::tls_handshake_timeout + 1s);
    }
  };
  world.run(check(world));
  CHECK(world.server.statistics().connections == 0);
}

TEST_CASE("a TLS connection that is cut reads as broken, not as ended") {
  World world;
  auto check = [](World& w) -> Task<> {
    MemoryStreamOptions options;
    auto [near, far] = make_stream_pair(w.io.get_executor(), options);
    ClientTls config;
    config.server_name = "koi.test";
    config.ca_pem = w.pki.ca_pem;
    const auto context = TlsClientContext::make(w.clock, config).value();
    std::unique_ptr<ByteStream> server;
    base::TaskGroup group(w.io.get_executor());
    const auto accept = [](World& world_in, std::unique_ptr<ByteStream> raw,
                           std::unique_ptr<ByteStream>& out) -> Task<> {
      out = (co_await world_in.server_tls->accept(std::move(raw))).value();
    };
    ByteStream& raw = *far;
    group.spawn("accept", accept(w, std::move(far), server));
    auto client = (co_await context->connect(std::move(near))).value();
    co_await group.wait_idle();
    CHECK(client->protocol() == "h2");
    auto written = co_await server->write("abc");
    CHECK(written.has_value());
    raw.close();
    std::array<char, 16> buffer;
    auto got = co_await client->read_some(buffer);
    CHECK(got.value() == 3);
    got = co_await client->read_some(buffer);
    CHECK_FALSE(got.has_value());
  };
  world.run(check(world));
}

}  // namespace koi::http
