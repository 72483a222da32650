#include "http/socket_stream.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/os.h"
#include "http/test_world.h"

namespace koi::http {

namespace {

using base::Code;
using base::Task;

class EchoHandler final : public Handler {
 public:
  base::Task<Response> handle(Request& request) override {
    const Peer& peer = *request.peer;
    Response response = Response::text(200, std::move(request.body));
    response.headers.add("X-Peer", peer.address);
    response.headers.add("X-User", peer.identity ? peer.identity->common_name : std::string());
    co_return response;
  }
};

// Certificates that hold now, a server on some threads and a client's view of it.
struct RealWorld {
  explicit RealWorld(std::size_t threads) {
    const auto key = crypto::PrivateKey::generate(*random).value();
    const auto now = clock->wall_now();
    const crypto::CaSpec spec{.common_name = "test", .not_before = now - 1h, .not_after = now + 1h};
    const auto ca =
        crypto::CertificateAuthority::make(crypto::make_ca(*random, key, spec).value(), key)
            .value();
    crypto::CertificateSpec leaf;
    leaf.subject.common_name = "both";
    leaf.names.ips = {"127.0.0.1"};
    leaf.server_auth = leaf.client_auth = true;
    leaf.not_before = spec.not_before;
    leaf.not_after = spec.not_after;
    ca_pem = ca.certificate().to_pem().value();
    certificate_pem = ca.issue(*random, key.public_key().value(), leaf).value().to_pem().value();
    key_pem = key.to_pem().value();
    std::vector<base::Executor> executors{io.get_executor()};
    for (std::size_t i = 0; i < threads; ++i) {
      auto& other = *others.emplace_back(std::make_unique<boost::asio::io_context>(1));
      work.emplace_back(other.get_executor());
      executors.push_back(other.get_executor());
      running.emplace_back([&other] { other.run(); });
    }
    server = std::make_unique<Server>(*clock, handler, executors);
    const ServerTls tls{
        .certificate_chain_pem = certificate_pem, .key_pem = key_pem, .client_ca_pem = ca_pem};
    ListenOptions options;
    options.address = "127.0.0.1";
    auto listener = listen_tcp(io.get_executor(), options).value();
    address = listener->address();
    server->listen(std::move(listener), TlsServerContext::make(*clock, tls).value());
  }

  ~RealWorld() {
    for (auto& other : others) other->stop();
    for (auto& thread : running) thread.join();
  }

  Endpoint endpoint() const {
    const auto url = Url::parse("http://" + address).value();
    return {.host = url.host, .port = url.port, .unix_path = {}};
  }

  void run(Task<> task) {
    bool done = false;
    base::TaskGroup tasks(io.get_executor());
    tasks.spawn("test", World::finish(std::move(task), done));
    const auto end = clock->now() + 20s;
    while (tasks.size() > 0 && clock->now() < end) io.run_for(10ms);
    CHECK(done);
  }

  Task<base::Result<std::unique_ptr<Client>>> connect() {
    const ClientTls config{.ca_pem = ca_pem,
                           .certificate_chain_pem = certificate_pem,
                           .key_pem = key_pem,
                           .server_name = "127.0.0.1"};
    const auto context = TlsClientContext::make(*clock, config).value();
    const ClientOptions options;
    co_return co_await Client::connect(*clock, *dialer, endpoint(), "koi", context, options);
  }

