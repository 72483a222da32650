#include "http/test_world.h"

namespace koi::http {

namespace {

using base::Task;

// What comes back until the server ends the connection, or falls silent for a second.
Task<base::Result<>> read_all(ByteStream& stream, std::string& text) {
  for (;;) {
    std::array<char, 4096> buffer;
    auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return base::Result<>();
    text.append(buffer.data(), *got);
  }
}

// Sends the bytes in steps of that size; `ended` tells whether the server closed.
Task<> converse(World& world, std::string sent, std::size_t step, std::string& text, bool& ended) {
  auto stream = (co_await world.network.dial(world.plain)).value();
  for (std::size_t at = 0; at < sent.size(); at += step) {
    const std::string part = sent.substr(at, step);
    auto written = co_await stream->write(part);
    if (!written) break;
    co_await base::yield_now();
  }
  auto reading = read_all(*stream, text);
  auto read = co_await with_deadline(world.clock, world.clock.now() + 1s, std::move(reading));
  ended = read.has_value();
}

struct Talk {
  std::string text;
  bool ended = false;

  std::size_t count(std::string_view needle) const {
    std::size_t found = 0;
    for (auto at = text.find(needle); at != std::string::npos; at = text.find(needle, at + 1)) {
      ++found;
    }
    return found;
  }
};

Talk talk(World& world, std::string sent, std::size_t step = 1'000'000) {
  Talk result;
  world.run(converse(world, std::move(sent), step, result.text, result.ended));
  return result;
}

}  // namespace

TEST_CASE("connections stay open, and requests sent ahead are answered in order") {
  World world;
  const std::string one = "GET /echo?1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string two = "POST /echo?2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  for (const std::size_t step : {std::size_t(1), std::size_t(7), std::size_t(10'000)}) {
    const Talk both = talk(world, one + two + one, step);
    CHECK(both.count("HTTP/1.1 200 OK\r\n") == 3);
    CHECK(both.text.find("X-Target: /echo?1") < both.text.find("X-Target: /echo?2"));
    CHECK(both.text.find("\r\n\r\nabcHTTP/1.1") != std::string::npos);
    CHECK_FALSE(both.ended);
  }
}

TEST_CASE("a connection ends when the client asks or speaks HTTP/1.0") {
  World world;
  const Talk asked = talk(world, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(asked.ended);
  CHECK(asked.count("Connection: close\r\n") == 1);
  const Talk old = talk(world, "GET /echo HTTP/1.0\r\n\r\n");
  CHECK(old.ended);
  const Talk kept = talk(world, "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK_FALSE(kept.ended);
  CHECK(kept.count("Connection: keep-alive\r\n") == 1);
  const Talk stream = talk(world, "GET /stream?n=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(stream.ended);
  CHECK(stream.text.ends_with("\r\n\r\nchunk 1\nchunk 1\n"));
}

TEST_CASE("streams are chunked and leave the connection usable") {
  World world;
  const std::string stream = "GET /stream?n=2 HTTP/1.1\r\nHost: a\r\n\r\n";
  const Talk twice = talk(world, stream + stream);
  CHECK(twice.count("10\r\nchunk 2\nchunk 2\n\r\n10\r\nchunk 1\nchunk 1\n\r\n0\r\n\r\n") == 2);
  CHECK_FALSE(twice.ended);
}

TEST_CASE("a client that waits for 100 gets it, unless the body is refused") {
  World world;
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
  const Talk welcome = talk(world, head + "Content-Length: 3\r\n\r\n");
  CHECK(welcome.text == "HTTP/1.1 100 Continue\r\n\r\n");
  const Talk refused = talk(world, head + "Content-Length: 4000000\r\n\r\n");
  CHECK(refused.text.starts_with("HTTP/1.1 413 "));
}

TEST_CASE("broken requests are told so and end the connection") {
  World world;
  const std::pair<const char*, const char*> bad[] = {
      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 "},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 400 "},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", "HTTP/1.1 501 "},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 "},
  };
  for (const auto& [request, status] : bad) {
    CAPTURE(request);
    const Talk refused = talk(world, request);
    CHECK(refused.text.starts_with(status));
    CHECK(refused.count("Connection: close\r\n") == 1);
  }
  CHECK(world.handler.handled == 0);
}

TEST_CASE("clients that dawdle are cut off") {
  World world;
  auto check = [](World& w) -> Task<> {
    const std::pair<const char*, base::Duration> dawdlers[] = {
        {"", base::limits::connection_idle_timeout},
        {"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", base::limits::connection_idle_timeout},
        {"GET /echo HTTP/1.1\r\n", base::limits::request_timeout},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
         base::limits::request_timeout},
    };
    for (const auto& [sent, patience] : dawdlers) {
      CAPTURE(sent);
      auto stream = (co_await w.network.dial(w.plain)).value();
      const std::string_view bytes = sent;
      auto written = co_await stream->write(bytes);
      CHECK(written.has_value());
      const auto began = w.clock.now();
      std::string text;
      auto read = co_await read_all(*stream, text);
      CHECK(read.has_value());
      CHECK(w.clock.now() - began >= patience);
      CHECK(w.clock.now() - began <= patience + 1s);
    }
  };
  world.run(check(world));
}

TEST_CASE("a client that reads nothing is cut off") {
  World world;
  auto check = [](World& w) -> Task<> {
    auto stream = (co_await w.network.dial(w.plain)).value();
    auto written = co_await stream->write("GET /big?n=1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(written.has_value());
    co_await w.clock.sleep_for(59s);
    CHECK(w.server.statistics().connections == 1);
    co_await w.clock.sleep_for(2s);
    CHECK(w.server.statistics().connections == 0);
  };
  world.run(check(world));
}

TEST_CASE("bytes sent ahead of an upgrade reach who takes over") {
  World world;
  const Talk taken =
      talk(world, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\nearly");
  CHECK(taken.text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(taken.text.ends_with("\r\n\r\nEARLY"));
}

}  // namespace koi::http
