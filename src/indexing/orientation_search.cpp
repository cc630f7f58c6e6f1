// Half sphere of directions for one axis, turns about the best of them, least squares of the best.
#include "orientation_search.hpp"

#include "kernels/geometry/small_solve.hpp"
#include "kernels/indexer/lattice_score.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace kilobragg::indexing {
namespace {

constexpr int lanes = 32;
constexpr double two_pi = 2 * std::numbers::pi;

/// How hard to try.
struct Effort {
  int axis;    ///< which of KnownCell::axes is looked for first
  int points;  ///< lowest-resolution points that vote
  int vectors; ///< directions followed up
  int turns;   ///< turns followed up per direction
};
constexpr Effort efforts[] = {
    {0, 80, 32, 1}, {1, 160, 64, 2}, {0, 400, 200, 2}, {2, 400, 200, 2}, {0, 60, 300, 3}};

struct ScoredVector {
  float score = 0;
  int grid = 0;
  Vec3 v;
};

ReciprocalPoints view(const SortedPoints& points, int n) {
  return {points.x.data(), points.y.data(), points.z.data(), std::min(n, points.size())};
}

constexpr double golden_angle = two_pi * (1 - 1 / std::numbers::phi);

/// Direction i of n on a half sphere, evenly spread (Fibonacci's spiral).
Vec3 half_sphere(int i, int n) {
  const double z = (i + 0.5) / n, r = std::sqrt(1 - z * z);
  return {r * std::cos(golden_angle * i), r * std::sin(golden_angle * i), z};
}

/// Scores vectors of `length` over the half sphere, spaced by about `step` rad; one score each.
std::vector<float> score_half_sphere(const ReciprocalPoints& q, double length, double step) {
  constexpr double tolerance = 0.25;
  const int wanted = std::clamp(static_cast<int>(two_pi / (step * step)), 512, 250000);
  const int n = (wanted + lanes - 1) / lanes * lanes;
  std::vector<float> scores(n);
  TrialVectors<lanes> block;
  // The spiral's angle advances by a rotation: a sine and cosine each would cost more than the score.
  const double ct = std::cos(golden_angle), st = std::sin(golden_angle);
  double c = 1, s = 0;
  for (int first = 0; first < n; first += lanes) {
    for (int l = 0; l < lanes; ++l) {
      const double z = (first + l + 0.5) / n, r = length * std::sqrt(1 - z * z);
      block.x[l] = static_cast<float>(r * c);
      block.y[l] = static_cast<float>(r * s);
      block.z[l] = static_cast<float>(length * z);
      const double next = c * ct - s * st;
      s = c * st + s * ct;
      c = next;
    }
    score_vectors<lanes>(q, block, tolerance * tolerance, &scores[first]);
  }
  return scores;
}

bool better(const ScoredVector& a, const ScoredVector& b) {
  return a.score != b.score ? a.score > b.score : a.grid < b.grid;
}

/// The `count` best vectors that are at least `apart` rad from any better one.
std::vector<ScoredVector> peaks(const std::vector<float>& scores, double length, int count,
                                double apart) {
  const int n = static_cast<int>(scores.size());
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  const auto pool = order.begin() + std::min(n, 12 * count);
  const auto higher = [&](int a, int b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  };
  std::nth_element(order.begin(), pool - 1, order.end(), higher);
  std::sort(order.begin(), pool, higher);
  std::vector<ScoredVector> kept;
  const double limit = std::cos(apart) * length * length;
  for (auto i = order.begin(); i != pool && static_cast<int>(kept.size()) < count; ++i) {
    const Vec3 v = length * half_sphere(*i, n);
    const bool close = std::any_of(kept.begin(), kept.end(), [&](const ScoredVector& k) {
      return std::abs(dot(k.v, v)) > limit;
    });
    if (!close) kept.push_back({scores[*i], *i, v});
  }
  return kept;
}

/// Least squares of v to q . v = integer over the points that are close, tightening; sets the score.
void polish(ScoredVector& candidate, const ReciprocalPoints& q, double length) {
  Vec3 v = candidate.v;
  for (const double tolerance : {0.25, 0.2, 0.15, 0.15}) {
    double m[9] = {}, b[3] = {};
    for (int i = 0; i < q.count; ++i) {
      const Vec3 p{q.x[i], q.y[i], q.z[i]};
      const double f = dot(p, v), n = std::nearbyint(f);
      const double trust = 1 - (f - n) * (f - n) / (tolerance * tolerance);
      if (trust <= 0) continue;
      for (int j = 0; j < 3; ++j) {
        b[j] += trust * p[j] * (n - f);
        for (int k = 0; k <= j; ++k) m[3 * j + k] += trust * p[j] * p[k];
      }
    }
    for (int j = 0; j < 3; ++j) m[4 * j] += 1e-3 * (m[0] + m[4] + m[8]); // stays near where it is
    if (!solve_symmetric(m, 3, 3, b)) return;
    v += {b[0], b[1], b[2]};
    v *= std::clamp(norm(v), 0.97 * length, 1.03 * length) / norm(v);
  }
  TrialVectors<1> trial{
      {static_cast<float>(v.x)}, {static_cast<float>(v.y)}, {static_cast<float>(v.z)}};
  float score = 0;
  score_vectors<1>(q, trial, 0.2f * 0.2f, &score);
  candidate.v = v;
  candidate.score = score;
}

struct Turn {
  float score = 0;
  int step = 0;
};

/// Points that the first axis explains, with what it costs them.
struct Explained {
  std::vector<float> x, y, z, d2;
  Explained(const ReciprocalPoints& q, const Vec3& v, double tolerance) {
    for (int i = 0; i < q.count; ++i) {
      const double f = q.x[i] * v.x + q.y[i] * v.y + q.z[i] * v.z;
      const double d = f - std::nearbyint(f);
      if (d * d >= tolerance * tolerance) continue;
      x.push_back(q.x[i]), y.push_back(q.y[i]), z.push_back(q.z[i]);
      d2.push_back(static_cast<float>(d * d));
    }
  }
  ReciprocalPoints view() const {
    return {x.data(), y.data(), z.data(), static_cast<int>(x.size())};
  }
};

/// One axis placed along a direction, ready to be turned about it.
class Spindle {
public:
  Spindle(const KnownCell& known, int axis, const Vec3& along, double reach)
      : unit_(unit(along))
      , start_(least_rotation(unit(known.axes[axis]), unit_))
      , second_(start_ * known.axes[(axis + 1) % 3])
      , third_(start_ * known.axes[(axis + 2) % 3]) {
    const double arm = std::max(norm(cross(unit_, second_)), norm(cross(unit_, third_)));
    const double range = two_pi / known.fold[axis];
    const int needed = static_cast<int>(range / (0.2 / (reach * arm))) + 1;
    steps_ = std::clamp((needed + lanes - 1) / lanes * lanes, lanes, 8192);
    angle_ = range / steps_;
  }
  /// The best `count` turns, at least three steps apart.
  std::vector<Turn> best(const Explained& points, int count) const {
    constexpr float tolerance = 0.3f;
    std::vector<Turn> all(steps_);
    TrialVectors<lanes> v, w;
    float scores[lanes];
    const double ct = std::cos(angle_), st = std::sin(angle_);
    double c = 1, s = 0;
    for (int first = 0; first < steps_; first += lanes) {
      for (int l = 0; l < lanes; ++l) {
        set(v, w, l, c, s);
        const double next = c * ct - s * st;
        s = c * st + s * ct;
        c = next;
      }
      score_pairs<lanes>(points.view(), points.d2.data(), v, w, tolerance * tolerance, scores);
      for (int l = 0; l < lanes; ++l) all[first + l] = {scores[l], first + l};
    }
    return select(all, count);
  }
  Mat3 orientation(const Turn& turn) const {
    return rotation_about(unit_, turn.step * angle_) * start_;
  }

private:
  void set(TrialVectors<lanes>& v, TrialVectors<lanes>& w, int lane, double c, double s) const {
    const auto turned = [&](const Vec3& p) {
      return c * p + s * cross(unit_, p) + ((1 - c) * dot(unit_, p)) * unit_;
    };
    const Vec3 a = turned(second_), b = turned(third_);
    v.x[lane] = static_cast<float>(a.x), w.x[lane] = static_cast<float>(b.x);
    v.y[lane] = static_cast<float>(a.y), w.y[lane] = static_cast<float>(b.y);
    v.z[lane] = static_cast<float>(a.z), w.z[lane] = static_cast<float>(b.z);
  }
  std::vector<Turn> select(std::vector<Turn> all, int count) const {
    const std::size_t pool = std::min(all.size(), static_cast<std::size_t>(count) * 8);
    std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(pool), all.end(),
                      [](const Turn& a, const Turn& b) {
                        return a.score != b.score ? a.score > b.score : a.step < b.step;
                      });
    std::vector<Turn> kept;
    for (std::size_t i = 0; i < pool && static_cast<int>(kept.size()) < count; ++i) {
      const bool close = std::any_of(kept.begin(), kept.end(), [&](const Turn& k) {
        const int gap = std::abs(k.step - all[i].step);
        return std::min(gap, steps_ - gap) < 3;
      });
      if (!close) kept.push_back(all[i]);
    }
    return kept;
  }

