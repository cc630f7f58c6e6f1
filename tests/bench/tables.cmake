kilobragg_bench(tables SOURCES tables_bench.cpp ROOMS io)
