// The tables and views of a ledger, as docs/ledger.md shows them.
#pragma once

namespace kilobragg::report {

inline constexpr const char* ledger_schema = R"sql(
CREATE TABLE run(
  key TEXT PRIMARY KEY,
  value TEXT
) WITHOUT ROWID;

CREATE TABLE sessions(
  id INTEGER PRIMARY KEY,
  started REAL NOT NULL,
  ended REAL,
  host TEXT NOT NULL,
  ranks INTEGER NOT NULL,
  version TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  state TEXT NOT NULL
);

CREATE TABLE inputs(
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL,
  dataset TEXT NOT NULL,
  stem TEXT NOT NULL,
  frames INTEGER,
  content_id TEXT,
  problem TEXT,
  UNIQUE(path, dataset)
);

CREATE TABLE batches(
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL,
  finished_at REAL NOT NULL,
  rank INTEGER NOT NULL,
  first INTEGER NOT NULL,
  images INTEGER NOT NULL,
  hits INTEGER NOT NULL,
  indexed INTEGER NOT NULL,
  integrated INTEGER NOT NULL,
  lattices INTEGER NOT NULL,
  spots INTEGER NOT NULL,
  indexed_spots INTEGER NOT NULL,
  reflections INTEGER NOT NULL,
  seconds_read REAL NOT NULL,
  seconds_spotfind REAL NOT NULL,
  seconds_index REAL NOT NULL,
  seconds_refine REAL NOT NULL,
  seconds_integrate REAL NOT NULL,
  seconds_write REAL NOT NULL,
  states TEXT NOT NULL
);

CREATE TABLE image_rows(
  id INTEGER PRIMARY KEY,
  input INTEGER NOT NULL,
  frame INTEGER NOT NULL,
  host TEXT NOT NULL,
  rank INTEGER NOT NULL,
  started REAL NOT NULL,
  seconds_read REAL NOT NULL,
  seconds_spotfind REAL NOT NULL,
  seconds_index REAL NOT NULL,
  seconds_refine REAL NOT NULL,
  seconds_integrate REAL NOT NULL,
  seconds_write REAL NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL,
  message TEXT NOT NULL,
  spots INTEGER NOT NULL,
  lattices INTEGER NOT NULL,
  d_min REAL
);

CREATE TABLE lattices(
  image INTEGER NOT NULL,
  number INTEGER NOT NULL,
  identifier TEXT NOT NULL,
  a REAL NOT NULL,
  b REAL NOT NULL,
  c REAL NOT NULL,
  alpha REAL NOT NULL,
  beta REAL NOT NULL,
  gamma REAL NOT NULL,
  space_group TEXT NOT NULL,
  rmsd_px REAL NOT NULL,
  rmsd_psi_deg REAL NOT NULL,
  indexed INTEGER NOT NULL,
  reflections INTEGER NOT NULL,
  half_mosaicity_deg REAL,
  domain_size_angstrom REAL,
  d_min REAL,
  PRIMARY KEY(image, number)
) WITHOUT ROWID;

CREATE TABLE shards(
  path TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL,
  records INTEGER NOT NULL,
  torn INTEGER NOT NULL
) WITHOUT ROWID;

CREATE VIEW images AS
SELECT r.id, i.path, i.dataset, r.frame,
       CASE WHEN coalesce(i.frames, i.dataset = '') = 1 THEN i.stem
            ELSE i.stem || printf('_%05d', r.frame) END AS tag,
       i.content_id, r.host, r.rank, r.started, r.seconds_read, r.seconds_spotfind, r.seconds_index,
       r.seconds_refine, r.seconds_integrate, r.seconds_write, r.state, r.count, r.message, r.spots,
       r.lattices, r.d_min
FROM image_rows r JOIN inputs i ON i.id = r.input;

CREATE VIEW rates AS
SELECT 60 * CAST(finished_at / 60 AS INTEGER) AS minute, count(*) AS batches,
       sum(images) AS images, sum(hits) AS hits, sum(indexed) AS indexed,
       sum(integrated) AS integrated, sum(images) / 60.0 AS images_per_second,
       1.0 * sum(hits) / max(sum(images), 1) AS hit_rate,
       1.0 * sum(indexed) / max(sum(hits), 1) AS index_rate,
       1.0 * sum(integrated) / max(sum(images), 1) AS integration_rate
FROM batches GROUP BY 1;

CREATE VIEW exit_states AS
SELECT e.key AS state, sum(e.value) AS images,
       1.0 * sum(e.value) / (SELECT max(sum(images), 1) FROM batches) AS fraction
FROM batches b, json_each(b.states) e GROUP BY 1;

CREATE VIEW image_states AS
SELECT state, count(*) AS images, 1.0 * count(*) / (SELECT max(count(*), 1) FROM image_rows) AS fraction
FROM image_rows GROUP BY 1;

CREATE VIEW ranks AS
SELECT session, rank, count(*) AS batches, sum(images) AS images, max(finished_at) AS last_seen,
       sum(seconds_read) AS seconds_read, sum(seconds_spotfind) AS seconds_spotfind,
       sum(seconds_index) AS seconds_index, sum(seconds_refine) AS seconds_refine,
       sum(seconds_integrate) AS seconds_integrate, sum(seconds_write) AS seconds_write
FROM batches GROUP BY 1, 2;

CREATE VIEW hosts AS
SELECT host, count(DISTINCT rank) AS ranks, count(*) AS images, avg(seconds_read) AS seconds_read,
       avg(seconds_spotfind) AS seconds_spotfind, avg(seconds_index) AS seconds_index,
       avg(seconds_refine) AS seconds_refine, avg(seconds_integrate) AS seconds_integrate,
       avg(seconds_write) AS seconds_write
FROM image_rows GROUP BY 1;
)sql";

} // namespace kilobragg::report