  Vec3 unit_;
  Mat3 start_;
  Vec3 second_, third_;
  int steps_ = 0;
  double angle_ = 0;
};

/// True if the two matrices describe one lattice: their real axes differ by an integer matrix.
bool same_lattice(const KnownCell& known, const Mat3& a, const Mat3& b) {
  const Mat3 change = known.primitive * inverse(a) * b * known.to_conventional;
  return std::all_of(std::begin(change.m), std::end(change.m),
                     [](double v) { return std::abs(v - std::nearbyint(v)) < 0.1; });
}

/// Distinct candidates, the most significant first.
class Ranking {
public:
  explicit Ranking(const KnownCell& known)
      : known_(known) {}
  void add(const Candidate& candidate) {
    const auto same = std::find_if(list_.begin(), list_.end(), [&](const Candidate& c) {
      return same_lattice(known_, c.a, candidate.a);
    });
    if (same == list_.end())
      list_.push_back(candidate);
    else if (candidate.log_chance < same->log_chance)
      *same = candidate;
    std::stable_sort(list_.begin(), list_.end(), [](const Candidate& a, const Candidate& b) {
      return a.log_chance < b.log_chance;
    });
    if (list_.size() > kept) list_.pop_back();
  }
  const std::vector<Candidate>& list() const { return list_; }

private:
  static constexpr std::size_t kept = 12;
  const KnownCell& known_;
  std::vector<Candidate> list_;
};

