#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "datastore/store.h"

namespace koi::apiserver {

// Where the next page of a list begins. Opaque to clients.
struct ContinueToken {
  datastore::Revision revision = 0;  // -1: whatever is current, after the first one expired
  std::string start_after;           // the part of the key behind the collection's prefix

  std::string str() const;
  static base::Result<ContinueToken> parse(std::string_view text);
};

}  // namespace koi::apiserver
