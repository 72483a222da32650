#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"

namespace koi::crypto {

// What a certificate to be issued says.
struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  bool for_server = false;  // extended key usage
  bool for_client = false;
  base::WallTime not_before;
  base::WallTime not_after;
};

// What a certificate says.
struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  base::WallTime not_before;
  base::WallTime not_after;
  bool is_authority = false;
};

// A self-signed authority. PEM.
base::Result<std::string> make_authority(const Key& key, const CertificateRequest& request,
                                         base::Random& random);

// A certificate for `subject`, signed by the authority. PEM.
base::Result<std::string> issue_certificate(const Key& subject, const CertificateRequest& request,
                                            const Key& authority_key,
                                            std::string_view authority_pem, base::Random& random);

// The first certificate of a PEM text.
base::Result<CertificateFacts> read_certificate(std::string_view pem);

// PKCS #10, PEM: the names of `request` signed with the key.
base::Result<std::string> make_signing_request(const Key& key, const CertificateRequest& request);
struct SigningRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  Key key;
};
// Fails with invalid when its own signature does not hold.
base::Result<SigningRequest> read_signing_request(std::string_view pem);

}  // namespace koi::crypto
