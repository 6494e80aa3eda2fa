"""How report pages look: on a screen of any width, and on A4 paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light; --ink: #1c2330; --muted: #5b6575; --line: #d5dae2; --pale: #f5f7fa;
  --accent: #0b5cad; --warn: #b3261e; --warn-pale: #fdf1ef; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 15px/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; }
main { max-width: 800px; margin: 0 auto; padding: 36px 28px 64px; }
header { border-bottom: 2px solid var(--ink); padding-bottom: 14px; margin-bottom: 20px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 40px 0 10px; padding-bottom: 4px;
  border-bottom: 1px solid var(--line); break-after: avoid; }
h3 { font-size: 15px; margin: 22px 0 6px; break-after: avoid; }
p { margin: 6px 0 10px; }
.meta, figcaption, caption, .small { color: var(--muted); font-size: 13px; }
.meta { margin: 0; }
.verdict { font-size: 17px; line-height: 1.45; margin: 0 0 8px; }
.notes { border-left: 3px solid var(--warn); background: var(--warn-pale); padding: 8px 14px;
  margin: 14px 0; break-inside: avoid; }
.notes ul { margin: 4px 0; padding-left: 18px; }
.notes h3 { margin: 0; color: var(--warn); }
.wide { break-inside: avoid; overflow-x: auto; margin: 10px 0 18px; }
.small b { color: var(--ink); font-weight: 500; }
table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 6px; }
th, td { padding: 4px 8px; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
th:first-child, .text { text-align: left; overflow-wrap: break-word; }
tbody th { min-width: 6.5em; max-width: 22em; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 500; }
tr.best th, tr.best td { background: #eef5fd; }
tr.best data { font-weight: 600; }
.rank { display: inline-block; min-width: 1.4em; color: var(--muted); font-weight: 400; }
.joined { white-space: nowrap; }
tr.apart th, tr.apart td { color: var(--muted); }
.texts td, .texts th { text-align: left; }
.why { display: block; color: var(--warn); font-size: 12px; font-weight: 400; }
.mark { color: var(--warn); font-weight: 600; }
.best-cell { font-weight: 700; }
figure { margin: 16px 0 22px; break-inside: avoid; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { margin-top: 6px; }
.strip { display: grid; grid-template-columns: repeat(4, 1fr); gap: 6px; }
.strip div { font-size: 12px; color: var(--muted); }
.strip img { width: 100%; display: block; border: 1px solid var(--line);
  image-rendering: auto; }
.key { display: inline-block; width: 10px; height: 10px; margin: 0 4px 0 10px;
  border: 1px solid rgba(0, 0, 0, .25); }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 4px 16px 12px; margin: 14px 0; }
.card h3 { font-size: 17px; margin: 10px 0 4px; }
.card h4 { font-size: 13px; margin: 14px 0 2px; color: var(--muted); text-transform: uppercase;
  letter-spacing: .04em; break-after: avoid; }
.card ul { margin: 2px 0; padding-left: 18px; }
dl { display: grid; grid-template-columns: minmax(120px, max-content) 1fr; gap: 2px 16px;
  margin: 4px 0; font-size: 13px; }
dl.two { grid-template-columns: minmax(110px, max-content) 1fr minmax(110px, max-content) 1fr; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: 11px/1.4 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  color: var(--muted);  overflow-wrap: anywhere; }
ol.sources { font-size: 13px; color: var(--muted); padding-left: 22px; }
footer { margin-top: 48px; border-top: 1px solid var(--line); padding-top: 8px; }
@media (max-width: 600px) { .strip { grid-template-columns: repeat(2, 1fr); }
  dl, dl.two { grid-template-columns: 1fr; } dt { margin-top: 4px; } }
@page { size: A4; margin: 16mm 15mm; }
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  table { font-size: 8.5pt; } .wide { overflow: visible; }
  tr, .strip, figure { break-inside: avoid; }
  thead { display: table-header-group; }
  h2 { margin-top: 22pt; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""
