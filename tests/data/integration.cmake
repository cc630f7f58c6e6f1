# Mosaicity, predictions and intensities of the real frames beside DIALS's.
kilobragg_test(data_integration SOURCES integration_test.cpp ROOMS io spotfinding integration
  LIBS nlohmann_json::nlohmann_json LABELS data)
