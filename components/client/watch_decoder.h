#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/api_client.h"

namespace koi::client {

// Makes events of the bytes of a watch: one JSON document a line, cut anywhere.
class WatchDecoder {
 public:
  // Appends the events that are whole by now. Fails with what an ERROR event says (expired, ...),
  // with corrupt on what is no event, with too_large on a line without end. Events before a failure
  // have been appended.
  base::Result<> feed(std::string_view bytes, std::vector<WatchEvent>& events);

 private:
  base::Result<> read_line(std::string_view line, std::vector<WatchEvent>& events);

  std::string rest_;
};

}  // namespace koi::client
