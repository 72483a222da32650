#pragma once

namespace koi::crypto {

// Sets OpenSSL up for a small process: no configuration file, no error texts, no atexit work.
// Every entry of this component calls it; more calls cost nothing. Any thread.
void bootstrap();

}  // namespace koi::crypto
