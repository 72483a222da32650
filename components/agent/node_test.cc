#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>

#include "agent/hollow.h"
#include "agent/node_status.h"
#include "agent/pod_conditions.h"
#include "agent/probe_spec.h"
#include "agent/signals.h"
#include "agent/unsupported.h"

namespace koi::agent {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

AgentOptions node_options() {
  AgentOptions options;
  options.node_name = "node-1";
  options.node_ip = "192.0.2.10";
  options.control_plane = true;
  return options;
}

NodeFacts node_facts(base::WallTime now) {
  const HollowMachine machine;
  NodeFacts facts;
  facts.system = machine.system();
  facts.capacity = machine.capacity();
  facts.pressure = machine.pressure();
  facts.now = now;
  return facts;
}

std::string condition_field(const json::Value& status, const char* type, const char* field) {
  const auto* condition = find_condition(status, type);
  return condition ? std::string(json::string_at(*condition, {field})) : "";
}

// Accepts one connection, answers it and closes.
base::Task<> serve_once(asio::ip::tcp::acceptor& acceptor, std::string answer) {
  auto socket = co_await acceptor.async_accept(asio::use_awaitable);
  char request[1024];
  co_await socket.async_read_some(asio::buffer(request), asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
}

base::Task<> ask(Prober& prober, HttpProbe probe, ProbeOutcome& outcome) {
  outcome = co_await prober.http_get(probe, 2s);
}

base::Task<> dial(Prober& prober, std::uint16_t port, ProbeOutcome& outcome) {
  outcome = co_await prober.tcp_connect("127.0.0.1", port, 2s);
}

ProbeOutcome probe_answer(const std::string& answer) {
  asio::io_context io;
  const asio::ip::tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  asio::ip::tcp::acceptor acceptor(io, any);
  base::TaskGroup tasks(io.get_executor());
  const auto prober = make_prober();
  HttpProbe probe;
  probe.host = "127.0.0.1";
  probe.port = acceptor.local_endpoint().port();
  ProbeOutcome outcome;
  tasks.spawn("server", serve_once(acceptor, answer));
  tasks.spawn("probe", ask(*prober, probe, outcome));
  io.run();
  return outcome;
}

}  // namespace

TEST_CASE("a node shows capacity, addresses, information and conditions") {
  const auto options = node_options();
  const base::WallTime now{std::chrono::seconds{1'800'000'000}};
  const auto status = node_status(options, node_facts(now), json::Object{});
  CHECK(json::string_at(status, {"capacity", "cpu"}) == "4");
  CHECK(json::string_at(status, {"capacity", "pods"}) == "110");
  CHECK(json::string_at(status, {"allocatable", "hugepages-2Mi"}) == "0");
  CHECK(json::string_at(status, {"nodeInfo", "containerRuntimeVersion"}).starts_with("koi://"));
  CHECK(json::int_at(status, {"daemonEndpoints", "kubeletEndpoint", "Port"}) == 10250);
  CHECK(condition_field(status, "Ready", "status") == "True");
  CHECK(condition_field(status, "Ready", "reason") == "KubeletReady");
  CHECK(condition_field(status, "DiskPressure", "reason") == "KubeletHasNoDiskPressure");
  const auto node = new_node(options, node_facts(now).system);
  CHECK(json::string_at(node, {"metadata", "labels", "node-role.kubernetes.io/control-plane"}) ==
        "true");
  CHECK(json::string_at(node, {"metadata", "labels", "beta.kubernetes.io/arch"}) == "amd64");
}

TEST_CASE("a heartbeat is no difference, a changed condition is one and moves its time") {
  const auto options = node_options();
  const base::WallTime now{std::chrono::seconds{1'800'000'000}};
  const auto first = node_status(options, node_facts(now), json::Object{});
  const auto second = node_status(options, node_facts(now + 1min), first);
  CHECK(first != second);
  CHECK_FALSE(node_status_differs(first, second));
  auto facts = node_facts(now + 2min);
  facts.network_problem = "no range";
  const auto third = node_status(options, facts, second);
  CHECK(node_status_differs(second, third));
  CHECK(condition_field(third, "Ready", "status") == "False");
  CHECK(condition_field(third, "Ready", "lastTransitionTime") == base::format_time(now + 2min));
  CHECK(condition_field(third, "PIDPressure", "lastTransitionTime") == base::format_time(now));
}

TEST_CASE("the real machine knows itself") {
  const auto machine = make_machine_facts("/");
  CHECK(machine->capacity().cpu_milli >= 1000);
  CHECK(machine->capacity().memory_bytes > 64 * 1024 * 1024);
  CHECK(machine->capacity().storage_bytes > 0);
  CHECK(machine->pressure().memory_available_bytes > 0);
  CHECK(machine->pressure().pids_max > machine->pressure().pids_used);
  CHECK_FALSE(machine->system().kernel_version.empty());
  CHECK_FALSE(machine->system().boot_id.empty());
}

TEST_CASE("an HTTP probe judges by the status code") {
  CHECK(probe_answer("HTTP/1.1 204 No Content\r\n\r\n").success);
  CHECK(probe_answer("HTTP/1.0 302 Found\r\n\r\n").success);
  const auto missing = probe_answer("HTTP/1.1 404 Not Found\r\n\r\n");
  CHECK_FALSE(missing.success);
  CHECK(missing.message == "HTTP probe failed with statuscode: 404");
  CHECK_FALSE(probe_answer("SSH-2.0-nothing\r\n").success);
  CHECK_FALSE(probe_answer("").success);
}

TEST_CASE("a TCP probe needs someone who listens") {
  asio::io_context io;
  const asio::ip::tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  asio::ip::tcp::acceptor acceptor(io, any);
  const auto port = acceptor.local_endpoint().port();
  base::TaskGroup tasks(io.get_executor());
  const auto prober = make_prober();
  ProbeOutcome open;
  tasks.spawn("open", dial(*prober, port, open));
  io.run();
  CHECK(open.success);
  acceptor.close();
  ProbeOutcome closed;
  tasks.spawn("closed", dial(*prober, port, closed));
  io.restart();
  io.run();
  CHECK_FALSE(closed.success);
  CHECK(closed.message ==
        "dial tcp 127.0.0.1:" + std::to_string(port) + ": connect: connection refused");
}

TEST_CASE("probes count results in a row") {
  ProbeSpec spec;
  spec.success_threshold = 2;
  spec.failure_threshold = 3;
  ProbeTally tally(spec);
  CHECK_FALSE(tally.add(true).has_value());
  CHECK(tally.add(true) == true);
  CHECK_FALSE(tally.add(false).has_value());
  CHECK_FALSE(tally.add(false).has_value());
  CHECK_FALSE(tally.add(true).has_value());
  CHECK_FALSE(tally.add(false).has_value());
  CHECK_FALSE(tally.add(false).has_value());
  CHECK(tally.add(false) == false);
}

TEST_CASE("actions name hosts and ports as the pod does") {
  const auto container = json::parse(R"({"ports": [{"name": "web", "containerPort": 8080}]})");
  const auto http = json::parse(R"({"httpGet": {"port": "web", "path": "ok"}})");
  const auto target = read_action(*http, *container, "10.42.0.9");
  REQUIRE(target.http);
  CHECK(target.http->host == "10.42.0.9");
  CHECK(target.http->port == 8080);
  CHECK(target.http->path == "/ok");
  const auto tcp = json::parse(R"({"tcpSocket": {"port": 99999, "host": "192.0.2.1"}})");
  CHECK(read_action(*tcp, *container, "").tcp->second == 0);
}

TEST_CASE("signals are known by name and number") {
  CHECK(signal_number("SIGTERM") == 15);
  CHECK(signal_number("QUIT") == 3);
  CHECK(signal_number("9") == 9);
  CHECK(signal_number("SIGRTMIN+3") == 37);
  CHECK_FALSE(signal_number("SIGNOPE").has_value());
  CHECK_FALSE(signal_number("").has_value());
  CHECK_FALSE(signal_number("0").has_value());
}

TEST_CASE("what koi does not do is named with its place") {
  const auto refused = [](std::string_view spec) {
    json::Value pod = json::Object{};
    json::set(pod, {"spec"}, *json::parse(spec));
    return find_unsupported(pod).value_or("");
  };
  CHECK(refused(R"({"containers": [{"name": "a"}], "volumes": [{"name": "v", "emptyDir": {}}]})") ==
        "");
  CHECK(refused(R"({"volumes": [{"name": "v", "persistentVolumeClaim": {}}]})")
            .find("spec.volumes[0].persistentVolumeClaim") != std::string::npos);
  CHECK(refused(R"({"containers": [{}, {"livenessProbe": {"grpc": {"port": 1}}}]})")
            .find("spec.containers[1].livenessProbe.grpc") != std::string::npos);
  CHECK(refused(R"({"runtimeClassName": "gvisor"})").find("spec.runtimeClassName") !=
        std::string::npos);
  CHECK(refused(R"({"containers": [{"securityContext": {"seccompProfile": {"type":
      "Localhost"}}}]})")
            .find("seccompProfile") != std::string::npos);
}

}  // namespace koi::agent
