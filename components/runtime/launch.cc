#include "runtime/launch.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "runtime/container_init.h"

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::UniqueFd;

namespace {

constexpr std::string_view kinds = "TRSN";

// Makes children of the calling process start in another PID namespace for as long as it lives.
class ChildrenIn {
 public:
  static Result<ChildrenIn> enter(int pid_namespace) {
    ChildrenIn guard;
    if (pid_namespace < 0) return guard;
    auto own = linux::open_file("/proc/self/ns/pid_for_children", O_RDONLY);
    if (!own) return fail(std::move(own).error());
    if (::setns(pid_namespace, CLONE_NEWPID) != 0) return linux::fail_errno("join PID namespace");
    guard.own_ = std::move(*own);
    return guard;
  }
  ChildrenIn(ChildrenIn&&) = default;
  ChildrenIn& operator=(ChildrenIn&&) = delete;
  ~ChildrenIn() {
    if (own_) (void)::setns(own_.get(), CLONE_NEWPID);
  }

 private:
  ChildrenIn() = default;
  UniqueFd own_;
};

// New namespaces that can be asked of clone3. The cgroup namespace must wait until the child is in
// its groups.
std::uint64_t clone_flags(const Spec& spec) {
  std::uint64_t flags = 0;
  for (const NamespaceSpec& entry : spec.namespaces) {
    if (!entry.path.empty()) continue;
    if (entry.type == "mount") flags |= CLONE_NEWNS;
    if (entry.type == "pid") flags |= CLONE_NEWPID;
    if (entry.type == "network") flags |= CLONE_NEWNET;
    if (entry.type == "ipc") flags |= CLONE_NEWIPC;
    if (entry.type == "uts") flags |= CLONE_NEWUTS;
  }
  return flags;
}

template <class Body>
Result<Launched> clone_into(const linux::CgroupTree& tree, const LaunchPlan& plan,
                            std::uint64_t flags, int pid_namespace, Body body) {
  auto channel = linux::make_socket_pair();
  if (!channel) return fail(std::move(channel).error());
  UniqueFd group;
  if (!plan.cgroup.empty()) {
    auto opened = linux::open_unified(tree, plan.cgroup);
    if (!opened) return fail(std::move(opened).error());
    group = std::move(*opened);
  }
  auto guard = ChildrenIn::enter(pid_namespace);
  if (!guard) return fail(std::move(guard).error());
  auto child = linux::clone_process({.namespaces = flags, .cgroup = group.get()});
  if (!child) return fail(std::move(child).error());
  if (child->pid == 0) {
    channel->first.reset();
    body(static_cast<bool>(group), channel->second.get());
  }
  return Launched{child->pid, std::move(child->pidfd), std::move(channel->first)};
}

}  // namespace

std::string encode_channel(const ChannelMessage& message) {
  return kinds[static_cast<std::size_t>(message.kind)] + message.text;
}

ChannelMessage decode_channel(std::string_view packet) {
  const std::size_t kind = packet.empty() ? std::string_view::npos : kinds.find(packet.front());
  if (kind == std::string_view::npos) return {ChannelMessage::Kind::node_error, "damaged message"};
  return {static_cast<ChannelMessage::Kind>(kind), std::string(packet.substr(1))};
}

Result<Launched> launch(const linux::CgroupTree& tree, const LaunchPlan& plan) {
  UniqueFd joined;
  int pid_namespace = plan.pid_namespace;
  const NamespaceSpec* pid = plan.spec.find_namespace("pid");
  if (pid != nullptr && !pid->path.empty()) {
    auto opened = linux::open_file(pid->path, O_RDONLY);
    if (!opened) return fail(std::move(opened).error());
    joined = std::move(*opened);
    pid_namespace = joined.get();
  }
  const std::uint64_t flags = clone_flags(plan.spec) | CLONE_NEWNS;
  return clone_into(tree, plan, flags, pid_namespace, [&](bool in_unified, int channel) {
    run_container_init(tree, plan, in_unified, channel);
  });
}

Result<Launched> launch_exec(const linux::CgroupTree& tree, const LaunchPlan& plan,
                             const ProcessSpec& process, int container_pidfd) {
  return clone_into(tree, plan, 0, container_pidfd, [&](bool in_unified, int channel) {
    (void)in_unified;
    run_exec_init(tree, plan, process, container_pidfd, channel);
  });
}

}  // namespace koi::runtime
