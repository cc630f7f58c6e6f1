// Bitshuffle-LZ4 frames of 16 Mpixel: our decoder against HDF5 through the plugin, cache hot.
#include "kilobragg/io/bitshuffle.hpp"

#include <benchmark/benchmark.h>
#include <hdf5.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace {

using kilobragg::io::BitshuffleKernel;

constexpr std::size_t side = 4096, pixels = side * side;

/// Poisson background of mean 0.6: about 2.4 bits per pixel when compressed.
template <typename T>
const std::vector<T>& frame() {
  static const std::vector<T> values = [] {
    std::mt19937 random(1);
    std::poisson_distribution<int> poisson(0.6);
    std::vector<T> v(pixels);
    for (T& p : v) p = static_cast<T>(poisson(random));
    return v;
  }();
  return values;
}

template <typename T>
const std::vector<std::byte>& chunk() {
  static const std::vector<std::byte> bytes = kilobragg::io::encode_bitshuffle_lz4(
      std::as_bytes(std::span<const T>(frame<T>())), sizeof(T));
  return bytes;
}

template <typename T, BitshuffleKernel kernel>
void decode(benchmark::State& state) {
  const std::vector<std::byte>& bytes = chunk<T>(); // made before the clock runs
  std::vector<T> out(pixels);
  std::vector<std::byte> scratch;
  for (auto _ : state) {
    decode_bitshuffle_lz4(bytes, sizeof(T), std::as_writable_bytes(std::span(out)), scratch,
                          kernel);
    benchmark::DoNotOptimize(out.data());
  }
  if (out != frame<T>()) state.SkipWithError("decoded pixels differ");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * pixels * sizeof(T)));
  state.counters["bits_per_pixel"] = 8.0 * static_cast<double>(bytes.size()) / pixels;
}
BENCHMARK(decode<std::uint16_t, BitshuffleKernel::automatic>)->Unit(benchmark::kMillisecond);
BENCHMARK(decode<std::uint16_t, BitshuffleKernel::portable>)->Unit(benchmark::kMillisecond);
BENCHMARK(decode<std::int32_t, BitshuffleKernel::automatic>)->Unit(benchmark::kMillisecond);
BENCHMARK(decode<std::int32_t, BitshuffleKernel::portable>)->Unit(benchmark::kMillisecond);

/// The same frame as one chunk of a file, through H5Dread and the plugin.
template <typename T>
void through_plugin(benchmark::State& state) {
  if (H5Zfilter_avail(kilobragg::io::bitshuffle_filter) <= 0) {
    state.SkipWithError("no bitshuffle plugin");
    return;
  }
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("kilobragg_bench_" + std::to_string(getpid()) + ".h5"))
                               .string();
  const hsize_t shape[2] = {side, side};
  const hid_t type = sizeof(T) == 2 ? H5T_NATIVE_UINT16 : H5T_NATIVE_INT32;
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(plist, 2, shape);
  const unsigned options[] = {0, 2};
  H5Pset_filter(plist, kilobragg::io::bitshuffle_filter, H5Z_FLAG_MANDATORY, 2, options);
  const hid_t space = H5Screate_simple(2, shape, nullptr);
  const hid_t data = H5Dcreate2(file, "data", type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
  const hsize_t offset[2] = {0, 0};
  H5Dwrite_chunk(data, H5P_DEFAULT, 0, offset, chunk<T>().size(), chunk<T>().data());
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::vector<T> out(pixels);
  for (auto _ : state) {
    H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  if (out != frame<T>()) state.SkipWithError("pixels read differ");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * pixels * sizeof(T)));
  H5Dclose(data);
  H5Sclose(space);
  H5Pclose(plist);
  H5Fclose(file);
  std::filesystem::remove(path);
}
BENCHMARK(through_plugin<std::uint16_t>)->Unit(benchmark::kMillisecond);
BENCHMARK(through_plugin<std::int32_t>)->Unit(benchmark::kMillisecond);

} // namespace
