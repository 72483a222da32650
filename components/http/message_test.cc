#include "http/message.h"

#include <doctest/doctest.h>

#include "http/url.h"

namespace koi::http {

TEST_CASE("header names compare without regard to case and may repeat") {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("accept", "b");
  headers.add("Host", "koi");
  CHECK(headers.get("ACCEPT") == "a");
  CHECK(headers.all("Accept").size() == 2);
  headers.set("ACCEPT", "c");
  CHECK(headers.size() == 2);
  CHECK(headers.get("accept") == "c");
  CHECK(headers[0].name == "Host");
  CHECK_FALSE(headers.find("Cookie").has_value());
  CHECK(headers.get("cookie").empty());
}

TEST_CASE("tokens are found in any field of a list") {
  Headers headers;
  headers.add("Connection", "keep-alive");
  headers.add("connection", " foo ,Upgrade");
  CHECK(headers.has_token("Connection", "upgrade"));
  CHECK(headers.has_token("Connection", "Keep-Alive"));
  CHECK_FALSE(headers.has_token("Connection", "up"));
}

TEST_CASE("a target splits into path and query") {
  Request request;
  request.target = "/api/v1?watch=1&x=?";
  CHECK(request.path() == "/api/v1");
  CHECK(request.query() == "watch=1&x=?");
  request.target = "/api";
  CHECK(request.path() == "/api");
  CHECK(request.query().empty());
}

TEST_CASE("bodies tell their size and text") {
  const auto shared = std::make_shared<const std::string>("abc");
  CHECK(body_size(Body(std::string("ab"))) == 2);
  CHECK(body_size(Body(shared)) == 3);
  CHECK(body_text(Body(Segments{shared, shared})) == "abcabc");
}

TEST_CASE("percent escapes decode, broken ones are refused") {
  CHECK(percent_decode("a%2Fb%20c").value() == "a/b c");
  CHECK(query_decode("a+b").value() == "a b");
  CHECK_FALSE(percent_decode("%").has_value());
  CHECK_FALSE(percent_decode("%4").has_value());
  CHECK_FALSE(percent_decode("a%zz").has_value());
  CHECK(percent_encode("a b/c", "/") == "a%20b/c");
  CHECK(percent_decode("%41").value() == "A");
}

TEST_CASE("paths split into decoded segments and cannot climb") {
  const auto segments = split_path("/api//v1/namespaces/a%20b/").value();
  REQUIRE(segments.size() == 4);
  CHECK(segments[3] == "a b");
  CHECK_FALSE(split_path("/a/../b").has_value());
  CHECK_FALSE(split_path("/a/%2e%2e/b").has_value());
  CHECK_FALSE(split_path("/a%2fb").has_value());
  CHECK_FALSE(split_path("/a%00b").has_value());
}

TEST_CASE("queries keep repeats and order") {
  const auto query = Query::parse("command=sh&command=-c&x&y=a%3Db&&z=").value();
  CHECK(query.all("command").size() == 2);
  CHECK(query.contains("x"));
  CHECK(query.get("y") == "a=b");
  CHECK(query.get("z").empty());
  CHECK_FALSE(query.contains("q"));
  CHECK(query.to_string() == "command=sh&command=-c&x=&y=a%3Db&z=");
  CHECK_FALSE(Query::parse("a=%f").has_value());
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "a&";
  CHECK_FALSE(Query::parse(many).has_value());
}

TEST_CASE("URLs parse into where and what") {
  const auto plain = Url::parse("http://koi/x?y=1#z").value();
  CHECK(plain.host == "koi");
  CHECK(plain.port == 80);
  CHECK(plain.target == "/x?y=1");
  CHECK(plain.authority() == "koi");
  const auto six = Url::parse("https://[fd00::1]:6443").value();
  CHECK(six.host == "fd00::1");
  CHECK(six.port == 6443);
  CHECK(six.authority() == "[fd00::1]:6443");
  CHECK(six.target == "/");
  CHECK(Url::parse("unix:///run/koi.sock").value().host == "/run/koi.sock");
  for (const char* bad :
       {"", "koi", "ftp://koi", "http://", "http://koi:", "http://koi:0", "http://koi:70000",
        "http://[::1", "http://u@koi", "http://k oi/", "unix://rel"}) {
    CAPTURE(bad);
    CHECK_FALSE(Url::parse(bad).has_value());
  }
}

}  // namespace koi::http
