#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace koi::agent {

// One line of a CRI log: "<time> stdout F <text>".
struct CriLine {
  std::string_view time;
  std::string_view stream;
  bool partial = false;  // the container's line goes on in the next
  std::string_view text;
};

// Empty for a line that is none.
std::optional<CriLine> parse_cri_line(std::string_view line);

// What the last lines of a log say, at most so many lines and bytes.
std::string last_lines(std::string_view log, std::size_t lines_max, std::size_t bytes_max);

}  // namespace koi::agent
