#include "crypto/names.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace koi::crypto {

namespace {

using base::Code;
using base::fail;

constexpr std::size_t names_max = 1'000;
constexpr std::size_t organizations_max = 100;

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const {
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
  }
};
using OwnedNames = std::unique_ptr<GENERAL_NAMES, FreeNames>;
using OwnedGeneralName = Owned<GENERAL_NAME, GENERAL_NAME_free>;

bool add_entry(X509_NAME* name, int kind, const std::string& value) {
  return X509_NAME_add_entry_by_NID(name, kind, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

base::Result<std::string> entry_text(const X509_NAME_ENTRY* entry) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) return fail(openssl_error(Code::invalid, "a name of the certificate is not text"));
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  if (text.find('\0') != std::string::npos) {
    return fail(Code::invalid, "a name of the certificate holds a NUL");
  }
  return text;
}

bool is_dns_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253 || name.front() == '.' || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

bool push(GENERAL_NAMES* names, int kind, std::string_view bytes) {
  OwnedGeneralName name(GENERAL_NAME_new());
  ASN1_STRING* value = kind == GEN_DNS ? static_cast<ASN1_STRING*>(ASN1_IA5STRING_new())
                                       : static_cast<ASN1_STRING*>(ASN1_OCTET_STRING_new());
  if (!name || value == nullptr) return false;
  if (ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  GENERAL_NAME_set0_value(name.get(), kind, value);
  if (sk_GENERAL_NAME_push(names, name.get()) == 0) return false;
  (void)name.release();
  return true;
}

base::Result<std::string> ip_bytes(const std::string& text) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(text, error);
  if (error) return fail(Code::invalid, "'" + text + "' is not an IP address");
  std::string bytes;
  if (address.is_v4()) {
    for (const auto byte : address.to_v4().to_bytes()) bytes += static_cast<char>(byte);
  } else {
    for (const auto byte : address.to_v6().to_bytes()) bytes += static_cast<char>(byte);
  }
  return bytes;
}

base::Result<std::string> ip_text(std::string_view bytes) {
  namespace ip = boost::asio::ip;
  if (bytes.size() == 4) {
    ip::address_v4::bytes_type raw;
    std::copy(bytes.begin(), bytes.end(), raw.begin());
    return ip::address_v4(raw).to_string();
  }
  if (bytes.size() != 16) {
    return fail(Code::invalid, "an IP address of the certificate has a wrong length");
  }
  ip::address_v6::bytes_type raw;
  std::copy(bytes.begin(), bytes.end(), raw.begin());
  return ip::address_v6(raw).to_string();
}

std::string_view text_of(const ASN1_STRING* value) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

}  // namespace

base::Result<OwnedName> make_name(const Subject& subject) {
  OwnedName name(X509_NAME_new());
  if (!name) return fail(openssl_error(Code::internal, "make a name"));
  if (subject.organizations.size() > organizations_max) {
    return fail(Code::too_large, "more than 100 organizations");
  }
  std::vector<std::string> all = subject.organizations;
  all.push_back(subject.common_name);
  for (const auto& text : all) {
    if (text.find('\0') != std::string::npos) return fail(Code::invalid, "a name holds a NUL");
  }
  for (const auto& organization : subject.organizations) {
    if (!add_entry(name.get(), NID_organizationName, organization)) {
      return fail(openssl_error(Code::invalid, "organization '" + organization + "'"));
    }
  }
  const bool named =
      subject.common_name.empty() || add_entry(name.get(), NID_commonName, subject.common_name);
  if (!named) {
    return fail(openssl_error(Code::invalid, "common name '" + subject.common_name + "'"));
  }
  return name;
}

base::Result<Subject> read_name(const X509_NAME* name) {
  Subject subject;
  const int count = X509_NAME_entry_count(name);
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const int kind = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (kind != NID_commonName && kind != NID_organizationName) continue;
    auto text = entry_text(entry);
    if (!text) return fail(std::move(text).error());
    if (kind == NID_commonName) {
      subject.common_name = std::move(*text);
    } else {
      subject.organizations.push_back(std::move(*text));
    }
  }
  return subject;
}

base::Result<OwnedExtension> make_names_extension(const SubjectNames& names) {
  OwnedNames all(sk_GENERAL_NAME_new_null());
  if (!all) return fail(openssl_error(Code::internal, "make alternative names"));
  if (names.dns.size() + names.ips.size() > names_max) {
    return fail(Code::too_large, "more than 1000 alternative names");
  }
  for (const auto& dns : names.dns) {
    if (!is_dns_name(dns)) return fail(Code::invalid, "'" + dns + "' is not a DNS name");
    if (!push(all.get(), GEN_DNS, dns)) return fail(openssl_error(Code::internal, "add a name"));
  }
  for (const auto& text : names.ips) {
    auto bytes = ip_bytes(text);
    if (!bytes) return fail(std::move(bytes).error());
    if (!push(all.get(), GEN_IPADD, *bytes)) {
      return fail(openssl_error(Code::internal, "add an address"));
    }
  }
  OwnedExtension extension(X509V3_EXT_i2d(NID_subject_alt_name, 0, all.get()));
  if (!extension) return fail(openssl_error(Code::internal, "make alternative names"));
  return extension;
}

base::Result<SubjectNames> read_names(const GENERAL_NAMES* names) {
  SubjectNames out;
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names);
  for (int i = 0; i < count; ++i) {
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind));
    if (kind == GEN_DNS) {
      std::string text(text_of(value));
      if (text.find('\0') != std::string::npos) {
        return fail(Code::invalid, "a name of the certificate holds a NUL");
      }
      out.dns.push_back(std::move(text));
    } else if (kind == GEN_IPADD) {
      auto text = ip_text(text_of(value));
      if (!text) return fail(std::move(text).error());
      out.ips.push_back(std::move(*text));
    }
  }
  return out;
}

}  // namespace koi::crypto
