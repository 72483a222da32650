#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/atomic_volume.h"
#include "agent/pod_files.h"
#include "agent/temporary_directory.h"
#include "agent/volume_content.h"

namespace koi::agent {

namespace {

namespace fs = std::filesystem;

json::Value parse(std::string_view text) {
  auto value = json::parse(text);
  REQUIRE(value);
  return std::move(*value);
}

struct VolumeCase {
  json::Value pod = parse(R"({"metadata": {"name": "web", "namespace": "default",
      "labels": {"b": "2", "a": "say \"hi\""}}, "spec": {"containers": [{"name": "app",
      "resources": {"requests": {"cpu": "250m"}}}]}})");
  ReferenceMap references;
  std::map<TokenRequest, std::string> tokens;

  VolumeCase() {
    references[{ReferenceKind::config_map, "settings"}] = api::make_object(
        parse(R"({"metadata": {"name": "settings"}, "data": {"one": "1", "two": "2"},
            "binaryData": {"raw": "AAE="}})"));
    references[{ReferenceKind::secret, "gone"}] = nullptr;
  }

  base::Result<VolumeContent> fill(std::string_view volume) {
    VolumeInputs inputs;
    inputs.pod = &pod;
    inputs.references = &references;
    inputs.tokens = &tokens;
    return volume_content(parse(volume), inputs);
  }
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a ConfigMap volume has every key, or the items that are picked") {
  VolumeCase test;
  const auto all = test.fill(R"({"configMap": {"name": "settings", "defaultMode": 256}})");
  REQUIRE(all);
  CHECK(all->size() == 3);
  CHECK(all->at("raw").content == std::string("\0\1", 2));
  CHECK(all->at("one").mode == 0400);
  const auto some = test.fill(R"({"configMap": {"name": "settings",
      "items": [{"key": "two", "path": "sub/deux", "mode": 511}]}})");
  REQUIRE(some);
  CHECK(some->size() == 1);
  CHECK(some->at("sub/deux") == VolumeFile{"2", 0777});
}

TEST_CASE("a volume whose source is missing says so, unless it is optional") {
  VolumeCase test;
  const auto error = [&](std::string_view volume) {
    const auto filled = test.fill(volume);
    REQUIRE_FALSE(filled);
    return filled.error().message;
  };
  CHECK(error(R"({"secret": {"secretName": "gone"}})") == "secret \"gone\" not found");
  CHECK(error(R"({"configMap": {"name": "settings", "items": [{"key": "x", "path": "x"}]}})") ==
        "configmap references non-existent config key: x");
  CHECK(test.fill(R"({"secret": {"secretName": "gone", "optional": true}})")->empty());
}

TEST_CASE("no item leads out of its volume") {
  VolumeCase test;
  for (const auto* path : {"../x", "/x", "a/../../x", "..data/x"}) {
    CAPTURE(path);
    const auto volume = R"({"configMap": {"name": "settings", "items": [{"key": "one", "path": ")" +
                        std::string(path) + "\"}]}}";
    CHECK_FALSE(test.fill(volume));
  }
}

TEST_CASE("downward and projected volumes") {
  VolumeCase test;
  test.tokens[TokenRequest{"", 3607}] = "jwt";
  const auto filled = test.fill(R"({"projected": {"sources": [
      {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
      {"configMap": {"name": "settings", "items": [{"key": "one", "path": "ca.crt"}]}},
      {"downwardAPI": {"items": [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "app", "resource": "requests.cpu",
         "divisor": "1m"}}]}}]}})");
  REQUIRE(filled);
  CHECK(filled->at("token").content == "jwt");
  CHECK(filled->at("ca.crt").content == "1");
  CHECK(filled->at("labels").content == "a=\"say \\\"hi\\\"\"\nb=\"2\"");
  CHECK(filled->at("cpu").content == "250");
}

TEST_CASE("published content switches all at once and keeps unchanged files in place") {
  TemporaryDirectory temporary;
  const auto& volume = temporary.path();
  const VolumeContent first{{"a", {"1", 0644}}, {"sub/b", {"2", 0600}}};
  REQUIRE(publish_volume(volume, first, std::nullopt));
  CHECK(read_file(volume / "a") == "1");
  CHECK(read_file(volume / "sub" / "b") == "2");
  CHECK(fs::is_symlink(volume / "a"));
  const auto target = fs::read_symlink(volume / "..data");
  REQUIRE(publish_volume(volume, first, std::nullopt));
  CHECK(fs::read_symlink(volume / "..data") == target);
  const VolumeContent second{{"a", {"one", 0644}}, {"c", {"3", 0644}}};
  REQUIRE(publish_volume(volume, second, std::nullopt));
  CHECK(read_file(volume / "a") == "one");
  CHECK(read_file(volume / "c") == "3");
  CHECK_FALSE(fs::exists(fs::symlink_status(volume / "sub")));
  CHECK_FALSE(fs::exists(volume / target));
}

TEST_CASE("a changed mode alone is a change") {
  TemporaryDirectory temporary;
  const auto& volume = temporary.path();
  REQUIRE(publish_volume(volume, {{"a", {"1", 0644}}}, std::nullopt));
  REQUIRE(publish_volume(volume, {{"a", {"1", 0400}}}, std::nullopt));
  CHECK(fs::status(volume / "a").permissions() == fs::perms::owner_read);
}

