#include "agent/container_spec.h"

#include <algorithm>
#include <charconv>

#include "agent/expansion.h"
#include "agent/pod_status.h"

namespace koi::agent {

namespace {

using base::Code;
using runtime::BindMount;
using runtime::ContainerSpec;

std::string pod_label(const PodView& pod) {
  return pod.name + "_" + pod.name_space + "(" + pod.uid + ")";
}

std::vector<std::string> expanded(const json::Value& container, std::string_view field,
                                  const Lookup& lookup) {
  std::vector<std::string> words;
  for (const auto& word : json::array_at(container, {field})) {
    if (word.is_string()) words.push_back(expand_references(word.get_string(), lookup));
  }
  return words;
}

Lookup lookup_in(const Environment& environment) {
  return [&environment](std::string_view name) -> std::optional<std::string> {
    const auto* value = environment.find(name);
    return value ? std::optional(*value) : std::nullopt;
  };
}

base::Result<std::vector<std::string>> command_line(const ContainerInputs& in) {
  const auto lookup = lookup_in(*in.environment);
  auto command = expanded(*in.container->spec, "command", lookup);
  auto arguments = expanded(*in.container->spec, "args", lookup);
  const auto& image = in.image->config;
  if (command.empty()) {
    command = image.entrypoint;
    if (arguments.empty()) arguments = image.command;
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  if (command.empty()) {
    return base::fail(Code::invalid, "no command specified: neither the pod nor image '" +
                                         in.container->image + "' names one");
  }
  return command;
}

std::optional<std::int64_t> security_int(const ContainerInputs& in, std::string_view member) {
  const auto* value = security_member(*in.pod, *in.container, member);
  if (!value) return std::nullopt;
  return json::int_at(*value, {});
}

bool security_bool(const ContainerInputs& in, std::string_view member, bool otherwise) {
  const auto* value = security_member(*in.pod, *in.container, member);
  return value && value->is_bool() ? value->get_bool() : otherwise;
}

runtime::User user_of(const ContainerInputs& in) {
  runtime::User user;
  user.image_user = in.image->config.user;
  user.uid = security_int(in, "runAsUser");
  user.gid = security_int(in, "runAsGroup");
  const auto& groups =
      json::array_at(in.pod->value(), {"spec", "securityContext", "supplementalGroups"});
  for (const auto& group : groups) {
    if (const auto id = json::int_at(group, {})) user.supplementary_gids.push_back(*id);
  }
  if (const auto group = volume_group(in.pod->value())) user.supplementary_gids.push_back(*group);
  return user;
}

base::Result<> verify_non_root(const ContainerInputs& in, const runtime::User& user) {
  const std::string where =
      " (pod: \"" + pod_label(*in.pod) + "\", container: " + in.container->name + ")";
  if (user.uid) {
    if (*user.uid != 0) return {};
    return base::fail(Code::invalid, "container's runAsUser breaks non-root policy" + where);
  }
  const auto name = user.image_user.substr(0, user.image_user.find(':'));
  std::int64_t uid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
  const bool numeric = error == std::errc{} && end == name.data() + name.size();
  if (!name.empty() && !numeric && name != "root") {
    return base::fail(Code::invalid, "container has runAsNonRoot and image has non-numeric user (" +
                                         name + "), cannot verify user is non-root" + where);
  }
  if (uid != 0) return {};
  return base::fail(Code::invalid, "container has runAsNonRoot and image will run as root" + where);
}

std::vector<std::string> names_at(const json::Value& container, json::Path path) {
  std::vector<std::string> names;
  for (const auto& name : json::array_at(container, path)) {
    if (!name.is_string()) continue;
    std::string_view text = name.get_string();
    if (text.starts_with("CAP_")) text.remove_prefix(4);
    names.emplace_back(text);
  }
  return names;
}

runtime::SecurityOptions security_of(const ContainerInputs& in) {
  runtime::SecurityOptions security;
  const auto& spec = *in.container->spec;
  security.privileged = security_bool(in, "privileged", false);
  security.read_only_root = security_bool(in, "readOnlyRootFilesystem", false);
  security.allow_privilege_escalation = security_bool(in, "allowPrivilegeEscalation", true);
  security.run_as_non_root = security_bool(in, "runAsNonRoot", false);
  const auto* profile = security_member(*in.pod, *in.container, "seccompProfile");
  security.seccomp_unconfined =
      security.privileged || (profile && json::string_at(*profile, {"type"}) == "Unconfined");
  security.unmasked_proc = json::string_at(spec, {"securityContext", "procMount"}) == "Unmasked";
  security.capabilities_add = names_at(spec, {"securityContext", "capabilities", "add"});
  security.capabilities_drop = names_at(spec, {"securityContext", "capabilities", "drop"});
  return security;
}

BindMount::Propagation propagation_of(const json::Value& mount) {
  const auto name = json::string_at(mount, {"mountPropagation"});
  if (name == "HostToContainer") return BindMount::Propagation::host_to_container;
  if (name == "Bidirectional") return BindMount::Propagation::bidirectional;
  return BindMount::Propagation::none;
}

bool is_read_only_volume(const json::Value& pod, std::string_view name) {
  for (const auto& volume : json::array_at(pod, {"spec", "volumes"})) {
    if (json::string_at(volume, {"name"}) != name) continue;
    for (const auto* kind : {"configMap", "secret", "downwardAPI", "projected"}) {
      if (json::find(volume, {kind})) return true;
    }
  }
  return false;
}

base::Result<BindMount> bind_of(const ContainerInputs& in, const json::Value& mount) {
  const auto name = json::string_at(mount, {"name"});
  const auto found = in.volumes.find(std::string(name));
  if (found == in.volumes.end()) {
    return base::fail(Code::invalid, "volume '" + std::string(name) + "' not found");
  }
  auto sub_path = mount_sub_path(mount, *in.environment);
  if (!sub_path) return base::fail(std::move(sub_path).error());
  BindMount bind;
  bind.source = found->second;
  bind.target = json::string_at(mount, {"mountPath"});
  if (!bind.target.starts_with('/')) bind.target.insert(bind.target.begin(), '/');
  bind.sub_path = std::move(*sub_path);
  bind.read_only = json::bool_at(mount, {"readOnly"}) || is_read_only_volume(in.pod->value(), name);
  bind.propagation = propagation_of(mount);
  return bind;
}

void add_pod_files(const ContainerInputs& in, std::vector<BindMount>& mounts) {
  const auto add = [&](const base::Path& source, const std::string& target) {
    const auto taken = [&](const BindMount& mount) { return mount.target == target; };
    if (source.empty() || std::ranges::any_of(mounts, taken)) return;
    BindMount mount;
    mount.source = source;
    mount.target = target;
    mounts.push_back(std::move(mount));
  };
  add(in.hosts, "/etc/hosts");
  add(in.hostname, "/etc/hostname");
  add(in.resolv_conf, "/etc/resolv.conf");
}

}  // namespace

const json::Value* security_member(const PodView& pod, const ContainerView& container,
                                   std::string_view member) {
  const auto* own = json::find(*container.spec, {"securityContext", member});
  return own ? own : json::find(pod.value(), {"spec", "securityContext", member});
}

std::optional<std::int64_t> volume_group(const json::Value& pod) {
  return json::int_at(pod, {"spec", "securityContext", "fsGroup"});
}

base::Result<std::string> mount_sub_path(const json::Value& mount, const Environment& environment) {
  std::string path(json::string_at(mount, {"subPath"}));
  const auto expression = json::string_at(mount, {"subPathExpr"});
  if (!expression.empty()) path = expand_references(expression, lookup_in(environment));
  if (path.empty()) return path;
  const base::Path parsed(path);
  const bool leaves = parsed.is_absolute() || std::ranges::find(parsed, "..") != parsed.end();
  if (leaves || path.find("$(") != std::string::npos) {
    return base::fail(Code::invalid, "subPath '" + path + "' must stay below its volume");
  }
  return path;
}

base::Result<ContainerSpec> build_container_spec(const ContainerInputs& in) {
  const auto& spec = *in.container->spec;
  auto arguments = command_line(in);
  if (!arguments) return base::fail(std::move(arguments).error());
  ContainerSpec result;
  result.name = in.container->name;
  result.attempt = in.attempt;
  result.layers = in.image->layers;
  result.args = std::move(*arguments);
  result.env = in.environment->list();
  result.working_dir = json::string_at(spec, {"workingDir"});
  if (result.working_dir.empty()) result.working_dir = in.image->config.working_dir;
  if (result.working_dir.empty()) result.working_dir = "/";
  result.user = user_of(in);
  result.security = security_of(in);
  if (result.security.run_as_non_root) {
    if (auto done = verify_non_root(in, result.user); !done) {
      return base::fail(std::move(done).error());
    }
  }
  result.resources = container_resources(spec);
  for (const auto& mount : json::array_at(spec, {"volumeMounts"})) {
    auto bind = bind_of(in, mount);
    if (!bind) return base::fail(std::move(bind).error());
    result.mounts.push_back(std::move(*bind));
  }
  add_pod_files(in, result.mounts);
  const auto message_path = json::string_at(spec, {"terminationMessagePath"});
  if (!message_path.empty()) result.termination_message_path = message_path;
  result.log_path = in.log_path;
  result.oom_score_adj = oom_score(in.pod->value(), spec, in.node_memory_bytes);
  result.tty = json::bool_at(spec, {"tty"});
  result.stdin_open = json::bool_at(spec, {"stdin"});
  return result;
}

runtime::PodSandboxSpec build_sandbox_spec(const SandboxInputs& inputs) {
  const auto& pod = inputs.pod->value();
  runtime::PodSandboxSpec spec;
  spec.uid = inputs.pod->uid;
  spec.name = inputs.pod->name;
  spec.name_space = inputs.pod->name_space;
  spec.hostname = inputs.hostname;
  spec.host_network = inputs.pod->host_network;
  spec.host_pid = json::bool_at(pod, {"spec", "hostPID"});
  spec.host_ipc = json::bool_at(pod, {"spec", "hostIPC"});
  spec.share_process_namespace = json::bool_at(pod, {"spec", "shareProcessNamespace"});
  for (const auto& sysctl : json::array_at(pod, {"spec", "securityContext", "sysctls"})) {
    spec.sysctls[std::string(json::string_at(sysctl, {"name"}))] =
        json::string_at(sysctl, {"value"});
  }
  spec.resources = pod_resources(pod);
  if (inputs.pids_max > 0) spec.resources.pids_max = inputs.pids_max;
  spec.qos_class = qos_class(pod);
  return spec;
}

}  // namespace koi::agent
