// Writes model_numbers() of the ordinary build to the file that it is told.
#include "tests/diffraction/model_numbers.hpp"

#include <fstream>

int main(int, char** argv) {
  const auto numbers = kilobragg::diffraction::testing::model_numbers();
  std::ofstream(argv[1], std::ios::binary)
      .write(reinterpret_cast<const char*>(numbers.data()),
             static_cast<std::streamsize>(numbers.size() * sizeof(double)));
}
