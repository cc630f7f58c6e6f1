// The same pixels as plain NXmx, DECTRIS master, miniCBF, imgCIF and virtual data sets: stills_process
// finds the same lattices in all of them.
#include "support/cbf_files.hpp"
#include "support/stills_process_runs.hpp"

#include "kilobragg/io/experiments.hpp"
#include "kilobragg/io/reflection_file.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <set>

namespace kilobragg::programs {
namespace {

constexpr int frames = 4; ///< the third is blank
constexpr hsize_t size = testing::drawn_size;

/// One image on its way through a run: what it ended as, and what the log calls it.
struct Ended {
  std::string tag;
  models::StillResult still;
};

class StillsFormats : public StillsProcess {
protected:
  static void SetUpTestSuite() {
    folder = std::make_unique<testing::TemporaryFolder>();
    for (int frame = 0; frame < frames; ++frame)
      drawn.push_back(testing::draw_still(std::uint64_t(frame) + 11, frame != 2));
    write_nxmx(path("plain.h5"), 0, frames);
    plain = process(path("plain.h5"), "plain");
  }
  static void TearDownTestSuite() {
    drawn.clear();
    plain.clear();
    StillsProcess::TearDownTestSuite();
  }

  static void write_nxmx(const std::string& file, int first, int count) {
    io::NxmxLayout layout;
    layout.detector = testing::drawn_detector();
    layout.frames = count;
    io::NxmxWriter writer(file, layout);
    for (int i = 0; i < count; ++i)
      writer.write_frame(i, drawn[std::size_t(first + i)].pixels,
                         drawn[std::size_t(first + i)].beam.wavelength);
    writer.close();
  }

  /// Processes `inputs` on two ranks; the results in the order of files and frames. Checks the line
  /// of each image, the sum, and that the composites hold the lattices of the shards.
  static std::vector<Ended> process(const std::string& inputs, const std::string& out) {
    const auto finished =
        run("-v " + std::string(known_symmetry) + inputs + " output_dir=" + path("out_" + out), 2);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, "Summary of 4 inputs")) << finished.out;
    EXPECT_TRUE(has(finished.out, "= inputs")) << finished.out;
    std::vector<Ended> all;
    for (auto& [key, still] : results(path("out_" + out))) {
      // A file with one image is called by its name alone.
      const bool single = key.find(".cbf") != std::string::npos;
      const std::string tag =
          single ? fs::path(still.source.path).stem().string() : still.source.tag();
      const std::string line = tag + " " + std::string(models::word(still.state));
      EXPECT_TRUE(has(finished.out, line)) << line << "\n" << finished.out;
      all.push_back({tag, std::move(still)});
    }
    expect_composites(path("out_" + out), all);
    return all;
  }

  static void expect_composites(const std::string& out, const std::vector<Ended>& all) {
    std::map<std::string, std::size_t> expected, derived; // reflections by identifier
    std::map<std::string, Mat3> a_matrix;
    for (const Ended& ended : all)
      for (const auto& found : ended.still.lattices) {
        expected[found.identifier] = found.reflections.size();
        a_matrix[found.identifier] = found.lattice.crystal.a_matrix;
      }
    for (const auto& entry : fs::directory_iterator(out)) {
      std::string file = entry.path().string();
      if (!file.ends_with("_integrated.expt")) continue;
      for (const auto& experiment : io::read_experiments(file)) {
        derived[experiment.identifier];
        ASSERT_TRUE(a_matrix.count(experiment.identifier)) << experiment.identifier;
        for (std::size_t k = 0; k < 9; ++k)
          EXPECT_NEAR(experiment.crystal->a_matrix.m[k], a_matrix[experiment.identifier].m[k],
                      1e-12);
      }
      const auto table = io::read_reflections(file.replace(file.size() - 4, 4, "refl"));
      for (const std::int32_t id : table.get<std::int32_t>("id"))
        ++derived[table.identifiers.at(id)];
    }
    EXPECT_EQ(derived, expected);
  }

