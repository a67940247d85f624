"use strict";
// Numbers of a figure's data block, and how they are written.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const tint = (colour) => css("--k" + colour.slice(1)) || colour;
const SIGNS = new Map([[null, NaN], ["+", Infinity], ["-", -Infinity]]); // what JSON has no numbers for
const decode = (values) => values.map((value) => SIGNS.get(value) ?? value);

/** What a data block holds; a long one is packed by gzip. */
async function unpack(block) {
  if (block.type === "application/json") return JSON.parse(block.textContent);
  const bytes = Uint8Array.from(atob(block.textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

/** The panels of a data block, with numbers as numbers, and the mean and range of seeds where they are not said. */
async function read(block) {
  const { panels } = await unpack(block);
  for (const panel of panels.filter((each) => each?.series)) {
    panel.xs = panel.xs.map(decode);
    if (panel.walk) for (const name of ["sizes", "losses"]) panel.walk[name] = panel.walk[name].map(decode);
    if (panel.heat) Object.assign(panel.heat, { values: panel.heat.values.map(decode), colours: panel.heat.colours.split(" ") });
    for (const series of panel.series) readSeries(series, panel.xs[series.x]);
  }
  return panels;
}

/** A series' lines as numbers, each with its own x where some points of it were left out: `xs`, and of each seed `each_xs`. */
function readSeries(series, every) {
  const places = (strides) => {
    let at = 0;
    return strides ? strides.map((stride) => every[(at += stride)]) : every;
  };
  series.xs = places(series.at);
  for (const name of ["y", "low", "high"]) if (series[name]) series[name] = decode(series[name]);
  if (!series.each) return;
  series.each = series.each.map(decode);
  series.each_xs = series.each.map((_, at) => places(series.each_at?.[at]));
  if (series.y || series.low) return;
  const across = (of) => series.each[0].map((_, at) => of(series.each.map((values) => values[at])));
  series.y = across((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  series.low = across((values) => Math.min(...values));
  series.high = across((values) => Math.max(...values));
}

/** An element with properties and children; a property with a dash is an attribute. */
function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

function short(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  const rounded = Number(value.toPrecision(4));
  const size = Math.abs(rounded);
  const text = size && (size >= 1e5 || size < 1e-3) ? rounded.toExponential() : String(rounded);
  return text.replace("e+", "e").replaceAll("-", "−");
}

/** A tick's number; on a logarithmic axis powers of ten far from 1 are written as such. */
function tick(value, log) {
  if (value === null || value === undefined) return "";
  const power = Math.round(Math.log10(Math.abs(value)));
  if (log && value > 0 && (power > 3 || power < -2) && Math.abs(value / 10 ** power - 1) < 1e-6) {
    return "10" + String(power).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
  }
  return short(value);
}

/** Where a logarithmic axis has ticks: at powers of ten, between them where it spans few, evenly where it spans none. */
function logTicks(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 0.4) return [0.1, 0.35, 0.6, 0.85].map((at) => Number((low + at * (high - low)).toPrecision(2)));
  const within = decades < 1.3 ? [1, 2, 3, 5] : decades < 2.6 ? [1, 3] : [1];
  const stride = Math.ceil(decades / 6);
  const found = [];
  for (let power = stride * Math.floor(Math.log10(low) / stride); 10 ** power <= high; power += stride) {
    for (const by of within) found.push(Number(`${by}e${power}`));
  }
  return found.filter((value) => value >= low && value <= high);
}

/** Limits of an axis around the values that it shows. */
function limits(low, high, log, room) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return log ? [0.1, 1] : [0, 1];
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** room, high * (high / low) ** room];
  const apart = high - low || Math.abs(high) || 1;
  return [low - room * apart, high + room * apart];
}

function withAlpha(colour, alpha) {
  const digits = Math.round(255 * Math.min(alpha, 1)).toString(16).padStart(2, "0");
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour + digits : colour;
}

