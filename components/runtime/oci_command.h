#pragma once

namespace koi::runtime {

// `koi runtime [--root DIR] [--log FILE] COMMAND ...`: containers from OCI bundles, for tools that
// call an OCI runtime. Returns the exit code.
int run_oci_command(int argc, char** argv);

}  // namespace koi::runtime
