#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"

namespace koi::crypto {

// Who a certificate is about. Kubernetes reads them as user and groups.
struct Subject {
  std::string common_name;
  std::vector<std::string> organizations;

  friend bool operator==(const Subject&, const Subject&) = default;
};

// The names a server answers to.
struct SubjectNames {
  std::vector<std::string> dns;  // "*.example.org" too
  std::vector<std::string> ips;  // textual, IPv4 or IPv6

  friend bool operator==(const SubjectNames&, const SubjectNames&) = default;
};

// An X.509 certificate. Cheap to copy. Any thread.
class Certificate {
 public:
  // The first certificate of the text.
  static base::Result<Certificate> from_pem(std::string_view pem);
  // Every certificate of the text, at least one, at most 1,000.
  static base::Result<std::vector<Certificate>> all_from_pem(std::string_view pem);
  static base::Result<Certificate> from_der(std::string_view der);

  base::Result<std::string> to_pem() const;
  base::Result<std::string> to_der() const;

  // Fails when a name is not UTF-8 or holds a NUL.
  base::Result<Subject> subject() const;
  base::Result<Subject> issuer() const;
  base::Result<SubjectNames> names() const;
  base::Result<base::WallTime> not_before() const;
  base::Result<base::WallTime> not_after() const;
  base::Result<PublicKey> public_key() const;
  // Lower-case hex.
  base::Result<std::string> serial() const;
  // Hex SHA-256 of the DER bytes.
  base::Result<std::string> sha256() const;
  bool is_ca() const;
  bool allows_client_auth() const;
  bool allows_server_auth() const;

  struct Native;
  explicit Certificate(std::shared_ptr<const Native> native);
  const Native& native() const { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

// What is to be certified.
struct CertificateSpec {
  Subject subject;
  SubjectNames names;
  bool client_auth = false;
  bool server_auth = false;
  base::WallTime not_before;  // kept in whole seconds
  base::WallTime not_after;
};

struct CaSpec {
  std::string common_name;
  base::WallTime not_before;
  base::WallTime not_after;
};

// A CA that signs itself: path length 0, key usage for certificates and CRLs.
base::Result<Certificate> make_ca(base::Random& random, const PrivateKey& key, const CaSpec& spec);

// Signs certificates. Constant; any thread (as far as the random source is).
class CertificateAuthority {
 public:
  // Fails with invalid when the key is not the certificate's or the certificate is no CA.
  static base::Result<CertificateAuthority> make(Certificate certificate, PrivateKey key);

  // Fails with invalid when a name is malformed or the time span is empty. A span that ends after
  // the CA's is cut to it.
  base::Result<Certificate> issue(base::Random& random, const PublicKey& subject_key,
                                  const CertificateSpec& spec) const;
  const Certificate& certificate() const { return certificate_; }

 private:
  CertificateAuthority(Certificate certificate, PrivateKey key);
  Certificate certificate_;
  PrivateKey key_;
};

enum class Purpose { client, server };

// Fails with unauthorized, and says why, unless a chain from the leaf over the intermediates to one
// of the roots holds at that time and the leaf may be used so.
base::Result<> verify_chain(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                            const std::vector<Certificate>& roots, Purpose purpose,
                            base::WallTime now);

// A PKCS #10 certificate signing request. Cheap to copy. Any thread.
class SigningRequest {
 public:
  static base::Result<SigningRequest> create(const PrivateKey& key, const Subject& subject,
                                             const SubjectNames& names);
  // Fails with invalid also when its signature does not hold.
  static base::Result<SigningRequest> from_pem(std::string_view pem);

  base::Result<std::string> to_pem() const;
  base::Result<Subject> subject() const;
  base::Result<SubjectNames> names() const;
  base::Result<PublicKey> public_key() const;

  struct Native;
  explicit SigningRequest(std::shared_ptr<const Native> native);

 private:
  std::shared_ptr<const Native> native_;
};

}  // namespace koi::crypto
