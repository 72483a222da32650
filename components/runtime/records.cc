#include "runtime/records.h"

#include <algorithm>
#include <filesystem>

#include "linux/fd.h"
#include "runtime/paths.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using json::Array;
using json::Object;
using json::Value;

namespace {

constexpr std::size_t record_bytes_max = 4 * 1024 * 1024;

template <class List>
Array array_of(const List& list) {
  Array array;
  for (const auto& each : list) array.emplace_back(each);
  return array;
}

std::vector<std::string> strings_at(const Value& value, std::string_view name) {
  std::vector<std::string> result;
  for (const Value& each : json::array_at(value, {name})) {
    if (const auto* text = each.if_string()) result.emplace_back(*text);
  }
  return result;
}

std::vector<std::int64_t> numbers_at(const Value& value, std::string_view name) {
  std::vector<std::int64_t> result;
  for (const Value& each : json::array_at(value, {name})) {
    if (const auto* number = each.if_int64()) result.push_back(*number);
  }
  return result;
}

std::string text_at(const Value& value, std::string_view name) {
  return std::string(json::string_at(value, {name}));
}

void set_optional(Object& object, std::string_view name, const std::optional<std::int64_t>& value) {
  if (value) object[name] = *value;
}

std::int64_t micros(base::WallTime time) { return time.time_since_epoch().count(); }

base::WallTime time_at(const Value& value, std::string_view name) {
  return base::WallTime(base::Duration(json::int_at(value, {name}, 0)));
}

Object to_object(const Resources& resources) {
  Object object;
  set_optional(object, "memoryBytesMax", resources.memory_bytes_max);
  set_optional(object, "cpuShares", resources.cpu_shares);
  set_optional(object, "cpuQuotaMicros", resources.cpu_quota_micros);
  set_optional(object, "pidsMax", resources.pids_max);
  return object;
}

Resources resources_at(const Value& value) {
  Resources resources;
  resources.memory_bytes_max = json::int_at(value, {"resources", "memoryBytesMax"});
  resources.cpu_shares = json::int_at(value, {"resources", "cpuShares"});
  resources.cpu_quota_micros = json::int_at(value, {"resources", "cpuQuotaMicros"});
  resources.pids_max = json::int_at(value, {"resources", "pidsMax"});
  return resources;
}

Object to_object(const User& user) {
  Object object;
  object["imageUser"] = user.image_user;
  set_optional(object, "uid", user.uid);
  set_optional(object, "gid", user.gid);
  object["supplementaryGids"] = array_of(user.supplementary_gids);
  return object;
}

User user_at(const Value& value) {
  User user;
  user.image_user = std::string(json::string_at(value, {"user", "imageUser"}));
  user.uid = json::int_at(value, {"user", "uid"});
  user.gid = json::int_at(value, {"user", "gid"});
  if (const Value* inner = json::find(value, {"user"})) {
    user.supplementary_gids = numbers_at(*inner, "supplementaryGids");
  }
  return user;
}

Object to_object(const SecurityOptions& options) {
  Object object;
  object["privileged"] = options.privileged;
  object["readOnlyRoot"] = options.read_only_root;
  object["allowPrivilegeEscalation"] = options.allow_privilege_escalation;
  object["seccompUnconfined"] = options.seccomp_unconfined;
  object["unmaskedProc"] = options.unmasked_proc;
  object["runAsNonRoot"] = options.run_as_non_root;
  object["capabilitiesAdd"] = array_of(options.capabilities_add);
  object["capabilitiesDrop"] = array_of(options.capabilities_drop);
  return object;
}

SecurityOptions security_at(const Value& value) {
  SecurityOptions options;
  const Value* inner = json::find(value, {"security"});
  if (inner == nullptr) return options;
  options.privileged = json::bool_at(*inner, {"privileged"});
  options.read_only_root = json::bool_at(*inner, {"readOnlyRoot"});
  options.allow_privilege_escalation = json::bool_at(*inner, {"allowPrivilegeEscalation"}, true);
  options.seccomp_unconfined = json::bool_at(*inner, {"seccompUnconfined"});
  options.unmasked_proc = json::bool_at(*inner, {"unmaskedProc"});
  options.run_as_non_root = json::bool_at(*inner, {"runAsNonRoot"});
  options.capabilities_add = strings_at(*inner, "capabilitiesAdd");
  options.capabilities_drop = strings_at(*inner, "capabilitiesDrop");
  return options;
}

Object to_object(const BindMount& mount) {
  Object object;
  object["source"] = mount.source.native();
  object["target"] = mount.target;
  object["subPath"] = mount.sub_path;
  object["readOnly"] = mount.read_only;
  object["propagation"] = static_cast<int>(mount.propagation);
  return object;
}

BindMount mount_from(const Value& value) {
  BindMount mount;
  mount.source = text_at(value, "source");
  mount.target = text_at(value, "target");
  mount.sub_path = text_at(value, "subPath");
  mount.read_only = json::bool_at(value, {"readOnly"});
  const std::int64_t propagation = json::int_at(value, {"propagation"}, 0);
  mount.propagation =
      static_cast<BindMount::Propagation>(std::clamp<std::int64_t>(propagation, 0, 2));
  return mount;
}

}  // namespace

