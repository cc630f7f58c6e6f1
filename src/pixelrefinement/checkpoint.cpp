// Gathers a state to the file of the first rank in pieces, and hands it out again by the names of blocks.
#include "kilobragg/pixelrefinement/checkpoint.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/record_log.hpp"
#include "kilobragg/parallel/together.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <unordered_map>

namespace kilobragg::pixelrefinement {
namespace {

constexpr std::uint32_t version = 1;
constexpr int bad_checkpoint = 1;                                // exit status
constexpr std::int64_t values_in_flight = std::int64_t(1) << 25; // on the first rank at once

enum RecordType : std::uint32_t { head = 1, caller_bytes, names, values, end };

/// What precedes the doubles of a record of values.
struct ValuesHeader {
  std::int64_t vector = 0; ///< as vectors_of counts them
  std::int64_t first = 0;  ///< position among all variables
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Shows every number of a state that is no vector, in the order of the file.
template <typename State, typename Visit>
void for_each_scalar(State& state, const Visit& visit) {
  visit(state.status), visit(state.iterations), visit(state.evaluations), visit(state.f);
  auto& search = state.search;
  visit(search.status), visit(search.step);
  for (auto* point : {&search.start, &search.best, &search.other})
    visit(point->step), visit(point->f), visit(point->slope);
  visit(search.bracketed), visit(search.first_stage), visit(search.low), visit(search.high);
  visit(search.width), visit(search.width_before), visit(search.largest);
  visit(search.evaluations);
  visit(state.has_diagonal), visit(state.inverse_scale);
  for (auto& product : state.s_y) visit(product);
  auto& report = state.report;
  visit(report.iteration), visit(report.evaluations), visit(report.f);
  visit(report.gradient_norm), visit(report.step);
}

/// The vectors of a state in the order of the file.
template <typename State>
auto vectors_of(State& state) {
  std::vector all{&state.point, &state.x, &state.g, &state.direction};
  if (state.has_diagonal) all.push_back(&state.diagonal);
  for (auto& s : state.s) all.push_back(&s);
  for (auto& y : state.y) all.push_back(&y);
  return all;
}

/// Of all ranks.
std::int64_t count_of_blocks(const SpreadVectors& vectors, const CheckpointProblem& problem) {
  return vectors.ranks().all_sum(static_cast<std::int64_t>(problem.blocks.size()));
}

void check_blocks(const SpreadVectors& vectors, const CheckpointProblem& problem) {
  std::size_t elements = 0;
  for (const OwnedBlock& block : problem.blocks) elements += block.size;
  core::require(elements == vectors.owned(), "blocks of {} variables on a rank that owns {}",
                elements, vectors.owned());
}

class Writer {
public:
  Writer(const std::string& path, const SpreadVectors& vectors)
      : vectors_(vectors)
      , ranks_(vectors.ranks()) {
    on_root([&] { file_.emplace(path); });
  }

  void write_head(const CheckpointProblem& problem, const SpreadLbfgsState& state) {
    core::ByteWriter out;
    out.put(version);
    out.put_text(problem.digest);
    out.put(static_cast<std::uint64_t>(vectors_.shared()));
    out.put(vectors_.variables());
    out.put(count_of_blocks(vectors_, problem));
    out.put(static_cast<std::uint64_t>(state.s.size()));
    for_each_scalar(state, [&](const auto& value) { out.put(value); });
    append_on_root(head, out.take());
  }

  void write_caller(std::string_view bytes) { append_on_root(caller_bytes, std::string(bytes)); }

  void write_names(const std::vector<OwnedBlock>& blocks) {
    core::ByteWriter out;
    for (const OwnedBlock& block : blocks) {
      out.put_text(block.name);
      out.put(static_cast<std::uint64_t>(block.size));
    }
    append_of_all(names, out.take());
  }

