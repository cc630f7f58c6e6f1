// CrystFEL streams: read back by their own rules, positions from their own geometry, the same bytes for any shards.
#include "src/io/stream_geometry.hpp"
#include "src/io/stream_lattice.hpp"
#include "support/parsed_stream.hpp"
#include "support/sample_still.hpp"
#include "support/small_still.hpp"
#include "support/temporary_folder.hpp"

#include "kilobragg/core/error.hpp"
#include "kilobragg/core/files.hpp"
#include "kilobragg/core/units.hpp"
#include "kilobragg/io/shard.hpp"
#include "kilobragg/io/stream_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

namespace kilobragg::io {
namespace {

using models::ExitState;
using models::StillResult;
using ::testing::HasSubstr;
using testing::ParsedStream;
using testing::sample_detector;
using testing::sample_still;
using testing::StreamChunk;
using testing::StreamCrystal;
using testing::StreamPanel;
using testing::StreamReflection;

/// The ray of a reflection, from what the stream says: q turned about the axis perpendicular to it and
/// to the beam until it ends on the Ewald sphere, the beam being along +z.
Vec3 ray_of(const StreamCrystal& c, const StreamReflection& r, double photon_energy) {
  const Vec3 q = double(r.h) * c.astar + double(r.k) * c.bstar + double(r.l) * c.cstar;
  const Vec3 k{0, 0, 10 * photon_energy / core::ev_angstrom}; // 1/nm
  const double along = -norm2(q) / (2 * norm(k));             // Bragg's law
  const Vec3 across = unit(Vec3{q.x, q.y, 0});
  return k + Vec3{0, 0, along} + std::sqrt(norm2(q) - along * along) * across;
}

/// Where a ray meets a panel, in the frame's pixels.
std::array<double, 2> position(const StreamPanel& p, double clen, const Vec3& ray) {
  const Vec3 corner{p.corner_x, p.corner_y, (clen + p.coffset) * p.res};
  const Vec3 solved = inverse(Mat3::from_columns(p.fs, p.ss, -ray)) * (-corner);
  return {solved.x + p.min_fs, solved.y + p.min_ss};
}

/// A still with every reflection that a crystal gives on two panels, one of them tilted. The beam is
/// a little askew in the laboratory.
StillResult predicted_still() {
  testing::SmallStill small;
  small.beam.direction = unit(Vec3{0.01, -0.02, 1});
  small.detector.panels[0].raw_image_offset = {7, 11};
  small.detector.panels[1].raw_image_offset = {300, 400};
  small.detector.panels[1].pixel_size = {0.1, 0.125};
  StillResult still;
  still.source = {"/data/run.h5", "/entry/data/data", 3, "id"};
  still.state = ExitState::IntegrateOk;
  still.beam = small.beam;
  still.detector = std::make_shared<models::Detector>(small.detector);
  models::IntegratedLattice lattice;
  lattice.lattice.crystal = small.lattice.crystal;
  lattice.reflections =
      integration::predict_still(small.lattice.crystal, small.beam, small.detector, std::nullopt);
  for (auto& r : lattice.reflections) r.flags |= models::flag_integrated_sum, r.variance = 1;
  still.lattices.push_back(lattice);
  return still;
}

void write_shard(const std::string& path, const std::vector<StillResult>& images) {
  ShardWriter writer(path, "{}");
  for (const StillResult& image : images) writer.append(image);
}

std::string stream_of(const testing::TemporaryFolder& folder,
                      const std::vector<StillResult>& images) {
  write_shard(folder / "one.shard", images);
  write_stream({folder / "one.shard"}, folder / "one.stream");
  return core::read_text_file(folder / "one.stream");
}

TEST(Stream, ItsGeometryAndAxesGiveThePositionsOfItsReflections) {
  const testing::TemporaryFolder folder;
  const StillResult still = predicted_still();
  const ParsedStream stream(stream_of(folder, {still}));
  ASSERT_EQ(stream.chunks.size(), 1u);
  const StreamChunk& chunk = stream.chunks[0];
  ASSERT_EQ(chunk.crystals.size(), 1u);
  const StreamCrystal& crystal = chunk.crystals[0];
  ASSERT_EQ(crystal.reflections.size(), still.lattices[0].reflections.size());
  std::map<std::string, int> seen;
  double worst = 0;
  for (const StreamReflection& r : crystal.reflections) {
    const auto at = position(stream.geometry.panels.at(r.panel), stream.geometry.clen,
                             ray_of(crystal, r, chunk.photon_energy));
    worst = std::max({worst, std::abs(at[0] - r.fs), std::abs(at[1] - r.ss)});
    ++seen[r.panel];
  }
  EXPECT_LT(worst, 0.02);
  EXPECT_GT(seen["p0"], 10);
  EXPECT_GT(seen["p1"], 10);
}

TEST(Stream, KeepsTheHandAndTheSizeOfTheCell) {
  const testing::TemporaryFolder folder;
  const StillResult still = predicted_still();
  const ParsedStream stream(stream_of(folder, {still}));
  const StreamCrystal& c = stream.chunks.at(0).crystals.at(0);
  const double volume = dot(c.astar, cross(c.bstar, c.cstar));
  EXPECT_GT(determinant(still.lattices[0].lattice.crystal.a_matrix), 0);
  EXPECT_NEAR(volume, 1 / (6.1 * 6.7 * 7.3), 1e-8);
  const Mat3 direct = inverse(Mat3::from_columns(c.astar, c.bstar, c.cstar));
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(norm(direct.row(i)), c.cell[std::size_t(i)], 1e-4);
}

TEST(Stream, TheFrameOfTheLaboratoryIsTurnedNotMirrored) {
  EXPECT_EQ(crystfel_rotation({0, 0, 1}), (Mat3{{-1, 0, 0, 0, 1, 0, 0, 0, -1}}));
  for (const Vec3& source : {Vec3{0.1, -0.2, 0.9}, Vec3{0, 0, -1}, Vec3{0, 1, 0}}) {
    const Mat3 r = crystfel_rotation(source);
    EXPECT_NEAR(determinant(r), 1, 1e-12);
    EXPECT_NEAR(norm(r * unit(source) - Vec3{0, 0, -1}), 0, 1e-12);
  }
}

TEST(Stream, SaysWhereImagesAreAndWhatWasFound) {
  const testing::TemporaryFolder folder;
  const auto detector = sample_detector();
  auto cbf = sample_still(0, detector);
  cbf.source = {"/images/a_00001.cbf", "", 0, "cbf"};
  const auto text = stream_of(folder, {sample_still(12, detector), cbf,
                                       sample_still(13, detector, ExitState::NotEnoughSpots, 0)});
  const ParsedStream stream(text);
  ASSERT_EQ(stream.chunks.size(), 3u);
  EXPECT_EQ(stream.chunks[0].filename, "/images/a_00001.cbf");
  EXPECT_EQ(stream.chunks[0].event, "//");
  EXPECT_EQ(stream.chunks[1].event, "//12");
  EXPECT_EQ(stream.chunks[1].peaks, 20);
  EXPECT_EQ(stream.chunks[1].crystals.size(), 2u);
  EXPECT_NEAR(stream.chunks[1].photon_energy, core::ev_angstrom / 1.312, 1e-5);
  EXPECT_EQ(stream.chunks[2].crystals.size(), 0u);
  EXPECT_THAT(text, HasSubstr("hit = 0\nindexed_by = none\n"));
  const auto& written = stream.chunks[1].crystals[1].reflections;
  const auto reflections = sample_still(12, detector).lattices[1].reflections;
  ASSERT_EQ(written.size(), reflections.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_EQ(written[i].h, reflections[i].hkl.h);
    EXPECT_NEAR(written[i].intensity, reflections[i].intensity, 0.006);
    EXPECT_NEAR(written[i].sigma, std::sqrt(reflections[i].variance), 0.006);
    EXPECT_NEAR(written[i].fs, reflections[i].px_cal.x, 0.006);
  }
}

TEST(Stream, LeavesOutWhatWasNotMeasured) {
  const testing::TemporaryFolder folder;
  auto still = sample_still(1, sample_detector());
  auto& reflections = still.lattices[0].reflections;
  reflections[0].flags = models::flag_predicted;
  reflections[1].intensity = std::nan("");
  reflections[2].variance = -1;
  const ParsedStream stream(stream_of(folder, {still}));
  EXPECT_EQ(stream.chunks.at(0).crystals.at(0).reflections.size(), 27u);
}

TEST(Stream, PeaksAreTheBrightestPixelsOfIndexedSpots) {
  const testing::TemporaryFolder folder;
  auto still = sample_still(1, sample_detector());
  auto& lattice = still.lattices[0];
  lattice.reflections[5].hkl = lattice.lattice.spots[2].hkl = {1, 2, 3};
  const auto& spot = still.spots.spots[lattice.lattice.spots[2].spot];
  float brightest = 0;
  for (unsigned i = 0; i < 3; ++i)
    brightest = std::max(brightest, still.spots.pixels[spot.first_pixel + i].value);
  const ParsedStream stream(stream_of(folder, {still}));
  const auto& written = stream.chunks.at(0).crystals.at(0).reflections;
  EXPECT_NEAR(written.at(5).peak, brightest, 0.01);
  EXPECT_EQ(written.at(6).peak, 0);
}

TEST(Stream, TheSameBytesForAnyNumberOfShards) {
  const testing::TemporaryFolder folder;
  std::vector<StillResult> images;
  for (int i = 0; i < 24; ++i) {
    images.push_back(sample_still(i, sample_detector()));
    images.back().source.path = i % 3 == 0 ? "/images/b.h5" : "/images/a.h5";
  }
  std::string first;
  std::mt19937 random(3);
  for (const int count : {1, 2, 3, 7}) {
    std::shuffle(images.begin(), images.end(), random);
    std::vector<std::string> shards;
    for (int n = 0; n < count; ++n) {
      shards.push_back(folder / fmt::format("{}_of_{}.shard", n, count));
      std::vector<StillResult> part;
      for (std::size_t i = std::size_t(n); i < images.size(); i += std::size_t(count)) {
        images[i].processing = {"node", n, 100.0 * n};
        part.push_back(images[i]);
      }
      write_shard(shards.back(), part);
    }
    const auto summary = write_stream(shards, folder / "x.stream");
    EXPECT_EQ(summary.images, 24u);
    EXPECT_EQ(summary.crystals, 48u);
    const std::string text = core::read_text_file(folder / "x.stream");
    if (first.empty()) first = text;
    EXPECT_TRUE(text == first) << count << " shards";
  }
  const ParsedStream stream(first);
  EXPECT_EQ(stream.chunks.front().filename, "/images/a.h5");
  EXPECT_EQ(stream.chunks.front().event, "//1");
  EXPECT_EQ(stream.chunks.back().event, "//21");
}

TEST(Stream, MoreShardsThanAreHeldOpen) {
  const testing::TemporaryFolder folder;
  std::vector<std::string> shards;
  for (int i = 0; i < 230; ++i) {
    shards.push_back(folder / fmt::format("{}.shard", i));
    auto one = sample_still(i, sample_detector(), ExitState::IndexingFailed, 0);
    auto two = sample_still(i + 230, sample_detector(), ExitState::IndexingFailed, 0);
    write_shard(shards.back(), {two, one});
  }
  write_stream(shards, folder / "x.stream");
  const ParsedStream stream(core::read_text_file(folder / "x.stream"));
  ASSERT_EQ(stream.chunks.size(), 460u);
  for (std::size_t i = 0; i < 460; ++i) EXPECT_EQ(stream.chunks[i].event, fmt::format("//{}", i));
}

TEST(Stream, AnImageStandsInItOnceAndUnreadableOnesAreCounted) {
  const testing::TemporaryFolder folder;
  const auto detector = sample_detector();
  write_shard(folder / "a.shard", {sample_still(0, detector, ExitState::Timeout, 0),
                                   sample_still(1, detector, ExitState::PreprocessException)});
  write_shard(folder / "b.shard", {sample_still(0, detector), sample_still(0, detector)});
  const auto summary =
      write_stream({folder / "a.shard", folder / "b.shard"}, folder / "x.stream", {});
  EXPECT_EQ(summary.images, 1u);
  EXPECT_EQ(summary.crystals, 2u) << "the record that did not time out";
  EXPECT_EQ(summary.left_out, 1u);
}

TEST(Stream, HitsAloneOnRequestAndTheCellInTheHeader) {
  const testing::TemporaryFolder folder;
  const auto detector = sample_detector();
  write_shard(folder / "a.shard",
              {sample_still(0, detector, ExitState::IndexingFailed, 0), sample_still(1, detector)});
  StreamOptions options;
  options.non_hits = false;
  options.unit_cell = models::UnitCell{77.06, 77.06, 37.22, 90, 90, 90};
  options.space_group = models::SpaceGroup("P43212");
  EXPECT_EQ(write_stream({folder / "a.shard"}, folder / "x.stream", options).images, 1u);
  EXPECT_THAT(core::read_text_file(folder / "x.stream"),
              HasSubstr("----- Begin unit cell -----\nCrystFEL unit cell file version 1.0\n\n"
                        "lattice_type = tetragonal\nunique_axis = c\ncentering = P\n"
                        "a = 77.0600 A\n"));
}

TEST(Stream, EachGeometryHasAStreamOfItsOwn) {
  const testing::TemporaryFolder folder;
  auto farther = std::make_shared<models::Detector>(*sample_detector());
  for (auto& panel : farther->panels) panel.frame.origin.z -= 50;
  write_shard(folder / "a.shard", {sample_still(0, farther), sample_still(1, sample_detector()),
                                   sample_still(2, std::make_shared<models::Detector>(*farther))});
  const auto summary = write_stream({folder / "a.shard"}, folder / "x.stream", {});
  ASSERT_EQ(summary.files.size(), 2u);
  EXPECT_EQ(summary.files[1], folder / "x_2.stream");
  const ParsedStream first(core::read_text_file(folder / "x.stream"));
  EXPECT_EQ(first.chunks.size(), 2u);
  EXPECT_NEAR(first.geometry.clen, 0.15, 1e-9);
  EXPECT_NEAR(ParsedStream(core::read_text_file(folder / "x_2.stream")).geometry.clen, 0.1, 1e-9);
}

/// The attenuation in the sensor follows the wavelength with which each file begins.
TEST(Stream, SensorsThatStopMoreOrLessAreOneGeometry) {
  const testing::TemporaryFolder folder;
  std::vector<StillResult> images;
  for (int i = 0; i < 20; ++i) {
    auto detector = std::make_shared<models::Detector>(*sample_detector());
    for (auto& panel : detector->panels) {
      panel.mu = 3 + 0.01 * i;
      panel.parallax = models::Parallax{panel.mu, 0.3};
    }
    images.push_back(sample_still(i, detector));
  }
  write_shard(folder / "a.shard", images);
  EXPECT_EQ(write_stream({folder / "a.shard"}, folder / "x.stream", {}).files.size(), 1u);
  EXPECT_EQ(ParsedStream(core::read_text_file(folder / "x.stream")).chunks.size(), 20u);
}

TEST(Stream, NotOneFilePerImage) {
  const testing::TemporaryFolder folder;
  std::vector<StillResult> images;
  for (int i = 0; i < 20; ++i) {
    auto detector = std::make_shared<models::Detector>(*sample_detector());
    detector->panels[0].frame.origin.x += i;
    images.push_back(sample_still(i, detector));
  }
  write_shard(folder / "a.shard", images);
  EXPECT_THROW(write_stream({folder / "a.shard"}, folder / "x.stream"), core::Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.stream"));
}

TEST(Stream, GeometryNamesTheDataAndBadRegions) {
  auto detector = *sample_detector();
  detector.panels[1].raw_image_offset = {550, 0};
  detector.panels[1].mask = {{10, 20, 30, 50}};
  const std::string slab = stream_geometry(detector, {}, "/entry/data/data");
  EXPECT_THAT(slab, HasSubstr("data = /entry/data/data\ndim0 = %\ndim1 = ss\ndim2 = fs\n"));
  EXPECT_THAT(slab, HasSubstr("bad_p1_0/panel = p1\nbad_p1_0/min_fs = 560\nbad_p1_0/max_fs = 579\n"
                              "bad_p1_0/min_ss = 20\nbad_p1_0/max_ss = 49\n"));
  detector.panels[1].raw_image_offset = {0, 0};
  const std::string stack = stream_geometry(detector, {}, "/entry/data/data");
  EXPECT_THAT(stack, HasSubstr("dim0 = %\ndim2 = ss\ndim3 = fs\n"));
  EXPECT_THAT(stack, HasSubstr("p1/dim1 = 1\n"));
  EXPECT_THAT(stream_geometry(detector, {}, ""), ::testing::Not(HasSubstr("dim")));
}

TEST(Stream, LatticesInCrystfelsWords) {
  const auto words = [](const char* group, const models::UnitCell& cell) {
    const auto lattice = stream_lattice(models::SpaceGroup(group), cell);
    return fmt::format("{} {} {}", lattice.type, lattice.centring, lattice.unique_axis);
  };
  EXPECT_EQ(words("P1", {50, 60, 70, 80, 90, 100}), "triclinic P *");
  EXPECT_EQ(words("P 1 21 1", {50, 60, 70, 90, 100, 90}), "monoclinic P b");
  EXPECT_EQ(words("P 1 1 21", {50, 60, 70, 90, 90, 100}), "monoclinic P c");
  EXPECT_EQ(words("C 1 2 1", {50, 60, 70, 90, 100, 90}), "monoclinic C b");
  EXPECT_EQ(words("P212121", {50, 60, 70, 90, 90, 90}), "orthorhombic P *");
  EXPECT_EQ(words("I4", {50, 50, 70, 90, 90, 90}), "tetragonal I c");
  EXPECT_EQ(words("P3121", {50, 50, 70, 90, 90, 120}), "hexagonal P c");
  EXPECT_EQ(words("R 3 :H", {50, 50, 70, 90, 90, 120}), "hexagonal H c");
  EXPECT_EQ(words("R 3 :R", {50, 50, 50, 80, 80, 80}), "rhombohedral R *");
  EXPECT_EQ(words("P6122", {93, 93, 130, 90, 90, 120}), "hexagonal P c");
  EXPECT_EQ(words("I23", {50, 50, 50, 90, 90, 90}), "cubic I *");
}

TEST(Stream, WhatIsNoShardIsAnErrorAndLeavesNothing) {
  const testing::TemporaryFolder folder;
  core::write_file(folder / "a.shard", "not a shard");
  EXPECT_THROW(write_stream({folder / "a.shard"}, folder / "x.stream"), core::Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "x.stream"));
}

TEST(ShardReader, ReadsInAnyOrder) {
  const testing::TemporaryFolder folder;
  std::vector<StillResult> images;
  for (int i = 0; i < 5; ++i) images.push_back(sample_still(i, sample_detector()));
  write_shard(folder / "a.shard", images);
  ShardReader reader(folder / "a.shard");
  DetectorPool pool;
  std::vector<std::uint64_t> offsets;
  const auto summary = reader.scan(pool, [&](std::uint64_t offset, const StillResult& head) {
    EXPECT_EQ(head.source.frame, std::int64_t(offsets.size()));
    EXPECT_EQ(head.state, ExitState::IntegrateOk);
    EXPECT_TRUE(head.detector != nullptr);
    EXPECT_TRUE(head.spots.spots.empty() && head.lattices.empty());
    offsets.push_back(offset);
  });
  EXPECT_EQ(summary.records, 5u);
  EXPECT_EQ(pool.size(), 1u);
  for (const std::size_t i : {4u, 0u, 2u}) {
    const StillResult back = reader.read(offsets[i]);
    EXPECT_EQ(back.source.frame, std::int64_t(i));
    EXPECT_EQ(back.spots.size(), 20u);
    EXPECT_EQ(back.lattices.at(1).reflections.size(), 30u);
    reader.close();
  }
  EXPECT_THROW(reader.read(offsets[1] + 1), core::Error);
  EXPECT_THROW(reader.read(8), core::Error) << "the run's record is no image";
  EXPECT_THROW(reader.read(1u << 30), core::Error);
}

} // namespace
} // namespace kilobragg::io
