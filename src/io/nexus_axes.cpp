// Reads NeXus axes and follows depends_on.
#include "nexus_axes.hpp"

#include "nexus_units.hpp"

#include <algorithm>

namespace kilobragg::io {
namespace {

/// depends_on is absolute or relative to the group that holds the axis.
std::string absolute(const std::string& axis, const std::string& depends_on) {
  if (depends_on.empty() || depends_on == ".") return {};
  if (depends_on.front() == '/') return depends_on;
  const std::string group = hdf5::parent_path(axis);
  return (group == "/" ? group : group + "/") +
         (depends_on.rfind("./", 0) == 0 ? depends_on.substr(2) : depends_on);
}

Vec3 vector_attribute(hid_t object, const char* name) {
  const std::vector<double> v = hdf5::number_attribute(object, ".", name);
  return v.size() == 3 ? Vec3{v[0], v[1], v[2]} : Vec3{};
}

void read_value(hid_t object, const std::string& where, NexusAxis& axis) {
  const auto values = hdf5::read_numbers(object, ".");
  core::require(values && !values->empty(), "{} has no value", where);
  const std::string unit = hdf5::text_attribute(object, ".", "units").value_or("");
  const std::string type = hdf5::text_attribute(object, ".", "transformation_type").value_or("");
  axis.rotation = type.empty() ? radians_per(unit).has_value() : type == "rotation";
  const auto factor = axis.rotation ? radians_per(unit) : millimetres_per(unit);
  // A zero is zero in any unit, and writers leave the unit of such axes out.
  core::require(factor || values->front() == 0, "{} has {} ({}) a unit of {} is wanted", where,
                unit.empty() ? "no units" : "unknown units", unit,
                axis.rotation ? "angle" : "length");
  axis.value = values->front() * factor.value_or(1);
}

void read_offset(hid_t object, const std::string& where, NexusAxis& axis) {
  axis.offset = vector_attribute(object, "offset");
  axis.has_offset = norm2(axis.offset) > 0;
  if (!axis.has_offset) return;
  auto unit = hdf5::text_attribute(object, ".", "offset_units");
  // Some writers mean the units of the value.
  if (!unit) unit = hdf5::text_attribute(object, ".", "units");
  const auto factor = millimetres_per(unit.value_or(""));
  core::require(factor.has_value(), "{} has an offset without a unit of length ({})", where,
                unit.value_or("no offset_units"));
  axis.offset *= *factor;
}

} // namespace

Motion operator*(const Motion& outer, const Motion& inner) {
  return {outer.rotation * inner.rotation, outer(inner.shift)};
}

Motion NexusAxis::motion() const {
  if (!rotation) return {Mat3::identity(), offset + value * vector};
  if (value == 0) return {Mat3::identity(), offset};
  return {rotation_about(unit(vector), value), offset};
}

const NexusAxis& AxisReader::axis(const std::string& path) {
  const auto known = axes_.find(path);
  if (known != axes_.end()) return known->second;
  const std::string where = name_ + ":" + path;
  core::require(hdf5::is_dataset(file_, path), "{} is missing (an axis of the detector's geometry)",
                where);
  const hdf5::Handle object(H5Dopen2(file_, path.c_str(), H5P_DEFAULT));
  NexusAxis axis;
  axis.path = path;
  read_value(object.get(), where, axis);
  read_offset(object.get(), where, axis);
  axis.vector = vector_attribute(object.get(), "vector");
  core::require(norm2(axis.vector) > 0 || axis.value == 0, "{} has no vector of three elements",
                where);
  axis.component = hdf5::text_attribute(object.get(), ".", "equipment_component").value_or("");
  axis.depends_on =
      absolute(path, hdf5::text_attribute(object.get(), ".", "depends_on").value_or(""));
  return axes_.emplace(path, axis).first->second;
}

std::vector<NexusAxis> AxisReader::chain(const std::string& first) {
  std::vector<NexusAxis> chain;
  for (std::string next = first; !next.empty(); next = chain.back().depends_on) {
    const bool again = std::any_of(chain.begin(), chain.end(),
                                   [&](const NexusAxis& axis) { return axis.path == next; });
    core::require(!again, "the axes of {} depend on each other in a circle (at {})", name_, next);
    core::require(axes_.count(next) > 0 || hdf5::is_dataset(file_, next),
                  "{}:{} depends on {}, which is not there", name_,
                  chain.empty() ? "a module" : chain.back().path, next);
    chain.push_back(axis(next));
  }
  return chain;
}

Motion cumulative(const std::vector<NexusAxis>& chain) {
  Motion all;
  for (const NexusAxis& axis : chain) all = axis.motion() * all;
  return all;
}

models::Frame node_frame(const Motion& motion) {
  return {from_nexus(motion.rotation * Vec3{-1, 0, 0}), from_nexus(motion.rotation * Vec3{0, 1, 0}),
          from_nexus(motion.shift)};
}

} // namespace kilobragg::io
