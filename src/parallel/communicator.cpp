// Collective calls over MPI in pieces that fit its 32-bit counts.
#include "kilobragg/parallel/communicator.hpp"

#include "communicator_state.hpp"

#include <cstdio>
#include <cstdlib>

namespace kilobragg::parallel {
namespace {

bool mpi_is_running() {
  int initialized = 0, finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

/// Whether a launcher started this process as one of several (or said so explicitly).
bool started_by_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE",
                           "MPI_LOCALNRANKS", "PALS_RANKID", "FLUX_TASK_RANK"})
    if (std::getenv(name)) return true;
  // Under srun without an MPI plug-in only Slurm's own variables are there.
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  return tasks && std::atoi(tasks) > 1;
}

template <typename T>
void all_reduce(const Communicator::State& state, std::span<T> values, MPI_Datatype type,
                MPI_Op operation) {
  if (state.comm == MPI_COMM_NULL) return;
  detail::in_pieces(values.size(), detail::max_piece / sizeof(T), [&](std::size_t at, int n) {
    MPI_Allreduce(MPI_IN_PLACE, values.data() + at, n, type, operation, state.comm);
  });
}

} // namespace

Environment::Environment(int& argc, char**& argv) {
  if (mpi_is_running() || !started_by_launcher()) return;
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
  started_ = true;
}

Environment::~Environment() {
  if (started_ && mpi_is_running()) MPI_Finalize();
}

Communicator Communicator::alone() { return Communicator(std::make_shared<const State>()); }

Communicator Communicator::world() {
  if (!mpi_is_running()) return alone();
  State state;
  state.comm = MPI_COMM_WORLD;
  MPI_Comm_rank(state.comm, &state.rank);
  MPI_Comm_size(state.comm, &state.size);
  return Communicator(std::make_shared<const State>(state));
}

int Communicator::rank() const { return state_->rank; }

int Communicator::size() const { return state_->size; }

void Communicator::barrier() const {
  if (state_->comm != MPI_COMM_NULL) MPI_Barrier(state_->comm);
}

std::uint64_t Communicator::broadcast_size(std::uint64_t size, int root) const {
  if (state_->comm != MPI_COMM_NULL) MPI_Bcast(&size, 1, MPI_UINT64_T, root, state_->comm);
  return size;
}

void Communicator::broadcast_bytes(void* data, std::size_t bytes, int root) const {
  if (state_->comm == MPI_COMM_NULL) return;
  detail::in_pieces(bytes, detail::max_piece, [&](std::size_t at, int n) {
    MPI_Bcast(static_cast<std::byte*>(data) + at, n, MPI_BYTE, root, state_->comm);
  });
}

void Communicator::broadcast(std::vector<std::byte>& bytes, int root) const {
  broadcast<std::byte>(bytes, root);
}

void Communicator::broadcast(std::string& text, int root) const {
  text.resize(broadcast_size(text.size(), root));
  broadcast_bytes(text.data(), text.size(), root);
}

std::vector<std::string> Communicator::gather(const std::string& bytes, int root) const {
  if (state_->comm == MPI_COMM_NULL) return {bytes};
  const std::uint64_t mine = bytes.size();
  std::vector<std::uint64_t> sizes(rank() == root ? std::size_t(size()) : 0);
  MPI_Gather(&mine, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, root, state_->comm);
  constexpr int tag = 71;
  if (rank() != root) {
    detail::in_pieces(bytes.size(), detail::max_piece, [&](std::size_t at, int n) {
      MPI_Send(bytes.data() + at, n, MPI_BYTE, root, tag, state_->comm);
    });
    return {};
  }
  std::vector<std::string> all(sizes.size());
  for (int r = 0; r < size(); ++r) {
    auto& part = all[std::size_t(r)];
    if (r == root) {
      part = bytes;
      continue;
    }
    part.resize(sizes[std::size_t(r)]);
    detail::in_pieces(part.size(), detail::max_piece, [&](std::size_t at, int n) {
      MPI_Recv(part.data() + at, n, MPI_BYTE, r, tag, state_->comm, MPI_STATUS_IGNORE);
    });
  }
  return all;
}

std::vector<std::string> Communicator::all_gather(const std::string& bytes) const {
  auto all = gather(bytes);
  all.resize(std::size_t(size()));
  for (auto& part : all) broadcast(part);
  return all;
}

void Communicator::all_sum(std::span<std::int64_t> values) const {
  all_reduce(*state_, values, MPI_INT64_T, MPI_SUM);
}
void Communicator::all_sum(std::span<double> values) const {
  all_reduce(*state_, values, MPI_DOUBLE, MPI_SUM);
}
void Communicator::all_max(std::span<std::int64_t> values) const {
  all_reduce(*state_, values, MPI_INT64_T, MPI_MAX);
}
void Communicator::all_max(std::span<double> values) const {
  all_reduce(*state_, values, MPI_DOUBLE, MPI_MAX);
}
void Communicator::all_min(std::span<double> values) const {
  all_reduce(*state_, values, MPI_DOUBLE, MPI_MIN);
}

std::int64_t Communicator::all_sum(std::int64_t value) const {
  all_sum(std::span(&value, 1));
  return value;
}

bool Communicator::any(bool value) const {
  std::int64_t flag = value ? 1 : 0;
  all_max(std::span(&flag, 1));
  return flag != 0;
}

void Communicator::abort(int status) const {
  std::fflush(nullptr);
  if (state_->comm != MPI_COMM_NULL) MPI_Abort(state_->comm, status);
  std::exit(status);
}

int run_guarded(const Communicator& communicator, const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    if (communicator.size() > 1)
      std::fprintf(stderr, "error on rank %d: %s\n", communicator.rank(), error.what());
    else
      std::fprintf(stderr, "error: %s\n", error.what());
    if (communicator.size() > 1) communicator.abort(1);
    return 1;
  }
}

} // namespace kilobragg::parallel