  std::unique_ptr<base::Clock> clock = base::make_os_clock();
  std::unique_ptr<base::Random> random = base::make_os_random();
  std::unique_ptr<Dialer> dialer = make_socket_dialer();
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
  std::string address;
  boost::asio::io_context io{1};
  std::vector<std::unique_ptr<boost::asio::io_context>> others;
  std::vector<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work;
  std::vector<std::thread> running;
  EchoHandler handler;
  std::unique_ptr<Server> server;
};

Task<> exchange(RealWorld& world, int& good) {
  auto client = co_await world.connect();
  REQUIRE(client.has_value());
  CHECK((*client)->protocol() == "h2");
  for (const std::size_t size : {0UL, 100UL, 300'000UL, 2'000'000UL}) {
    auto request = post("/", std::string(size, 'z'));
    auto response = co_await (*client)->send(std::move(request));
    if (!response) continue;
    good += body_text(response->body).size() == size && response->headers.get("x-user") == "both" &&
            response->headers.get("x-peer").starts_with("127.0.0.1:");
  }
  co_await (*client)->stop();
}

Task<> exchange_many(RealWorld& world, int& good) {
  base::TaskGroup group(world.io.get_executor());
  for (int i = 0; i < 8; ++i) group.spawn("exchange", exchange(world, good));
  co_await group.wait_idle();
  co_await world.server->stop(1s);
}

std::filesystem::path fresh_directory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "koi-http-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  return pattern;
}

}  // namespace

TEST_CASE("TLS over loopback, on one thread and on several") {
  for (const std::size_t threads : {std::size_t(0), std::size_t(2)}) {
    RealWorld world(threads);
    int good = 0;
    world.run(exchange_many(world, good));
    CHECK(good == 32);
    CHECK(world.server->statistics().requests == 32);
    CHECK(world.server->statistics().connections == 0);
  }
}

TEST_CASE("a port that is taken, or nonsense, is refused with a reason") {
  boost::asio::io_context io;
  ListenOptions options;
  options.address = "127.0.0.1";
  const auto first = listen_tcp(io.get_executor(), options).value();
  options.port = Url::parse("http://" + first->address()).value().port;
  const auto second = listen_tcp(io.get_executor(), options);
  CHECK(second.error().code == Code::already_exists);
  CHECK(second.error().message.find(first->address()) != std::string::npos);
  options.address = "localhost";
  CHECK(listen_tcp(io.get_executor(), options).error().code == Code::invalid);
}

TEST_CASE("nobody behind an address makes a dial fail") {
  RealWorld world(0);
  const auto check = [](RealWorld& w) -> Task<> {
    co_await w.server->stop(0s);
    auto refused = co_await w.connect();
    CHECK(refused.error().code == Code::unavailable);
    CHECK(refused.error().message.find(w.address) != std::string::npos);
  };
  world.run(check(world));
}

TEST_CASE("Unix sockets carry requests and guard their files") {
  const std::filesystem::path directory = fresh_directory();
  const std::string path = directory / "koi.sock";
  RealWorld world(0);
  auto listener = listen_unix(world.io.get_executor(), path).value();
  struct stat facts{};
  CHECK(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(listen_unix(world.io.get_executor(), path).error().code == Code::already_exists);
  world.server->listen(std::move(listener));
  const auto check = [](RealWorld& w, std::string socket) -> Task<> {
    const Endpoint endpoint{.host = {}, .port = 0, .unix_path = std::move(socket)};
    const ClientOptions options;
    auto client = co_await Client::connect(*w.clock, *w.dialer, endpoint, "koi", nullptr, options);
    REQUIRE(client.has_value());
    auto request = post("/", "hello");
    auto response = co_await (*client)->send(std::move(request));
    CHECK(body_text(response.value().body) == "hello");
    CHECK(response.value().headers.get("x-peer") == "unix");
    co_await (*client)->stop();
    co_await w.server->stop(1s);
  };
  world.run(check(world, path));
  CHECK_FALSE(std::filesystem::exists(path));
  // What a crash left behind is replaced, a file of somebody else's is not.
  std::ofstream(path) << "precious";
  CHECK(listen_unix(world.io.get_executor(), path).error().code == Code::already_exists);
  std::filesystem::remove(path);
  {
    boost::asio::io_context io;
    const auto left = listen_unix(io.get_executor(), path).value();
    std::filesystem::rename(path, path + ".old");
  }
  std::filesystem::rename(path + ".old", path);
  CHECK(listen_unix(world.io.get_executor(), path).has_value());
  std::filesystem::remove_all(directory);
  CHECK_FALSE(listen_unix(world.io.get_executor(), std::string(200, 'x')).has_value());
}

}  // namespace koi::http