  /// An empty vector, of a state that has not got so far, is written as zeros.
  void write_vector(std::int64_t number, const DeviceVector& vector) {
    std::vector<double> host = on_the_host(vector);
    host.resize(vectors_.size());
    const auto shared = static_cast<std::int64_t>(vectors_.shared());
    const std::span<const double> all(host);
    write_values({number, 0}, ranks_.is_root() ? all.first(vectors_.shared()) : all.first(0));
    write_values({number, shared + first_owned()}, all.subspan(vectors_.shared()));
  }

  void commit() {
    core::ByteWriter out;
    out.put(records_);
    append_on_root(end, out.take());
    on_root([&] { file_->commit(); });
  }

private:
  void on_root(const std::function<void()>& work) {
    parallel::together(ranks_, bad_checkpoint, [&] {
      if (ranks_.is_root()) work();
    });
  }
  void append_on_root(RecordType type, const std::string& payload) {
    on_root([&] { file_->append(type, bytes_of(payload)); });
    ++records_;
  }
  /// One record of each rank that has something.
  void append_of_all(RecordType type, const std::string& payload) {
    const auto payloads = ranks_.gather(payload);
    on_root([&] {
      for (const std::string& part : payloads) {
        if (part.empty()) continue;
        file_->append(type, bytes_of(part));
        ++records_;
      }
    });
  }

  void write_values(ValuesHeader header, std::span<const double> mine) {
    const std::size_t piece =
        static_cast<std::size_t>(std::max<std::int64_t>(values_in_flight / ranks_.size(), 4096));
    while (ranks_.any(!mine.empty())) {
      const auto part = mine.first(std::min(piece, mine.size()));
      std::string payload;
      if (!part.empty()) {
        core::ByteWriter out;
        out.put(header);
        payload = out.take();
        payload.append(text_of(std::as_bytes(part)));
      }
      append_of_all(values, payload);
      header.first += static_cast<std::int64_t>(part.size());
      mine = mine.subspan(part.size());
    }
  }

  /// How many elements the ranks before this one own.
  std::int64_t first_owned() const {
    std::vector<std::int64_t> owned(static_cast<std::size_t>(ranks_.size()));
    owned[static_cast<std::size_t>(ranks_.rank())] = static_cast<std::int64_t>(vectors_.owned());
    ranks_.all_sum(std::span(owned));
    std::int64_t before = 0;
    for (int rank = 0; rank < ranks_.rank(); ++rank) before += owned[std::size_t(rank)];
    return before;
  }

  const SpreadVectors& vectors_;
  const parallel::Communicator& ranks_;
  std::optional<core::AtomicRecordLog> file_; ///< on the first rank
  std::uint64_t records_ = 0;                 ///< true on the first rank
};

/// The records of a whole checkpoint, on every rank in turn.
class RecordSource {
public:
  RecordSource(const std::string& path, const parallel::Communicator& ranks)
      : ranks_(ranks) {
    on_root([&] {
      find_records(path);
      reader_.emplace(path);
    });
    std::uint64_t count = offsets_.size();
    ranks_.broadcast_value(count);
    offsets_.resize(count);
  }

  std::size_t size() const { return offsets_.size(); }
  struct Item {
    std::uint32_t type = 0;
    std::string payload;
  };
  Item read(std::size_t number) {
    Item item;
    on_root([&] {
      const core::Record record = reader_->read(offsets_[number]);
      item = {record.type, std::string(text_of(record.payload))};
    });
    ranks_.broadcast_value(item.type);
    ranks_.broadcast(item.payload);
    return item;
  }

private:
  void on_root(const std::function<void()>& work) {
    parallel::together(ranks_, bad_checkpoint, [&] {
      if (ranks_.is_root()) work();
    });
  }
  void find_records(const std::string& path) {
    std::optional<std::uint64_t> records;
    core::scan_record_log(path, [&](const core::Record& record) {
      if (record.type == end)
        records = core::ByteReader(text_of(record.payload)).get<std::uint64_t>();
      else
        offsets_.push_back(record.offset);
    });
    core::require(records == offsets_.size(),
                  "checkpoint {} is cut short or damaged ({} whole records before it ends) take an "
                  "earlier one?",
                  path, offsets_.size());
  }