Value to_json(const PodSandboxSpec& spec) {
  Object object;
  object["uid"] = spec.uid;
  object["name"] = spec.name;
  object["namespace"] = spec.name_space;
  object["hostname"] = spec.hostname;
  object["hostNetwork"] = spec.host_network;
  object["hostPID"] = spec.host_pid;
  object["hostIPC"] = spec.host_ipc;
  object["shareProcessNamespace"] = spec.share_process_namespace;
  object["resources"] = to_object(spec.resources);
  object["qosClass"] = spec.qos_class;
  object["shmBytesMax"] = spec.shm_bytes_max;
  Object sysctls;
  for (const auto& [name, value] : spec.sysctls) sysctls[name] = value;
  object["sysctls"] = std::move(sysctls);
  return object;
}

Result<PodSandboxSpec> pod_spec_from_json(const Value& value) {
  PodSandboxSpec spec;
  spec.uid = text_at(value, "uid");
  if (spec.uid.empty()) return fail(Code::corrupt, "pod record has no uid");
  spec.name = text_at(value, "name");
  spec.name_space = text_at(value, "namespace");
  spec.hostname = text_at(value, "hostname");
  spec.host_network = json::bool_at(value, {"hostNetwork"});
  spec.host_pid = json::bool_at(value, {"hostPID"});
  spec.host_ipc = json::bool_at(value, {"hostIPC"});
  spec.share_process_namespace = json::bool_at(value, {"shareProcessNamespace"});
  spec.resources = resources_at(value);
  spec.qos_class = text_at(value, "qosClass");
  spec.shm_bytes_max = json::int_at(value, {"shmBytesMax"}, spec.shm_bytes_max);
  for (const auto& entry : json::object_at(value, {"sysctls"})) {
    if (const auto* text = entry.value().if_string()) {
      spec.sysctls.emplace(std::string(entry.key()), std::string(*text));
    }
  }
  return spec;
}

Value to_json(const ContainerSpec& spec) {
  Object object;
  object["name"] = spec.name;
  object["attempt"] = spec.attempt;
  Array layers;
  for (const base::Path& layer : spec.layers) layers.emplace_back(layer.native());
  object["layers"] = std::move(layers);
  object["args"] = array_of(spec.args);
  object["env"] = array_of(spec.env);
  object["workingDir"] = spec.working_dir;
  object["user"] = to_object(spec.user);
  object["security"] = to_object(spec.security);
  object["resources"] = to_object(spec.resources);
  Array mounts;
  for (const BindMount& mount : spec.mounts) mounts.emplace_back(to_object(mount));
  object["mounts"] = std::move(mounts);
  object["terminationMessagePath"] = spec.termination_message_path;
  object["logPath"] = spec.log_path.native();
  object["logBytesMax"] = spec.log_bytes_max;
  object["logFilesMax"] = spec.log_files_max;
  object["oomScoreAdj"] = spec.oom_score_adj;
  object["tty"] = spec.tty;
  object["stdin"] = spec.stdin_open;
  return object;
}

Result<ContainerSpec> container_spec_from_json(const Value& value) {
  ContainerSpec spec;
  spec.name = text_at(value, "name");
  if (spec.name.empty()) return fail(Code::corrupt, "container record has no name");
  spec.attempt = static_cast<std::uint32_t>(json::int_at(value, {"attempt"}, 0));
  for (const std::string& layer : strings_at(value, "layers")) spec.layers.emplace_back(layer);
  spec.args = strings_at(value, "args");
  spec.env = strings_at(value, "env");
  spec.working_dir = text_at(value, "workingDir");
  spec.user = user_at(value);
  spec.security = security_at(value);
  spec.resources = resources_at(value);
  for (const Value& mount : json::array_at(value, {"mounts"})) {
    spec.mounts.push_back(mount_from(mount));
  }
  spec.termination_message_path = text_at(value, "terminationMessagePath");
  spec.log_path = text_at(value, "logPath");
  const auto bytes = json::int_at(value, {"logBytesMax"});
  if (bytes) spec.log_bytes_max = static_cast<std::uint64_t>(*bytes);
  const auto files = json::int_at(value, {"logFilesMax"});
  if (files) spec.log_files_max = static_cast<std::uint32_t>(*files);
  spec.oom_score_adj = static_cast<int>(json::int_at(value, {"oomScoreAdj"}, 0));
  spec.tty = json::bool_at(value, {"tty"});
  spec.stdin_open = json::bool_at(value, {"stdin"});
  return spec;
}

