// Longest processing time first, and messages of shots.
#include "kilobragg/pixelrefinement/placement.hpp"

#include "kilobragg/core/byte_stream.hpp"
#include "kilobragg/core/error.hpp"
#include "kilobragg/parallel/exchange.hpp"
#include "kilobragg/parallel/together.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <tuple>
#include <unordered_set>

namespace kilobragg::pixelrefinement {
namespace {

using core::ByteReader;
using core::ByteWriter;

std::string pack_loads(const std::vector<ShotRecord>& shots) {
  ByteWriter out;
  for (const ShotRecord& shot : shots) {
    out.put_text(shot.model.identifier);
    out.put(static_cast<std::uint64_t>(shot.pixels.size()));
  }
  return out.take();
}

/// The loads of all ranks, and where those of each begin.
struct AllLoads {
  std::vector<ShotLoad> loads;
  std::vector<std::size_t> begin;
};

AllLoads gather_loads(const parallel::Communicator& communicator,
                      const std::vector<ShotRecord>& shots) {
  AllLoads all;
  for (const std::string& part : communicator.all_gather(pack_loads(shots))) {
    all.begin.push_back(all.loads.size());
    for (ByteReader in(part); !in.at_end();) {
      ShotLoad& load = all.loads.emplace_back();
      load.identifier = in.get_text();
      load.pixels = in.get<std::uint64_t>();
    }
  }
  return all;
}

/// What goes to one rank: shots, and each detector before the first shot that was taken with it.
class Parcel {
public:
  void put(ShotRecord shot, DetectorPool& pool) {
    const std::string bytes = pack_shot(shot, pool);
    const std::string hash = pool.hash_of(shot.model.detector);
    if (!hash.empty() && sent_.insert(hash).second) {
      out_.put(Item::Detector);
      out_.put_text(pack_detector(*shot.model.detector));
    }
    out_.put(Item::Shot);
    out_.put_text(bytes);
  }
  std::vector<char> take() {
    const std::string bytes = out_.take();
    return {bytes.begin(), bytes.end()};
  }
  static void open(std::string_view bytes, DetectorPool& pool, std::vector<ShotRecord>& shots) {
    for (ByteReader in(bytes); !in.at_end();) {
      const auto item = in.get<Item>();
      const std::string text = in.get_text();
      if (item == Item::Detector)
        pool.add(text);
      else
        shots.push_back(unpack_shot(text, pool));
    }
  }

private:
  enum class Item : std::uint8_t { Detector, Shot };
  ByteWriter out_;
  std::unordered_set<std::string> sent_; ///< hashes of detectors
};

/// Packs shots for other ranks; those that stay go to `mine`.
std::vector<std::vector<char>> pack_parcels(std::vector<ShotRecord> shots,
                                            std::span<const int> destinations,
                                            const parallel::Communicator& communicator,
                                            DetectorPool& pool, std::vector<ShotRecord>& mine) {
  std::vector<Parcel> parcels(static_cast<std::size_t>(communicator.size()));
  for (std::size_t i = 0; i < shots.size(); ++i) {
    if (destinations[i] == communicator.rank()) {
      shots[i].model.detector = pool.at(pool.hash_of(shots[i].model.detector));
      mine.push_back(std::move(shots[i]));
    } else {
      parcels[std::size_t(destinations[i])].put(std::move(shots[i]), pool);
    }
  }
  std::vector<std::vector<char>> outgoing;
  for (Parcel& parcel : parcels) outgoing.push_back(parcel.take());
  return outgoing;
}

} // namespace

std::vector<int> place_shots(std::span<const ShotLoad> shots, int ranks) {
  core::require(ranks > 0, "shots cannot be placed on {} ranks", ranks);
  std::vector<std::size_t> order(shots.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    return std::tuple(~shots[i].pixels, std::string_view(shots[i].identifier));
  };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::unordered_set<std::string_view> names;
  for (const ShotLoad& shot : shots)
    core::require(names.insert(shot.identifier).second,
                  "shot {} is there twice; was one image processed in two jobs?", shot.identifier);
  using Rank = std::tuple<std::uint64_t, std::size_t, int>; // pixels, shots, number
  std::priority_queue<Rank, std::vector<Rank>, std::greater<>> free;
  for (int rank = 0; rank < ranks; ++rank) free.emplace(0, 0, rank);
  std::vector<int> placed(shots.size());
  for (const std::size_t i : order) {
    const auto [pixels, count, rank] = free.top();
    free.pop();
    placed[i] = rank;
    free.emplace(pixels + shots[i].pixels, count + 1, rank);
  }
  return placed;
}

std::vector<ShotRecord> send_shots(const parallel::Communicator& communicator,
                                   std::vector<ShotRecord> shots,
                                   std::span<const int> destinations) {
  DetectorPool pool;
  std::vector<ShotRecord> mine;
  std::vector<std::vector<char>> outgoing;
  parallel::together(communicator, 1, [&] {
    outgoing = pack_parcels(std::move(shots), destinations, communicator, pool, mine);
  });
  const auto in = parallel::exchange(communicator, std::move(outgoing));
  parallel::together(communicator, 1, [&] {
    for (std::size_t r = 0; r + 1 < in.begin.size(); ++r)
      Parcel::open({in.records.data() + in.begin[r], in.begin[r + 1] - in.begin[r]}, pool, mine);
  });
  return mine;
}

std::vector<ShotRecord> distribute_shots(const parallel::Communicator& communicator,
                                         std::vector<ShotRecord> shots) {
  const AllLoads all = gather_loads(communicator, shots);
  const std::vector<int> placed = place_shots(all.loads, communicator.size());
  const auto here =
      std::span(placed).subspan(all.begin[std::size_t(communicator.rank())], shots.size());
  std::vector<ShotRecord> mine = send_shots(communicator, std::move(shots), here);
  std::sort(mine.begin(), mine.end(), [](const ShotRecord& a, const ShotRecord& b) {
    return a.model.identifier < b.model.identifier;
  });
  return mine;
}

} // namespace kilobragg::pixelrefinement
