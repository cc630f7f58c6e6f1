// stills_process on inputs that are wrong, each said and harmless to the others, and on geometry,
// masks and lists of experiments that come from elsewhere.
#include "support/stills_process_runs.hpp"

#include <fstream>

namespace kilobragg::programs {
namespace {

class StillsInputs : public StillsProcess {
protected:
  static void SetUpTestSuite() {
    StillsProcess::SetUpTestSuite();
    write_images(path("good.h5"), 2);
  }

  /// A copy of good.h5 that `change` has changed.
  template <typename Change>
  static void write_changed(const std::string& name, const Change& change) {
    fs::copy_file(path("good.h5"), path(name), fs::copy_options::overwrite_existing);
    const hid_t file = H5Fopen(path(name).c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    change(file);
    H5Fclose(file);
  }

  static void write_mask(hid_t file, const char* name, hsize_t rows, hsize_t columns,
                         const std::vector<std::int32_t>& values) {
    const hsize_t shape[2] = {rows, columns};
    const hid_t space = H5Screate_simple(2, shape, nullptr);
    const hid_t data =
        H5Dcreate2(file, name, H5T_NATIVE_INT32, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(data, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(data);
    H5Sclose(space);
  }
  static void write_mask_file(const std::string& name, hsize_t rows, hsize_t columns,
                              const std::vector<std::int32_t>& values) {
    const hid_t file = H5Fcreate(path(name).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    write_mask(file, "mask", rows, columns, values);
    H5Fclose(file);
  }

  static void remove_geometry(hid_t file) {
    H5Ldelete(file, "/entry/instrument/detector/module_000", H5P_DEFAULT);
  }
  /// Pixels under a filter of which no plugin is known.
  static void use_unknown_filter(hid_t file) {
    H5Ldelete(file, "/entry/data/data", H5P_DEFAULT);
    const hsize_t shape[3] = {2, testing::drawn_size, testing::drawn_size};
    const hsize_t chunk[3] = {1, testing::drawn_size, testing::drawn_size};
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, shape, nullptr);
    H5Pset_chunk(plist, 3, chunk);
    H5Pset_filter(plist, 31999, H5Z_FLAG_OPTIONAL, 0, nullptr);
    const hid_t data = H5Dcreate2(file, "/entry/data/data", H5T_NATIVE_INT32, space, H5P_DEFAULT,
                                  plist, H5P_DEFAULT);
    for (hsize_t frame = 0; frame < 2; ++frame) {
      const hsize_t offset[3] = {frame, 0, 0};
      H5Dwrite_chunk(data, H5P_DEFAULT, 0, offset, 4, "nope");
    }
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(plist);
  }

  /// Processes `bad` beside run_1.h5: its images fail with `message`, those of run_1.h5 are as ever.
  static void expect_said_and_harmless(const std::string& bad, const std::string& message) {
    SCOPED_TRACE(bad);
    const std::string out = path("beside_" + bad);
    const auto finished =
        run(known_symmetry + path(bad) + " " + path("run_1.h5") + " output_dir=" + out, 2);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, message)) << finished.out;
    EXPECT_TRUE(has(finished.out, "= inputs")) << finished.out;
    int integrated = 0, failed = 0;
    for (const auto& [key, still] : results(out)) {
      if (key.rfind("run_1.h5", 0) == 0)
        integrated += still.state == models::ExitState::IntegrateOk;
      else
        failed += still.state == models::ExitState::PreprocessException;
    }
    EXPECT_EQ(integrated, 5);
    EXPECT_GE(failed, 1);
  }

  static std::map<std::string, models::StillResult> process(const std::string& arguments,
                                                            const std::string& out) {
    const auto finished = run(known_symmetry + arguments + " output_dir=" + path(out));
    EXPECT_EQ(finished.status, 0) << finished.out;
    return results(path(out));
  }
  static void expect_refused(const std::string& arguments, const std::string& part) {
    const auto finished = run(known_symmetry + arguments + " output_dir=" + path("never"));
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_TRUE(has(finished.out, part)) << finished.out;
    EXPECT_FALSE(fs::exists(path("never")));
  }
};

TEST_F(StillsInputs, WhatIsWrongWithOneFileIsSaidAndHarmsNoOther) {
  write_changed("no_geometry.h5", remove_geometry);
  expect_said_and_harmless("no_geometry.h5", "has no geometry");
  write_changed("unknown_filter.h5", use_unknown_filter);
  expect_said_and_harmless("unknown_filter.h5", "HDF5 filter 31999");
  write_changed("elsewhere.h5", [](hid_t file) {
    H5Lmove(file, "/entry/data/data", file, "/entry/images", H5P_DEFAULT, H5P_DEFAULT);
  });
  expect_said_and_harmless("elsewhere.h5", "has no images in /entry/data");
  write_changed("wrong_mask.h5", [](hid_t file) {
    write_mask(file, "/entry/instrument/detector/pixel_mask", 20, 30,
               std::vector<std::int32_t>(600));
  });
  expect_said_and_harmless("wrong_mask.h5", "has the wrong shape (20 x 30");
}

TEST_F(StillsInputs, AWrongDataSetInAList) {
  const auto first = process(path("good.h5"), "listed");
  std::string list = core::read_text_file(path("listed/idx-0000_integrated.expt"));
  const std::string right = "/entry/data/data";
  for (std::size_t at = 0; (at = list.find(right, at)) != std::string::npos;)
    list.replace(at, right.size(), "/entry/data/none");
  std::ofstream(path("wrong.expt")) << list;
  expect_said_and_harmless("wrong.expt", "has no data set /entry/data/none");
}

TEST_F(StillsInputs, LookupMasksThatDoNotFitAreRefused) {
  write_mask_file("small_mask.h5", 20, 30, std::vector<std::int32_t>(600));
  for (const std::string option : {"spotfinder.lookup.mask=", "integration.lookup.mask="}) {
    expect_refused(option + path("small_mask.h5") + " " + path("good.h5"),
                   "has the wrong shape (20 x 30");
    expect_refused(option + path("small_mask.h5") + ":/none " + path("good.h5"),
                   "no data set /none");
  }
}

/// The first file decides whether masks and geometry fit; a later one that differs fails alone.
TEST_F(StillsInputs, ALaterFileThatMasksOrGeometryDoNotFitFailsAlone) {
  constexpr std::size_t size = testing::drawn_size;
  write_mask_file("fits_drawn.h5", size, size, std::vector<std::int32_t>(size * size));
  {
    io::NxmxLayout layout;
    layout.detector = testing::drawn_detector();
    layout.detector.panels[0].image_size = {30, 20};
    layout.frames = 2;
    io::NxmxWriter writer(path("small.h5"), layout);
    for (int frame = 0; frame < 2; ++frame)
      writer.write_frame(frame, std::vector<std::int32_t>(600, 3), 1.3);
    writer.close();
  }
  process(path("good.h5"), "geometry_of_good");
  const std::pair<std::string, std::string> cases[] = {
      {"spotfinder.lookup.mask=" + path("fits_drawn.h5"), "has the wrong shape"},
      {"integration.lookup.mask=" + path("fits_drawn.h5"), "has the wrong shape"},
      {"input.reference_geometry=" + path("geometry_of_good/idx-0000_refined.expt"),
       "is it the geometry of another detector"}};
  for (const auto& [option, message] : cases) {
    SCOPED_TRACE(option);
    const std::string out = path("later_misfits");
    fs::remove_all(out);
    const auto finished = run(known_symmetry + option + " " + path("good.h5") + " " +
                                  path("small.h5") + " output_dir=" + out,
                              2);
    EXPECT_EQ(finished.status, 0) << finished.out;
    EXPECT_TRUE(has(finished.out, message)) << finished.out;
    EXPECT_TRUE(has(finished.out, "= inputs")) << finished.out;
    const auto all = results(out);
    ASSERT_EQ(all.size(), 4U);
    for (const auto& [key, still] : all)
      EXPECT_EQ(still.state, key.rfind("good", 0) == 0 ? models::ExitState::IntegrateOk
                                                       : models::ExitState::PreprocessException)
          << key << ": " << still.message;
    expect_refused(option + " " + path("small.h5") + " " + path("good.h5"), message);
  }
}

TEST_F(StillsInputs, LookupMasksHideTheirPixels) {
  constexpr std::size_t size = testing::drawn_size;
  std::vector<std::int32_t> left(size * size);
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i % size < size / 4;
  write_mask_file("left.h5", size, size, left);
  const auto masked =
      process("spotfinder.lookup.mask=" + path("left.h5") +
                  " integration.lookup.mask=" + path("left.h5") + ":/mask " + path("good.h5"),
              "masked");
  const auto whole = process(path("good.h5"), "unmasked");
  for (const auto& [key, still] : masked) {
    EXPECT_LT(still.spots.size(), whole.at(key).spots.size());
    for (const auto& spot : still.spots.spots) EXPECT_GE(spot.box.x0, int(size / 4));
  }
}

TEST_F(StillsInputs, ImagesWithoutGeometryTakeThatOfAReference) {
  write_changed("bare.h5", remove_geometry);
  const auto whole = process(path("good.h5"), "reference");
  const std::string reference =
      "input.reference_geometry=" + path("reference/idx-0000_refined.expt ");
  const auto bare = process(reference + path("bare.h5"), "bare");
  ASSERT_EQ(bare.size(), 2U);
  for (const auto& [key, still] : whole) {
    EXPECT_EQ(still.state, models::ExitState::IntegrateOk);
    expect_same(still, bare.at("bare" + key.substr(key.find('.'))));
  }
}

TEST_F(StillsInputs, AReferenceOfAnotherDetectorIsRefused) {
  process(path("good.h5"), "fitting");
  std::string text = core::read_text_file(path("fitting/idx-0000_refined.expt"));
  const auto size = text.find("800", text.find("image_size"));
  ASSERT_NE(size, std::string::npos);
  std::ofstream(path("other.expt")) << text.replace(size, 3, "810");
  expect_refused("reference_geometry=" + path("other.expt ") + path("good.h5"),
                 "is it the geometry of another detector");
  expect_refused("reference_geometry=" + path("absent.expt ") + path("good.h5"), "absent.expt");
}

TEST_F(StillsInputs, OwnExperimentListsAreInputsAgain) {
  const auto first = process(path("good.h5"), "once");
  for (const std::string name : {"strong", "indexed", "refined", "integrated"}) {
    SCOPED_TRACE(name);
    const auto again = process(path("once/idx-0000_" + name + ".expt"), "again_" + name);
    ASSERT_EQ(again.size(), first.size());
    for (const auto& [key, still] : first) expect_same(still, again.at(key));
  }
}

TEST_F(StillsInputs, ListsFindImagesThatMovedWithThem) {
  fs::create_directories(path("tree"));
  fs::copy_file(path("good.h5"), path("tree/moving.h5"));
  const auto first = process(path("tree/moving.h5"), "tree/out");
  fs::rename(path("tree"), path("grove"));
  const auto again = process(path("grove/out/idx-0000_integrated.expt"), "moved");
  ASSERT_EQ(again.size(), first.size());
  for (const auto& [key, still] : first) expect_same(still, again.at(key));
}

TEST_F(StillsInputs, ImagesThatMovedAloneAreFoundByAMapOrASearch) {
  fs::create_directories(path("depot"));
  fs::copy_file(path("good.h5"), path("depot/alone.h5"));
  const auto first = process(path("depot/alone.h5"), "alone");
  fs::rename(path("depot"), path("attic"));
  const std::string list = known_symmetry + path("alone/idx-0000_integrated.expt");
  const auto lost = run(list + " output_dir=" + path("lost"));
  EXPECT_EQ(lost.status, 3) << lost.out;
  EXPECT_TRUE(has(lost.out, path("depot/alone.h5"))) << lost.out;
  const std::string map = " --map " + path("depot") + "=" + path("attic");
  const std::string search = " input.search_path=" + path("attic");
  for (const auto& [how, name] : {std::pair(map, "mapped"), std::pair(search, "searched")}) {
    const auto found = run(list + how + " output_dir=" + path(name), 2);
    ASSERT_EQ(found.status, 0) << found.out;
    const auto again = results(path(name));
    ASSERT_EQ(again.size(), first.size());
    for (const auto& [key, still] : first) expect_same(still, again.at(key));
  }
  io::NxmxLayout layout; // another image under the same name
  layout.detector = testing::drawn_detector();
  layout.frames = 1;
  io::NxmxWriter writer(path("attic/alone.h5"), layout);
  writer.write_frame(0, testing::draw_still(99, true).pixels, 1.3);
  writer.close();
  const auto other = run(list + map + " output_dir=" + path("other"));
  EXPECT_EQ(other.status, 3) << other.out;
  EXPECT_TRUE(has(other.out, "content id")) << other.out;
  EXPECT_TRUE(has(other.out, path("attic/alone.h5"))) << other.out;
}

TEST_F(StillsInputs, OneStreamWhateverTheNumberOfRanks) {
  std::vector<std::string> streams;
  for (const int ranks : {1, 3}) {
    const std::string out = path("stream_" + std::to_string(ranks));
    const std::string file = out + ".stream";
    const auto finished = run(known_symmetry + path("good.h5") + " output_dir=" + out +
                                  " output.stream_filename=" + file,
                              ranks);
    ASSERT_EQ(finished.status, 0) << finished.out;
    streams.push_back(core::read_text_file(file));
  }
  EXPECT_TRUE(has(streams[0], "CrystFEL stream format 2.3"));
  EXPECT_TRUE(has(streams[0], "--- Begin crystal"));
  EXPECT_EQ(streams[0], streams[1]);
}

TEST_F(StillsInputs, TwoGainsAreRefusedUnlessMeant) {
  process(path("good.h5"), "one_gain");
  std::string text = core::read_text_file(path("one_gain/idx-0000_refined.expt"));
  const std::string one = "\"gain\":1.0";
  const auto at = text.find(one);
  ASSERT_NE(at, std::string::npos);
  std::ofstream(path("gain_2.expt")) << text.replace(at, one.size(), "\"gain\":2.0");
  const std::string image = known_symmetry + path("gain_2.expt ");
  const std::string gain = "spotfinder.threshold.dispersion.gain=2 ";
  const auto refused = run(image + gain + "output_dir=" + path("two_gains"));
  EXPECT_EQ(refused.status, 3) << refused.out;
  EXPECT_TRUE(has(refused.out, "the detector's gain is 2 and")) << refused.out;
  EXPECT_TRUE(has(refused.out, "input.ignore_gain_mismatch=True")) << refused.out;
  const auto meant =
      run(image + gain + "ignore_gain_mismatch=True output_dir=" + path("meant_gains"));
  EXPECT_EQ(meant.status, 0) << meant.out;
  EXPECT_EQ(run(image + "output_dir=" + path("detector_gain")).status, 0);
}

TEST_F(StillsInputs, ShardsOfAKilledRunAreKeptAndGiveTheSameFiles) {
  const std::string command = known_symmetry + path("good.h5") + " output_dir=" + path("killed");
  ASSERT_EQ(run(command).status, 0);
  const fs::path derived = path("killed/idx-0000_integrated.refl");
  const auto whole = core::read_text_file(derived.string());
  std::vector<fs::path> files; // as if the run had been killed before its end
  for (const auto& entry : fs::directory_iterator(path("killed")))
    if (entry.path().extension() == ".refl" || entry.path().extension() == ".expt")
      files.push_back(entry.path());
  for (const auto& file : files) fs::remove(file);
  const Finished refused = run(command);
  EXPECT_EQ(refused.status, 2);
  EXPECT_TRUE(has(refused.out, "did not end")) << refused.out;
  EXPECT_TRUE(has(refused.out, "idx-0000.shard")) << refused.out;
  const Finished again = run(path("killed/idx-0000.shard"));
  EXPECT_EQ(again.status, 0) << again.out;
  for (const auto& file : files) EXPECT_TRUE(fs::exists(file)) << file;
  EXPECT_EQ(core::read_text_file(derived.string()), whole);
  EXPECT_EQ(run(command).status, 0) << "a run that ended may be replaced";
  EXPECT_EQ(run(path("good.h5") + ".shard").status, 2);
}

} // namespace
} // namespace kilobragg::programs
