#pragma once

#include <string>
#include <vector>

#include "json/value.h"

// The text of the files that every pod gets: hosts, hostname, resolv.conf. Pure.
namespace koi::agent {

struct DnsOptions {
  std::string cluster_dns;  // "10.43.0.10"; empty while the cluster serves no names
  std::string cluster_domain = "cluster.local";
};

// The pod's hostname: spec.hostname or its name, at most 63 characters; the node's with
// hostNetwork; the full name with setHostnameAsFQDN.
std::string pod_hostname(const json::Value& pod, const std::string& node_name,
                         const std::string& cluster_domain);

// "host.subdomain.namespace.svc.domain", or empty without a subdomain.
std::string pod_domain_name(const json::Value& pod, const std::string& cluster_domain);

// `node_hosts` is the node's own file, which pods on the host's network get with their aliases.
std::string hosts_file(const json::Value& pod, const std::string& pod_ip,
                       const std::string& node_hosts, const std::string& cluster_domain);

// `node_resolv_conf` is the node's own file.
std::string resolv_conf(const json::Value& pod, const std::string& node_resolv_conf,
                        const DnsOptions& options);

}  // namespace koi::agent
