// Numbers and times as people read them, in the browser's zone.
import { language, t } from "./words.js";

const two = (number) => String(number).padStart(2, "0");
const sameDay = (a, b) => a.toDateString() === b.toDateString();

export const count = (number) => number.toLocaleString("en-US");
export const clock = (text) => {
  const at = new Date(text);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
};
export const fullTime = (text) => new Date(text).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { dateStyle: "full", timeStyle: "long" });

/** Today "14:05", this year "11-22 14:05", else "2025-11-22". */
export function shortTime(text, now = new Date()) {
  const at = new Date(text);
  const hours = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (sameDay(at, now)) return hours;
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return at.getFullYear() === now.getFullYear() ? `${day} ${hours}` : `${at.getFullYear()}-${day}`;
}

/** A span: 140 毫秒, 1.24 秒, 2 分 3 秒. */
export function span(ms) {
  if (ms < 1000) return t("span.ms", { n: Math.round(ms) });
  if (ms < 60000) return t("span.s", { n: (ms / 1000).toFixed(2) });
  return t("span.min", { m: Math.floor(ms / 60000), s: Math.round((ms % 60000) / 1000) });
}

/** A point on the trace's axis: +140 ms, +1.24 s. */
export const since = (ms) => (ms < 1000 ? `+${Math.round(ms)} ms` : ms < 60000 ? `+${(ms / 1000).toFixed(2)} s` : `+${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`);

export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** How far the sandbox's clock is ahead. */
export function ahead(seconds) {
  const hours = seconds / 3600;
  if (hours < 1) return t("ahead.min", { n: Math.round(seconds / 60) });
  return hours < 48 ? t("ahead.h", { n: Number(hours.toFixed(1)) }) : t("ahead.d", { n: Number((hours / 24).toFixed(1)) });
}
