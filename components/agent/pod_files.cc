#include "agent/pod_files.h"

#include <algorithm>
#include <sstream>

namespace koi::agent {

namespace {

constexpr std::size_t hostname_bytes_max = 63;
constexpr std::size_t nameservers_max = 3;
constexpr std::size_t searches_max = 32;

struct Resolver {
  std::vector<std::string> servers;
  std::vector<std::string> searches;
  std::vector<std::string> options;
};

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  std::string word;
  while (stream >> word) words.push_back(word);
  return words;
}

Resolver parse_resolver(const std::string& text) {
  Resolver resolver;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    auto words = words_of(line);
    if (words.size() < 2) continue;
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    if (words[0] == "nameserver") resolver.servers.push_back(rest[0]);
    if (words[0] == "search" || words[0] == "domain") resolver.searches = rest;
    if (words[0] == "options") resolver.options = rest;
  }
  return resolver;
}

void add_unique(std::vector<std::string>& list, std::string value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(std::move(value));
}

void use_cluster(Resolver& resolver, const json::Value& pod, const DnsOptions& options) {
  const std::string name_space(json::string_at(pod, {"metadata", "namespace"}));
  const auto services = "svc." + options.cluster_domain;
  std::vector<std::string> searches;
  add_unique(searches, name_space + "." + services);
  add_unique(searches, services);
  add_unique(searches, options.cluster_domain);
  for (const auto& search : resolver.searches) {
    if (search != ".") add_unique(searches, search);
  }
  resolver.searches = std::move(searches);
  resolver.servers = {options.cluster_dns};
  resolver.options = {"ndots:5"};
}

void merge_config(Resolver& resolver, const json::Value& pod) {
  for (const auto& server : json::array_at(pod, {"spec", "dnsConfig", "nameservers"})) {
    if (server.is_string()) {
      add_unique(resolver.servers, std::string(std::string_view(server.get_string())));
    }
  }
  for (const auto& search : json::array_at(pod, {"spec", "dnsConfig", "searches"})) {
    if (search.is_string()) {
      add_unique(resolver.searches, std::string(std::string_view(search.get_string())));
    }
  }
  for (const auto& option : json::array_at(pod, {"spec", "dnsConfig", "options"})) {
    const std::string name(json::string_at(option, {"name"}));
    std::erase_if(resolver.options, [&](const std::string& old) {
      return old == name || old.starts_with(name + ":");
    });
    const auto value = json::string_at(option, {"value"});
    resolver.options.push_back(value.empty() ? name : name + ":" + std::string(value));
  }
}

std::string join(const std::vector<std::string>& words, std::size_t count_max) {
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), count_max); ++i) text += " " + words[i];
  return text;
}

std::string aliases_text(const json::Value& pod) {
  std::string text;
  for (const auto& alias : json::array_at(pod, {"spec", "hostAliases"})) {
    std::string line(json::string_at(alias, {"ip"}));
    for (const auto& name : json::array_at(alias, {"hostnames"})) {
      if (name.is_string()) line += "\t" + std::string(std::string_view(name.get_string()));
    }
    text += line + "\n";
  }
  if (!text.empty()) text = "\n# Entries added by HostAliases.\n" + text;
  return text;
}

std::string short_hostname(const json::Value& pod) {
  auto name = json::string_at(pod, {"spec", "hostname"});
  if (name.empty()) name = json::string_at(pod, {"metadata", "name"});
  std::string hostname(name.substr(0, hostname_bytes_max));
  while (!hostname.empty() && (hostname.back() == '-' || hostname.back() == '.')) {
    hostname.pop_back();
  }
  return hostname;
}

}  // namespace

std::string pod_domain_name(const json::Value& pod, const std::string& cluster_domain) {
  const std::string subdomain(json::string_at(pod, {"spec", "subdomain"}));
  if (subdomain.empty()) return {};
  const std::string name_space(json::string_at(pod, {"metadata", "namespace"}));
  return short_hostname(pod) + "." + subdomain + "." + name_space + ".svc." + cluster_domain;
}

std::string pod_hostname(const json::Value& pod, const std::string& node_name,
                         const std::string& cluster_domain) {
  const auto override_name = json::string_at(pod, {"spec", "hostnameOverride"});
  if (!override_name.empty()) return std::string(override_name);
  if (json::bool_at(pod, {"spec", "hostNetwork"})) return node_name;
  if (json::bool_at(pod, {"spec", "setHostnameAsFQDN"})) {
    auto full = pod_domain_name(pod, cluster_domain);
    if (!full.empty()) return full;
  }
  return short_hostname(pod);
}

std::string hosts_file(const json::Value& pod, const std::string& pod_ip,
                       const std::string& node_hosts, const std::string& cluster_domain) {
  if (json::bool_at(pod, {"spec", "hostNetwork"})) {
    return "# Kubernetes-managed hosts file (host network).\n" + node_hosts + aliases_text(pod);
  }
  std::string text =
      "# Kubernetes-managed hosts file.\n"
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "fe00::0\tip6-localnet\n"
      "fe00::0\tip6-mcastprefix\n"
      "fe00::1\tip6-allnodes\n"
      "fe00::2\tip6-allrouters\n";
  if (!pod_ip.empty()) {
    const auto full = pod_domain_name(pod, cluster_domain);
    text += pod_ip + "\t" + (full.empty() ? "" : full + "\t") + short_hostname(pod) + "\n";
  }
  return text + aliases_text(pod);
}

std::string resolv_conf(const json::Value& pod, const std::string& node_resolv_conf,
                        const DnsOptions& options) {
  const auto policy = json::string_at(pod, {"spec", "dnsPolicy"});
  const bool host_network = json::bool_at(pod, {"spec", "hostNetwork"});
  Resolver resolver;
  if (policy != "None") resolver = parse_resolver(node_resolv_conf);
  const bool cluster = policy == "ClusterFirstWithHostNet" ||
                       ((policy.empty() || policy == "ClusterFirst") && !host_network);
  if (cluster && !options.cluster_dns.empty()) use_cluster(resolver, pod, options);
  merge_config(resolver, pod);
  std::string text;
  if (!resolver.searches.empty()) text += "search" + join(resolver.searches, searches_max) + "\n";
  for (std::size_t i = 0; i < std::min(resolver.servers.size(), nameservers_max); ++i) {
    text += "nameserver " + resolver.servers[i] + "\n";
  }
  if (!resolver.options.empty()) text += "options" + join(resolver.options, 64) + "\n";
  return text;
}

}  // namespace koi::agent
