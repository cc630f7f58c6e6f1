-- Questions to the ledger of a run: sqlite3 -header -column out/ledger.sqlite < ledger_queries.sql
-- docs/ledger.md describes tables and views. The first query works while the run goes on; the others
-- read what is collected at its end or by `stills_process --collect out/`.

-- Hit rate and indexing rate per minute.
SELECT datetime(minute, 'unixepoch') AS time, images, round(images_per_second, 1) AS images_per_second,
       round(100 * hit_rate, 2) AS hit_percent, round(100 * index_rate, 2) AS indexed_percent_of_hits
FROM rates ORDER BY minute;

-- The ten slowest images, and where the time went.
SELECT tag, host, rank, state,
       round(seconds_read + seconds_spotfind + seconds_index + seconds_refine + seconds_integrate
             + seconds_write, 3) AS seconds,
       round(seconds_read, 3) AS reading, round(seconds_index, 3) AS indexing,
       round(seconds_integrate, 3) AS integrating
FROM images ORDER BY seconds DESC LIMIT 10;

-- Hosts that spend more time on reading or spotfinding than the average host. These two steps cost
-- nearly the same for every image, so that a difference lies in the machine.
SELECT host, images, round(seconds_read, 4) AS reading, round(seconds_spotfind, 4) AS spotfinding,
       round((seconds_read + seconds_spotfind)
             / (SELECT avg(seconds_read + seconds_spotfind) FROM hosts), 2) AS relative
FROM hosts ORDER BY relative DESC LIMIT 20;

-- Histogram of the cell length a, in bins of 0.1 angstrom.
SELECT round(0.1 * CAST(a / 0.1 AS INTEGER), 1) AS a_from, count(*) AS lattices
FROM lattices GROUP BY a_from ORDER BY a_from;

-- Images of one exit state, as lines for another run: path, frame, why.
SELECT path, frame, message FROM images WHERE state = 'indexing_failed' ORDER BY path, frame;
