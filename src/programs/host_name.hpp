// The machine that a process runs on, for logs and records.
#pragma once

#include <unistd.h>

#include <string>

namespace kilobragg::programs {

inline std::string host_name() {
  char name[256] = "unknown";
  ::gethostname(name, sizeof name - 1);
  return name;
}

} // namespace kilobragg::programs
