#include "node/pki.h"

#include <doctest/doctest.h>

#include "crypto/certificate.h"
#include "node/credentials.h"
#include "testing/sim_clock.h"
#include "testing/sim_files.h"
#include "testing/sim_random.h"

namespace koi::node {

namespace {

struct Machine {
  testing::SimRandom random{1};
  testing::SimFiles files{random};
  testing::SimClock clock{base::WallTime{std::chrono::seconds{1'800'000'000}}};
  ServerPaths paths{"/data"};
  PkiOptions options{
      .node_name = "alpha", .dns_names = {"koi.example"}, .ip_addresses = {"192.0.2.10"}};

  base::Result<Pki> ensure() { return ensure_pki(files, clock, random, paths, options); }
};

}  // namespace

TEST_CASE("a second start finds what the first made") {
  Machine machine;
  const auto first = machine.ensure();
  REQUIRE(first);
  const auto second = machine.ensure();
  REQUIRE(second);
  CHECK(first->serving.certificate == second->serving.certificate);
  CHECK(first->admin.key == second->admin.key);
  const auto names = crypto::Certificate::from_pem(first->serving.certificate)->names();
  REQUIRE(names);
  CHECK(std::ranges::find(names->ips, "192.0.2.10") != names->ips.end());
  CHECK(std::ranges::find(names->dns, "koi.example") != names->dns.end());
}

TEST_CASE("leaves are renewed before they expire and when a name is new, authorities stay") {
  Machine machine;
  const auto first = machine.ensure();
  REQUIRE(first);
  machine.clock.advance(std::chrono::days(300));
  const auto later = machine.ensure();
  REQUIRE(later);
  CHECK(first->serving.certificate != later->serving.certificate);
  CHECK(first->server_ca.certificate == later->server_ca.certificate);
  machine.options.ip_addresses.push_back("192.0.2.11");
  const auto renamed = machine.ensure();
  REQUIRE(renamed);
  CHECK(renamed->serving.certificate != later->serving.certificate);
  CHECK(renamed->admin.certificate == later->admin.certificate);
}

TEST_CASE("a clock before the cluster's first day is named, and nothing is replaced") {
  Machine machine;
  const auto first = machine.ensure();
  REQUIRE(first);
  machine.clock.set_wall(base::WallTime{std::chrono::seconds{1'000'000'000}});
  const auto refused = machine.ensure();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("set the clock right") != std::string::npos);
  machine.clock.set_wall(base::WallTime{std::chrono::seconds{1'800'000'000}});
  CHECK(machine.ensure()->server_ca.certificate == first->server_ca.certificate);
}

TEST_CASE("a damaged file is named and left alone") {
  Machine machine;
  REQUIRE(machine.ensure());
  REQUIRE(machine.files.write_atomically(machine.paths.key("client-ca"), "nonsense", 0600));
  const auto refused = machine.ensure();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == base::Code::corrupt);
  CHECK(refused.error().message.find("client-ca.key") != std::string::npos);
  CHECK(*machine.files.read_all(machine.paths.key("client-ca")) == "nonsense");
}

TEST_CASE("the token is made once, and another one is refused") {
  Machine machine;
  const auto made = ensure_token(machine.files, machine.random, "/data/server/token", "");
  REQUIRE(made);
  CHECK(made->size() == 32);
  CHECK(ensure_token(machine.files, machine.random, "/data/server/token", "") == made);
  CHECK(ensure_token(machine.files, machine.random, "/data/server/token", *made) == made);
  CHECK(ensure_token(machine.files, machine.random, "/data/server/token", "other").error().code ==
        base::Code::conflict);
}

}  // namespace koi::node
