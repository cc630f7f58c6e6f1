kilobragg_test(data_indexing
  SOURCES indexing_spot_lists_test.cpp
  ROOMS indexing
  LIBS nlohmann_json::nlohmann_json
  LABELS data)
