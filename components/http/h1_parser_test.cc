#include "http/h1_parser.h"

#include <doctest/doctest.h>

namespace koi::http {

namespace {

struct Outcome {
  Parsed parsed = Parsed::more;
  int status = 0;
  Request request;
  std::string rest;
};

// Feeds `text` in steps of that many bytes, keeping what was left over as a session does.
Outcome parse(std::string_view text, std::size_t step, std::size_t body_bytes_max = 1 << 20) {
  H1RequestParser parser(4096);
  std::string kept;
  Outcome outcome;
  while (outcome.parsed != Parsed::done && outcome.parsed != Parsed::failed) {
    if (text.empty()) break;
    kept.append(text.substr(0, step));
    text.remove_prefix(std::min(step, text.size()));
    std::string_view input = kept;
    do {
      outcome.parsed = parser.feed(input);
      if (outcome.parsed == Parsed::head) parser.limit_body(body_bytes_max);
    } while (outcome.parsed == Parsed::head);
    kept = std::string(input);
  }
  outcome.status = parser.status();
  outcome.rest = kept + std::string(text);
  outcome.request = parser.request();
  return outcome;
}

}  // namespace

TEST_CASE("requests parse alike however their bytes are cut") {
  const std::string chunked =
      "\r\nPOST /a?b=c HTTP/1.1\r\nHost: koi\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
      "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: t\r\n\r\nGET";
  const std::string sized = "PUT / HTTP/1.1\r\nHost: koi\r\nContent-Length: 6\r\n\r\nhello!GET";
  for (const std::string& text : {chunked, sized}) {
    for (std::size_t step = 1; step <= text.size(); ++step) {
      CAPTURE(step);
      const Outcome outcome = parse(text, step);
      REQUIRE(outcome.parsed == Parsed::done);
      CHECK(outcome.request.body == "hello!");
      CHECK(outcome.rest == "GET");
      CHECK(outcome.request.headers.get("host") == "koi");
      CHECK_FALSE(outcome.request.headers.contains("Trailer"));
    }
  }
}

TEST_CASE("what could be read in two ways is refused") {
  const std::pair<const char*, int> bad[] = {
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
       "\r\n\r\n",
       400},
      {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"\x16\x03\x01 hello hello hello", 400},
  };
  for (const auto& [text, status] : bad) {
    CAPTURE(text);
    const Outcome outcome = parse(text, 7);
    CHECK(outcome.parsed == Parsed::failed);
    CHECK(outcome.status == status);
  }
}

TEST_CASE("bad chunks are refused") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"x\r\n", "-1\r\n", "5\r\nhelloXX\r\n\r\n", "ffffffffffffffffff\r\n",
                           "\r\n\r\n", "1\nx\r\n\r\n", "1 1\r\nx\r\n"}) {
    for (const std::size_t step : {std::size_t(1), std::size_t(1000)}) {
      CAPTURE(body);
      CAPTURE(step);
      CHECK(parse(head + body, step).parsed == Parsed::failed);
    }
  }
}

TEST_CASE("heads, lines and bodies have their bounds") {
  const std::string endless = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(10'000, 'x');
  CHECK(parse(endless, 100).status == 431);
  CHECK(parse(endless, 100'000).status == 431);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 1'000; ++i) many += "X: y\r\n";
  for (const std::size_t step : {1UL, 100UL, 100'000UL}) {
    CHECK(parse(many + "\r\n", step).status == 431);
  }
  CHECK(parse("GET /" + std::string(10'000, 'x'), 100).status == 431);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(parse(head + "1;" + std::string(10'000, 'x'), 100).status == 431);
  CHECK(parse(head + "0\r\nX: " + std::string(10'000, 'x'), 100).status == 431);
  CHECK(parse(head + "9\r\n123456789\r\n2\r\n", 100, 10).status == 413);
  CHECK(parse(head + "9\r\n123456789\r\n1\r\n0\r\n0\r\n\r\n", 100, 10).parsed == Parsed::done);
}

TEST_CASE("garbage never crashes and gives no bytes that were not sent") {
  std::uint32_t state = 1;
  for (int round = 0; round < 2'000; ++round) {
    std::string text = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc";
    for (int flip = 0; flip < 3; ++flip) {
      state = state * 1664525 + 1013904223;
      text[(state >> 8) % text.size()] = static_cast<char>(state >> 24);
    }
    CHECK(parse(text, 1 + state % 9).request.body.size() <= text.size());
  }
}

TEST_CASE("responses parse whole, in pieces and to the end of the stream") {
  const std::string text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    H1ResponseParser parser(4096, false);
    std::string kept;
    std::string body;
    Parsed parsed = Parsed::more;
    for (std::size_t at = 0; at < text.size(); at += step) {
      kept += text.substr(at, step);
      std::string_view input = kept;
      do {
        parsed = parser.feed(input);
      } while (parsed == Parsed::head);
      kept = std::string(input);
      body += parser.take_body();
    }
    CAPTURE(step);
    CHECK(parsed == Parsed::done);
    CHECK(parser.status() == 200);
    CHECK(body == "abc");
  }
  H1ResponseParser open_ended(4096, false);
  std::string_view input = "HTTP/1.1 200 OK\r\n\r\nabc";
  CHECK(open_ended.feed(input) == Parsed::head);
  CHECK(open_ended.feed(input) == Parsed::more);
  CHECK(open_ended.finish() == Parsed::done);
  CHECK(open_ended.take_body() == "abc");
  H1ResponseParser cut(4096, false);
  input = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc";
  CHECK(cut.feed(input) == Parsed::head);
  CHECK(cut.feed(input) == Parsed::more);
  CHECK(cut.finish() == Parsed::failed);
  H1ResponseParser bodiless(4096, true);
  input = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  CHECK(bodiless.feed(input) == Parsed::head);
  CHECK(bodiless.feed(input) == Parsed::done);
}

}  // namespace koi::http
