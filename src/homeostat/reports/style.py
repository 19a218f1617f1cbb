"""The style sheets of the report page and of its drawings: light and dark, wide and narrow, no more than they need."""

COLOURS = """
:root { --ink: #1d2329; --soft: #5b6670; --rule: #d9dee3; --paper: #ffffff; --panel: #f5f7f9;
  --served: #0b5fae; --never: #b4560f; --baseline: #77818b; --good: #1a7f4b; --bad: #c0262d; --warn: #b7791f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa6b2; --rule: #333b44; --paper: #14181c;
  --panel: #1c2228; --served: #6bb1f2; --never: #f0a061; --baseline: #8b96a1; --good: #58c48c; --bad: #ff7b7f;
  --warn: #e2b04a; } }
"""
DRAWINGS = """
svg { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--soft); } svg text.on { fill: #fff; font-weight: 600; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg path { fill: none; stroke-width: 2; }
svg path.served { stroke: var(--served); stroke-width: 2.6; } svg circle.served { fill: var(--served); }
svg path.never { stroke: var(--never); stroke-dasharray: 6 3; } svg circle.never { fill: var(--never); }
svg path.baseline { stroke: var(--baseline); stroke-dasharray: 2 3; } svg circle.baseline { fill: var(--baseline); }
svg text.served { fill: var(--served); font-weight: 600; } svg text.never { fill: var(--never); }
svg text.baseline { fill: var(--baseline); }
svg rect.accepted { fill: var(--rule); } svg rect.doubt { fill: var(--baseline); } svg rect.part { fill: var(--warn); }
svg rect.quarantined { fill: var(--bad); } svg rect.missing { fill: var(--ink); }
svg rect.term0 { fill: #0b5fae; } svg rect.term1 { fill: #3f7fb8; } svg rect.back { fill: #b3262c; }
svg circle.calm { fill: var(--baseline); } svg circle.act { fill: var(--good); } svg circle.bad { fill: var(--bad); }
svg circle.alert, svg text.alert { fill: var(--warn); } svg text.act { fill: var(--good); }
svg text.bad { fill: var(--bad); }
svg path.limit { stroke: var(--bad); stroke-width: 1.2; stroke-dasharray: 5 4; } svg circle.limit { display: none; }
svg text.limit { fill: var(--bad); } svg rect.band { fill: var(--bad); opacity: 0.12; }
svg line.mark { stroke: var(--served); stroke-width: 1; stroke-dasharray: 2 2; } svg text.mark { fill: var(--served); }
svg rect.baseline { fill: var(--baseline); opacity: 0.45; } svg rect.served { fill: var(--served); opacity: 0.7; }
svg rect.incident { fill: var(--bad); } svg rect.incident.over { fill: var(--baseline); }
"""
PAGE = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 920px; margin: 0 auto; padding: 24px 20px 64px; }
h1 { font-size: 1.7rem; margin: 0 0 4px; }
h2 { font-size: 1.2rem; margin: 44px 0 8px; padding-top: 12px; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 20px 0 4px; }
p { margin: 4px 0 12px; max-width: 70ch; }
.soft, figcaption, small { color: var(--soft); }
.bad { color: var(--bad); } .good { color: var(--good); }
a { color: var(--served); }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 8px; margin: 16px 0; }
dl div { background: var(--panel); border-radius: 6px; padding: 10px 14px; }
dt { color: var(--soft); font-size: 0.85rem; } dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: 0.8rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 8px 24px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 8px 40px; }
figure { margin: 8px 0; } figcaption { font-size: 0.9rem; margin-bottom: 2px; } figcaption b { color: var(--ink); }
.wide { overflow-x: auto; } .wide svg { min-width: 640px; }
.key { font-size: 0.85rem; color: var(--soft); } .key i { display: inline-block; width: 10px; height: 10px;
  border-radius: 2px; margin: 0 4px 0 12px; } .key i:first-child { margin-left: 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { font-weight: 600; color: var(--soft); } tr > :first-child, td.text, th.text { text-align: left; }
th[colspan] { text-align: center; }
td { white-space: nowrap; }
.wide td svg { min-width: 240px; width: 240px; }
td.text { white-space: normal; min-width: 18em; }
.wide + .wide { margin-top: 16px; }
tr.sum td { font-weight: 600; border-bottom: 0; }
details { border-bottom: 1px solid var(--rule); padding: 6px 0; } summary { cursor: pointer; }
summary b { margin-right: 0.4em; } details ul { margin: 6px 0 10px; padding-left: 20px; } li { margin: 2px 0; }
"""
STYLE = COLOURS + PAGE + DRAWINGS
