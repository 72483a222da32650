#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace koi::json {

struct StrictValue {
  Value value;
  // "spec.containers[0].image" for each member name that came twice, in text order, each once.
  // At most duplicates_max; the later member won.
  std::vector<std::string> duplicates;
};

inline constexpr std::size_t duplicates_max = 100;

// As parse(), and says which member names came twice. Costs little more unless there are some.
base::Result<StrictValue> parse_strict(std::string_view text);

}  // namespace koi::json
