#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The style sheet of a report: for wide and narrow windows, light and dark, and for paper.

#include <string_view>

namespace tenon::detail {

/// Figures have the colors of a light page as attributes, which the rules for dark pages replace.
inline constexpr std::string_view page_style = R"css(
:root { color-scheme: light dark; --page: #f4f5f7; --card: #ffffff; --ink: #1c2126; --soft: #5c6670; --line: #dfe3e8;
        --blue: #2f6fb0; --orange: #c2621a; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial,
       "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 2px; }
h2 { font-size: 18px; margin: 0 0 12px; }
p { margin: 0 0 12px; max-width: 75ch; }
.soft, caption, th { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin-top: 18px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; margin-top: 18px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.row { display: flex; flex-wrap: wrap; gap: 20px 28px; align-items: flex-start; }
.row > * { min-width: 0; }
.text { flex: 1 1 300px; }
figure { margin: 0; min-width: 0; }
figure svg { display: block; max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
.wide svg { max-width: none; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { font-weight: 600; text-align: left; font-size: 13px; }
td, th { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
td:first-child { min-width: 6.5em; }
.n { text-align: right; white-space: nowrap; }
.bar { width: 18%; }
.bar div { height: 9px; margin-top: 7px; border-radius: 2px; background: var(--blue); min-width: 1px; }
.bar .second { background: var(--orange); }
.facts td:first-child { color: var(--soft); width: 32%; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(236px, 1fr)); gap: 18px; }
.pictures { display: flex; gap: 8px; margin-bottom: 6px; }
.picture { position: relative; width: 112px; height: 112px; background: #000; border-radius: 4px; overflow: hidden; }
.picture img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.pixels { image-rendering: pixelated; }
.gray { filter: grayscale(1); }
.heat { opacity: .55; }
.scale { display: inline-block; width: 120px; height: 10px; border-radius: 2px; vertical-align: middle; margin: 0 6px; }
pre { margin: 0; padding: 12px 14px; background: var(--page); border-radius: 6px; white-space: pre-wrap;
      font: 13px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 640px) { .bar { display: none; } main { padding: 18px 12px 32px; } section { padding: 14px; } }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --card: #1d2125; --ink: #eceff2; --soft: #a3adb7; --line: #343b42; --blue: #6aa9e9;
          --orange: #f0a35e; }
  svg [fill="#ffffff"] { fill: var(--card); }
  svg [fill="#222222"], svg [fill="#333333"], svg [fill="#444444"] { fill: var(--ink); }
  svg [fill="#666666"] { fill: var(--soft); }
  svg [stroke="#222222"] { stroke: var(--ink); }
  svg [stroke="#e3e3e3"] { stroke: var(--line); }
  svg [stroke="#2f6fb0"] { stroke: var(--blue); }
  svg [stroke="#d9772b"] { stroke: var(--orange); }
  svg circle[fill="#2f6fb0"] { fill: var(--blue); }
  svg circle[fill="#d9772b"] { fill: var(--orange); }
}
@media print {
  :root { --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --line: #bbbbbb; --blue: #2f6fb0; }
  section, .tile { break-inside: avoid; }
}
)css";

}  // namespace tenon::detail
