// A handler that does nothing but note the signal.
#include "stop_signals.hpp"

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace kilobragg::programs {
namespace {

std::atomic<int> noted = 0; // threads read it
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers may use no other");

extern "C" void note_signal(int signal) {
  noted = signal;
  // Who presses the keys again means it. Batch systems send TERM to script and ranks, so twice.
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
}

} // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART; // reads and writes in hand go on
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}) sigaction(signal, &action, nullptr);
}

void ignore_file_size_signal() { std::signal(SIGXFSZ, SIG_IGN); }

int stop_signal() { return noted; }

const char* signal_name(int signal) {
  switch (signal) {
  case SIGINT:
    return "SIGINT";
  case SIGTERM:
    return "SIGTERM";
  case SIGUSR1:
    return "SIGUSR1";
  case SIGUSR2:
    return "SIGUSR2";
  default:
    return "a signal";
  }
}

} // namespace kilobragg::programs
