#pragma once

#include <memory>

#include "base/files.h"
#include "base/random.h"
#include "base/time.h"

// The doors of base, opened on the real machine. Only composition roots and tests call these.
namespace koi::base {

std::unique_ptr<Clock> make_os_clock();
std::unique_ptr<Random> make_os_random();
std::unique_ptr<Files> make_os_files();

}  // namespace koi::base
