// The page of a server: drop a photo, see its likeliest classes and where the network looks. It is one document, which
// asks for nothing but answers of this server.
#pragma once

#include <string>
#include <string_view>

namespace page {

/// The page's text, with NAME where the network's name comes.
inline constexpr std::string_view text = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>NAME</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --page: #f4f5f7; --card: #ffffff; --ink: #1c2126; --soft: #5c6670; --line: #dfe3e8;
        --blue: #2f6fb0; --orange: #a34e12; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial,
       "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 960px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 2px; }
h2 { font-size: 18px; margin: 0 0 12px; }
p { margin: 0 0 12px; }
.soft { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin-top: 18px; }
#drop { display: block; border: 2px dashed var(--soft); border-radius: 10px; padding: 36px 20px; text-align: center;
        cursor: pointer; margin-top: 18px; background: var(--card); }
#drop.over, #drop:focus-within { border-color: var(--blue); border-style: solid; }
#drop b { color: var(--blue); }
#file { position: absolute; opacity: 0; width: 1px; height: 1px; }
.row { display: flex; flex-wrap: wrap; gap: 20px 28px; align-items: flex-start; }
#photo { max-width: 260px; max-height: 260px; border-radius: 6px; min-width: 112px; }
#bars { flex: 1 1 300px; border-collapse: collapse; font-variant-numeric: tabular-nums; width: 0; }
#bars td { padding: 5px 12px 5px 0; vertical-align: middle; }
#bars td:first-child { width: 40%; }
#bars td:nth-child(3) { text-align: right; white-space: nowrap; padding-right: 0; width: 5em; }
#bars div { height: 14px; border-radius: 2px; background: var(--blue); min-width: 1px; }
#map { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px; padding: 6px; }
.small { image-rendering: pixelated; }
#problem { color: var(--orange); font-weight: 600; margin: 18px 0 0; }
[hidden] { display: none !important; }
@media (max-width: 640px) { main { padding: 18px 12px 32px; } section { padding: 14px; } }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --card: #1d2125; --ink: #eceff2; --soft: #a3adb7; --line: #343b42; --blue: #6aa9e9;
          --orange: #f0a35e; }
}
</style>
</head>
<body>
<main>
<h1>NAME</h1>
<p class="soft">Photos stay between this page and the server that sent it.</p>
<label id="drop"><input id="file" type="file" accept="image/jpeg,image/png,image/webp">
<b>Choose a photo</b>, drop one here, or paste one</label>
<p id="problem" role="alert" hidden></p>
<section id="answer" aria-live="polite" hidden>
<h2>What it shows</h2>
<div class="row"><img id="photo" alt="the photo"><table id="bars"></table></div>
<p class="soft" id="time"></p>
</section>
<section id="where" hidden>
<h2>Where the network looks</h2>
<p class="soft">Left: what the network sees. Right: how much each place speaks for <span id="class"></span>,
from 0 to the largest value (1). The map is Grad-CAM of the last layer that has one.</p>
<img id="map" alt="the class activation map">
</section>
</main>
<script>
"use strict";
const element = id => document.getElementById(id);
let turn = 0, shown = "";

async function ask(path, photo) {
  const reply = await fetch(path, { method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" } });
  if (reply.ok) return reply;
  let sentence = "the server answered with status " + reply.status;
  try { sentence = (await reply.json()).error; } catch (broken) {}
  throw new Error(sentence);
}

function draw(answers) {
  const rows = answers.map(({ name, probability }) => {
    const row = document.createElement("tr"), bar = document.createElement("div");
    bar.style.width = 100 * probability + "%";
    for (const content of [name, bar, (100 * probability).toFixed(2) + " %"]) {
      const cell = document.createElement("td");
      cell.append(content);
      row.append(cell);
    }
    return row;
  });
  element("bars").replaceChildren(...rows);
}

async function show(photo) {
  const mine = ++turn;
  element("problem").hidden = true;
  try {
    const start = performance.now();
    const answer = (await (await ask("/classify?top=5", photo)).json()).images[0];
    if (mine !== turn) return;
    URL.revokeObjectURL(shown);
    const picture = element("photo");
    picture.onload = () => picture.classList.toggle("small", picture.naturalWidth < 112);
    picture.src = shown = URL.createObjectURL(photo);
    draw(answer.top);
    element("time").textContent = "Answered in " + Math.round(performance.now() - start) + " ms.";
    element("answer").hidden = false;
    element("where").hidden = true;
    const map = await (await ask("/explain", photo)).blob();
    if (mine !== turn) return;
    element("class").textContent = answer.top[0].name;
    element("map").alt = "the photo, and where it speaks for " + answer.top[0].name;
    const reader = new FileReader();
    reader.onload = () => { element("map").src = reader.result; element("where").hidden = false; };
    reader.readAsDataURL(map);
  } catch (error) {
    if (mine !== turn) return;
    element("problem").textContent = error.message;
    element("problem").hidden = false;
  }
}

const drop = element("drop");
element("file").onchange = event => { if (event.target.files[0]) show(event.target.files[0]); event.target.value = ""; };
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  document.addEventListener(kind, event => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files[0]) show(event.dataTransfer.files[0]);
  });
document.addEventListener("paste", event => {
  const file = [...event.clipboardData.files].find(one => one.type.startsWith("image/"));
  if (file) show(file);
});
</script>
</body>
</html>
)page";

/// What the page may do, as a browser enforces it.
inline constexpr const char* policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; connect-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page of a network; its name is one of the command line's, letters and digits.
inline std::string of(const std::string& name) {
    std::string result{text};
    for (std::size_t at = 0; (at = result.find("NAME", at)) != std::string::npos; at += name.size())
        result.replace(at, 4, name);
    return result;
}

}  // namespace page