  /// The same still up to the last digits of the geometry that formats carry.
  static void expect_same_lattices(const std::vector<Ended>& all) {
    ASSERT_EQ(all.size(), plain.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      SCOPED_TRACE(all[i].tag);
      const auto &a = plain[i].still, &b = all[i].still;
      EXPECT_EQ(a.state, b.state) << b.message;
      EXPECT_EQ(a.count, b.count);
      EXPECT_EQ(a.spots.size(), b.spots.size());
      ASSERT_EQ(a.lattices.size(), b.lattices.size());
      for (std::size_t l = 0; l < a.lattices.size(); ++l) {
        const auto &one = a.lattices[l], &other = b.lattices[l];
        for (std::size_t k = 0; k < 9; ++k)
          EXPECT_NEAR(one.lattice.crystal.a_matrix.m[k], other.lattice.crystal.a_matrix.m[k], 1e-8);
        ASSERT_EQ(one.reflections.size(), other.reflections.size());
        for (std::size_t r = 0; r < one.reflections.size(); ++r) {
          EXPECT_EQ(one.reflections[r].hkl, other.reflections[r].hkl);
          EXPECT_NEAR(one.reflections[r].intensity, other.reflections[r].intensity, 1e-3);
        }
      }
    }
  }

  static inline std::vector<testing::DrawnStill> drawn;
  static inline std::vector<Ended> plain;
};

TEST_F(StillsFormats, PlainNxmxIndexesAllButTheBlank) {
  ASSERT_EQ(plain.size(), std::size_t(frames));
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const auto& still = plain[i].still;
    if (i == 2) {
      EXPECT_EQ(still.state, models::ExitState::NotEnoughSpots);
      continue;
    }
    EXPECT_EQ(still.state, models::ExitState::IntegrateOk);
    ASSERT_EQ(still.lattices.size(), 1U);
    // The lattice is the drawn one: each axis of the cell a combination of drawn ones, so A^-1 A' is
    // a rotation of the lattice onto itself.
    const Mat3 change =
        inverse(drawn[i].crystal.a_matrix) * still.lattices[0].lattice.crystal.a_matrix;
    for (const double element : change.m) EXPECT_NEAR(element, std::round(element), 0.005);
  }
}

// ---- DECTRIS ----

void put_number(hid_t file, const char* name, double value, const char* units) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t data =
      H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
  if (units != nullptr) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, std::string(units).size());
    const hid_t attribute = H5Acreate2(data, "units", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, units);
    H5Aclose(attribute);
    H5Tclose(type);
  }
  H5Dclose(data);
  H5Sclose(space);
}

