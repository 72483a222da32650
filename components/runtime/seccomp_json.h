#pragma once

#include "base/result.h"
#include "json/value.h"
#include "linux/seccomp_filter.h"

// The seccomp object of an OCI config.json, which is also what a Localhost profile holds.
namespace koi::runtime {

base::Result<linux::SeccompProfile> parse_seccomp(const json::Value& value);
json::Value seccomp_to_json(const linux::SeccompProfile& profile);

}  // namespace koi::runtime
