#include "network/address_pool.h"

#include <doctest/doctest.h>

#include "network/pod_table.h"

namespace koi::network {

namespace {

AddressPool pool_of(std::string_view range) {
  auto pool = AddressPool::make(linux::parse_ip_range(range).value());
  REQUIRE(pool);
  return *pool;
}

HostPort port(std::uint16_t number, std::string ip = {}, std::string protocol = "TCP") {
  return {.protocol = std::move(protocol),
          .host_ip = std::move(ip),
          .host_port = number,
          .container_port = 80};
}

}  // namespace

TEST_CASE("addresses go round before one is used again") {
  AddressPool pool = pool_of("10.42.0.0/29");
  CHECK(pool.gateway().text() == "10.42.0.1");
  CHECK(pool.take("a")->text() == "10.42.0.2");
  CHECK(pool.take("b")->text() == "10.42.0.3");
  CHECK(pool.take("a")->text() == "10.42.0.2");
  pool.release("a");
  CHECK(pool.take("c")->text() == "10.42.0.4");
  CHECK(pool.take("d")->text() == "10.42.0.5");
  CHECK(pool.take("e")->text() == "10.42.0.6");
  CHECK(pool.take("f")->text() == "10.42.0.2");
  const auto full = pool.take("g");
  REQUIRE_FALSE(full);
  CHECK(full.error().code == base::Code::unavailable);
  CHECK(pool.take("f")->text() == "10.42.0.2");
  pool.release("d");
  pool.release("nobody");
  CHECK(pool.take("g")->text() == "10.42.0.5");
}

TEST_CASE("an address that a pod has is kept for it") {
  AddressPool pool = pool_of("10.42.0.0/24");
  const auto five = linux::parse_ip_address("10.42.0.5").value();
  CHECK(pool.adopt("a", five));
  CHECK(pool.adopt("a", five));
  CHECK_FALSE(pool.adopt("b", five));
  CHECK(pool.take("a") == five);
  for (const std::string_view wrong :
       {"10.42.0.0", "10.42.0.1", "10.42.0.255", "10.42.1.2", "fd00::1"}) {
    CHECK_FALSE(pool.adopt("c", linux::parse_ip_address(wrong).value()));
  }
  CHECK(pool.take("c")->text() == "10.42.0.6");
}

TEST_CASE("a range must hold a pod") {
  CHECK(pool_of("10.42.0.0/30").take("a")->text() == "10.42.0.2");
  CHECK(pool_of("10.42.7.9/24").gateway().text() == "10.42.7.1");
  CHECK_FALSE(AddressPool::make(linux::parse_ip_range("10.42.0.0/31").value()));
  const auto six = AddressPool::make(linux::parse_ip_range("fd00::/64").value());
  REQUIRE_FALSE(six);
  CHECK(six.error().code == base::Code::unsupported);
}

TEST_CASE("two pods cannot have one host port") {
  PodTable table(pool_of("10.42.0.0/24"));
  REQUIRE(table.add("a", {port(8080), port(53, "", "UDP")}));
  const auto taken = table.add("b", {port(8080)});
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == base::Code::conflict);
  CHECK(taken.error().message == "host port 8080/TCP is taken by pod 'a'");
  CHECK_FALSE(table.pool().find("b"));
  CHECK_FALSE(table.add("b", {port(8080, "192.0.2.1")}));
  CHECK(table.add("b", {port(8080, "", "UDP"), port(9000, "192.0.2.1")}));
  CHECK(table.add("c", {port(9000, "192.0.2.2")}));
  CHECK_FALSE(table.add("d", {port(9000, "0.0.0.0")}));
  CHECK(table.add("a", {port(8080)}));  // itself again
  table.remove("a");
  CHECK(table.add("d", {port(8080)}));
}

TEST_CASE("the table survives on disk") {
  PodTable table(pool_of("10.42.3.0/24"));
  REQUIRE(table.add("a", {port(8080, "127.0.0.1")}));
  REQUIRE(table.add("b", {}));
  auto again = PodTable::parse(table.serialize());
  REQUIRE(again);
  CHECK(again->pool().owners() == table.pool().owners());
  CHECK(again->host_ports("a") == table.host_ports("a"));
  CHECK(again->pool().range() == table.pool().range());
  for (const std::string_view wrong :
       {"", "{}", R"({"range":"10.42.3.0/24","pods":{"a":{}}})",
        R"({"range":"10.42.3.0/24","pods":{"a":{"address":"10.43.0.2"}}})",
        R"({"range":"x","pods":{}})"}) {
    CHECK_FALSE(PodTable::parse(wrong));
  }
}

TEST_CASE("links of different pods have different names that fit") {
  CHECK(host_link_name("a").size() == 15);
  CHECK(host_link_name("a") == host_link_name("a"));
  CHECK(host_link_name("a") != host_link_name("b"));
}

}  // namespace koi::network
