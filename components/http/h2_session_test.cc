#include <nghttp2/nghttp2.h>

#include "http/test_world.h"

namespace koi::http {

namespace {

using base::Task;

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id, std::string payload) {
  std::string bytes;
  const auto size = static_cast<std::uint32_t>(payload.size());
  for (const int shift : {16, 8, 0}) bytes += static_cast<char>(size >> shift & 255);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(id >> shift & 255);
  return bytes + payload;
}

const std::string settings = frame(NGHTTP2_SETTINGS, 0, 0, "");
// :method GET, :scheme http, :path "/hang", :authority "a", from the static table of HPACK.
const std::string hang_fields = std::string("\x82\x86\x44\x05/hang\x41\x01") + "a";

std::string hang_request(std::uint32_t id) {
  return frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id,
               hang_fields);
}

std::string reset(std::uint32_t id) {
  return frame(NGHTTP2_RST_STREAM, 0, id, std::string("\0\0\0\x08", 4));
}

struct Seen {
  std::string bytes;
  bool ended = false;

  // The error code of the first GOAWAY; -1 without one.
  int goaway() const {
    for (std::size_t at = 0; at + 9 <= bytes.size();) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
      const std::size_t size = std::size_t(byte(0)) << 16 | std::size_t(byte(1)) << 8 | byte(2);
      if (byte(3) == NGHTTP2_GOAWAY && at + 17 <= bytes.size()) return byte(16);
      at += 9 + size;
    }
    return -1;
  }
};

Task<base::Result<>> read_all(ByteStream& stream, std::string& bytes) {
  for (;;) {
    std::array<char, 4096> buffer;
    auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return base::Result<>();
    bytes.append(buffer.data(), *got);
  }
}

Task<> converse(World& world, std::string sent, base::Duration patience, Seen& seen) {
  auto stream = (co_await world.network.dial(world.plain)).value();
  auto reading = read_all(*stream, seen.bytes);
  base::TaskGroup group(world.io.get_executor());
  const auto write = [](ByteStream& to, std::string bytes) -> Task<> {
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
      const std::string part = bytes.substr(at, 1000);
      auto written = co_await to.write(part);
      if (!written) co_return;
      co_await base::yield_now();
    }
  };
  group.spawn("write", write(*stream, std::move(sent)));
  auto read = co_await with_deadline(world.clock, world.clock.now() + patience, std::move(reading));
  seen.ended = read.has_value();
  stream->close();
  co_await group.wait_idle();
}

Seen talk(World& world, std::string sent, base::Duration patience = 1s) {
  Seen seen;
  world.run(converse(world, std::move(sent), patience, seen));
  return seen;
}

}  // namespace

TEST_CASE("what is no HTTP/2 ends the connection") {
  World world;
  CHECK(talk(world, std::string(preface) + "garbage garbage garbage").goaway() > 0);
  CHECK(talk(world, std::string(preface) + settings + frame(0, 0, 0, "x")).goaway() > 0);
  CHECK(talk(world, std::string(preface) + settings + frame(1, 4, 1, "\xff\xff\xff\xff")).goaway() >
        0);
  // The server waits for the rest of a frame that is allowed.
  CHECK_FALSE(talk(world, std::string(preface) + settings + "\x01").ended);
}

TEST_CASE("a flood of resets ends the connection, and no handler is left behind") {
  World world;
  std::string flood(preface);
  flood += settings;
  for (std::uint32_t i = 0; i < 5'000; ++i) flood += hang_request(2 * i + 1) + reset(2 * i + 1);
  const Seen seen = talk(world, flood);
  CHECK(world.server.statistics().connections == 0);
  CHECK(seen.goaway() >= 0);
  CHECK(world.handler.handled < 3'000);
  CHECK(world.handler.handled == world.handler.cancelled);
}

TEST_CASE("more streams than announced are refused") {
  ServerOptions options;
  options.streams_per_connection_max = 10;
  World world(options);
  std::string many(preface);
  many += settings + frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
  for (std::uint32_t i = 0; i < 30; ++i) many += hang_request(2 * i + 1);
  (void)talk(world, many);
  CHECK(world.handler.handled <= 20);
}

TEST_CASE("floods of settings and pings end the connection") {
  World world;
  std::string pings(preface);
  pings += settings;
  for (int i = 0; i < 50'000; ++i) pings += frame(NGHTTP2_PING, 0, 0, "12345678");
  // Nothing is read back, so the answers pile up until the server has had enough.
  auto check = [](World& w, std::string bytes) -> Task<> {
    auto stream = (co_await w.network.dial(w.plain)).value();
    bool refused = false;
    for (std::size_t at = 0; at < bytes.size() && !refused; at += 1000) {
      const std::string part = bytes.substr(at, 1000);
      auto writing = stream->write(part);
      auto written = co_await with_deadline(w.clock, w.clock.now() + 100s, std::move(writing));
      refused = !written;
    }
    CHECK(refused);
  };
  world.run(check(world, pings));
  CHECK(world.server.statistics().connections == 0);
}

TEST_CASE("idle and dawdling HTTP/2 clients are cut off") {
  World world;
  const std::string start = std::string(preface) + settings;
  const auto began = world.clock.now();
  CHECK(talk(world, start, 1h).goaway() == 0);
  CHECK(world.clock.now() - began >= base::limits::connection_idle_timeout);
  CHECK(world.clock.now() - began <= base::limits::connection_idle_timeout + 5s);
  // A head without the end of its stream: the stream is reset, later the idle connection ends.
  const std::string half = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, hang_fields);
  const auto half_began = world.clock.now();
  const Seen seen = talk(world, start + half, 1h);
  CHECK(seen.ended);
  CHECK(world.handler.handled == 0);
  CHECK(world.clock.now() - half_began <=
        base::limits::connection_idle_timeout + base::limits::request_timeout + 5s);
}

TEST_CASE("garbage in frames never crashes") {
  World world;
  std::uint32_t state = 7;
  for (int round = 0; round < 300; ++round) {
    std::string bytes(preface);
    bytes += settings + hang_request(1) + frame(NGHTTP2_DATA, 1, 3, "body") + reset(1);
    for (int flip = 0; flip < 4; ++flip) {
      state = state * 1664525 + 1013904223;
      const std::size_t at = preface.size() + (state >> 8) % (bytes.size() - preface.size());
      bytes[at] = static_cast<char>(state >> 24);
    }
    (void)talk(world, bytes, 1ms);
  }
  CHECK(world.server.statistics().connections == 0);
}

}  // namespace koi::http
