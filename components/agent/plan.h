#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/observed.h"

namespace koi::agent {

// The steps of a pod's life. Each is performed by PodWorker and changes what is observed, so that
// the next plan does not ask for it again.
namespace action {
struct PrepareVolumes {};
struct StartSandbox {};
struct AttachNetwork {};
struct MarkInitialized {};
struct StartContainer {
  std::string name;
};
// The container crashed too recently: say so and wait.
struct BackOff {
  std::string name;
  base::Duration delay;
  base::MonoTime until;
};
// Runs preStop and lets patience start.
struct BeginStop {
  std::string name;
  base::Duration grace;
  std::string message;  // of the Killing event
};
struct Signal {
  std::string name;
  bool kill = false;  // SIGKILL, else the image's stop signal
};
struct FailPod {
  Ending ending;
};
struct BeginEnd {};
struct TearDown {};
}  // namespace action

using Action = std::variant<action::PrepareVolumes, action::StartSandbox, action::AttachNetwork,
                            action::MarkInitialized, action::StartContainer, action::BackOff,
                            action::BeginStop, action::Signal, action::FailPod, action::BeginEnd,
                            action::TearDown>;

struct Now {
  base::MonoTime mono;
  base::WallTime wall;
};

// What to do at once, and when to think again if nothing happens before.
struct Plan {
  std::vector<Action> actions;
  std::optional<base::MonoTime> wake_at;
};

// Decides the next steps of a pod. Pure; never asks for a step whose precondition is missing.
//
// Life of a pod: 1 volumes  2 sandbox  3 network  4 init containers in order  5 containers,
// each started again as the restart policy says  6 end: app containers stop, then sidecars in
// reverse order  7 teardown once the API has every exit. Every step is idempotent, so a restarted
// agent enters at whichever step the facts show.
Plan plan_sync(const PodView& pod, const PodObserved& seen, const Now& now);

}  // namespace koi::agent
