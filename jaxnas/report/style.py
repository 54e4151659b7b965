"""The look of the page: readable on a desk, on a phone and on paper."""

STYLE = """
:root { --ink: #1a1a1a; --grey: #595959; --rule: #d9d9d9; --blue: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1120px; padding: 1rem; background: #fff; color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; border-top: 1px solid var(--rule); padding-top: 1rem; }
p, li, figcaption { max-width: 46rem; }
p { margin: .5rem 0; }
code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .92em; overflow-wrap: anywhere;
  unicode-bidi: isolate; }
.answer { display: flow-root; border-left: 5px solid var(--blue); padding: .1rem 0 .1rem 1rem; }
.cell { overflow-x: auto; }
.answer .verdict { font-size: 1.15rem; font-weight: 650; }
.warning { margin-top: 1.5rem; border-left: 5px solid #d55e00; padding: .1rem 0 .1rem 1rem; }
.terms, figcaption, .caption { color: var(--grey); font-size: .92rem; }
.terms b { color: var(--ink); }
figure { margin: 1rem 0; }
figcaption { margin-top: .6rem; }
li { margin: .2rem 0; }
.panels { display: flex; flex-wrap: wrap; gap: 1.2rem 1.5rem; overflow-x: auto; }
.panels svg { flex: none; }
svg text { font-family: system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.halo { paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round; }
.scroll { overflow-x: auto; margin: .3rem 0 .8rem; }
table { border-collapse: collapse; font-size: .92rem; }
.caption { margin: 1rem 0 0; }
th, td { text-align: right; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--rule); white-space: nowrap;
  vertical-align: top; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, td.text { text-align: left; }
tbody th { font-weight: 400; unicode-bidi: isolate; }
tr.marked th, tr.marked td { font-weight: 650; }
.wide td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.estimate, thead th { white-space: normal; }
.estimate span { white-space: nowrap; }
.architecture { min-width: 19rem; white-space: normal; text-align: left; }
summary { cursor: pointer; }
.warning h2 { border: 0; padding: 0; margin: .3rem 0; }
@media (min-width: 1060px) { .cell { float: right; } }
@media (max-width: 420px) { body { padding: .6rem; font-size: 15px; } .panels { gap: 1.2rem; } }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .scroll, .panels { overflow: visible; }
  table { font-size: 8.5pt; }
  h2, .caption { break-after: avoid; }
  figure svg, .answer { display: flow-root; break-inside: avoid; }
  tr { break-inside: avoid; }
  .panels svg { max-width: 100%; height: auto; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
