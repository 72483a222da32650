#include "node/pki.h"

#include <algorithm>

#include "base/log.h"
#include "crypto/certificate.h"

namespace koi::node {

namespace {

using base::Code;
using base::Result;
using crypto::Certificate;
using crypto::CertificateSpec;
using crypto::PrivateKey;
using std::chrono::days;

constexpr auto authority_lifetime = days(3650);
constexpr auto leaf_lifetime = days(365);
constexpr auto leaf_renewal_margin = days(90);
// Clocks of machines that join may be a little behind.
constexpr auto clock_tolerance = std::chrono::hours(1);

// Makes and reads the files of one server.
class PkiFiles {
 public:
  PkiFiles(base::Files& files, base::Clock& clock, base::Random& random, const ServerPaths& paths)
      : files_(files), clock_(clock), random_(random), paths_(paths) {}

  Result<KeyPair> authority(const std::string& name) {
    const std::string file = name + "-ca";
    auto pair = read(file);
    if (!pair) return pair;
    if (!pair->certificate.empty()) return check_authority(file, std::move(*pair));
    auto key = PrivateKey::generate(random_);
    if (!key) return base::fail(std::move(key).error());
    const crypto::CaSpec spec{.common_name = "koi-" + file,
                              .not_before = clock_.wall_now() - clock_tolerance,
                              .not_after = clock_.wall_now() + authority_lifetime};
    auto certificate = crypto::make_ca(random_, *key, spec);
    if (!certificate) return base::fail(std::move(certificate).error());
    return write(file, *certificate, *key);
  }

  Result<KeyPair> leaf(const std::string& file, CertificateSpec spec, const KeyPair& authority) {
    auto pair = read(file);
    if (!pair) return pair;
    if (!pair->certificate.empty()) {
      auto certificate = Certificate::from_pem(pair->certificate);
      if (!certificate) return base::fail(damaged(paths_.certificate(file), certificate.error()));
      if (is_current(*certificate, spec)) return pair;
    }
    spec.not_before = clock_.wall_now() - clock_tolerance;
    spec.not_after = clock_.wall_now() + leaf_lifetime;
    auto key = PrivateKey::generate(random_);
    if (!key) return base::fail(std::move(key).error());
    auto certificate = issue(*key, spec, authority);
    if (!certificate) return base::fail(std::move(certificate).error().during("issue " + file));
    base::log::info("pki.issued", {{"certificate", file}});
    return write(file, *certificate, *key);
  }

  Result<PrivateKey> signing_key(const std::string& file) {
    const base::Path path = paths_.key(file);
    auto pem = files_.read_all(path);
    if (pem) {
      auto key = PrivateKey::from_pem(*pem);
      if (!key) return base::fail(damaged(path, key.error()));
      return key;
    }
    if (pem.error().code != Code::not_found) return base::fail(std::move(pem).error());
    auto key = PrivateKey::generate(random_);
    if (!key) return key;
    auto text = key->to_pem();
    if (!text) return base::fail(std::move(text).error());
    auto written = files_.write_atomically(path, *text, 0600);
    if (!written) return base::fail(std::move(written).error());
    return key;
  }

 private:
  static base::Error damaged(const base::Path& path, const base::Error& error) {
    return {Code::corrupt, "'" + path.string() + "' is damaged: " + error.message +
                               "; restore it from a backup (koi does not replace it by itself)"};
  }

  // Both files, or an empty pair when neither is there.
  Result<KeyPair> read(const std::string& file) {
    auto certificate = files_.read_all(paths_.certificate(file));
    auto key = files_.read_all(paths_.key(file));
    const auto absent = [](const auto& content) {
      return !content && content.error().code == Code::not_found;
    };
    // The key is written first: a key alone is a first start that was interrupted.
    if (absent(certificate)) return KeyPair{};
    if (!certificate) return base::fail(std::move(certificate).error());
    if (!key) return base::fail(damaged(paths_.key(file), key.error()));
    if (auto parsed = PrivateKey::from_pem(*key); !parsed) {
      return base::fail(damaged(paths_.key(file), parsed.error()));
    }
    return KeyPair{std::move(*certificate), std::move(*key)};
  }

  Result<KeyPair> check_authority(const std::string& file, KeyPair pair) {
    auto certificate = Certificate::from_pem(pair.certificate);
    if (!certificate) return base::fail(damaged(paths_.certificate(file), certificate.error()));
    auto first_day = certificate->not_before();
    if (!first_day) return base::fail(damaged(paths_.certificate(file), first_day.error()));
    if (clock_.wall_now() < *first_day) {
      return base::fail(Code::unavailable,
                        "the clock says " + base::format_time(clock_.wall_now()) +
                            ", but this cluster was made on " + base::format_time(*first_day) +
                            ": set the clock right, then start koi again");
    }
    return pair;
  }

