// How sizes and times are written.

import { text } from "./text";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"] as const;

// To make one takes longer than to write a whole folder with it.
const formats = new Map<string, unknown>();

function kept<T>(name: string, make: () => T): T {
  if (!formats.has(name)) formats.set(name, make());
  return formats.get(name) as T;
}

/** `12.3 GB`: decimal, as disks are sold. */
export function bytes(count: number): string {
  const power = Math.min(count < 1 ? 0 : Math.floor(Math.log10(count) / 3), UNITS.length - 1);
  const value = count / 1000 ** power;
  const digits = value < 10 && power > 0 ? 1 : 0;
  const format = { style: "unit", unit: UNITS[power], unitDisplay: "short", maximumFractionDigits: digits } as const;
  return kept(`${power} ${digits}`, () => new Intl.NumberFormat(text.language, format)).format(value);
}

const ABOUT: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** `3 hours ago`, `in 2 days`. */
export function about(time: string): string {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  const unit = ABOUT.find(([, length]) => Math.abs(seconds) >= length);
  if (!unit) return text.justNow;
  return kept("about", () => new Intl.RelativeTimeFormat(text.language, { numeric: "auto" })).format(Math.trunc(seconds / unit[1]), unit[0]);
}

/** `22 November 2026, 15:04`. */
export const exact = (time: string) =>
  kept("exact", () => new Intl.DateTimeFormat(text.language, { dateStyle: "long", timeStyle: "short" })).format(new Date(time));

export const day = (time: string) => kept("day", () => new Intl.DateTimeFormat(text.language, { dateStyle: "medium" })).format(new Date(time));

/** `Firefox on Linux`, of what a browser calls itself. */
export function browser(agent: string): string {
  const find = (known: [RegExp, string][]) => known.find(([pattern]) => pattern.test(agent))?.[1];
  const name = find([[/Edg\//, "Edge"], [/Firefox\//, "Firefox"], [/Chrom(e|ium)\//, "Chrome"], [/Safari\//, "Safari"], [/curl/, "curl"]]);
  const system = find([[/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Mac OS/, "Mac"], [/Windows/, "Windows"], [/Linux/, "Linux"]]);
  if (name && system) return text.settings.sessions.on(name, system);
  return name ?? system ?? text.settings.sessions.unknown;
}