Value to_json(const ContainerExit& exit) {
  Object object;
  object["code"] = exit.code;
  object["signal"] = exit.signal;
  object["outOfMemory"] = exit.out_of_memory;
  object["started"] = micros(exit.started);
  object["finished"] = micros(exit.finished);
  object["message"] = exit.message;
  object["startError"] = exit.start_error;
  return object;
}

Result<ContainerExit> exit_from_json(const Value& value) {
  if (!json::int_at(value, {"code"})) return fail(Code::corrupt, "exit record has no code");
  ContainerExit exit;
  exit.code = static_cast<int>(json::int_at(value, {"code"}, 0));
  exit.signal = static_cast<int>(json::int_at(value, {"signal"}, 0));
  exit.out_of_memory = json::bool_at(value, {"outOfMemory"});
  exit.started = time_at(value, "started");
  exit.finished = time_at(value, "finished");
  exit.message = text_at(value, "message");
  exit.start_error = text_at(value, "startError");
  return exit;
}

Value to_json(const ContainerState& state) {
  Object object;
  object["name"] = state.name;
  object["attempt"] = state.attempt;
  object["id"] = state.id;
  object["pid"] = state.pid;
  object["started"] = micros(state.started);
  if (state.exit) object["exit"] = to_json(*state.exit);
  return object;
}

Result<ContainerState> state_from_json(const Value& value) {
  ContainerState state;
  state.name = text_at(value, "name");
  state.id = text_at(value, "id");
  if (state.id.empty()) return fail(Code::corrupt, "container record has no id");
  state.attempt = static_cast<std::uint32_t>(json::int_at(value, {"attempt"}, 0));
  state.pid = json::int_at(value, {"pid"}, 0);
  state.started = time_at(value, "started");
  if (const Value* exit = json::find(value, {"exit"})) {
    auto read = exit_from_json(*exit);
    if (!read) return fail(std::move(read).error());
    state.exit = std::move(*read);
  }
  return state;
}

Value to_json(const ShimRecord& record) {
  Object object;
  object["pid"] = record.pid;
  object["startTicks"] = record.start_ticks;
  object["bootId"] = record.boot_id;
  return object;
}

Result<ShimRecord> shim_from_json(const Value& value) {
  ShimRecord record;
  record.pid = json::int_at(value, {"pid"}, 0);
  if (record.pid <= 0) return fail(Code::corrupt, "shim record has no pid");
  record.start_ticks = static_cast<std::uint64_t>(json::int_at(value, {"startTicks"}, 0));
  record.boot_id = text_at(value, "bootId");
  return record;
}

Result<Value> read_json(const base::Path& path) {
  auto text = linux::read_file(path, record_bytes_max);
  if (!text) return fail(std::move(text).error());
  auto value = json::parse(*text);
  if (!value) return fail(Code::corrupt, "'" + path.native() + "': " + value.error().message);
  return value;
}

namespace {

// The container's newest word: its exit, else its state, else that it was asked for.
Result<ContainerState> read_container(const base::Path& directory) {
  auto asked = read_json(paths::container_spec(directory));
  if (!asked) return fail(std::move(asked).error());
  auto spec = container_spec_from_json(*asked);
  if (!spec) return fail(std::move(spec).error());
  ContainerState state;
  state.name = spec->name;
  state.attempt = spec->attempt;
  state.id = directory.filename().native();
  if (auto value = read_json(paths::container_state(directory))) {
    if (auto read = state_from_json(*value)) state = std::move(*read);
  }
  if (auto value = read_json(paths::container_exit(directory))) {
    if (auto exit = exit_from_json(*value)) state.exit = std::move(*exit);
  }
  return state;
}

}  // namespace

Result<PodOnDisk> read_pod(const base::Path& pod) {
  auto value = read_json(paths::pod_spec(pod));
  if (!value) return fail(std::move(value).error());
  auto spec = pod_spec_from_json(*value);
  if (!spec) return fail(std::move(spec).error());
  PodOnDisk result;
  result.spec = std::move(*spec);
  if (auto record = read_json(paths::shim_record(pod))) {
    if (auto shim = shim_from_json(*record)) result.shim = std::move(*shim);
  }
  std::error_code error;
  for (std::filesystem::directory_iterator entry(paths::containers(pod), error), end;
       !error && entry != end; entry.increment(error)) {
    // A directory without a readable spec was being made when the machine stopped.
    if (auto state = read_container(entry->path())) result.containers.push_back(std::move(*state));
  }
  std::sort(result.containers.begin(), result.containers.end(),
            [](const auto& a, const auto& b) { return a.started < b.started; });
  return result;
}

}  // namespace koi::runtime
