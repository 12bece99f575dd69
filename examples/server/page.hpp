// SPDX-License-Identifier: BSL-1.0
// page: draws the pools while they work. It loads nothing from other servers, and reads /metrics as Prometheus does.
#pragma once

#include <string_view>

inline constexpr std::string_view page = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The server's pools</title>
<link rel="icon" href="data:,">
<style>
  body { margin: 0 auto; max-width: 760px; padding: 16px 20px; font: 15px/1.4 system-ui, sans-serif; color: #1c2733; background: #f5f7f9 }
  header { display: flex; justify-content: space-between; align-items: baseline }
  h1 { font-size: 20px; margin: 0 } h2 { font-size: 15px; margin: 0 }
  #state { color: #5b6b7b } #state.lost { color: #c0392b; font-weight: bold }
  .row { display: grid; grid-template-columns: repeat(5, 1fr); gap: 10px; margin: 12px 0 }
  .card { background: #fff; border: 1px solid #dde4ea; border-radius: 8px; padding: 10px 14px }
  .card b { display: block; font-size: 20px; font-variant-numeric: tabular-nums } .card span { color: #5b6b7b; font-size: 13px; white-space: nowrap }
  .pool { background: #fff; border: 1px solid #dde4ea; border-radius: 8px; padding: 12px 14px; margin: 10px 0 }
  .top { display: flex; justify-content: space-between } .top span { color: #5b6b7b; font-variant-numeric: tabular-nums }
  .bar { position: relative; height: 18px; margin: 8px 0; background: #e8edf2; border-radius: 5px; overflow: hidden }
  .fill { height: 100%; background: var(--colour) } .peak { position: absolute; top: 0; height: 100%; border-right: 2px solid #1c2733 }
  svg { display: block; width: 100%; height: 70px } polyline { fill: none; stroke: var(--colour); stroke-width: 1.5; vector-effect: non-scaling-stroke }
  polyline.waiting { stroke: #d55e00 } .note { color: #5b6b7b; font-size: 13px }
  .graph { position: relative; margin: 12px 0 8px; border: solid #dde4ea; border-width: 1px 0 }
  .graph div { position: absolute; top: 2px; left: 0; font-size: 13px; color: #5b6b7b } .graph i { color: #d55e00; font-style: normal } .graph b { color: var(--colour); font-weight: normal }
</style>
<header><h1>The server's pools</h1><span id="state">connecting</span></header>
<div class="row">
  <div class="card"><b id="rate">-</b><span>requests per s</span></div>
  <div class="card"><b id="requests">-</b><span>requests</span></div>
  <div class="card"><b id="clients">-</b><span>clients</span></div>
  <div class="card"><b id="overdue">-</b><span>were too slow</span></div>
  <div class="card"><b id="resident">-</b><span>MiB of memory</span></div>
</div>
<div id="pools"></div>
<script>
const colours = { connections: "#009e73", buffers: "#0072b2" }, length = 240, history = {};
let last = null;
const set = (id, value) => document.getElementById(id).textContent = value;
const grouped = value => Math.round(value).toLocaleString("en");

function parse(text) { // Prometheus: name{pool="x"} value
  const found = { pools: {} };
  for (const line of text.split("\n")) {
    const part = /^server_(\w+?)(?:\{(\w+)="([^"]*)"\})? (\S+)$/.exec(line);
    if (!part) continue;
    const [, name, label, value, number] = part;
    if (label === "pool") (found.pools[value] ??= {})[name.replace("pool_", "")] = Number(number);
    else found[name] = label ? value : Number(number);
  }
  return found;
}

function add(name) {
  const box = document.createElement("div");
  box.className = "pool";
  box.style.setProperty("--colour", colours[name] ?? "#0072b2");
  box.innerHTML = `<div class="top"><h2>${name}</h2><span id="${name}-count"></span></div>
    <div class="bar"><div class="fill" id="${name}-fill"></div><div class="peak" id="${name}-peak"></div></div>
    <div class="graph"><div><span id="${name}-most"></span>: <b>in use</b>, <i>waiting</i></div>
    <svg viewBox="0 0 ${length - 1} 100" preserveAspectRatio="none"><polyline id="${name}-used"/><polyline class="waiting" id="${name}-waiting"/></svg></div>
    <div class="note" id="${name}-note"></div>`;
  document.getElementById("pools").append(box);
  history[name] = [];
}

function draw(name, pool) {
  if (!history[name]) add(name);
  const past = history[name];
  past.push([pool.in_use, pool.waiting]);
  if (past.length > length) past.shift();
  const most = Math.max(pool.blocks, ...past.map(p => p[1]));
  const line = which => past.map((p, i) => `${length - past.length + i},${(97 - 94 * p[which] / most).toFixed(1)}`).join(" ");
  set(name + "-most", grouped(most));
  document.getElementById(name + "-used").setAttribute("points", line(0));
  document.getElementById(name + "-waiting").setAttribute("points", line(1));
  document.getElementById(name + "-fill").style.width = 100 * pool.in_use / pool.blocks + "%";
  document.getElementById(name + "-peak").style.width = 100 * pool.peak / pool.blocks + "%";
  set(name + "-count", `${grouped(pool.in_use)} of ${grouped(pool.blocks)} in use, ${grouped(pool.peak)} at most`);
  set(name + "-note", `${grouped(pool.block_bytes)} bytes per block; ${grouped(pool.waiting)} wait now; so far ` +
    `${grouped(pool.waits_total)} had to wait, the longest ${grouped(1000 * pool.longest_wait_seconds)} ms`);
}

async function update() {
  try {
    const now = parse(await (await fetch("/metrics", { cache: "no-store" })).text());
    for (const name in now.pools) draw(name, now.pools[name]);
    if (last && now.uptime_seconds > last.uptime_seconds)
      set("rate", grouped((now.requests_total - last.requests_total) / (now.uptime_seconds - last.uptime_seconds)));
    last = now;
    set("requests", grouped(now.requests_total));
    set("clients", grouped(now.clients_total));
    set("overdue", grouped(now.overdue_total));
    set("resident", (now.resident_bytes / 1048576).toFixed(1));
    set("state", `memory: ${now.info}, up ${grouped(now.uptime_seconds)} s`);
    document.getElementById("state").className = "";
  } catch {
    set("state", "the server does not answer");
    document.getElementById("state").className = "lost";
  }
  setTimeout(update, 250);
}
update();
</script>
</html>
)html";
