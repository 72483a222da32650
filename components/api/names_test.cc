#include "api/names.h"

#include <doctest/doctest.h>

namespace koi::api {

TEST_CASE("DNS names") {
  CHECK_FALSE(check_dns1123_label("a-1"));
  CHECK_FALSE(check_dns1123_label("1a"));
  CHECK(check_dns1123_label("A"));
  CHECK(check_dns1123_label("-a"));
  CHECK(check_dns1123_label(""));
  CHECK(check_dns1123_label(std::string(64, 'a')) == "must be no more than 63 bytes");
  CHECK(check_dns1123_label("a.b") == "must not contain dots");
  CHECK_FALSE(check_dns1123_subdomain("a.b-c.1"));
  CHECK(check_dns1123_subdomain("a..b"));
  CHECK(check_dns1123_subdomain("a_b")->starts_with("a lowercase RFC 1123 subdomain must consist"));
  CHECK(check_dns1035_label("1a"));
  CHECK_FALSE(check_dns1035_label("a1"));
  CHECK_FALSE(check_wildcard_dns1123_subdomain("*.a.b"));
  CHECK(check_wildcard_dns1123_subdomain("a.*.b"));
}

TEST_CASE("keys and values of labels") {
  CHECK_FALSE(check_qualified_name("app"));
  CHECK_FALSE(check_qualified_name("app.kubernetes.io/Name_1"));
  CHECK(check_qualified_name("a/b/c"));
  CHECK(check_qualified_name("/b") == "prefix part must be non-empty");
  CHECK(check_qualified_name("A_/b"));
  CHECK(check_qualified_name("-b"));
  CHECK(check_qualified_name("a/" + std::string(64, 'a')) ==
        "name part must be no more than 63 bytes");
  CHECK_FALSE(check_label_value(""));
  CHECK_FALSE(check_label_value("A.b_c-1"));
  CHECK(check_label_value("a b"));
  CHECK(check_label_value("-"));
}

TEST_CASE("other names") {
  CHECK_FALSE(check_path_segment("system:node"));
  CHECK(check_path_segment("a/b") == "may not contain '/'");
  CHECK(check_path_segment("..") == "may not be '..'");
  CHECK_FALSE(check_config_key("a.B_c-1"));
  CHECK(check_config_key("a/b"));
  CHECK(check_config_key("..a") == "must not start with '..'");
  CHECK_FALSE(check_env_name("MY.VAR-1"));
  CHECK(check_env_name("A=B"));
  CHECK(check_env_name(""));
  CHECK_FALSE(check_port_name("http-1"));
  CHECK(check_port_name("1") == "must contain at least one letter (a-z)");
  CHECK(check_port_name("a--b"));
  CHECK(check_port_name("abcdefghijklmnop") == "must be no more than 15 characters");
  CHECK_FALSE(check_ip("10.0.0.1"));
  CHECK_FALSE(check_ip("::1"));
  CHECK(check_ip("10.0.0.256"));
  CHECK_FALSE(check_cidr("10.0.0.0/8"));
  CHECK(check_cidr("10.0.0.0/33"));
  CHECK(check_cidr("10.0.0.0"));
}

}  // namespace koi::api
