#include "crypto/key.h"

#include <doctest/doctest.h>

#include "base/os.h"
#include "testing/sim_random.h"

namespace koi::crypto {

TEST_CASE("keys come from the random source alone") {
  testing::SimRandom first(7);
  testing::SimRandom same(7);
  testing::SimRandom other(8);
  const std::string pem = PrivateKey::generate(first).value().to_pem().value();
  CHECK(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  CHECK(pem == PrivateKey::generate(same).value().to_pem().value());
  CHECK(pem != PrivateKey::generate(other).value().to_pem().value());
}

TEST_CASE("a key survives PEM and signs what its public half verifies") {
  const auto random = base::make_os_random();
  const auto key = PrivateKey::generate(*random).value();
  const auto again = PrivateKey::from_pem(key.to_pem().value()).value();
  const auto public_key = PublicKey::from_pem(key.public_key().value().to_pem().value()).value();
  CHECK(public_key.is_p256());
  CHECK(public_key.spki_sha256().value() == again.public_key().value().spki_sha256().value());
  const std::string signature = again.sign("words").value();
  CHECK(public_key.verify("words", signature).has_value());
  CHECK(public_key.verify("Words", signature).error().code == base::Code::unauthorized);
  CHECK_FALSE(public_key.verify("words", signature.substr(1)).has_value());
  CHECK_FALSE(public_key.verify("words", "").has_value());
  const auto stranger = PrivateKey::generate(*random).value().public_key().value();
  CHECK_FALSE(stranger.verify("words", signature).has_value());
}

TEST_CASE("what is no key is refused without asking for a passphrase") {
  const char* encrypted =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  const char* bad[] = {"", "hello",
                       "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", encrypted};
  for (const char* text : bad) {
    CAPTURE(text);
    CHECK(PrivateKey::from_pem(text).error().code == base::Code::invalid);
    CHECK(PublicKey::from_pem(text).error().code == base::Code::invalid);
  }
  CHECK(PrivateKey::from_pem(std::string(100'000, 'x')).error().code == base::Code::too_large);
  CHECK_FALSE(PublicKey::from_der("\x30\x00").has_value());
}

}  // namespace koi::crypto