TEST_CASE("the real disk makes what pods need and removes it all") {
  TemporaryDirectory temporary;
  const auto disk = make_volume_disk();
  const auto pod = temporary.path() / "pod";
  REQUIRE(disk->make_directory(pod / "volumes" / "empty", std::nullopt));
  CHECK((fs::status(pod / "volumes" / "empty").permissions() & fs::perms::others_write) !=
        fs::perms::none);
  REQUIRE(disk->make_sub_path(pod / "volumes" / "empty", "x/y"));
  CHECK(fs::is_directory(pod / "volumes" / "empty" / "x" / "y"));
  REQUIRE(disk->write_file(pod / "etc" / "hosts", "first", 0644));
  REQUIRE(disk->write_file(pod / "etc" / "hosts", "2nd", 0644));
  CHECK(read_file(pod / "etc" / "hosts") == "2nd");
  REQUIRE(disk->remove_pod(pod));
  CHECK_FALSE(fs::exists(pod));
  CHECK(disk->remove_pod(pod));
}

TEST_CASE("a subPath is never made through a link out of its volume") {
  TemporaryDirectory temporary;
  const auto disk = make_volume_disk();
  const auto volume = temporary.path() / "volume";
  const auto outside = temporary.path() / "outside";
  fs::create_directories(volume);
  fs::create_directories(outside);
  fs::create_directory_symlink(outside, volume / "link");
  CHECK_FALSE(disk->make_sub_path(volume, "link/made"));
  CHECK(fs::is_empty(outside));
}

TEST_CASE("a hostPath is checked as its type says") {
  TemporaryDirectory temporary;
  const auto disk = make_volume_disk();
  const auto& root = temporary.path();
  CHECK(disk->prepare_host_path(root / "made", "DirectoryOrCreate"));
  CHECK(fs::is_directory(root / "made"));
  CHECK(disk->prepare_host_path(root / "file", "FileOrCreate"));
  CHECK(disk->prepare_host_path(root / "file", "File"));
  const auto wrong = disk->prepare_host_path(root / "file", "Directory");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message ==
        "hostPath type check failed: " + (root / "file").string() + " is not a directory");
  CHECK_FALSE(disk->prepare_host_path(root / "none", "Socket"));
  CHECK(disk->prepare_host_path("/dev/null", "CharDevice"));
}

TEST_CASE("memory volumes are file systems of their own [root]") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: mounting needs root");
    return;
  }
  TemporaryDirectory temporary;
  const auto disk = make_volume_disk();
  const auto pod = temporary.path() / "pod";
  const auto memory = pod / "volumes" / "memory";
  const auto made = disk->make_memory(memory, 1 << 20, 1000);
  if (!made) {
    MESSAGE("skipped: " << made.error().message);
    return;
  }
  struct stat inside{};
  struct stat outside{};
  REQUIRE(::stat(memory.c_str(), &inside) == 0);
  REQUIRE(::stat(pod.c_str(), &outside) == 0);
  CHECK(inside.st_dev != outside.st_dev);
  CHECK(inside.st_gid == 1000);
  CHECK((inside.st_mode & 07777) == 02777);
  CHECK(disk->make_memory(memory, 1 << 20, 1000));
  CHECK(disk->remove_pod(pod));
  CHECK_FALSE(fs::exists(pod));
}

TEST_CASE("mount points are read with their escapes") {
  CHECK(mount_point_of("36 35 98:0 / /mnt/a\\040b rw,noatime - ext3 /dev/root rw") == "/mnt/a b");
  CHECK(mount_point_of("broken") == "");
}

TEST_CASE("the hosts file knows the pod and its aliases") {
  const auto pod = parse(R"({"metadata": {"name": "web", "namespace": "shop"},
      "spec": {"hostname": "h", "subdomain": "s",
      "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a", "b"]}]}})");
  const auto text = hosts_file(pod, "10.42.0.5", "", "cluster.local");
  CHECK(text.find("10.42.0.5\th.s.shop.svc.cluster.local\th\n") != std::string::npos);
  CHECK(text.find("192.0.2.1\ta\tb\n") != std::string::npos);
  CHECK(pod_hostname(pod, "node-1", "cluster.local") == "h");
  const auto on_host = parse(R"({"metadata": {"name": "web"}, "spec": {"hostNetwork": true}})");
  CHECK(pod_hostname(on_host, "node-1", "cluster.local") == "node-1");
  CHECK(hosts_file(on_host, "", "127.0.0.1 me\n", "").find("127.0.0.1 me") != std::string::npos);
}

TEST_CASE("resolv.conf follows the DNS policy") {
  const std::string node = "search lan\nnameserver 192.0.2.53\noptions edns0\n";
  const DnsOptions cluster{"10.43.0.10", "cluster.local"};
  const auto pod = [](std::string_view spec) {
    auto value = parse(R"({"metadata": {"namespace": "shop"}})");
    json::set(value, {"spec"}, parse(spec));
    return value;
  };
  CHECK(resolv_conf(pod("{}"), node, cluster) ==
        "search shop.svc.cluster.local svc.cluster.local cluster.local lan\n"
        "nameserver 10.43.0.10\noptions ndots:5\n");
  CHECK(resolv_conf(pod(R"({"dnsPolicy": "Default"})"), node, cluster) == node);
  CHECK(resolv_conf(pod(R"({"dnsPolicy": "ClusterFirst", "hostNetwork": true})"), node, cluster) ==
        node);
  CHECK(resolv_conf(pod("{}"), node, DnsOptions{}) == node);
  CHECK(resolv_conf(pod(R"({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"],
      "searches": ["x"], "options": [{"name": "ndots", "value": "2"}, {"name": "debug"}]}})"),
                    node, cluster) == "search x\nnameserver 192.0.2.1\noptions ndots:2 debug\n");
}

}  // namespace koi::agent