/// A candidate that explains most points needs no rivals.
bool decisive(const SortedPoints& points, const KnownCell& known, const Candidate& c) {
  return 2 * c.indexed > points.size() && significance(points, known, c) < -20;
}

/// An orientation that turning about one direction found.
struct Start {
  float score = 0;
  Mat3 orientation;
};

/// The best turns about one direction, in either sense where that matters.
void turn_about(const SortedPoints& points, const KnownCell& known, const Effort& effort,
                const Vec3& along, std::vector<Start>& starts) {
  const Explained explained(view(points, effort.points), along, 0.25);
  const double reach = points.quantile_length(0.8, effort.points);
  for (const double sense : {1.0, -1.0}) {
    if (sense < 0 && !known.two_sided[effort.axis]) continue;
    const Spindle spindle(known, effort.axis, sense * along, reach);
    for (const Turn& turn : spindle.best(explained, effort.turns))
      starts.push_back({turn.score, spindle.orientation(turn)});
  }
}

/// Fits and ranks one orientation. True if it is decisive.
bool try_start(const SortedPoints& points, const KnownCell& known, const Effort& effort,
               const Mat3& orientation, Ranking& ranking) {
  const int some = std::min(effort.points, points.size() - 1);
  const Candidate rough = fit_orientation(points, known, orientation * known.reference_a, 40, some);
  if (rough.log_chance > -10) return false;
  const Candidate fitted = fit_orientation(points, known, rough.a, effort.points, points.size());
  const Candidate& best = fitted.log_chance < rough.log_chance ? fitted : rough;
  ranking.add(best);
  return decisive(points, known, best);
}

/// One pass over the half sphere. True if a decisive candidate came out.
bool search_once(const SortedPoints& points, const KnownCell& known, const Effort& effort,
                 Ranking& ranking) {
  constexpr std::size_t at_once = 3, fitted = 40; // directions followed at once; turns fitted later
  const ReciprocalPoints voting = view(points, effort.points);
  const double length = norm(known.axes[effort.axis]);
  const double reach = points.quantile_length(0.8, effort.points);
  const double step = 0.25 / std::max(reach * length, 1.0);
  std::vector<ScoredVector> best =
      peaks(score_half_sphere(voting, length, step), length, effort.vectors, 2.5 * step);
  for (ScoredVector& v : best) polish(v, voting, length);
  std::sort(best.begin(), best.end(), better);
  std::vector<Start> starts;
  std::size_t tried = 0;
  for (std::size_t i = 0; i < best.size(); ++i) {
    turn_about(points, known, effort, best[i].v, starts);
    if (i >= at_once) continue;
    for (; tried < starts.size(); ++tried)
      if (try_start(points, known, effort, starts[tried].orientation, ranking)) return true;
  }
  std::stable_sort(starts.begin() + static_cast<std::ptrdiff_t>(tried), starts.end(),
                   [](const Start& a, const Start& b) { return a.score > b.score; });
  for (std::size_t i = tried; i < std::min(starts.size(), tried + fitted); ++i)
    if (try_start(points, known, effort, starts[i].orientation, ranking)) return true;
  return false;
}

/// Orientations that near-symmetry makes look alike, fitted in their own right.
void add_pseudo_symmetric(const SortedPoints& points, const KnownCell& known, Ranking& ranking) {
  if (known.pseudo_symmetry.empty() || ranking.list().empty()) return;
  const Mat3 best = ranking.list().front().a;
  for (const auto& r : known.pseudo_symmetry) {
    Mat3 change;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) change(i, j) = r[3 * j + i];
    const Mat3 turn = polar_rotation(best * change * inverse(known.reference_a));
    ranking.add(
        fit_orientation(points, known, turn * known.reference_a, points.size(), points.size()));
  }
}

} // namespace

double significance(const SortedPoints& points, const KnownCell& known,
                    const Candidate& candidate) {
  return candidate.log_chance + log_trials(points, known, std::max(candidate.tolerance, 0.1));
}

std::vector<Candidate> search_orientations(const SortedPoints& points, const KnownCell& known) {
  Ranking ranking(known);
  for (const Effort& effort : efforts) {
    if (search_once(points, known, effort, ranking)) break;
    if (!ranking.list().empty() &&
        significance(points, known, ranking.list().front()) < 2 * significance_limit)
      break;
  }
  add_pseudo_symmetric(points, known, ranking);
  std::vector<Candidate> significant;
  for (const Candidate& c : ranking.list())
    if (significance(points, known, c) < significance_limit) significant.push_back(c);
  return significant;
}

} // namespace kilobragg::indexing
