#include <doctest/doctest.h>

#include "base/os.h"
#include "crypto/base64.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"

namespace koi::crypto {

namespace {

CertificateRequest sample() {
  CertificateRequest request;
  request.common_name = "system:admin";
  request.organizations = {"system:masters", "more"};
  request.dns_names = {"localhost", "kubernetes.default"};
  request.ip_addresses = {"127.0.0.1", "::1"};
  request.for_client = true;
  request.not_before = base::WallTime{std::chrono::seconds{1'700'000'000}};
  request.not_after = base::WallTime{std::chrono::seconds{1'800'000'000}};
  return request;
}

}  // namespace

TEST_CASE("digests match their published values") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(equal_in_constant_time("same", "same"));
  CHECK_FALSE(equal_in_constant_time("same", "sama"));
}

TEST_CASE("base64 has one text per value") {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    CHECK(*base64_decode(base64_encode(text)) == text);
    CHECK(*base64url_decode(base64url_encode(text)) == text);
  }
  CHECK(base64_encode("fo") == "Zm8=");
  for (const char* broken : {"Zm8", "Zm9=", "Zm8=Zm8=", "Z===", "Zm\n8="}) {
    CHECK_FALSE(base64_decode(broken));
  }
}

TEST_CASE("certificates say what was asked for") {
  const auto random = base::make_os_random();
  const auto authority_key = Key::generate();
  const auto key = Key::generate();
  const auto authority = make_authority(*authority_key, sample(), *random);
  REQUIRE(authority);
  CHECK(read_certificate(*authority)->is_authority);
  const auto issued = issue_certificate(*key, sample(), *authority_key, *authority, *random);
  REQUIRE(issued);
  const auto facts = read_certificate(*issued);
  REQUIRE(facts);
  CHECK(facts->common_name == "system:admin");
  CHECK(facts->organizations == sample().organizations);
  CHECK(facts->dns_names == sample().dns_names);
  CHECK(facts->ip_addresses == sample().ip_addresses);
  CHECK(facts->not_after == sample().not_after);
  CHECK_FALSE(facts->is_authority);
  CHECK_FALSE(read_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
}

TEST_CASE("signing requests carry names and prove their key") {
  const auto key = Key::generate();
  const auto request = make_signing_request(*key, sample());
  REQUIRE(request);
  const auto facts = read_signing_request(*request);
  REQUIRE(facts);
  CHECK(facts->common_name == "system:admin");
  CHECK(facts->ip_addresses == sample().ip_addresses);
  CHECK(facts->key.public_digest() == key->public_digest());
}

TEST_CASE("keys survive their PEM form, and other keys are refused") {
  const auto key = Key::generate();
  const auto again = Key::from_private_pem(key->private_pem());
  REQUIRE(again);
  CHECK(again->public_digest() == key->public_digest());
  CHECK_FALSE(Key::from_private_pem("nonsense"));
}

TEST_CASE("tokens hold for their key and their bytes alone") {
  const auto key = Key::generate();
  const auto other = Key::generate();
  auto token = sign_jwt(*key, R"({"sub":"x"})");
  REQUIRE(token);
  CHECK(*verify_jwt(*key, *token) == R"({"sub":"x"})");
  CHECK(verify_jwt(*other, *token).error().code == base::Code::unauthorized);
  for (const std::size_t at : {std::size_t{3}, token->size() / 2, token->size() - 3}) {
    std::string tampered = *token;
    tampered[at] = tampered[at] == 'A' ? 'B' : 'A';
    CHECK_FALSE(verify_jwt(*key, tampered));
  }
  for (const char* broken : {"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30."}) {
    CHECK_FALSE(verify_jwt(*key, broken));
  }
}

}  // namespace koi::crypto
