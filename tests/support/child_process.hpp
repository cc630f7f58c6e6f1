// A command that tests start, watch, signal and kill while it runs.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kilobragg::testing {

/// Polls until `condition` holds; false if it does not within `seconds`.
inline bool wait_until(double seconds, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// A shell command with its output in a file. What is left of it is killed in the end.
class ChildProcess {
public:
  ChildProcess(const std::string& command, const std::string& log)
      : pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ > 0) return;
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(file, 1);
    ::dup2(file, 2);
    ::execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
    ::_exit(127);
  }
  ~ChildProcess() {
    kill_family();
    if (!status_) wait(10);
  }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// The processes called `name` among this one and those that it started, in order of their numbers.
  std::vector<pid_t> named(const std::string& name) const {
    std::vector<pid_t> found;
    for (const pid_t pid : family())
      if (name_of(pid) == name) found.push_back(pid);
    std::sort(found.begin(), found.end());
    return found;
  }
  void signal(int number) const { ::kill(pid_, number); }
  /// SIGKILL to all at once: a node that loses power.
  void kill_family() const {
    if (status_) return;
    for (const pid_t pid : family()) ::kill(pid, SIGKILL);
  }

  /// The exit status, or minus the signal that ended it; none if it runs longer than `seconds`.
  std::optional<int> wait(double seconds) {
    if (!status_)
      wait_until(seconds, [this] {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        return true;
      });
    return status_;
  }
  bool runs() { return !wait(0); }

private:
  static std::string stat_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    return line;
  }
  static std::string name_of(pid_t pid) {
    const std::string line = stat_of(pid);
    const auto open = line.find('('), close = line.rfind(')');
    return open == std::string::npos ? "" : line.substr(open + 1, close - open - 1);
  }
  static pid_t parent_of(pid_t pid) {
    const std::string line = stat_of(pid);
    const auto close = line.rfind(')');
    if (close == std::string::npos) return 0;
    std::istringstream rest(line.substr(close + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    return parent;
  }
  /// This process and its offspring.
  std::vector<pid_t> family() const {
    std::vector<std::pair<pid_t, pid_t>> all; // child and parent
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid > 0) all.emplace_back(pid, parent_of(pid));
    }
    std::vector<pid_t> found{pid_};
    for (std::size_t i = 0; i < found.size(); ++i)
      for (const auto& [pid, parent] : all)
        if (parent == found[i]) found.push_back(pid);
    return found;
  }

  pid_t pid_;
  std::optional<int> status_;
};

} // namespace kilobragg::testing
