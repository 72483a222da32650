#pragma once

#include <optional>
#include <string>
#include <string_view>

// The rules for names, keys and labels. Each answers with nothing for a good value and otherwise
// with the words that a client is shown.
namespace koi::api {

using Complaint = std::optional<std::string>;

Complaint check_dns1123_label(std::string_view text);
Complaint check_dns1123_subdomain(std::string_view text);
Complaint check_dns1035_label(std::string_view text);
// `a.b` and `*.a.b`, as ingress hosts.
Complaint check_wildcard_dns1123_subdomain(std::string_view text);
// Names that become one step of a URL path: anything but ".", "..", "/" and "%".
Complaint check_path_segment(std::string_view text);
// "example.com/name" or "name": keys of labels, annotations, taints; names of finalizers.
Complaint check_qualified_name(std::string_view text);
Complaint check_label_value(std::string_view text);
// Keys of ConfigMaps and Secrets.
Complaint check_config_key(std::string_view text);
Complaint check_env_name(std::string_view text);
// Names of container and service ports.
Complaint check_port_name(std::string_view text);
// IPv4 or IPv6 as inet_pton reads it.
Complaint check_ip(std::string_view text);
Complaint check_cidr(std::string_view text);

}  // namespace koi::api