/// Beam centre and distance are all the geometry there is; images lie in files of their own.
void write_dectris_master(const std::string& master, const std::vector<std::string>& data_files) {
  const hid_t file = H5Fcreate(master.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  for (const char* group :
       {"/entry", "/entry/data", "/entry/instrument", "/entry/instrument/beam",
        "/entry/instrument/detector", "/entry/instrument/detector/detectorSpecific"})
    H5Gclose(H5Gcreate2(file, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  put_number(file, "/entry/instrument/beam/incident_wavelength", 1.3, "angstrom");
  const std::string detector = "/entry/instrument/detector/";
  put_number(file, (detector + "beam_center_x").c_str(), 400.5, "pixel");
  put_number(file, (detector + "beam_center_y").c_str(), 399.5, "pixel");
  put_number(file, (detector + "detector_distance").c_str(), 0.12, "m");
  put_number(file, (detector + "x_pixel_size").c_str(), 2e-4, "m");
  put_number(file, (detector + "y_pixel_size").c_str(), 2e-4, "m");
  put_number(file, (detector + "saturation_value").c_str(), 1e6, nullptr);
  for (std::size_t i = 0; i < data_files.size(); ++i)
    H5Lcreate_external(data_files[i].c_str(), "/entry/data/data", file,
                       fmt::format("/entry/data/data_{:06d}", i + 1).c_str(), H5P_DEFAULT,
                       H5P_DEFAULT);
  H5Fclose(file);
}

TEST_F(StillsFormats, DectrisMasterWithExternalDataFiles) {
  write_nxmx(path("series_data_000001.h5"), 0, 3);
  write_nxmx(path("series_data_000002.h5"), 3, 1);
  write_dectris_master(path("series_master.h5"),
                       {"series_data_000001.h5", "series_data_000002.h5"});
  expect_same_lattices(process(path("series_master.h5"), "dectris"));
}

// ---- miniCBF ----

TEST_F(StillsFormats, MiniCbfFilesByPattern) {
  const std::string header =
      "# Detector: PILATUS, S/N 1\r\n# Pixel_size 200e-6 m x 200e-6 m\r\n"
      "# Count_cutoff 1000000 counts\r\n# Wavelength 1.30000 A\r\n"
      "# Detector_distance 0.12000 m\r\n# Beam_xy (400.50, 399.50) pixels\r\n";
  for (int frame = 0; frame < frames; ++frame)
    std::ofstream(path(fmt::format("shot_{:05d}.cbf", frame + 1)), std::ios::binary)
        << testing::mini_cbf(header, int(size), int(size), drawn[std::size_t(frame)].pixels);
  const auto all = process("'" + path("shot_*.cbf") + "'", "mini_cbf");
  expect_same_lattices(all);
  EXPECT_EQ(all[3].tag, "shot_00004");
}

// ---- imgCIF ----

/// The image cut as CSPAD images are: two arrays (halves) of two stacked sensors of two sections,
/// eight panels of 400 x 200.
void write_eight_panels(const std::string& path, const std::vector<std::int32_t>& pixels) {
  cbf_handle cbf = nullptr;
  ASSERT_EQ(cbf_make_handle(&cbf), 0);
  ASSERT_EQ(cbf_new_datablock(cbf, "image"), 0);
  testing::add_table(cbf, "diffrn_radiation_wavelength", {"id wavelength wt", "W 1.3 1.0"});
  std::vector<std::string> axes{"id type equipment depends_on vector[1] vector[2] vector[3] "
                                "offset[1] offset[2] offset[3] equipment_component",
                                "SOURCE general source . 0 0 1 . . . .",
                                "D_Z translation detector . 0 0 1 . . . arm"};
  const std::vector<std::string> settings{"axis_id frame_id angle displacement", "D_Z F1 0 -120"};
  std::vector<std::string> list{"array_id array_section_id index dimension precedence axis_set_id"};
  std::vector<std::string> sections{"array_id id index start end"};
  std::vector<std::string> pixel_axes{"axis_set_id axis_id displacement displacement_increment"};
  std::vector<std::string> intensities{"array_id binary_id gain overload undefined_value"};
  for (int half = 0; half < 2; ++half) {
    intensities.push_back(fmt::format("A{} {} 1 1000000 -1", half, half + 1));
    for (int sensor = 0; sensor < 2; ++sensor)
      for (int side = 0; side < 2; ++side) {
        const std::string name = fmt::format("P{}{}{}", half, sensor, side);
        axes.push_back(fmt::format("{}_S translation detector D_Z 0 -1 0 {} {} 0 asic", name,
                                   -80.1 + 80 * side, 79.9 - 80 * half - 40 * sensor));
        axes.push_back(fmt::format("{0}_F translation detector {0}_S 1 0 0 0 0 0 asic", name));
        list.push_back(fmt::format("A{0} {1} 1 400 1 {1}_F", half, name));
        list.push_back(fmt::format("A{0} {1} 2 200 2 {1}_S", half, name));
        sections.push_back(
            fmt::format("A{} {} 1 {} {}", half, name, 400 * side + 1, 400 * side + 400));
        sections.push_back(fmt::format("A{} {} 2 1 200", half, name));
        sections.push_back(fmt::format("A{0} {1} 3 {2} {2}", half, name, sensor + 1));
        pixel_axes.push_back(fmt::format("{0}_F {0}_F 0 0.2", name));
        pixel_axes.push_back(fmt::format("{0}_S {0}_S 0 0.2", name));
      }
  }
  testing::add_table(cbf, "axis", axes);
  testing::add_table(cbf, "diffrn_scan_frame_axis", settings);
  testing::add_table(cbf, "array_structure_list", list);
  testing::add_table(cbf, "array_structure_list_section", sections);
  testing::add_table(cbf, "array_structure_list_axis", pixel_axes);
  testing::add_table(cbf, "array_intensities", intensities);
  testing::add_table(cbf, "array_data", {"array_id binary_id data"});
  const std::size_t count = pixels.size() / 2;
  for (int half = 0; half < 2; ++half) {
    std::vector<std::int32_t> values(pixels.begin() + std::ptrdiff_t(count) * half,
                                     pixels.begin() + std::ptrdiff_t(count) * (half + 1));
    ASSERT_EQ(cbf_new_row(cbf), 0);
    ASSERT_EQ(cbf_find_column(cbf, "array_id"), 0);
    ASSERT_EQ(cbf_set_value(cbf, half == 0 ? "A0" : "A1"), 0);
    ASSERT_EQ(cbf_find_column(cbf, "data"), 0);
    ASSERT_EQ(cbf_set_integerarray_wdims(cbf, CBF_PACKED, half + 1, values.data(), 4, 1, count,
                                         "little_endian", 800, 200, 2, 0),
              0);
  }
  FILE* file = std::fopen(path.c_str(), "w+b");
  ASSERT_EQ(cbf_write_widefile(cbf, file, 1, CBF, MIME_HEADERS, 0), 0);
  cbf_free_handle(cbf);
}

/// Largest difference of an element, relative to the length of the rows (reciprocal axes).
double relative_difference(const Mat3& a, const Mat3& b) {
  double largest = 0, square = 0;
  for (std::size_t k = 0; k < 9; ++k) {
    largest = std::max(largest, std::abs(a.m[k] - b.m[k]));
    square += a.m[k] * a.m[k];
  }
  return largest / std::sqrt(square / 3);
}

TEST_F(StillsFormats, ImgCifOfEightPanels) {
  for (int frame = 0; frame < frames; ++frame)
    write_eight_panels(path(fmt::format("cspad_{}.cbf", frame)), drawn[std::size_t(frame)].pixels);
  const auto all = process("'" + path("cspad_*.cbf") + "'", "imgcif");
  ASSERT_EQ(all.size(), plain.size());
  std::set<int> panels;
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].tag);
    const auto &one = plain[i].still, &cut = all[i].still;
    ASSERT_EQ(cut.state, one.state) << cut.message;
    if (one.lattices.empty()) continue;
    ASSERT_EQ(cut.lattices.size(), 1U);
    for (const auto& spot : cut.spots.spots) panels.insert(int(spot.panel));
    // Spots on the edges of panels are cut or lost, so the refined lattices agree only as errors allow.
    EXPECT_LT(relative_difference(one.lattices[0].lattice.crystal.a_matrix,
                                  cut.lattices[0].lattice.crystal.a_matrix),
              5e-4);
    const auto count = [](const models::StillResult& still) {
      return double(still.lattices[0].reflections.size());
    };
    EXPECT_GT(count(cut), 0.85 * count(one));
    EXPECT_LT(count(cut), 1.1 * count(one));
  }
  EXPECT_EQ(panels.size(), 8U);
}

