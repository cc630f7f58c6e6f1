// The style sheet of the HTML report.
#include "report_parts.hpp"

#include <fmt/format.h>

namespace kilobragg::report {

std::string report_style() {
  return R"(
:root{color-scheme:only light}
*{box-sizing:border-box}
body{margin:0 auto;max-width:2200px;padding:0 clamp(12px,2vw,48px) 48px;background:#fff;color:#1b2127;
 font:clamp(15px,.6vw + 9.5px,21px)/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:1.5em;line-height:1.2;margin:.9em 0 .1em;overflow-wrap:anywhere}
h2{font-size:1.25em;margin:1.8em 0 .6em;padding-top:.5em;border-top:2px solid #1b2127}
h3{font-size:1em;margin:0 0 .2em}
p{margin:.3em 0 .7em}
.quiet{color:#4d5760}
.tiles{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:.6em;margin:1em 0}
.tile{border-left:.3em solid #0072b2;background:#f3f6f9;padding:.45em .7em .5em;min-width:0}
.tile b{display:block;font-size:1.5em;white-space:nowrap;line-height:1.2;font-weight:650;overflow-wrap:anywhere}
.tile.long{grid-column:1/-1}
.tile.long b{font-size:1.25em;white-space:normal}
.tile span{display:block;color:#4d5760;font-size:.88em}
.good,.bad{padding:.5em .7em;border-left:.3em solid}
.good{border-color:#009e73;background:#eef8f4}
.bad{border-color:#d55e00;background:#fdf1e9}
.grid{display:grid;grid-template-columns:minmax(0,1fr);gap:1.6em 2em}
figure{margin:0;min-width:0}
figure.full{grid-column:1/-1}
figcaption{margin-top:.2em;color:#4d5760;font-size:.88em;overflow-wrap:anywhere}
svg.plot,svg.still{display:block;width:100%;height:auto}
svg.still{border:1px solid #c9d0d6;background:#fff}
svg.store{position:absolute;width:0;height:0}
svg.plot text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#1b2127}
svg.plot text.mark{font-size:12.5px;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
path.grid{stroke:#e1e5e9;stroke-width:1;fill:none}
path.axis{stroke:#1b2127;stroke-width:1;fill:none}
path.mark{stroke:#1b2127;stroke-width:1.2;stroke-dasharray:4 3;fill:none}
.tip{fill:#000;fill-opacity:0}
.tip:hover{fill-opacity:.07}
g.tip:hover{fill-opacity:0}
g.tip path:hover{fill-opacity:.25}
.wide{display:none}
.columns{margin-top:1.6em}
.columns>div{margin-bottom:1.6em}
.legend{margin:.1em 0 .3em;font-size:.88em}
.legend span{display:inline-block;margin-right:1em;white-space:nowrap}
.legend i{display:inline-block;width:1.1em;height:.8em;margin-right:.35em}
.found{fill:none;stroke:#0057d9;stroke-width:1.3;vector-effect:non-scaling-stroke}
.predicted{fill:none;stroke:#d0390b;stroke-width:1.1;vector-effect:non-scaling-stroke}
.key-found{border:2px solid #0057d9;border-radius:50%;height:.9em!important;width:.9em!important}
.key-predicted{border:2px solid #d0390b;height:.9em!important;width:.9em!important}
#show-found:not(:checked)~.grid .found,#show-predicted:not(:checked)~.grid .predicted{display:none}
input[type=checkbox]{width:1.1em;height:1.1em;vertical-align:-.15em}
label{margin-right:1.2em}
label+.grid{margin-top:.8em}
.missing{display:flex;align-items:center;justify-content:center;min-height:9em;border:1px dashed #8a949d;
 padding:1em;color:#4d5760;text-align:center;overflow-wrap:anywhere}
table{border-collapse:collapse;font-size:.95em;max-width:60em;width:100%}
th,td{text-align:left;padding:.25em .8em .25em 0;border-bottom:1px solid #e1e5e9;vertical-align:top}
td.long{overflow-wrap:anywhere}
th{font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.bar{width:35%;min-width:3.5em;padding-right:0;vertical-align:middle}
td.bar i{display:block;height:.8em;min-width:1px}
tr.sum td{border-top:2px solid #1b2127;font-weight:600}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f3f6f9;padding:.8em;font-size:.85em;margin:.5em 0}
details{margin:.6em 0}
details[open] summary{margin-bottom:.4em}
summary{cursor:pointer;font-weight:600}
@media (min-width:560px){.tiles{grid-template-columns:repeat(4,minmax(0,1fr))}}
.narrow svg.plot{max-width:640px}
@media (min-width:700px){.grid{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media (min-width:1080px){.wide{display:block}.narrow{display:none}}
@media (min-width:1400px){.grid{grid-template-columns:repeat(3,minmax(0,1fr))}
 .tiles{grid-template-columns:repeat(10,minmax(0,1fr))}.tile.long{grid-column:span 2}.tile b,.tile.long b{font-size:1.25em}.columns{columns:2;column-gap:3em}
 .columns>*{break-inside:avoid}}
@media (max-width:559px){.opt{display:none}}
@media print{h2{break-after:avoid}figure,tr{break-inside:avoid}}
)";
}

std::string page_head(std::string_view title, std::string_view more_style, std::string_view quiet) {
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{0} - KiloBragg</title>
<link rel="icon" href="data:,">
<style>{1}{2}</style>
</head>
<body>
<h1>{0}</h1>
<p class="quiet">{3}</p>
)",
                     title, report_style(), more_style, quiet);
}

} // namespace kilobragg::report
