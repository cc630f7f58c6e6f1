kilobragg_bench(merge SOURCES merge_bench.cpp ROOMS programs LIBS nlohmann_json::nlohmann_json)
