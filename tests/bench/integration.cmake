# Mosaicity, prediction and integration of one real still.
kilobragg_bench(integration SOURCES integration_bench.cpp ROOMS io spotfinding integration
  LIBS nlohmann_json::nlohmann_json kilobragg_testing)
