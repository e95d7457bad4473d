// What keeps secrets from whoever can look at the process from outside.
// Used by serve, once the settings are read and before any other thread is there.
#pragma once

namespace mainstay::app {

/// Overwrites and unsets environment variables that hold secrets (also as seen in
/// /proc/PID/environ), and makes the process undumpable: no core file, no reading of its memory or
/// environment by another program of the same user. Call it while there is one thread.
void hide_secrets();

/// Whether a variable of this name holds a secret.
bool holds_secret(const char* name);

}  // namespace mainstay::app
