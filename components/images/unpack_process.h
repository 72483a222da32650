#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "images/untar.h"

namespace koi::images {

// The far side of an Unpacker: what touches strangers' bytes first. As a process of its own it has
// no file but the descriptors that it was given, no network, and of root's powers only those that
// setting owners and modes takes.
//
//   unpack-layer decompress             0: compressed stream  1: plain stream   3: report
//   unpack-layer tree <kind> <entries> <bytes>
//                                       0: plain tar stream   3: report   4: directory to fill

inline constexpr int report_descriptor = 3;
inline constexpr int directory_descriptor = 4;

// The main function of `koi unpack-layer`; `arguments` are those behind the command's name. Returns
// the exit code: 0 when a report was written (which may say failure).
int run_unpack_process(std::span<const std::string> arguments);

// One stage with explicit descriptors, without confinement: what the process does inside. Writes
// the report.
void run_decompress_stage(int source, int target, int report);
void run_tree_stage(int source, int directory, int report, const UntarOptions& options);

std::vector<std::string> tree_arguments(const UntarOptions& options);

// Reads a report to its end. It comes from a process that may have been taken over: it is bounded,
// and its paths are checked again. Fails with the error that it carries.
base::Result<UntarReport> read_report(int report);

}  // namespace koi::images
