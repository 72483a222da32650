#pragma once

#include "runtime/shim_containers.h"

// The insides of ShimContainers, shared by its two source files.
namespace koi::runtime {

struct ShimContainers::Container {
  ContainerSpec spec;
  ContainerState state;
  base::Path directory;
  std::string cgroup;
  LaunchPlan plan;
  linux::UniqueFd pidfd;  // open until the process is reaped
  linux::UniqueFd channel;
  linux::UniqueFd in;
  linux::UniqueFd out;  // the terminal's master, with a terminal
  linux::UniqueFd err;
  std::optional<CriLog> log;
  std::vector<OnState> starters;  // who waits for the program to run
  bool executed = false;
  std::string start_error;
  std::string node_error;
};

struct ShimContainers::Exec {
  pid_t pid = 0;
  linux::UniqueFd pidfd;
  linux::UniqueFd channel;
  linux::UniqueFd output;
  std::string text;
  std::string failure;
  std::chrono::nanoseconds deadline{};
  bool overran = false;
  OnExec answer;
};

}  // namespace koi::runtime