// ---- virtual data sets ----

TEST_F(StillsFormats, VirtualDataSetOverSeveralFiles) {
  write_nxmx(path("part_a.h5"), 0, 1);
  write_nxmx(path("part_b.h5"), 1, 3);
  fs::copy_file(path("plain.h5"), path("virtual.h5"));
  const hid_t file = H5Fopen(path("virtual.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, "/entry/data/data", H5P_DEFAULT);
  const hsize_t whole[3] = {frames, size, size};
  const hid_t space = H5Screate_simple(3, whole, nullptr);
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t first = 0;
  for (const auto& [name, count] : {std::pair("part_a.h5", hsize_t{1}), {"part_b.h5", 3}}) {
    const hsize_t part[3] = {count, size, size}, start[3] = {first, 0, 0};
    const hid_t source = H5Screate_simple(3, part, nullptr);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nullptr, part, nullptr);
    H5Pset_virtual(plist, space, name, "/entry/data/data", source);
    H5Sclose(source);
    first += count;
  }
  H5Sselect_all(space);
  H5Dclose(
      H5Dcreate2(file, "/entry/data/data", H5T_STD_I32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
  H5Pclose(plist);
  H5Sclose(space);
  H5Fclose(file);
  expect_same_lattices(process(path("virtual.h5"), "virtual"));
}

} // namespace
} // namespace kilobragg::programs