  Result<Certificate> issue(const PrivateKey& key, const CertificateSpec& spec,
                            const KeyPair& authority) {
    auto certificate = Certificate::from_pem(authority.certificate);
    if (!certificate) return certificate;
    auto authority_key = PrivateKey::from_pem(authority.key);
    if (!authority_key) return base::fail(std::move(authority_key).error());
    auto issuer = crypto::CertificateAuthority::make(std::move(*certificate), *authority_key);
    if (!issuer) return base::fail(std::move(issuer).error());
    auto public_key = key.public_key();
    if (!public_key) return base::fail(std::move(public_key).error());
    return issuer->issue(random_, *public_key, spec);
  }

  Result<KeyPair> write(const std::string& file, const Certificate& certificate,
                        const PrivateKey& key) {
    auto certificate_pem = certificate.to_pem();
    if (!certificate_pem) return base::fail(std::move(certificate_pem).error());
    auto key_pem = key.to_pem();
    if (!key_pem) return base::fail(std::move(key_pem).error());
    auto written = files_.write_atomically(paths_.key(file), *key_pem, 0600);
    if (written)
      written = files_.write_atomically(paths_.certificate(file), *certificate_pem, 0600);
    if (!written) return base::fail(std::move(written).error());
    return KeyPair{std::move(*certificate_pem), std::move(*key_pem)};
  }

  bool is_current(const Certificate& certificate, const CertificateSpec& spec) {
    const auto holds = [](const std::vector<std::string>& have,
                          const std::vector<std::string>& want) {
      return std::ranges::all_of(want, [&](const std::string& name) {
        return std::ranges::find(have, name) != have.end();
      });
    };
    const auto end = certificate.not_after();
    const auto subject = certificate.subject();
    const auto names = certificate.names();
    return end && *end > clock_.wall_now() + leaf_renewal_margin && subject &&
           *subject == spec.subject && names && holds(names->dns, spec.names.dns) &&
           holds(names->ips, spec.names.ips);
  }

  base::Files& files_;
  base::Clock& clock_;
  base::Random& random_;
  const ServerPaths& paths_;
};

CertificateSpec serving_spec(const PkiOptions& options) {
  CertificateSpec spec;
  spec.subject.common_name = "koi";
  spec.server_auth = true;
  spec.names.dns = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                    "kubernetes.default.svc.cluster.local", "localhost"};
  spec.names.ips = {"127.0.0.1", "::1"};
  const auto add = [](std::vector<std::string>& names, const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  add(spec.names.dns, options.node_name);
  for (const std::string& name : options.dns_names) add(spec.names.dns, name);
  for (const std::string& ip : options.ip_addresses) add(spec.names.ips, ip);
  return spec;
}

CertificateSpec client_spec(std::string common_name, std::string organization) {
  CertificateSpec spec;
  spec.subject.common_name = std::move(common_name);
  spec.subject.organizations = {std::move(organization)};
  spec.client_auth = true;
  return spec;
}

}  // namespace

Result<Pki> ensure_pki(base::Files& files, base::Clock& clock, base::Random& random,
                       const ServerPaths& paths, const PkiOptions& options) {
  if (auto made = files.make_directories(paths.tls(), 0700); !made) return base::fail(made.error());
  PkiFiles pki(files, clock, random, paths);
  auto server_ca = pki.authority("server");
  if (!server_ca) return base::fail(std::move(server_ca).error());
  auto client_ca = pki.authority("client");
  if (!client_ca) return base::fail(std::move(client_ca).error());
  auto serving = pki.leaf("serving", serving_spec(options), *server_ca);
  if (!serving) return base::fail(std::move(serving).error());
  auto admin = pki.leaf("admin", client_spec("system:admin", "system:masters"), *client_ca);
  if (!admin) return base::fail(std::move(admin).error());
  const std::string node_user = "system:node:" + options.node_name;
  auto agent = pki.leaf("agent", client_spec(node_user, "system:nodes"), *client_ca);
  if (!agent) return base::fail(std::move(agent).error());
  auto signing_key = pki.signing_key("service-account");
  if (!signing_key) return base::fail(std::move(signing_key).error());
  return Pki{std::move(*server_ca), std::move(*client_ca), std::move(*serving),
             std::move(*admin),     std::move(*agent),     std::move(*signing_key)};
}

}  // namespace koi::node
