"""The style sheet of the HTML report."""

from __future__ import annotations

STYLE = """
:root {
  --paper: #fff; --ink: #1b1f24; --faint: #59636e; --line: #d1d9e0; --raised: #f6f8fa;
  --good: #1a7f37; --bad: #b3261e; --warn: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --line: #3d444d; --raised: #151b23;
    --good: #4ac26b; --bad: #ff7b72; --warn: #e0a63a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
header { padding: .25rem 1rem; border-left: .4rem solid var(--warn); background: var(--raised); }
header.kept { border-color: var(--good); }
header.broken { border-color: var(--bad); }
h1 { font-size: 1.4rem; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, dl, ul { margin: .25rem 0 .75rem; }
main > dl, main > section { margin-top: 1.5rem; }
article { margin-top: 1.5rem; padding: 1rem; border: 1px solid var(--line); border-radius: .4rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; }
dt { color: var(--faint); }
dd { margin: 0; }
ul { padding-left: 1.25rem; }
pre {
  margin: .25rem 0 .75rem; padding: .6rem .75rem; background: var(--raised); border: 1px solid var(--line);
  border-radius: .3rem; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .8125rem/1.45 ui-monospace, "Noto Sans Mono", monospace;
}
summary { cursor: pointer; color: var(--faint); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .35rem .5rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; }
small { display: block; color: var(--faint); }
.level { font-size: .8rem; font-weight: 400; color: var(--faint); border: 1px solid var(--line);
  border-radius: 1rem; padding: 0 .5rem; }
.standing { color: var(--warn); }
.result { white-space: nowrap; font-weight: 600; color: var(--faint); }
.result.pass { color: var(--good); }
.result.fail { color: var(--bad); }
.result.error, .result.known { color: var(--warn); }
@media (max-width: 36rem) {
  body { padding: .5rem; }
  article { padding: .75rem; }
  dl { display: block; }
  dd { margin: 0 0 .4rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --faint: #444; --line: #999; --raised: #fff;
    --good: #060; --bad: #900; --warn: #640; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  article { border-width: 1px 0 0; border-radius: 0; padding: .5rem 0; }
  h2, h3, summary { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""
