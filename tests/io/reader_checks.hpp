// What tests of image readers expect of errors and of descriptions.
#pragma once

#include "kilobragg/core/error.hpp"
#include "kilobragg/io/image_reader.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

namespace kilobragg::io::fixture {

inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const core::Error& error) {
    return error.what();
  }
  return "";
}

#define EXPECT_SAYS(action, text)                                                                  \
  do {                                                                                             \
    const std::string said = kilobragg::io::fixture::message_of([&] { action; });                  \
    EXPECT_NE(said.find(text), std::string::npos) << "said: " << said;                             \
  } while (false)

/// A reader made from a description gives what the reader of the file gives, to the last bit.
inline void expect_same_metadata(const ImageReader& of_file, const ImageReader& described) {
  EXPECT_EQ(described.frame_count(), of_file.frame_count());
  EXPECT_EQ(described.content_id(), of_file.content_id());
  EXPECT_EQ(described.source(0).path, of_file.source(0).path);
  EXPECT_EQ(described.source(0).dataset, of_file.source(0).dataset);
  EXPECT_EQ(described.layout()->size, of_file.layout()->size);
  const auto &panels = of_file.detector()->panels, &again = described.detector()->panels;
  ASSERT_EQ(again.size(), panels.size());
  for (std::size_t i = 0; i < panels.size(); ++i) {
    EXPECT_EQ(again[i].frame.origin, panels[i].frame.origin);
    EXPECT_EQ(again[i].frame.fast, panels[i].frame.fast);
    EXPECT_EQ(again[i].frame.slow, panels[i].frame.slow);
    EXPECT_EQ(again[i].trusted_range, panels[i].trusted_range);
    EXPECT_EQ(again[i].mu, panels[i].mu);
    EXPECT_EQ(again[i].pixel_size, panels[i].pixel_size);
    EXPECT_EQ(described.layout()->panels[i].offset, of_file.layout()->panels[i].offset);
  }
  for (std::int64_t f = 0; f < of_file.frame_count(); ++f) {
    models::Beam beam = described.beam(f);
    const Shot shot = of_file.shot(f);
    if (!std::isnan(shot.wavelength)) beam.wavelength = shot.wavelength;
    EXPECT_EQ(beam.wavelength, of_file.beam(f).wavelength);
    EXPECT_EQ(beam.spectrum.weights, of_file.beam(f).spectrum.weights);
  }
}

} // namespace kilobragg::io::fixture
