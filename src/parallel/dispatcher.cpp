// Request and reply between working ranks and the rank that hands out items.
#include "kilobragg/parallel/dispatcher.hpp"

#include "communicator_state.hpp"

#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

namespace kilobragg::parallel {
namespace {

constexpr int tag_request = 81; ///< empty = first request, otherwise a report behind one byte
constexpr int tag_reply = 82;   ///< empty = nothing left, otherwise an item behind one byte
constexpr int root = 0;
// The byte in front tells an empty report or item from none at all.
constexpr char present = 1;

std::string receive(MPI_Comm comm, const MPI_Status& probed) {
  int bytes = 0;
  MPI_Get_count(&probed, MPI_BYTE, &bytes);
  std::string text(std::size_t(bytes), '\0');
  MPI_Recv(text.data(), bytes, MPI_BYTE, probed.MPI_SOURCE, probed.MPI_TAG, comm,
           MPI_STATUS_IGNORE);
  return text;
}

void send(MPI_Comm comm, int to, int tag, const std::string& text) {
  core::require(text.size() <= detail::max_piece,
                "a dispatcher message of {} bytes is too long (an item or report should be small)",
                text.size());
  MPI_Send(text.data(), static_cast<int>(text.size()), MPI_BYTE, to, tag, comm);
}

std::string framed(const std::string& text) { return present + text; }

/// The root's side: answers requests until every other rank has been told that nothing is left.
class Server {
public:
  Server(const Communicator& communicator, const WorkSource& source)
      : comm_(communicator.state().comm)
      , source_(source)
      , waiting_(communicator.size() - 1) {}

  bool done() const { return waiting_ == 0; }

  void serve_blocking() {
    while (!done()) {
      MPI_Status status;
      MPI_Probe(MPI_ANY_SOURCE, tag_request, comm_, &status);
      answer(status);
    }
  }

  /// Answers what has arrived; returns whether anything had.
  bool serve_arrived() {
    int arrived = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, tag_request, comm_, &arrived, &status);
    if (arrived) answer(status);
    return arrived != 0;
  }

  std::optional<std::string> next(int rank) {
    const std::lock_guard lock(mutex_);
    return source_.next(rank);
  }
  void finished(int rank, std::string&& report) {
    const std::lock_guard lock(mutex_);
    source_.finished(rank, std::move(report));
  }

private:
  void answer(const MPI_Status& status) {
    std::string request = receive(comm_, status);
    if (!request.empty()) finished(status.MPI_SOURCE, request.substr(1));
    const auto item = next(status.MPI_SOURCE);
    send(comm_, status.MPI_SOURCE, tag_reply, item ? framed(*item) : "");
    if (!item) --waiting_;
  }

  MPI_Comm comm_;
  const WorkSource& source_;
  int waiting_;
  std::mutex mutex_;
};

void work_for_root(MPI_Comm comm, const std::function<std::string(const std::string&)>& work) {
  std::string request;
  for (;;) {
    send(comm, root, tag_request, request);
    MPI_Status status;
    MPI_Probe(root, tag_reply, comm, &status);
    const std::string reply = receive(comm, status);
    if (reply.empty()) return;
    request = framed(work(reply.substr(1)));
  }
}

void work_on_root(Server& server, const std::function<std::string(const std::string&)>& work) {
  while (const auto item = server.next(root)) server.finished(root, work(*item));
}

/// Works here while a helper thread serves the others. Only that thread calls MPI meanwhile.
void work_and_serve(Server& server, const std::function<std::string(const std::string&)>& work,
                    const Communicator& communicator, int poll_microseconds) {
  // An exception here cannot unwind: the other thread still uses this frame, and other ranks wait.
  const auto or_end_the_job = [&](const auto& body) {
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "error on rank %d: %s\n", root, error.what());
      communicator.abort(1);
    }
  };
  std::thread helper([&] {
    or_end_the_job([&] {
      while (!server.done())
        if (!server.serve_arrived())
          std::this_thread::sleep_for(std::chrono::microseconds(poll_microseconds));
    });
  });
  or_end_the_job([&] { work_on_root(server, work); });
  helper.join();
}

bool threads_may_call_mpi() {
  int provided = MPI_THREAD_SINGLE;
  MPI_Query_thread(&provided);
  return provided >= MPI_THREAD_SERIALIZED;
}

} // namespace

void dispatch(const Communicator& communicator, const WorkSource& source,
              const std::function<std::string(const std::string&)>& work,
              const DispatchParams& params) {
  Server server(communicator, source);
  if (communicator.size() == 1)
    work_on_root(server, work);
  else if (!communicator.is_root())
    work_for_root(communicator.state().comm, work);
  else if (communicator.size() <= params.working_root_ranks && threads_may_call_mpi())
    work_and_serve(server, work, communicator, params.poll_microseconds);
  else
    server.serve_blocking();
  // A rank that is done early must not ask again, in a following dispatch, before this one ends.
  communicator.barrier();
}

} // namespace kilobragg::parallel
