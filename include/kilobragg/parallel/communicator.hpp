// The ranks of a job: the one cover over MPI, with 64-bit sizes and without MPI when run alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace kilobragg::parallel {

/// Starts MPI if the process was started by a launcher (mpirun, srun, ...) and ends it when the
/// scope closes. A process started alone does not touch MPI: that saves its start-up time.
/// One per process, first thing in main(). Works inside an MPI that somebody else started.
class Environment {
public:
  Environment(int& argc, char**& argv);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

private:
  bool started_ = false;
};

/// A group of ranks. Cheap to copy. Every method but rank(), size() and abort() is collective: all
/// ranks must call it. Sizes are 64-bit: long messages travel in pieces.
class Communicator {
public:
  /// All ranks of the job, or this process alone if MPI is not running.
  static Communicator world();
  /// This process alone, whatever was started.
  static Communicator alone();

  int rank() const;
  int size() const;
  bool is_root() const { return rank() == 0; }

  void barrier() const;
  /// `bytes` of the root reach every rank, whatever size the others gave.
  void broadcast(std::vector<std::byte>& bytes, int root = 0) const;
  void broadcast(std::string& text, int root = 0) const;
  template <typename T>
  void broadcast(std::vector<T>& values, int root = 0) const;
  template <typename T>
  void broadcast_value(T& value, int root = 0) const;

  /// The bytes of every rank in rank order on the root; empty on the others.
  std::vector<std::string> gather(const std::string& bytes, int root = 0) const;
  /// The values of every rank, concatenated in rank order, on the root; empty on the others.
  template <typename T>
  std::vector<T> gather(const std::vector<T>& values, int root = 0) const;
  /// The same on every rank.
  std::vector<std::string> all_gather(const std::string& bytes) const;

  /// Element-wise over ranks, in place, same length everywhere. The sum of doubles depends on the
  /// number of ranks in its last bits; use FixedPointSum or integers where results must not.
  void all_sum(std::span<std::int64_t> values) const;
  void all_sum(std::span<double> values) const;
  void all_max(std::span<std::int64_t> values) const;
  void all_max(std::span<double> values) const;
  void all_min(std::span<double> values) const;
  std::int64_t all_sum(std::int64_t value) const;
  bool any(bool value) const;

  /// Ends the whole job at once with `status`; the caller has said why. Does not return.
  [[noreturn]] void abort(int status) const;

  struct State;
  const State& state() const { return *state_; }

private:
  explicit Communicator(std::shared_ptr<const State> state)
      : state_(std::move(state)) {}
  void broadcast_bytes(void* data, std::size_t bytes, int root) const;
  std::uint64_t broadcast_size(std::uint64_t size, int root) const;

  std::shared_ptr<const State> state_;
};

/// Runs a program's body on every rank. An exception on any rank is printed to stderr with the rank
/// and ends the whole job (status 1) instead of leaving the others waiting.
int run_guarded(const Communicator& communicator, const std::function<int()>& body);

template <typename T>
void Communicator::broadcast(std::vector<T>& values, int root) const {
  static_assert(std::is_trivially_copyable_v<T>);
  values.resize(broadcast_size(values.size(), root));
  broadcast_bytes(values.data(), values.size() * sizeof(T), root);
}

template <typename T>
void Communicator::broadcast_value(T& value, int root) const {
  static_assert(std::is_trivially_copyable_v<T>);
  broadcast_bytes(&value, sizeof(T), root);
}

template <typename T>
std::vector<T> Communicator::gather(const std::vector<T>& values, int root) const {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::string mine(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  std::vector<T> all;
  for (const std::string& part : gather(mine, root)) {
    const std::size_t n = part.size() / sizeof(T), old = all.size();
    all.resize(old + n);
    std::copy_n(part.data(), n * sizeof(T), reinterpret_cast<char*>(all.data() + old));
  }
  return all;
}

} // namespace kilobragg::parallel