  const parallel::Communicator& ranks_;
  std::optional<core::RecordLogReader> reader_;
  std::vector<std::uint64_t> offsets_; ///< true on the first rank
};

/// Takes from each record what concerns this rank.
class Reader {
public:
  Reader(const std::string& path, const SpreadVectors& vectors, const CheckpointProblem& problem)
      : path_(path)
      , vectors_(vectors)
      , problem_(problem)
      , blocks_(count_of_blocks(vectors, problem)) {
    take_stretch(0, static_cast<std::int64_t>(vectors.shared()), 0);
    position_ = mine_ = static_cast<std::int64_t>(vectors.shared());
    for (const OwnedBlock& block : problem.blocks) {
      wanted_.emplace(block.name, Wanted{mine_, block.size, false});
      mine_ += static_cast<std::int64_t>(block.size);
    }
  }

  void take(std::uint32_t type, std::string_view payload) {
    core::require((type == head) == (version_ == 0), "checkpoint {} has records out of order",
                  path_);
    switch (type) {
    case head:
      take_head(core::ByteReader(payload));
      break;
    case caller_bytes:
      checkpoint_.caller = payload;
      break;
    case names:
      take_names(core::ByteReader(payload));
      break;
    case values:
      take_values(payload);
      break;
    default:
      core::fail("checkpoint {} has a record of unknown type {}", path_, type);
    }
  }

  Checkpoint finish() {
    upload();
    const std::size_t expected = vectors_of(checkpoint_.state).size() * vectors_.size();
    for (const auto& [name, wanted] : wanted_)
      core::require(wanted.found,
                    "checkpoint {} has nothing of {} (it is of another problem) start anew?", path_,
                    name);
    core::require(filled_ == expected, "checkpoint {} has {} of {} numbers of a rank", path_,
                  filled_, expected);
    return std::move(checkpoint_);
  }

private:
  struct Wanted {
    std::int64_t local = 0; ///< where its first element lies on this rank
    std::size_t size = 0;
    bool found = false;
  };
  /// Positions [first, first + count) of the file go to local, local + 1 ...
  struct Stretch {
    std::int64_t first = 0, count = 0, local = 0;
  };

  void take_head(core::ByteReader in) {
    version_ = in.get<std::uint32_t>();
    core::require(version_ == version, "checkpoint {} has version {}, not {}", path_, version_,
                  version);
    const std::string digest = in.get_text();
    core::require(digest == problem_.digest,
                  "checkpoint {} is of another problem (its digest is {}, not {}) were data or "
                  "options changed?",
                  path_, digest, problem_.digest);
    const auto shared = in.get<std::uint64_t>();
    const auto variables = in.get<std::int64_t>();
    const auto blocks = in.get<std::int64_t>();
    core::require(
        shared == vectors_.shared() && variables == vectors_.variables() && blocks == blocks_,
        "checkpoint {} is of another problem ({} variables, {} of them shared, of {} "
        "shots; not {}, {} and {})",
        path_, variables, shared, blocks, vectors_.variables(), vectors_.shared(), blocks_);
    prepare_state(in);
  }

  void prepare_state(core::ByteReader& in) {
    SpreadLbfgsState& state = checkpoint_.state;
    const auto pairs = in.get<std::uint64_t>();
    core::require(pairs <= most_pairs, "checkpoint {} has a history of {} pairs", path_, pairs);
    state.s.resize(pairs);
    state.y.resize(pairs);
    state.s_y.resize(pairs);
    for_each_scalar(state, [&](auto& value) { value = in.get<std::decay_t<decltype(value)>>(); });
    for (DeviceVector* vector : vectors_of(state)) *vector = device_array<double>(vectors_.size());
    host_.resize(vectors_.size());
  }

