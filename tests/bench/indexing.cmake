kilobragg_bench(indexing SOURCES indexing_bench.cpp ROOMS indexing LIBS kilobragg_testing)
