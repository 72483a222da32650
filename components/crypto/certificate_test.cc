#include "crypto/certificate.h"

#include <doctest/doctest.h>

#include "crypto/digest.h"
#include "testing/sim_random.h"

namespace koi::crypto {

namespace {

using namespace std::chrono_literals;

const base::WallTime start = base::parse_time("2026-01-02T03:04:05Z").value();
constexpr auto year = std::chrono::hours(365 * 24);

struct Authority {
  testing::SimRandom random{1};
  PrivateKey key = PrivateKey::generate(random).value();
  CertificateAuthority ca = make();

  CertificateAuthority make() {
    const CaSpec spec{.common_name = "koi", .not_before = start, .not_after = start + 10 * year};
    return CertificateAuthority::make(make_ca(random, key, spec).value(), key).value();
  }
};

CertificateSpec spec_of_client() {
  CertificateSpec spec;
  spec.subject = {.common_name = "system:node:a", .organizations = {"system:nodes", "b"}};
  spec.client_auth = true;
  spec.not_before = start;
  spec.not_after = start + year;
  return spec;
}

}  // namespace

TEST_CASE("a client certificate says who and how long") {
  Authority authority;
  const auto key = PrivateKey::generate(authority.random).value();
  const auto public_key = key.public_key().value();
  const auto issued = authority.ca.issue(authority.random, public_key, spec_of_client()).value();
  const auto read = Certificate::from_pem(issued.to_pem().value()).value();
  CHECK(read.subject().value() == spec_of_client().subject);
  CHECK(read.issuer().value().common_name == "koi");
  CHECK(read.not_before().value() == start);
  CHECK(read.not_after().value() == start + year);
  CHECK(read.public_key().value().spki_sha256().value() == public_key.spki_sha256().value());
  CHECK(read.sha256().value() == sha256_hex(issued.to_der().value()));
  CHECK(read.serial().value().size() == 32);
  CHECK_FALSE(read.is_ca());
  CHECK(read.allows_client_auth());
  CHECK_FALSE(read.allows_server_auth());
  CHECK(read.names().value() == SubjectNames());
}

TEST_CASE("a server certificate carries its names") {
  Authority authority;
  CertificateSpec spec = spec_of_client();
  spec.client_auth = false;
  spec.server_auth = true;
  spec.names = {.dns = {"kubernetes.default.svc", "*.koi"}, .ips = {"10.43.0.1", "fd00::1"}};
  const auto issued =
      authority.ca.issue(authority.random, authority.key.public_key().value(), spec);
  CHECK(issued.value().names().value() == spec.names);
  CHECK(issued.value().allows_server_auth());
  for (const char* bad : {"", "a b", "-a", "a/b", "*"}) {
    CAPTURE(bad);
    spec.names.dns = {bad};
    const auto refused =
        authority.ca.issue(authority.random, authority.key.public_key().value(), spec);
    CHECK_FALSE(refused.has_value());
  }
  spec.names = {.dns = {}, .ips = {"300.1.1.1"}};
  CHECK(authority.ca.issue(authority.random, authority.key.public_key().value(), spec)
            .error()
            .message.find("'300.1.1.1'") != std::string::npos);
}

TEST_CASE("chains hold only for the right root, time and use") {
  Authority authority;
  Authority stranger;
  stranger.random = testing::SimRandom(2);
  stranger.key = PrivateKey::generate(stranger.random).value();
  stranger.ca = stranger.make();
  const auto leaf =
      authority.ca.issue(authority.random, authority.key.public_key().value(), spec_of_client())
          .value();
  const std::vector<Certificate> roots{authority.ca.certificate()};
  const std::vector<Certificate> foreign{stranger.ca.certificate()};
  CHECK(verify_chain(leaf, {}, roots, Purpose::client, start + 1h).has_value());
  CHECK_FALSE(verify_chain(leaf, {}, roots, Purpose::server, start + 1h).has_value());
  CHECK_FALSE(verify_chain(leaf, {}, foreign, Purpose::client, start + 1h).has_value());
  CHECK_FALSE(verify_chain(leaf, {}, {}, Purpose::client, start + 1h).has_value());
  const auto early = verify_chain(leaf, {}, roots, Purpose::client, start - 1h);
  CHECK(early.error().code == base::Code::unauthorized);
  CHECK(early.error().message.find("not yet valid") != std::string::npos);
  const auto late = verify_chain(leaf, {}, roots, Purpose::client, start + 2 * year);
  CHECK(late.error().message.find("expired") != std::string::npos);
}

TEST_CASE("a leaf never outlives its CA and never ends before it begins") {
  Authority authority;
  CertificateSpec spec = spec_of_client();
  spec.not_after = start + 20 * year;
  const auto key = authority.key.public_key().value();
  const auto cut = authority.ca.issue(authority.random, key, spec).value();
  CHECK(cut.not_after().value() == start + 10 * year);
  spec.not_after = start - 1h;
  CHECK(authority.ca.issue(authority.random, key, spec).error().code == base::Code::invalid);
}

TEST_CASE("an authority needs a CA certificate and its key") {
  Authority authority;
  testing::SimRandom random(9);
  const auto other = PrivateKey::generate(random).value();
  CHECK_FALSE(CertificateAuthority::make(authority.ca.certificate(), other).has_value());
  const auto leaf =
      authority.ca.issue(random, other.public_key().value(), spec_of_client()).value();
  CHECK_FALSE(CertificateAuthority::make(leaf, other).has_value());
}

TEST_CASE("signing requests carry subject, names and a proof of the key") {
  testing::SimRandom random(3);
  const auto key = PrivateKey::generate(random).value();
  const Subject subject{.common_name = "system:node:a", .organizations = {"system:nodes"}};
  const SubjectNames names{.dns = {"a.example.org"}, .ips = {"10.0.0.1"}};
  const auto request = SigningRequest::create(key, subject, names).value();
  const std::string pem = request.to_pem().value();
  const auto read = SigningRequest::from_pem(pem).value();
  CHECK(read.subject().value() == subject);
  CHECK(read.names().value() == names);
  CHECK(read.public_key().value().spki_sha256().value() ==
        key.public_key().value().spki_sha256().value());
  std::string forged = pem;
  const auto middle = forged.size() / 2;
  forged[middle] = forged[middle] == 'A' ? 'B' : 'A';
  CHECK_FALSE(SigningRequest::from_pem(forged).has_value());
  CHECK(SigningRequest::create(key, subject, {}).value().names().value() == SubjectNames());
}

TEST_CASE("bundles are read whole or refused") {
  Authority authority;
  const std::string pem = authority.ca.certificate().to_pem().value();
  CHECK(Certificate::all_from_pem(pem + "# comment\n" + pem).value().size() == 2);
  CHECK_FALSE(Certificate::all_from_pem("").has_value());
  CHECK_FALSE(Certificate::all_from_pem(pem + pem.substr(0, pem.size() / 2)).has_value());
  CHECK_FALSE(Certificate::from_der("\x30\x82").has_value());
  std::string bad = pem;
  bad[40] = '!';
  CHECK_FALSE(Certificate::from_pem(bad).has_value());
}

TEST_CASE("a NUL cannot hide in a name") {
  Authority authority;
  CertificateSpec spec = spec_of_client();
  spec.subject.common_name = std::string("admin\0x", 7);
  CHECK_FALSE(
      authority.ca.issue(authority.random, authority.key.public_key().value(), spec).has_value());
}

}  // namespace koi::crypto
