#include "node/credentials.h"

#include <array>

#include "crypto/base64.h"
#include "crypto/digest.h"

namespace koi::node {

using base::Code;
using base::Result;

std::string render_kubeconfig(const Pki& pki, const std::string& server_url) {
  return "apiVersion: v1\n"
         "kind: Config\n"
         "clusters:\n"
         "- name: koi\n"
         "  cluster:\n"
         "    certificate-authority-data: " +
         crypto::base64_encode(pki.server_ca.certificate) + "\n    server: " + server_url +
         "\ncontexts:\n"
         "- name: koi\n"
         "  context:\n"
         "    cluster: koi\n"
         "    user: koi\n"
         "current-context: koi\n"
         "users:\n"
         "- name: koi\n"
         "  user:\n"
         "    client-certificate-data: " +
         crypto::base64_encode(pki.admin.certificate) +
         "\n    client-key-data: " + crypto::base64_encode(pki.admin.key) + "\n";
}

Result<std::string> ensure_token(base::Files& files, base::Random& random, const base::Path& path,
                                 const std::string& wanted) {
  auto stored = files.read_all(path);
  if (!stored && stored.error().code != Code::not_found) return base::fail(stored.error());
  if (stored) {
    while (stored->ends_with('\n')) stored->pop_back();
    if (wanted.empty() || crypto::constant_time_equal(wanted, *stored)) return stored;
    return base::fail(Code::conflict, "'" + path.string() +
                                          "' holds another token than --token asks for; remove "
                                          "the option, or the file to change the token");
  }
  std::string token = wanted;
  if (token.empty()) {
    std::array<std::uint8_t, 16> bytes{};
    random.fill(bytes);
    token = crypto::hex_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  if (auto written = files.write_atomically(path, token + "\n", 0600); !written) {
    return base::fail(std::move(written).error());
  }
  return token;
}

}  // namespace koi::node
