#include "http/server.h"

#include "http/test_world.h"

namespace koi::http {

namespace {

using base::Code;
using base::Task;

Task<> check_echo(World& world, Speak speak) {
  auto client = co_await world.connect(speak);
  CHECK(client->protocol() == (speak == Speak::h2 || speak == Speak::h2_tls ? "h2" : "http/1.1"));
  for (const std::size_t size : {0UL, 1UL, 20'000UL, 1'000'000UL}) {
    auto request = post("/echo?a=b", std::string(size, 'b'));
    auto response = co_await client->send(std::move(request));
    REQUIRE(response.has_value());
    CHECK(response->status == 200);
    CHECK(body_text(response->body) == std::string(size, 'b'));
    CHECK(response->headers.get("x-method") == "POST");
    CHECK(response->headers.get("x-target") == "/echo?a=b");
    CHECK(response->headers.get("x-host") == "koi.test");
    CHECK(response->headers.get("date") == "Fri, 02 Jan 2026 03:04:05 GMT");
  }
  co_await client->stop();
  CHECK_FALSE(client->alive());
}

Task<> check_kinds(World& world, Speak speak) {
  auto client = co_await world.connect(speak);
  auto big_request = get("/big?n=3000000");
  auto big = co_await client->send(std::move(big_request));
  CHECK(body_text(big.value().body).size() == 3'000'000);
  auto stream_request = get("/stream?n=3");
  auto stream = co_await client->send(std::move(stream_request));
  CHECK(body_text(stream.value().body) == "chunk 3\nchunk 3\nchunk 2\nchunk 2\nchunk 1\nchunk 1\n");
  auto long_request = get("/stream?n=20000");
  auto long_stream = co_await client->send(std::move(long_request));
  CHECK(body_text(long_stream.value().body).ends_with("chunk 1\nchunk 1\n"));
  auto head = get("/big?n=77");
  head.method = Method::head;
  auto headed = co_await client->send(std::move(head));
  CHECK(headed.value().headers.get("content-length") == "77");
  CHECK(body_size(headed.value().body) == 0);
  auto missing_request = get("/none");
  auto missing = co_await client->send(std::move(missing_request));
  CHECK(missing.value().status == 404);
  auto broken_request = get("/throw");
  auto broken = co_await client->send(std::move(broken_request));
  CHECK(broken.value().status == 500);
  auto again_request = get("/echo");
  auto again = co_await client->send(std::move(again_request));
  CHECK(again.value().status == 200);
  co_await client->stop();
}

Task<> check_too_large(World& world, Speak speak) {
  auto client = co_await world.connect(speak);
  auto request = post("/echo", std::string(base::limits::request_body_bytes_max + 1, 'x'));
  auto response = co_await client->send(std::move(request));
  REQUIRE(response.has_value());
  CHECK(response->status == 413);
  co_await client->stop();
  CHECK(world.handler.handled == 0);
}

Task<> check_large_head(World& world, Speak speak) {
  auto client = co_await world.connect(speak);
  auto request = get("/echo");
  for (int i = 0; i < 10; ++i) request.headers.add("X-Large", std::string(2'000, 'x'));
  auto response = co_await client->send(std::move(request));
  REQUIRE(response.has_value());
  CHECK(response->status == 431);
  co_await client->stop();
  CHECK(world.handler.handled == 0);
}

Task<> check_watch(World& world, Speak speak, bool drop_connection) {
  auto client = co_await world.connect(speak);
  auto request = get("/watch?n=1");
  auto response = co_await client->open(std::move(request));
  REQUIRE(response.has_value());
  auto& body = std::get<std::unique_ptr<BodyStream>>(response->body);
  auto first = co_await body->next();
  CHECK(*first.value()->front() == "chunk 1\nchunk 1\n");
  CHECK(world.handler.destroyed == 0);
  if (drop_connection) {
    co_await client->stop();
    auto rest = co_await body->next();
    CHECK_FALSE(rest.has_value());
  } else {
    body.reset();
  }
  co_await base::yield_now();
  co_await world.clock.sleep_for(1ms);
  CHECK(world.handler.destroyed == 1);
  co_await client->stop();
}

Task<> ask_status(Client& client, std::string target, int& status) {
  auto request = get(std::move(target));
  auto response = co_await client.send(std::move(request));
  status = response ? response->status : -static_cast<int>(response.error().code);
}

}  // namespace

TEST_CASE("a request gets its answer, over every protocol") {
  for (const Speak speak : all_ways) {
    World world;
    world.run(check_echo(world, speak));
    CHECK(world.server.statistics().connections == 0);
    CHECK(world.server.statistics().requests == 4);
  }
}

TEST_CASE("bodies may be shared, streamed, left out or replaced by a failure") {
  for (const Speak speak : all_ways) {
    CAPTURE(static_cast<int>(speak));
    World world;
    world.run(check_kinds(world, speak));
    CHECK(world.handler.destroyed == 2);
  }
}

TEST_CASE("a body over the limit is refused with 413") {
  for (const Speak speak : all_ways) {
    CAPTURE(static_cast<int>(speak));
    World world;
    world.run(check_too_large(world, speak));
  }
}

TEST_CASE("a head over the limit is refused with 431") {
  for (const Speak speak : all_ways) {
    CAPTURE(static_cast<int>(speak));
    ServerOptions options;
    options.header_bytes_max = 16 * 1024;
    World world(options);
    world.run(check_large_head(world, speak));
  }
}

TEST_CASE("a streamed body is cancelled when the client goes away") {
  for (const Speak speak : all_ways) {
    for (const bool drop : {false, true}) {
      CAPTURE(static_cast<int>(speak));
      CAPTURE(drop);
      World world;
      world.run(check_watch(world, speak, drop));
    }
  }
}

TEST_CASE("HTTP/2 requests run side by side on one connection") {
  World world;
  auto check = [](World& w) -> Task<> {
    auto client = co_await w.connect(Speak::h2_tls);
    std::vector<int> statuses(300, 0);
    base::TaskGroup group(w.io.get_executor());
    for (int& status : statuses) group.spawn("ask", ask_status(*client, "/echo", status));
    co_await group.wait_idle();
    CHECK(std::count(statuses.begin(), statuses.end(), 200) == 300);
    CHECK(w.server.statistics().connections == 1);
    co_await client->stop();
  };
  world.run(check(world));
}

TEST_CASE("a cancelled HTTP/2 request cancels its handler and nothing else") {
  World world;
  auto check = [](World& w) -> Task<> {
    auto client = co_await w.connect(Speak::h2);
    int hung = 0;
    base::TaskGroup group(w.io.get_executor());
    group.spawn("hang", ask_status(*client, "/hang", hung));
    auto request = get("/echo");
    auto response = co_await client->send(std::move(request));
    CHECK(response.value().status == 200);
    CHECK(w.handler.cancelled == 0);
    group.cancel();
    co_await w.clock.sleep_for(1ms);
    CHECK(w.handler.cancelled == 1);
    auto more = get("/echo");
    auto after = co_await client->send(std::move(more));
    CHECK(after.value().status == 200);
    co_await client->stop();
  };
  world.run(check(world));
}

TEST_CASE("a handler is cancelled when its client goes away") {
  for (const Speak speak : all_ways) {
    CAPTURE(static_cast<int>(speak));
    World world;
    auto check = [](World& w, Speak how) -> Task<> {
      auto client = co_await w.connect(how);
      int status = 0;
      base::TaskGroup group(w.io.get_executor());
      group.spawn("hang", ask_status(*client, "/hang", status));
      co_await w.clock.sleep_for(2s);
      CHECK(w.handler.cancelled == 0);
      co_await client->stop();
      co_await w.clock.sleep_for(1ms);
      CHECK(w.handler.cancelled == 1);
      CHECK(w.server.statistics().connections == 0);
      co_await group.wait_idle();
    };
    world.run(check(world, speak));
  }
}

TEST_CASE("a request that is not answered in time fails with timeout") {
  for (const Speak speak : all_ways) {
    World world;
    auto check = [](World& w, Speak how) -> Task<> {
      auto client = co_await w.connect(how);
      int status = 0;
      co_await ask_status(*client, "/hang", status);
      CHECK(status == -static_cast<int>(Code::timeout));
      co_await client->stop();
    };
    world.run(check(world, speak));
  }
}

TEST_CASE("stop lets requests in flight end and cancels what outlasts the grace") {
  for (const Speak speak : all_ways) {
    CAPTURE(static_cast<int>(speak));
    World world;
    auto check = [](World& w, Speak how) -> Task<> {
      auto idle = co_await w.connect(how);
      auto busy = co_await w.connect(how);
      int idle_status = 0;
      int busy_status = 0;
      co_await ask_status(*idle, "/echo", idle_status);
      CHECK(idle_status == 200);
      base::TaskGroup group(w.io.get_executor());
      group.spawn("hang", ask_status(*busy, "/hang", busy_status));
      co_await w.clock.sleep_for(1ms);
      const auto began = w.clock.now();
      co_await w.stop(5s);
      CHECK(w.clock.now() - began >= 5s);
      CHECK(w.clock.now() - began < 7s);
      CHECK(w.handler.cancelled == 1);
      CHECK(w.server.statistics().connections == 0);
      co_await group.wait_idle();
      CHECK(busy_status == -static_cast<int>(Code::unavailable));
      co_await idle->stop();
      co_await busy->stop();
    };
    world.run(check(world, speak));
  }
}

TEST_CASE("stop does not wait when nothing is in flight, nor for streams") {
  for (const Speak speak : all_ways) {
    CAPTURE(static_cast<int>(speak));
    World world;
    auto check = [](World& w, Speak how) -> Task<> {
      auto client = co_await w.connect(how);
      auto request = get("/watch?n=1");
      auto response = co_await client->open(std::move(request));
      co_await w.clock.sleep_for(1ms);
      const auto began = w.clock.now();
      co_await w.stop(60s);
      CHECK(w.clock.now() - began <= 2s);
      CHECK(w.handler.destroyed == 1);
      co_await client->stop();
    };
    world.run(check(world, speak));
  }
}

TEST_CASE("an HTTP/1.1 connection can be taken over") {
  for (const auto& [speak, slow] : {std::pair(Speak::h1, false), std::pair(Speak::h1_tls, true)}) {
    World world;
    auto check = [](World& w, Speak how, bool is_slow) -> Task<> {
      auto client = co_await w.connect(how);
      auto request = get(is_slow ? "/slow-upgrade" : "/upgrade");
      request.headers.add("Connection", "Upgrade");
      request.headers.add("Upgrade", "echo");
      auto upgraded = co_await client->upgrade(std::move(request));
      REQUIRE(upgraded.has_value());
      CHECK(upgraded->response.status == 101);
      CHECK(upgraded->response.headers.get("upgrade") == "echo");
      auto written = co_await upgraded->stream->write("hello");
      CHECK(written.has_value());
      std::array<char, 64> buffer;
      auto got = co_await upgraded->stream->read_some(buffer);
      CHECK(std::string_view(buffer.data(), got.value()) == "HELLO");
      upgraded->stream->close();
      co_await client->stop();
    };
    world.run(check(world, speak, slow));
  }
}

TEST_CASE("an upgrade that is refused gives the refusal") {
  World world;
  auto check = [](World& w) -> Task<> {
    auto client = co_await w.connect(Speak::h1);
    auto request = get("/none");
    auto upgraded = co_await client->upgrade(std::move(request));
    CHECK(upgraded.value().response.status == 404);
    CHECK_FALSE(upgraded.value().stream);
    CHECK(client->alive());
    co_await client->stop();
  };
  world.run(check(world));
}

TEST_CASE("connections beyond the limit are closed at once") {
  ServerOptions options;
  options.connections_max = 1;
  World world(options);
  auto check = [](World& w) -> Task<> {
    auto first = co_await w.connect(Speak::h1);
    auto second = co_await w.connect(Speak::h1);
    int status = 0;
    co_await ask_status(*first, "/echo", status);
    CHECK(status == 200);
    co_await ask_status(*second, "/echo", status);
    CHECK(status == -static_cast<int>(Code::unavailable));
    co_await first->stop();
    co_await second->stop();
  };
  world.run(check(world));
}

TEST_CASE("a server that is stopped refuses, and a client that is forgotten leaks nothing") {
  World world;
  auto check = [](World& w) -> Task<> {
    auto forgotten = co_await w.connect(Speak::h2_tls);
    int status = 0;
    co_await ask_status(*forgotten, "/echo", status);
    forgotten.reset();
    co_await w.clock.sleep_for(1ms);
    CHECK(w.server.statistics().connections == 0);
    co_await w.stop(1s);
    auto refused = co_await w.connect_with(Speak::h1, {});
    CHECK(refused.error().code == Code::unavailable);
  };
  world.run(check(world));
}

}  // namespace koi::http
