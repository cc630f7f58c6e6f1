# The forward model beside an independent simulator's images, from the same truth.
kilobragg_test(data_diffraction SOURCES diffraction_nanobragg_test.cpp
  ROOMS diffraction io LIBS nlohmann_json::nlohmann_json LABELS data)
