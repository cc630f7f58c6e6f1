kilobragg_test(data_indexing
  SOURCES indexing_spot_lists_test.cpp indexing_stills_test.cpp
  ROOMS indexing io
  LIBS nlohmann_json::nlohmann_json
  LABELS data)
