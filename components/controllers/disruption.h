#pragma once

#include <string_view>

#include "controllers/controller.h"

namespace koi::controllers {

// Notes on the pod why a controller deletes it: condition DisruptionTarget, and the phase where one
// is given. Succeeds when the pod is gone.
struct Disruption {
  std::string_view reason;
  std::string_view message;
  std::string_view phase;  // empty: as it is
};
base::Task<base::Result<>> note_disruption(Context& context, api::ObjectPtr pod,
                                           Disruption disruption);

}  // namespace koi::controllers