  void take_names(core::ByteReader in) {
    while (!in.at_end()) {
      const std::string name = in.get_text();
      const auto size = in.get<std::uint64_t>();
      if (const auto found = wanted_.find(name); found != wanted_.end()) {
        core::require(size == found->second.size,
                      "checkpoint {} has {} variables of {}, not {} (it is of another problem)",
                      path_, size, name, found->second.size);
        core::require(!found->second.found, "checkpoint {} has {} twice", path_, name);
        found->second.found = true;
        take_stretch(position_, static_cast<std::int64_t>(size), found->second.local);
      }
      position_ += static_cast<std::int64_t>(size);
    }
  }

  void take_stretch(std::int64_t first, std::int64_t count, std::int64_t local) {
    if (count > 0) stretches_.push_back({first, count, local});
  }

  void take_values(std::string_view payload) {
    core::ByteReader in(payload);
    const auto header = in.get<ValuesHeader>();
    const std::string_view numbers = payload.substr(sizeof header);
    if (header.vector != vector_) {
      upload();
      vector_ = header.vector;
    }
    const std::int64_t first = header.first;
    const std::int64_t last = first + static_cast<std::int64_t>(numbers.size() / sizeof(double));
    auto stretch = std::upper_bound(
        stretches_.begin(), stretches_.end(), first,
        [](std::int64_t position, const Stretch& s) { return position < s.first + s.count; });
    for (; stretch != stretches_.end() && stretch->first < last; ++stretch) {
      const std::int64_t from = std::max(first, stretch->first);
      const std::int64_t to = std::min(last, stretch->first + stretch->count);
      const auto count = static_cast<std::size_t>(to - from);
      std::memcpy(host_.data() + stretch->local + (from - stretch->first),
                  numbers.data() + static_cast<std::size_t>(from - first) * sizeof(double),
                  count * sizeof(double));
      filled_ += count;
    }
  }

  /// The vector that was read last goes to the device.
  void upload() {
    if (vector_ < 0) return;
    const auto all = vectors_of(checkpoint_.state);
    core::require(vector_ < static_cast<std::int64_t>(all.size()),
                  "checkpoint {} has a vector {} of {}", path_, vector_, all.size());
    *all[static_cast<std::size_t>(vector_)] = to_device(host_);
  }

  static constexpr std::uint64_t most_pairs = 100000;

  const std::string& path_;
  const SpreadVectors& vectors_;
  const CheckpointProblem& problem_;
  std::uint32_t version_ = 0;
  std::int64_t blocks_;       ///< of all ranks
  std::int64_t position_ = 0; ///< of the next named block in the file
  std::int64_t mine_ = 0;
  std::unordered_map<std::string, Wanted> wanted_;
  std::vector<Stretch> stretches_; ///< by rising position
  std::int64_t vector_ = -1;       ///< in host_
  std::vector<double> host_;
  std::size_t filled_ = 0;
  Checkpoint checkpoint_;
};

} // namespace

void write_checkpoint(const std::string& path, const SpreadVectors& vectors,
                      const CheckpointProblem& problem, const SpreadLbfgsState& state,
                      std::string_view caller) {
  parallel::together(vectors.ranks(), bad_checkpoint, [&] { check_blocks(vectors, problem); });
  Writer writer(path, vectors);
  writer.write_head(problem, state);
  writer.write_caller(caller);
  writer.write_names(problem.blocks);
  std::int64_t number = 0;
  for (const DeviceVector* vector : vectors_of(state)) writer.write_vector(number++, *vector);
  writer.commit();
}

Checkpoint read_checkpoint(const std::string& path, const SpreadVectors& vectors,
                           const CheckpointProblem& problem) {
  const parallel::Communicator& ranks = vectors.ranks();
  parallel::together(ranks, bad_checkpoint, [&] { check_blocks(vectors, problem); });
  RecordSource records(path, ranks);
  Reader reader(path, vectors, problem);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto item = records.read(i);
    parallel::together(ranks, bad_checkpoint, [&] { reader.take(item.type, item.payload); });
  }
  Checkpoint checkpoint;
  parallel::together(ranks, bad_checkpoint, [&] { checkpoint = reader.finish(); });
  return checkpoint;
}

} // namespace kilobragg::pixelrefinement
