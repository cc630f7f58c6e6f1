// Request and reply between working ranks and the rank that hands out items.
#include "kilobragg/parallel/dispatcher.hpp"

#include "communicator_state.hpp"

#include <chrono>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace kilobragg::parallel {
namespace {

constexpr int tag_request = 81; ///< a Request's byte, then the report
constexpr int tag_reply = 82;   ///< empty = nothing left, otherwise an item behind one byte
constexpr int root = 0;
// The byte in front tells an empty item from none at all.
constexpr char present = 1;

/// What the first byte of a request says.
enum Request : char { first_request = 'f', with_report = 'r', with_last_report = 'l' };

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

/// The root's side: answers requests until every other rank has left or been told to.
class Server {
public:
  Server(const Communicator& communicator, const WorkSource& source)
      : comm_(communicator.state().comm)
      , source_(source)
      , ranks_(communicator.size() - 1) {}

  bool done() const { return ranks_ == 0; }

  /// Answers what has arrived; returns whether anything had.
  bool serve_arrived() {
    int arrived = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, tag_request, comm_, &arrived, &status);
    if (arrived) receive_request(status);
    if (!parked_.empty()) answer_parked();
    return arrived != 0;
  }

  bool idle() {
    const std::lock_guard lock(mutex_);
    return source_.idle && source_.idle();
  }

  struct Next {
    std::optional<std::string> item;
    bool more = false; ///< without an item: one is out whose report may bring some
  };
  Next next(int rank) {
    const std::lock_guard lock(mutex_);
    Next next{source_.next(rank), out_ > 0};
    if (next.item) ++out_;
    return next;
  }
  void finished(int rank, std::string&& report) {
    const std::lock_guard lock(mutex_);
    --out_;
    source_.finished(rank, std::move(report));
  }

private:
  void receive_request(const MPI_Status& status) {
    std::string request = receive(comm_, status);
    const char kind = request.at(0);
    if (kind != first_request) finished(status.MPI_SOURCE, request.substr(1));
    if (kind == with_last_report)
      --ranks_;
    else
      parked_.push_back(status.MPI_SOURCE);
  }

  /// Gives items to the ranks that wait, and lets them go when none will come.
  void answer_parked() {
    while (!parked_.empty()) {
      const auto [item, more] = next(parked_.front());
      if (!item && more) return;
      send(comm_, parked_.front(), tag_reply, item ? present + *item : "");
      parked_.pop_front();
      if (!item) --ranks_;
    }
  }

  MPI_Comm comm_;
  const WorkSource& source_;
  int ranks_;   ///< others that have not left
  int out_ = 0; ///< items without a report
  std::deque<int> parked_;
  std::mutex mutex_;
};

using Work = std::function<Worked(const std::string&)>;

void work_for_root(MPI_Comm comm, const Work& work) {
  std::string request(1, first_request);
  for (;;) {
    send(comm, root, tag_request, request);
    MPI_Status status;
    MPI_Probe(root, tag_reply, comm, &status);
    const std::string reply = receive(comm, status);
    if (reply.empty()) return;
    const Worked worked = work(reply.substr(1));
    request = std::string(1, worked.leaves ? with_last_report : with_report) + worked.report;
    if (!worked.leaves) continue;
    send(comm, root, tag_request, request);
    return;
  }
}

void serve_alone(Server& server) {
  // Requests come in bursts: look for the next for a while before giving the core away.
  constexpr int looks = 2000;
  constexpr auto nap = std::chrono::microseconds(50);
  for (int looked = 0; !server.done();) {
    if (server.serve_arrived() || server.idle()) {
      looked = 0;
    } else if (++looked > looks) {
      std::this_thread::sleep_for(nap);
    }
  }
}

void work_on_root(Server& server, const Work& work) {
  for (;;) {
    const auto [item, more] = server.next(root);
    if (item) {
      Worked worked = work(*item);
      server.finished(root, std::move(worked.report));
      if (worked.leaves) return;
    } else if (more) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      return;
    }
  }
}

/// Works here while a helper thread serves the others. Only that thread calls MPI meanwhile.
void work_and_serve(Server& server, const Work& work, const Communicator& communicator,
                    int poll_microseconds) {
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
        if (!server.serve_arrived() && !server.idle())
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

void dispatch(const Communicator& communicator, const WorkSource& source, const Work& work,
              const DispatchParams& params) {
  Server server(communicator, source);
  if (communicator.size() == 1)
    work_on_root(server, work);
  else if (!communicator.is_root())
    work_for_root(communicator.state().comm, work);
  else if (communicator.size() <= params.working_root_ranks && threads_may_call_mpi())
    work_and_serve(server, work, communicator, params.poll_microseconds);
  else
    serve_alone(server);
  // A rank that is done early must not ask again, in a following dispatch, before this one ends.
  communicator.barrier();
}

} // namespace kilobragg::parallel
