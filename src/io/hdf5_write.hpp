// Small HDF5 values, attributes and groups as the NXmx writer needs them.
#pragma once

#include "hdf5.hpp"

#include <array>
#include <span>

namespace kilobragg::io::hdf5 {

/// All of these throw core::Error with HDF5's reason when they cannot write.
Handle create_file(const std::string& path);
void make_group(hid_t location, const std::string& path, const std::string& nx_class);
void write_text(hid_t location, const std::string& path, const std::string& text);
void write_number(hid_t location, const std::string& path, double value);
void write_integers(hid_t location, const std::string& path, std::span<const std::int64_t> values);
/// Doubles in C order; shape {} = scalar.
void write_numbers(hid_t location, const std::string& path, std::span<const double> values,
                   const std::vector<hsize_t>& shape);
void set_attribute(hid_t location, const std::string& path, const std::string& name,
                   const std::string& text);
void set_attribute(hid_t location, const std::string& path, const std::string& name,
                   std::array<double, 3> values);

} // namespace kilobragg::io::hdf5
