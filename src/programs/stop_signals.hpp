// Signals that ask a run to stop cleanly.
#pragma once

namespace kilobragg::programs {

/// From now on SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 are noted, not obeyed. A second SIGINT ends the
/// process as usual.
void catch_stop_signals();
/// Writing beyond a limit on the size of files (SIGXFSZ) is then an error, like a full disk.
void ignore_file_size_signal();
/// The signal that came, 0 if none did.
int stop_signal();
/// "SIGUSR1" and so on.
const char* signal_name(int signal);

} // namespace kilobragg::programs
