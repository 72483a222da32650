#include "network/pod_network.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>

#include "base/blocking_pool.h"
#include "base/os.h"
#include "linux/net_namespace.h"
#include "linux/network_links.h"
#include "linux/nftables_batch.h"
#include "network/pod_table.h"

namespace koi::network {

namespace {

using linux::UniqueFd;

// On a busy machine; a packet that is lost costs one second of it.
constexpr int patience_ms = 5'000;

struct Pod {
  std::string uid;
  UniqueFd space;
  std::string path() const { return "/proc/self/fd/" + std::to_string(space.get()); }
};

// A node in a network namespace of its own. Every call happens on the thread that made it.
struct Node {
  base::Path directory;
  boost::asio::io_context io;
  std::unique_ptr<base::Files> files = base::make_os_files();
  base::BlockingPool pool{"network", 0};
  std::unique_ptr<PodNetwork> network;
  NodeNetworkConfig config{
      .pod_cidr = "10.42.5.0/24", .cluster_cidr = "10.42.0.0/16", .node_ip = "192.0.2.1", .mtu = 0};

  Node() {
    std::string name = (std::filesystem::temp_directory_path() / "koi-network-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
    restart();
  }
  ~Node() {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }

  void restart() { network = make_pod_network(*files, pool, directory); }

  template <class T>
  T run(base::Task<T> task) {
    std::optional<T> result;
    base::TaskGroup group(io.get_executor());
    group.spawn("test", keep(std::move(task), result));
    io.restart();
    io.run();
    REQUIRE(result);
    return std::move(*result);
  }

  base::Result<PodAddress> attach(const Pod& pod, std::vector<HostPort> ports = {}) {
    return run(network->attach(pod.uid, pod.path(), std::move(ports)));
  }

 private:
  template <class T>
  static base::Task<> keep(base::Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }
};

Pod make_pod(std::string uid) {
  auto space = linux::make_net_namespace();
  REQUIRE(space);
  return {std::move(uid), std::move(*space)};
}

// Runs a test inside a new network namespace, on a thread of its own; skips where that cannot be.
void on_own_node(const std::function<void()>& test) {
  auto space = linux::make_net_namespace();
  if (!space) {
    MESSAGE("skipped: " << space.error().message);
    return;
  }
  const auto outcome = linux::in_net_namespace(space->get(), [&]() -> base::Result<> {
    auto links = linux::NetworkLinks::open();
    REQUIRE(links);
    REQUIRE(links->set_up(links->find("lo")->index));
    test();
    return {};
  });
  CHECK(outcome);
}

sockaddr_in socket_address(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  REQUIRE(::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) == 1);
  return address;
}

// A listening TCP socket in the pod.
UniqueFd listen_in(const Pod& pod, std::uint16_t port) {
  UniqueFd server;
  const auto outcome = linux::in_net_namespace(pod.space.get(), [&]() -> base::Result<> {
    server.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = socket_address("0.0.0.0", port);
    REQUIRE(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
            0);
    REQUIRE(::listen(server.get(), 8) == 0);
    return {};
  });
  REQUIRE(outcome);
  return server;
}

// Connects from the calling thread's namespace; the source address that the server saw, or "".
std::string reach(const UniqueFd& server, const std::string& ip, std::uint16_t port) {
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in address = socket_address(ip, port);
  (void)::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  pollfd ready{.fd = server.get(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, patience_ms) != 1) return "";
  sockaddr_in peer{};
  socklen_t size = sizeof(peer);
  const UniqueFd connection(::accept(server.get(), reinterpret_cast<sockaddr*>(&peer), &size));
  pollfd connected{.fd = client.get(), .events = POLLOUT, .revents = 0};
  if (!connection || ::poll(&connected, 1, patience_ms) != 1) return "";
  char text[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
}

std::string reach_from(const Pod& pod, const UniqueFd& server, const std::string& ip,
                       std::uint16_t port) {
  std::string seen;
  const auto outcome = linux::in_net_namespace(pod.space.get(), [&]() -> base::Result<> {
    seen = reach(server, ip, port);
    return {};
  });
  CHECK(outcome);
  return seen;
}

std::vector<std::string> link_names() {
  std::vector<std::string> names;
  for (const linux::Link& link : linux::NetworkLinks::open()->list().value()) {
    names.push_back(link.name);
  }
  std::ranges::sort(names);
  return names;
}

bool has_table() {
  auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
  REQUIRE(socket);
  const linux::NftTable table{.family = linux::NftFamily::ipv4, .name = "koi"};
  return linux::NftBatch(table).add_chain("probe").commit(*socket).has_value();
}

// A second machine behind the node: 192.0.2.2, with the node as 192.0.2.1.
Pod make_outside() {
  Pod outside = make_pod("outside");
  auto links = linux::NetworkLinks::open();
  REQUIRE(links);
  REQUIRE(links->add_veth({.name = "uplink",
                           .mtu = 1450,
                           .peer_name = "eth0",
                           .peer_net_namespace = outside.space.get(),
                           .peer_mac = {2, 0, 0, 0, 0, 2}}));
  REQUIRE(links->add_address(
      {links->find("uplink")->index, linux::parse_ip_range("192.0.2.1/24").value()}));
  auto inside = linux::NetworkLinks::open_in(outside.space.get());
  REQUIRE(inside);
  const int index = inside->find("eth0")->index;
  REQUIRE(inside->set_up(index));
  REQUIRE(inside->add_address({index, linux::parse_ip_range("192.0.2.2/24").value()}));
  REQUIRE(links->set_route({.target = {},
                            .gateway = linux::parse_ip_address("192.0.2.2").value(),
                            .link = links->find("uplink")->index}));
  return outside;
}

}  // namespace

TEST_CASE("pods reach each other, the node and the outside") {
  on_own_node([] {
    Node node;
    const Pod outside = make_outside();
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    const Pod b = make_pod("uid-b");
    const auto address_a = node.attach(a);
    REQUIRE_MESSAGE(address_a, address_a.error().message);
    const auto address_b = node.attach(b);
    REQUIRE(address_b);
    CHECK(address_a->ip == "10.42.5.2");
    CHECK(address_a->gateway == "10.42.5.1");
    CHECK(address_b->ip == "10.42.5.3");

    const UniqueFd server = listen_in(b, 80);
    CHECK(reach(server, address_b->ip, 80) == "10.42.5.1");
    CHECK(reach_from(a, server, address_b->ip, 80) == address_a->ip);
    CHECK(reach_from(b, server, address_b->ip, 80) == address_b->ip);
    CHECK(reach_from(b, server, "127.0.0.1", 80) == "127.0.0.1");
    const UniqueFd far = listen_in(outside, 80);
    CHECK(reach_from(a, far, "192.0.2.2", 80) == "192.0.2.1");

    auto inside = linux::NetworkLinks::open_in(a.space.get());
    CHECK(inside->find("eth0")->mtu == 1450);  // as the node's default route
    REQUIRE(node.network->remove_all());
  });
}

TEST_CASE("host ports lead to their pod from everywhere") {
  on_own_node([] {
    Node node;
    const Pod outside = make_outside();
    auto far = linux::NetworkLinks::open_in(outside.space.get());
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    const Pod b = make_pod("uid-b");
    const auto address = node.attach(
        a, {{.protocol = "TCP", .host_ip = "", .host_port = 8080, .container_port = 80},
            {.protocol = "TCP", .host_ip = "192.0.2.1", .host_port = 8081, .container_port = 80}});
    REQUIRE_MESSAGE(address, address.error().message);
    REQUIRE(node.attach(b));
    const UniqueFd server = listen_in(a, 80);
    CHECK(reach_from(outside, server, "192.0.2.1", 8080) == "192.0.2.2");
    CHECK(reach_from(outside, server, "192.0.2.1", 8081) == "192.0.2.2");
    CHECK(reach(server, "192.0.2.1", 8080) != "");
    CHECK(reach(server, "127.0.0.1", 8080) == "10.42.5.1");
    CHECK(reach_from(b, server, "192.0.2.1", 8080) == "10.42.5.1");
    CHECK(reach_from(a, server, "192.0.2.1", 8080) == "10.42.5.1");

    const auto taken = node.attach(
        b, {{.protocol = "TCP", .host_ip = "", .host_port = 8080, .container_port = 81}});
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == base::Code::conflict);

    REQUIRE(node.run(node.network->detach("uid-a")));
    const UniqueFd later = listen_in(b, 80);
    REQUIRE(node.attach(
        b, {{.protocol = "TCP", .host_ip = "", .host_port = 8080, .container_port = 80}}));
    CHECK(reach_from(outside, later, "192.0.2.1", 8080) == "192.0.2.2");
    REQUIRE(node.network->remove_all());
  });
}

TEST_CASE("attaching again changes nothing, also after a restart") {
  on_own_node([] {
    Node node;
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    const Pod b = make_pod("uid-b");
    const std::vector<HostPort> ports{
        {.protocol = "TCP", .host_ip = "", .host_port = 8080, .container_port = 80}};
    const auto first = node.attach(a, ports);
    REQUIRE(first);
    REQUIRE(node.attach(b));
    const int link = linux::NetworkLinks::open()->find(host_link_name("uid-a"))->index;
    CHECK(node.attach(a, ports) == first);

    node.restart();
    const auto early = node.attach(a, ports);
    REQUIRE_FALSE(early);
    CHECK(early.error().code == base::Code::unavailable);
    REQUIRE(node.network->start(node.config));
    CHECK(node.attach(a, ports) == first);
    CHECK(linux::NetworkLinks::open()->find(host_link_name("uid-a"))->index == link);
    const UniqueFd server = listen_in(a, 80);
    CHECK(reach(server, "127.0.0.1", 8080) == "10.42.5.1");

    // Without its table it takes the addresses from the pods.
    std::filesystem::remove(node.directory / "pods.json");
    node.restart();
    REQUIRE(node.network->start(node.config));
    CHECK(node.attach(b)->ip == "10.42.5.3");
    CHECK(node.attach(a, ports) == first);
    REQUIRE(node.network->remove_all());
  });
}

TEST_CASE("what belongs to pods that are gone is given back") {
  on_own_node([] {
    Node node;
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    const Pod b = make_pod("uid-b");
    REQUIRE(node.attach(a));
    REQUIRE(node.attach(b));
    node.restart();
    REQUIRE(node.network->start(node.config));
    REQUIRE(node.run(node.network->reclaim({"uid-b"})));
    CHECK_FALSE(linux::NetworkLinks::open()->find(host_link_name("uid-a")));
    CHECK(linux::NetworkLinks::open()->find(host_link_name("uid-b")));
    REQUIRE(node.run(node.network->detach("uid-a")));
    REQUIRE(node.run(node.network->detach("uid-b")));
    REQUIRE(node.run(node.network->detach("uid-b")));
    REQUIRE(node.network->remove_all());
  });
}

TEST_CASE("everything goes with remove_all") {
  on_own_node([] {
    Node node;
    const auto before = link_names();
    CHECK(node.network->remove_all());
    REQUIRE(node.network->start(node.config));
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    REQUIRE(node.attach(a));
    CHECK(has_table());
    REQUIRE(node.network->remove_all());
    CHECK(link_names() == before);
    CHECK_FALSE(has_table());
    CHECK_FALSE(std::filesystem::exists(node.directory / "pods.json"));
    REQUIRE(node.network->remove_all());
  });
}

TEST_CASE("a firewall that drops what is forwarded lets pods through") {
  on_own_node([] {
    Node node;
    const Pod outside = make_outside();
    auto socket = linux::NetlinkSocket::open(NETLINK_NETFILTER);
    REQUIRE(socket);
    const linux::NftTable filter{.family = linux::NftFamily::ipv4, .name = "filter"};
    linux::NftBatch firewall(filter);
    firewall.add_table().add_chain(
        "FORWARD",
        linux::NftHook{
            .type = "filter", .point = NF_INET_FORWARD, .priority = 0, .drop_by_default = true});
    firewall.add_rule("FORWARD", linux::NftRule().input_link("docker0").accept());
    REQUIRE(firewall.commit(*socket));
    const std::string mark = "koi: pod network";
    auto ours = [&] { return linux::find_nft_rules(*socket, filter, "FORWARD", mark)->size(); };
    CHECK(ours() == 0);
    REQUIRE(node.network->start(node.config));
    REQUIRE(node.network->start(node.config));
    CHECK(ours() == 2);
    const Pod a = make_pod("uid-a");
    REQUIRE(node.attach(a));
    const UniqueFd far = listen_in(outside, 80);
    CHECK(reach_from(a, far, "192.0.2.2", 80) == "192.0.2.1");
    REQUIRE(node.network->remove_all());
    CHECK(ours() == 0);
  });
}

TEST_CASE("a failed attach leaves nothing") {
  on_own_node([] {
    Node node;
    node.config.pod_cidr = "10.42.5.0/30";
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    const Pod b = make_pod("uid-b");
    CHECK_FALSE(node.run(node.network->attach("uid-a", "/nonexistent", {})));
    CHECK_FALSE(node.run(node.network->attach("uid-a", "/dev/null", {})));
    CHECK_FALSE(
        node.attach(a, {{.protocol = "ICMP", .host_ip = "", .host_port = 1, .container_port = 1}}));
    const auto six = node.attach(
        a, {{.protocol = "TCP", .host_ip = "fd00::1", .host_port = 1, .container_port = 1}});
    REQUIRE_FALSE(six);
    CHECK(six.error().code == base::Code::unsupported);
    REQUIRE(node.attach(a));
    const auto full = node.attach(b);
    REQUIRE_FALSE(full);
    CHECK(full.error().code == base::Code::unavailable);
    CHECK_FALSE(linux::NetworkLinks::open()->find(host_link_name("uid-b")));
    REQUIRE(node.run(node.network->detach("uid-a")));
    CHECK(node.attach(b)->ip == "10.42.5.2");
    REQUIRE(node.network->remove_all());
  });
}

TEST_CASE("the node's range changes only while no pod is attached") {
  on_own_node([] {
    Node node;
    REQUIRE(node.network->start(node.config));
    const Pod a = make_pod("uid-a");
    REQUIRE(node.attach(a));
    node.config.pod_cidr = "10.42.6.0/24";
    const auto refused = node.network->start(node.config);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::Code::conflict);
    REQUIRE(node.run(node.network->detach("uid-a")));
    REQUIRE(node.network->start(node.config));
    CHECK(node.attach(a)->ip == "10.42.6.2");
    node.config.pod_cidr = "10.99.0.0/24";
    CHECK_FALSE(node.network->start(node.config));
    node.config.pod_cidr = "rubbish";
    CHECK_FALSE(node.network->start(node.config));
    REQUIRE(node.network->remove_all());
  });
}

}  // namespace koi::network
